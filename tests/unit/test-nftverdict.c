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

#define OTHER(expr)                                                                                        \
    ",{\"rule\":{\"family\":\"inet\",\"table\":\"t\",\"chain\":\"other\",\"handle\":8,\"expr\":[" expr     \
    "]"                                                                                                    \
    "}"                                                                                                    \
    "}"
#define FLAGS "{\"payload\":{\"protocol\":\"tcp\",\"field\":\"flags\"}}"
#define MASKED(mask) "{\"&\":[" FLAGS "," mask "]}"
#define IIF MATCH("{\"meta\":{\"key\":\"iifname\"}}", "==", "\"eth0\"")
#define FIB(result, flags) "{\"fib\":{\"result\":\"" result "\",\"flags\":[" flags "]}}"
#define OVER "\"rate\":5,\"burst\":5,\"per\":\"minute\",\"inv\":true"
#define DROP ",{\"drop\":null}"
#define ACCEPT ",{\"accept\":null}"

/* Each as nft 1.0.6 prints it. From 5.6.7.8, to port 22. */
static const struct {
    const char *rules;
    enum sp_nftverdict accepting, dropping; /* by the chain's policy */
} cases[] = {
    /* `tcp flags`: a first packet has SYN alone */
    {RULE(MATCH(MASKED("[\"fin\",\"syn\"]"), "==", "[\"fin\",\"syn\"]") DROP), SP_NFT_PASSES,
     SP_NFT_DROPPED},
    {RULE(MATCH(MASKED("[\"fin\",\"syn\",\"rst\",\"ack\"]"), "!=", "\"syn\"") DROP), SP_NFT_PASSES,
     SP_NFT_DROPPED},
    {RULE(MATCH(MASKED("[\"fin\",\"syn\",\"rst\",\"ack\"]"), "==", "\"syn\"") ACCEPT), SP_NFT_PASSES,
     SP_NFT_PASSES},
    {RULE(MATCH(MASKED("[\"rst\",\"ack\"]"), "==", "0") DROP), SP_NFT_DROPPED, SP_NFT_DROPPED},
    {RULE(MATCH(FLAGS, "!", "[\"fin\",\"syn\",\"rst\"]") DROP), SP_NFT_PASSES, SP_NFT_DROPPED},
    {RULE(MATCH(FLAGS, "!", "[\"fin\",\"rst\"]") DROP), SP_NFT_DROPPED, SP_NFT_DROPPED},
    {RULE(MATCH(FLAGS, "in", "\"rst\"") DROP), SP_NFT_PASSES, SP_NFT_DROPPED},
    {RULE(MATCH(FLAGS, "in", "\"syn\"") DROP), SP_NFT_DROPPED, SP_NFT_DROPPED},
    {RULE(MATCH(FLAGS, "==", "{\"set\":[\"syn\",\"ack\"]}") DROP), SP_NFT_DROPPED, SP_NFT_DROPPED},
    {RULE(MATCH(FLAGS, "==", "{\"set\":[[\"syn\",\"ack\"]]}") DROP), SP_NFT_CANNOT_TELL, SP_NFT_DROPPED},
    {RULE(MATCH(FLAGS, "<", "\"syn\"") DROP), SP_NFT_CANNOT_TELL, SP_NFT_DROPPED},
    {RULE(MATCH(MASKED("{\"|\":[\"fin\",\"syn\"]}"), "==", "\"syn\"") DROP), SP_NFT_CANNOT_TELL,
     SP_NFT_DROPPED},
    /* what leaves a chain may leave it for the policy */
    {RULE(IIF ",{\"return\":null}") RULE("{\"accept\":null}"), SP_NFT_PASSES, SP_NFT_CANNOT_TELL},
    {RULE("{\"return\":null}") RULE("{\"drop\":null}"), SP_NFT_PASSES, SP_NFT_DROPPED},
    {RULE("{\"goto\":{\"target\":\"other\"}}") RULE("{\"accept\":null}") OTHER(IIF ACCEPT), SP_NFT_PASSES,
     SP_NFT_CANNOT_TELL},
    {RULE(IIF ",{\"goto\":{\"target\":\"other\"}}") RULE("{\"accept\":null}") OTHER("{\"counter\":null}"),
     SP_NFT_PASSES, SP_NFT_CANNOT_TELL},
    {RULE("{\"jump\":{\"target\":\"other\"}}") RULE("{\"accept\":null}") OTHER("{\"return\":null}")
         OTHER("{\"drop\":null}"),
     SP_NFT_PASSES, SP_NFT_PASSES},
    {RULE("{\"vmap\":{\"key\":" DPORT
          ",\"data\":{\"set\":[[22,{\"return\":null}],[80,{\"continue\":null}]]}}}")
         RULE("{\"drop\":null}"),
     SP_NFT_PASSES, SP_NFT_DROPPED},
    {RULE("{\"vmap\":{\"key\":" DPORT ",\"data\":{\"set\":[[22,{\"continue\":null}]]}}}")
         RULE("{\"drop\":null}"),
     SP_NFT_DROPPED, SP_NFT_DROPPED},
    {RULE("{\"vmap\":{\"key\":" DPORT
          ",\"data\":{\"set\":[[{\"range\":[20,30]},{\"goto\":{\"target\":\"other\"}}]]}}}")
         RULE("{\"drop\":null}") OTHER("{\"accept\":null}"),
     SP_NFT_PASSES, SP_NFT_PASSES},
    {RULE("{\"vmap\":{\"key\":" DPORT
          ",\"data\":\"@of\"}}") ",{\"map\":{\"family\":\"inet\",\"table\":\"t\",\"name\":\"of\","
                                 "\"elem\":[[22,{\"drop\":null}]]}}",
     SP_NFT_DROPPED, SP_NFT_DROPPED},
    {RULE("{\"vmap\":{\"key\":{\"payload\":{\"protocol\":\"udp\",\"field\":\"dport\"}},\"data\":{"
          "\"set\":[[22,{"
          "\"drop\":null}]]}}}"),
     SP_NFT_PASSES, SP_NFT_DROPPED},
    {RULE("{\"vmap\":{\"key\":{\"concat\":[]},\"data\":{\"set\":[[22,{\"drop\":null}]]}}}"),
     SP_NFT_CANNOT_TELL, SP_NFT_DROPPED},
    {RULE("{\"queue\":null}"), SP_NFT_CANNOT_TELL, SP_NFT_CANNOT_TELL},
    /* beyond a limit no first packet is */
    {RULE("{\"set\":{\"op\":\"add\",\"elem\":" SADDR ",\"set\":\"@f\",\"stmt\":[{\"limit\":{" OVER
          "}}]}}" DROP),
     SP_NFT_PASSES, SP_NFT_DROPPED},
    {RULE("{\"set\":{\"op\":\"add\",\"elem\":" SADDR ",\"set\":\"@f\"}}" DROP), SP_NFT_DROPPED,
     SP_NFT_DROPPED},
    {RULE("{\"set\":{\"op\":\"add\",\"elem\":" SADDR ",\"set\":\"@f\",\"stmt\":[{\"limit\":{" OVER
          "}},{\"counter\":null}]}}" DROP),
     SP_NFT_CANNOT_TELL, SP_NFT_DROPPED},
    {RULE("{\"meter\":{\"key\":" SADDR ",\"stmt\":{\"limit\":{" OVER
          "}},\"size\":1000,\"name\":\"m\"}}" DROP),
     SP_NFT_PASSES, SP_NFT_DROPPED},
    {RULE("{\"ct count\":{\"val\":3,\"inv\":true}}" DROP), SP_NFT_PASSES, SP_NFT_DROPPED},
    {RULE("{\"ct count\":{\"val\":3}}" ACCEPT), SP_NFT_PASSES, SP_NFT_PASSES},
    {RULE("{\"limit\":{" OVER "}}" DROP), SP_NFT_PASSES, SP_NFT_DROPPED},
    {RULE("{\"limit\":{\"rate\":5,\"per\":\"minute\"}}" DROP), SP_NFT_DROPPED, SP_NFT_DROPPED},
    {RULE("{\"limit\":\"named\"}" DROP), SP_NFT_CANNOT_TELL, SP_NFT_DROPPED},
    {RULE("{\"quota\":{\"val\":5,\"val_unit\":\"mbytes\",\"inv\":true}}" DROP), SP_NFT_CANNOT_TELL,
     SP_NFT_DROPPED},
    {RULE("{\"counter\":{\"packets\":0}},{\"log\":{}},{\"mangle\":{}},{\"notrack\":null}" DROP),
     SP_NFT_DROPPED, SP_NFT_DROPPED},
    {RULE("{\"synproxy\":{\"mss\":1460}}" DROP), SP_NFT_CANNOT_TELL, SP_NFT_DROPPED},
    /* where it comes from is another host, and there is a way back to it */
    {RULE(MATCH(FIB("type", "\"saddr\""), "==", "\"local\"") DROP), SP_NFT_PASSES, SP_NFT_DROPPED},
    {RULE(MATCH(FIB("type", "\"daddr\""), "==", "\"local\"") DROP), SP_NFT_DROPPED, SP_NFT_DROPPED},
    {RULE(MATCH(FIB("type", "\"daddr\""), "==", "\"multicast\"") DROP), SP_NFT_PASSES, SP_NFT_DROPPED},
    {RULE(MATCH(FIB("type", "\"daddr\""), "==", "\"unicast\"") DROP), SP_NFT_CANNOT_TELL, SP_NFT_DROPPED},
    {RULE(MATCH(FIB("oif", "\"saddr\",\"iif\""), "==", "false") DROP), SP_NFT_PASSES, SP_NFT_DROPPED},
    /* blocks that are nobody's source, and such as hold some of those */
    {RULE(MATCH(SADDR, "==", "{\"prefix\":{\"addr\":\"0.0.0.0\",\"len\":8}}") DROP), SP_NFT_PASSES,
     SP_NFT_DROPPED},
    {RULE(MATCH(SADDR, "==", "{\"prefix\":{\"addr\":\"240.0.0.0\",\"len\":4}}") DROP), SP_NFT_PASSES,
     SP_NFT_DROPPED},
    {RULE(MATCH(SADDR, "!=", "{\"prefix\":{\"addr\":\"127.0.0.0\",\"len\":8}}") DROP), SP_NFT_DROPPED,
     SP_NFT_DROPPED},
    {RULE(MATCH(SADDR, "==", "{\"prefix\":{\"addr\":\"0.0.0.0\",\"len\":1}}") DROP), SP_NFT_DROPPED,
     SP_NFT_DROPPED},
    {RULE(MATCH(SADDR, "==", "{\"range\":[\"0.0.0.0\",\"9.255.255.255\"]}") DROP), SP_NFT_DROPPED,
     SP_NFT_DROPPED},
    {RULE(MATCH(SADDR, "==", "{\"range\":[\"x\",\"9.255.255.255\"]}") DROP), SP_NFT_CANNOT_TELL,
     SP_NFT_DROPPED},
    {RULE(MATCH(SADDR, "==", "\"@bad\"")
              DROP) ",{\"set\":{\"family\":\"inet\",\"table\":\"t\",\"name\":\"bad\",\"elem\":[{"
                    "\"elem\":{\"val\":{\"prefix\":{"
                    "\"addr\":\"5.0.0.0\",\"len\":8}},\"timeout\":60}}]}}",
     SP_NFT_DROPPED, SP_NFT_DROPPED},
    {RULE(MATCH(SADDR, "==", "\"@gone\"") DROP), SP_NFT_CANNOT_TELL, SP_NFT_DROPPED},
    /* fields that it has not, and values that nobody knows */
    {RULE(MATCH("{\"payload\":{\"protocol\":\"udp\",\"field\":\"dport\"}}", "!=", "53") DROP),
     SP_NFT_PASSES, SP_NFT_DROPPED},
    {RULE(MATCH("{\"payload\":{\"protocol\":\"ip6\",\"field\":\"nexthdr\"}}", "!=", "\"udp\"") DROP),
     SP_NFT_PASSES, SP_NFT_DROPPED},
    {RULE(MATCH("{\"payload\":{\"protocol\":\"ip\",\"field\":\"protocol\"}}", "==", "6") DROP),
     SP_NFT_DROPPED, SP_NFT_DROPPED},
    {RULE(MATCH("{\"payload\":{\"protocol\":\"ip\",\"field\":\"daddr\"}}", "==", "\"192.0.2.1\"") DROP),
     SP_NFT_CANNOT_TELL, SP_NFT_DROPPED},
    {RULE(MATCH("{\"meta\":{\"key\":\"nfproto\"}}", "==", "\"ipv6\"") DROP), SP_NFT_PASSES, SP_NFT_DROPPED},
    {RULE(MATCH("{\"meta\":{\"key\":\"iif\"}}", "!=", "\"lo\"") DROP), SP_NFT_DROPPED, SP_NFT_DROPPED},
    {RULE(MATCH("{\"ct\":{\"key\":\"state\"}}", "in", "[\"established\",\"related\"]") ACCEPT),
     SP_NFT_PASSES, SP_NFT_DROPPED},
    {RULE(MATCH("{\"ct\":{\"key\":\"status\"}}", "in", "\"dnat\"") ACCEPT), SP_NFT_PASSES, SP_NFT_DROPPED},
    {RULE(MATCH(DPORT, "==", "\"ssh\"") DROP), SP_NFT_DROPPED, SP_NFT_DROPPED},
    {RULE(MATCH(DPORT, ">", "1024") DROP), SP_NFT_CANNOT_TELL, SP_NFT_DROPPED},
    {RULE("{\"xt\":{\"type\":\"target\",\"name\":\"REJECT\"}}"), SP_NFT_CANNOT_TELL, SP_NFT_CANNOT_TELL},
};

static void each_statement_is_read_as_the_kernel_does(void **state)
{
    char where[SP_NFTVERDICT_WHERE];

    (void)state;
    for (size_t i = 0; i < SP_COUNT(cases); i++) {
        _cleanup_(sp_buf_clear) struct sp_buf open = {0}, shut = {0};
        sp_buf_printf(&open, "%s%s", CHAIN("accept"), cases[i].rules);
        sp_buf_printf(&shut, "%s%s", CHAIN("drop"), cases[i].rules);
        if (judge(sp_buf_str(&open), "5.6.7.8", where) != cases[i].accepting ||
            judge(sp_buf_str(&shut), "5.6.7.8", where) != cases[i].dropping)
            fail_msg("%s: %d, policy drop %d", cases[i].rules,
                     (int)judge(sp_buf_str(&open), "5.6.7.8", where),
                     (int)judge(sp_buf_str(&shut), "5.6.7.8", where));
    }
}

#define BASE(family, hook, policy)                                                                         \
    "{\"chain\":{\"family\":\"" family                                                                     \
    "\",\"table\":\"x\",\"name\":\"c\",\"type\":\"filter\",\"hook\":\"" hook                               \
    "\",\"prio\":0,\"policy\":\"" policy "\"}}"

static void one_family_that_drops_is_no_verdict_on_a_packet_of_either(void **state)
{
    char where[SP_NFTVERDICT_WHERE];

    (void)state;
    assert_int_equal(judge(BASE("ip6", "input", "drop"), NULL, where), SP_NFT_CANNOT_TELL);
    assert_int_equal(judge(BASE("ip6", "input", "drop"), "5.6.7.8", where), SP_NFT_PASSES);
    assert_int_equal(judge(BASE("ip6", "input", "drop"), "2001:db8::1", where), SP_NFT_DROPPED);
    assert_int_equal(judge(BASE("ip6", "input", "drop") "," BASE("ip", "input", "drop"), NULL, where),
                     SP_NFT_DROPPED);
}

static void what_a_device_drops_may_be_meant_and_what_sleeps_is_not(void **state)
{
    char where[SP_NFTVERDICT_WHERE];

    (void)state;
    assert_int_equal(judge(BASE("netdev", "ingress", "drop"), "5.6.7.8", where), SP_NFT_CANNOT_TELL);
    assert_int_equal(judge(BASE("inet", "ingress", "drop"), "5.6.7.8", where), SP_NFT_CANNOT_TELL);
    assert_int_equal(judge(BASE("inet", "output", "drop"), "5.6.7.8", where), SP_NFT_PASSES);
    assert_int_equal(judge(BASE("bridge", "input", "drop"), "5.6.7.8", where), SP_NFT_PASSES);
    assert_int_equal(judge("{\"table\":{\"family\":\"inet\",\"name\":\"x\",\"flags\":\"d\"}}," BASE(
                               "inet", "input", "drop"),
                           "5.6.7.8", where),
                     SP_NFT_PASSES);
    assert_int_equal(judge("{\"table\":{\"family\":\"inet\",\"name\":\"x\",\"flags\":[\"dormant\"]}}," BASE(
                               "inet", "input", "drop"),
                           "5.6.7.8", where),
                     SP_NFT_PASSES);
    assert_int_equal(
        judge("{\"table\":{\"family\":\"inet\",\"name\":\"x\"}}," BASE("inet", "input", "drop"), "5.6.7.8",
              where),
        SP_NFT_DROPPED);
}

static void a_chain_that_calls_itself_ends(void **state)
{
    char where[SP_NFTVERDICT_WHERE];

    (void)state;
    assert_int_equal(judge(CHAIN("accept") RULE("{\"jump\":{\"target\":\"in\"}}"), NULL, where),
                     SP_NFT_CANNOT_TELL);
    /* 3 to the power of 16 ways */
    assert_int_equal(judge(CHAIN("accept") RULE("{\"jump\":{\"target\":\"in\"}}") RULE(
                               "{\"jump\":{\"target\":\"in\"}}") RULE("{\"jump\":{\"target\":\"in\"}}"),
                           NULL, where),
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
        cmocka_unit_test(each_statement_is_read_as_the_kernel_does),
        cmocka_unit_test(one_family_that_drops_is_no_verdict_on_a_packet_of_either),
        cmocka_unit_test(what_a_device_drops_may_be_meant_and_what_sleeps_is_not),
        cmocka_unit_test(a_chain_that_calls_itself_ends),
        cmocka_unit_test(our_own_table_is_left_out),
        cmocka_unit_test(what_is_none_of_nfts_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
