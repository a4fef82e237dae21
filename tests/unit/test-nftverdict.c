/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The rules of real hosts are in tests/root/test_doctor.py; here is what no nft prints, and the third
 * value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "model/json.h"
#include "model/nftverdict.h"

#define CHAIN(policy)                                                                                      \
    "{\"chain\":{\"family\":\"inet\",\"table\":\"t\",\"name\":\"in\",\"type\":\"filter\",\"hook\":"        \
    "\"input\","                                                                                           \
    "\"prio\":0,\"policy\":\"" policy "\"}}"
#define RULE(expr)                                                                                         \
    ",{\"rule\":{\"family\":\"inet\",\"table\":\"t\",\"chain\":\"in\",\"handle\":7,\"comment\":\"why\","   \
    "\"expr\":[" expr "]}}"
#define MATCH(left, op, right) "{\"match\":{\"op\":\"" op "\",\"left\":" left ",\"right\":" right "}}"
#define DPORT "{\"payload\":{\"protocol\":\"tcp\",\"field\":\"dport\"}}"
#define SADDR "{\"payload\":{\"protocol\":\"ip\",\"field\":\"saddr\"}}"

static enum sp_nftverdict judge(const char *items, const char *from, char where[SP_NFTVERDICT_WHERE])
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    _cleanup_json_ cJSON *ruleset = NULL;
    struct sp_nftverdict_packet p = {.port = 22, .not_table = "sallyport"};
    enum sp_nftverdict verdict;
    struct sp_cidr address;
    struct sp_error err;

    sp_buf_printf(&text, "{\"nftables\":[%s]}", items);
    assert_int_equal(sp_json_parse(sp_buf_str(&text), text.len, &ruleset, &err), 0);
    if (from != NULL) {
        assert_int_equal(sp_cidr_parse(from, &address, &err), 0);
        p.from = &address;
    }
    assert_int_equal(sp_nftverdict_judge(ruleset, &p, &verdict, where, &err), 0);
    return verdict;
}

static void no_chain_is_no_obstacle(void **state)
{
    char where[SP_NFTVERDICT_WHERE];

    (void)state;
    assert_int_equal(judge("{\"metainfo\":{}}", NULL, where), SP_NFT_PASSES);
    assert_string_equal(where, "");
}

static void a_rule_that_drops_is_named_with_its_handle_and_comment(void **state)
{
    char where[SP_NFTVERDICT_WHERE];

    (void)state;
    assert_int_equal(judge(CHAIN("accept") RULE(MATCH(DPORT, "==", "22") ",{\"drop\":null}"), NULL, where),
                     SP_NFT_DROPPED);
    assert_string_equal(where, "inet t, chain in, handle 7 (why)");
}

static void the_policy_counts_where_no_rule_decides(void **state)
{
    char where[SP_NFTVERDICT_WHERE];

    (void)state;
    assert_int_equal(judge(CHAIN("drop") RULE(MATCH(DPORT, "==", "80") ",{\"accept\":null}"), NULL, where),
                     SP_NFT_DROPPED);
    assert_string_equal(where, "inet t, the policy of chain in");
}

static void what_is_not_known_of_the_packet_is_no_verdict(void **state)
{
    char where[SP_NFTVERDICT_WHERE];

    (void)state;
    assert_int_equal(
        judge(CHAIN("accept") RULE(MATCH(SADDR, "==", "\"192.0.2.7\"") ",{\"drop\":null}"), NULL, where),
        SP_NFT_CANNOT_TELL);
    assert_int_equal(judge(CHAIN("accept") RULE(MATCH(SADDR, "==", "\"192.0.2.7\"") ",{\"drop\":null}"),
                           "192.0.2.7", where),
                     SP_NFT_DROPPED);
    assert_int_equal(judge(CHAIN("accept") RULE(MATCH(SADDR, "==", "\"192.0.2.7\"") ",{\"drop\":null}"),
                           "2001:db8::1", where),
                     SP_NFT_PASSES);
    assert_int_equal(judge(CHAIN("accept")
                               RULE("{\"xt\":{\"type\":\"match\",\"name\":\"geoip\"}},{\"drop\":null}"),
                           NULL, where),
                     SP_NFT_CANNOT_TELL);
    assert_int_equal(judge(CHAIN("accept")
                               RULE("{\"xt\":{\"type\":\"match\",\"name\":\"geoip\"}},{\"accept\":null}"),
                           NULL, where),
                     SP_NFT_PASSES);
}

static void sets_ranges_and_negations_are_understood(void **state)
{
    char where[SP_NFTVERDICT_WHERE];

    (void)state;
    assert_int_equal(judge(CHAIN("accept") RULE(
                               MATCH(DPORT, "!=", "{\"set\":[80,{\"range\":[20,25]}]}") ",{\"drop\":null}"),
                           NULL, where),
                     SP_NFT_PASSES);
    assert_int_equal(
        judge(CHAIN("accept") RULE(MATCH(
                  SADDR, "!=", "{\"prefix\":{\"addr\":\"192.0.2.0\",\"len\":24}}") ",{\"drop\":null}"),
              "203.0.113.1", where),
        SP_NFT_DROPPED);
    assert_int_equal(
        judge(CHAIN("accept")
                  RULE(MATCH(SADDR, "==", "{\"range\":[\"192.0.2.3\",\"192.0.2.9\"]}") ",{\"drop\":null}"),
              "192.0.2.10", where),
        SP_NFT_PASSES);
}

static void a_chain_that_calls_itself_ends(void **state)
{
    char where[SP_NFTVERDICT_WHERE];

    (void)state;
    assert_int_equal(judge(CHAIN("accept") RULE("{\"jump\":{\"target\":\"in\"}}"), NULL, where),
                     SP_NFT_CANNOT_TELL);
}

static void our_own_table_is_left_out(void **state)
{
    char where[SP_NFTVERDICT_WHERE];

    (void)state;
    assert_int_equal(
        judge("{\"chain\":{\"family\":\"inet\",\"table\":\"sallyport\",\"name\":\"in\",\"type\":\"filter\","
              "\"hook\":\"input\",\"prio\":0,\"policy\":\"drop\"}}",
              NULL, where),
        SP_NFT_PASSES);
}

static void what_is_none_of_nfts_is_refused(void **state)
{
    _cleanup_json_ cJSON *o = cJSON_CreateObject();
    struct sp_nftverdict_packet p = {.port = 22};
    char where[SP_NFTVERDICT_WHERE];
    enum sp_nftverdict verdict;
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_nftverdict_judge(o, &p, &verdict, where, &err), -1);
    assert_int_equal(err.code, SP_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_chain_is_no_obstacle),
        cmocka_unit_test(a_rule_that_drops_is_named_with_its_handle_and_comment),
        cmocka_unit_test(the_policy_counts_where_no_rule_decides),
        cmocka_unit_test(what_is_not_known_of_the_packet_is_no_verdict),
        cmocka_unit_test(sets_ranges_and_negations_are_understood),
        cmocka_unit_test(a_chain_that_calls_itself_ends),
        cmocka_unit_test(our_own_table_is_left_out),
        cmocka_unit_test(what_is_none_of_nfts_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
