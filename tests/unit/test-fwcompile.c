/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/fwcompile.h"

#define NOW 1000000

static struct sp_fw_entry entry(const char *source, int64_t expires_at, const char *owner)
{
    struct sp_fw_entry e = {
        .expires_at = expires_at, .comment = (char *)"", .owner = (char *)owner}; /* borrowed: put copies */
    struct sp_error err;

    if (sp_cidr_parse(source, &e.source, &err) < 0)
        fail_msg("%s: %s", source, err.text);
    return e;
}

static void put(struct sp_fw_policy *p, const char *source, int64_t expires_at, const char *owner)
{
    const struct sp_fw_entry e = entry(source, expires_at, owner);
    struct sp_error err;

    if (sp_fw_policy_put(p, &e, 1, NOW, &err) < 0)
        fail_msg("%s: %s", source, err.text);
}

/* "10.0.0.0-10.255.255.255@0 ..." of IPv4, addresses as hex. */
static void compiled(const struct sp_fw_policy *p, const struct sp_cidr_list *always, int64_t now,
                     char *out, size_t size)
{
    _cleanup_(sp_fw_compiled_clear) struct sp_fw_compiled c = {0};
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    struct sp_error err;

    assert_int_equal(sp_fw_compile(p, always, now, &c, &err), 0);
    for (size_t i = 0; i < c.v4.n; i++)
        sp_buf_printf(&b, "%s%08x-%08x", i > 0 ? " " : "", (unsigned)c.v4.v[i].first,
                      (unsigned)c.v4.v[i].last);
    for (size_t i = 0; i < c.v4.n; i++)
        sp_buf_printf(&b, " @%lld", c.v4.v[i].expires_at != 0 ? (long long)c.v4.v[i].expires_at - NOW : 0);
    assert_int_equal(sp_str_copy(out, size, sp_buf_str(&b)), 0);
}

static void overlaps_compile_to_the_latest_expiry(void **state)
{
    static const struct {
        const char *source[4];
        int64_t expires[4];
        const char *want;
    } cases[] = {
        {{"10.0.0.0/8"}, {0}, "0a000000-0affffff @0"},
        /* test 16: a temporary block within a permanent one adds nothing */
        {{"10.0.0.0/8", "10.1.0.0/16"}, {0, 60}, "0a000000-0affffff @0"},
        {{"10.0.0.0/8", "10.1.0.0/16"},
         {60, 0},
         "0a000000-0a00ffff 0a010000-0a01ffff 0a020000-0affffff @60 @0 @60"},
        {{"10.0.0.0/8", "10.1.0.0/16"},
         {60, 90},
         "0a000000-0a00ffff 0a010000-0a01ffff 0a020000-0affffff @60 @90 @60"},
        {{"10.0.0.0/8", "10.1.0.0/16"}, {90, 60}, "0a000000-0affffff @90"},
        /* at the very beginning and the very end of the outer one */
        {{"10.0.0.0/8", "10.0.0.0/16"}, {60, 90}, "0a000000-0a00ffff 0a010000-0affffff @90 @60"},
        {{"10.0.0.0/8", "10.255.0.0/16"}, {60, 90}, "0a000000-0afeffff 0aff0000-0affffff @60 @90"},
        /* three deep, ending together */
        {{"10.0.0.0/8", "10.255.0.0/16", "10.255.255.0/24"},
         {60, 90, 120},
         "0a000000-0afeffff 0aff0000-0afffeff 0affff00-0affffff @60 @90 @120"},
        {{"10.0.0.0/8", "10.255.0.0/16", "10.255.255.0/24"},
         {60, 120, 90},
         "0a000000-0afeffff 0aff0000-0affffff @60 @120"},
        /* neighbours are one where they expire together, two where they do not */
        {{"10.0.0.0/9", "10.128.0.0/9"}, {0, 0}, "0a000000-0affffff @0"},
        {{"10.0.0.0/9", "10.128.0.0/9"}, {0, 60}, "0a000000-0a7fffff 0a800000-0affffff @0 @60"},
        {{"10.0.0.1", "10.0.0.3"}, {0, 0}, "0a000001-0a000001 0a000003-0a000003 @0 @0"},
        {{"10.0.0.0/8", "10.1.0.0/16", "10.3.0.0/16", "10.3.4.0/24"},
         {60, 0, 90, 80},
         "0a000000-0a00ffff 0a010000-0a01ffff 0a020000-0a02ffff 0a030000-0a03ffff 0a040000-0affffff"
         " @60 @0 @60 @90 @60"},
        /* centuries are for ever */
        {{"10.0.0.1"}, {SP_FW_FAR + 1}, "0a000001-0a000001 @0"},
    };

    (void)state;
    for (size_t i = 0; i < SP_COUNT(cases); i++) {
        _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {.mode = SP_FW_RESTRICTED};
        char have[512];

        for (size_t k = 0; k < 4 && cases[i].source[k] != NULL; k++)
            put(&p, cases[i].source[k], cases[i].expires[k] != 0 ? NOW + cases[i].expires[k] : 0, "");
        compiled(&p, NULL, NOW, have, sizeof(have));
        assert_string_equal(have, cases[i].want);
    }
}

static void one_block_of_two_owners_lasts_as_long_as_either(void **state)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {.mode = SP_FW_RESTRICTED};
    char have[256];

    (void)state;
    put(&p, "10.0.0.0/8", NOW + 60, "");
    put(&p, "10.0.0.0/8", 0, "example.com");
    compiled(&p, NULL, NOW, have, sizeof(have));
    assert_string_equal(have, "0a000000-0affffff @0");
}

static void removing_an_inner_source_leaves_the_outer_whole(void **state)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {.mode = SP_FW_RESTRICTED};
    struct sp_cidr inner = entry("10.1.0.0/16", 0, "").source;
    char have[256];

    (void)state;
    put(&p, "10.0.0.0/8", 0, "");
    put(&p, "10.1.0.0/16", NOW + 3600, "");
    assert_true(sp_fw_policy_drop(&p, &inner, ""));
    compiled(&p, NULL, NOW, have, sizeof(have));
    assert_string_equal(have, "0a000000-0affffff @0");
}

static void the_last_addresses_do_not_wrap(void **state)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {.mode = SP_FW_RESTRICTED};
    _cleanup_(sp_fw_compiled_clear) struct sp_fw_compiled c = {0};
    struct sp_fw_entry v[2] = {entry("fd00::/8", NOW + 60, ""), entry("fd00::/8", NOW + 90, "")};
    struct sp_error err;

    (void)state;
    /* cidr.h lets no block end there; the sweep must hold all the same */
    memset(v[0].source.addr, 0, 16);
    v[0].source.addr[0] = 0x80;
    v[0].source.prefix = 1;
    memset(v[1].source.addr, 0xff, 16);
    v[1].source.prefix = 128;
    assert_int_equal(sp_fw_policy_put(&p, v, 2, NOW, &err), 0);
    assert_int_equal(sp_fw_compile(&p, NULL, NOW, &c, &err), 0);
    assert_int_equal(c.v6.n, 2);
    assert_true(c.v6.v[1].last == ~(sp_fw_address)0 && c.v6.v[1].first == c.v6.v[1].last);
    assert_true(c.v6.v[0].last == c.v6.v[1].first - 1);
    assert_int_equal(c.v6.v[0].expires_at, NOW + 60);
    assert_int_equal(c.v6.v[1].expires_at, NOW + 90);
}

static void modes_decide_what_passes(void **state)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {0};
    struct sp_cidr office = entry("192.0.2.0/24", 0, "").source;
    const struct sp_cidr_list always = {.v = &office, .n = 1};
    static const char *const want[SP_FW_MODE_COUNT] = {
        [SP_FW_UNMANAGED] = "",
        [SP_FW_OPEN] = "",
        [SP_FW_RESTRICTED] = "0a000001-0a000001 c0000200-c00002ff @0 @0",
        [SP_FW_CLOSED] = "c0000200-c00002ff @0",
    };
    char have[256];

    (void)state;
    put(&p, "10.0.0.1", 0, "");
    put(&p, "10.0.0.9", NOW + 10, "");
    for (int m = 0; m < SP_FW_MODE_COUNT; m++) {
        p.mode = (enum sp_fw_mode)m;
        compiled(&p, &always, NOW + 10, have, sizeof(have));
        assert_string_equal(have, want[m]);
    }
    sp_fw_policy_drop_expired(&p, NOW + 10);
    assert_int_equal(p.n, 1);
}

static void always_allow_outlives_an_expiry(void **state)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {.mode = SP_FW_RESTRICTED};
    struct sp_cidr office = entry("10.1.0.0/16", 0, "").source;
    const struct sp_cidr_list always = {.v = &office, .n = 1};
    char have[256];

    (void)state;
    put(&p, "10.1.0.0/16", NOW + 10, "");
    compiled(&p, &always, NOW, have, sizeof(have));
    assert_string_equal(have, "0a010000-0a01ffff @0");
}

static void coverage_is_asked_across_neighbours(void **state)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {.mode = SP_FW_RESTRICTED};
    _cleanup_(sp_fw_compiled_clear) struct sp_fw_compiled c = {0};
    struct sp_cidr whole = entry("10.0.0.0/8", 0, "").source, one = entry("10.9.9.9", 0, "").source;
    struct sp_cidr wider = entry("10.0.0.0/7", 0, "").source, other = entry("2001:db8::1", 0, "").source;
    struct sp_error err;
    int64_t at = -1;

    (void)state;
    put(&p, "10.0.0.0/9", NOW + 60, "");
    put(&p, "10.128.0.0/9", 0, "");
    assert_int_equal(sp_fw_compile(&p, NULL, NOW, &c, &err), 0);
    assert_true(sp_fw_covers(&c, &whole, &at));
    assert_int_equal(at, NOW + 60);
    assert_true(sp_fw_covers(&c, &one, NULL));
    assert_false(sp_fw_covers(&c, &wider, NULL));
    assert_false(sp_fw_covers(&c, &other, NULL));
}

/* In order, backwards, twice, past the end and between two families. */
static void coverage_of_many_is_that_of_each(void **state)
{
    static const char *const blocks[] = {
        "10.0.0.1",    "10.0.0.2", "10.0.0.4", "10.0.0.5",      "10.0.0.9",    "10.0.1.0/24",
        "11.0.0.0/8",  "10.0.0.9", "10.0.0.1", "2001:db8::1",   "2001:db8::2", "2001:db8:1::/48",
        "10.0.1.9/32", "9.0.0.1",  "9.0.0.1",  "2001:db8::/32", "8.8.8.8"};
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {.mode = SP_FW_RESTRICTED};
    _cleanup_(sp_fw_compiled_clear) struct sp_fw_compiled c = {0};
    struct sp_fw_place place = {0};
    struct sp_error err;

    (void)state;
    put(&p, "10.0.0.1", NOW + 60, "");
    put(&p, "10.0.0.4/31", 0, "");
    put(&p, "10.0.0.9", 0, "");
    put(&p, "10.0.1.0/24", 0, "");
    put(&p, "2001:db8::2", 0, "");
    assert_int_equal(sp_fw_compile(&p, NULL, NOW, &c, &err), 0);
    for (size_t i = 0; i < SP_COUNT(blocks); i++) {
        const struct sp_cidr block = entry(blocks[i], 0, "").source;
        int64_t one = -1, many = -1;

        assert_int_equal(sp_fw_covers_next(&c, &block, &place, &many), sp_fw_covers(&c, &block, &one));
        assert_int_equal(one, many);
    }
    assert_true(sp_fw_covers_next(&c, &p.v[0].source, &place, NULL));
}

static void a_difference_is_only_what_differs(void **state)
{
    struct sp_fw_interval have4[] = {{.first = 1, .last = 9}, {.first = 20, .last = 29, .expires_at = NOW}};
    struct sp_fw_interval want4[] = {{.first = 1, .last = 9},
                                     {.first = 20, .last = 29, .expires_at = NOW + SP_FW_SLACK}};
    struct sp_fw_compiled have = {.v4 = {.v = have4, .n = 2}}, want = {.v4 = {.v = want4, .n = 2}};
    struct sp_error err;

    (void)state;
    for (int round = 0; round < 3; round++) {
        _cleanup_(sp_fw_compiled_clear) struct sp_fw_compiled del = {0}, add = {0};
        assert_int_equal(sp_fw_diff(&have, &want, &del, &add, &err), 0);
        assert_int_equal(del.v4.n, round == 0 ? 0 : 1);
        assert_int_equal(add.v4.n, round == 0 ? 0 : 1);
        /* A changed expiry is both, and so is one that goes away. */
        want4[1].expires_at = round == 0 ? NOW + SP_FW_SLACK + 1 : 0;
    }
}

static void narrowing_is_told_from_widening(void **state)
{
    struct sp_fw_interval have4[] = {{.first = 10, .last = 19},
                                     {.first = 20, .last = 29, .expires_at = NOW}};
    struct sp_fw_interval want4[] = {{.first = 5, .last = 40}};
    struct sp_fw_compiled have = {.v4 = {.v = have4, .n = 2}}, want = {.v4 = {.v = want4, .n = 1}};

    (void)state;
    assert_false(sp_fw_narrows(&have, &want));
    assert_true(sp_fw_narrows(&want, &have)); /* fewer addresses */
    want4[0].expires_at = NOW + 60;
    assert_true(sp_fw_narrows(&have, &want)); /* what was permanent ends */
    have4[0].expires_at = NOW + 60;
    assert_false(sp_fw_narrows(&have, &want));
    have4[0].expires_at = NOW + 90;
    assert_true(sp_fw_narrows(&have, &want)); /* it ends earlier */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overlaps_compile_to_the_latest_expiry),
        cmocka_unit_test(one_block_of_two_owners_lasts_as_long_as_either),
        cmocka_unit_test(removing_an_inner_source_leaves_the_outer_whole),
        cmocka_unit_test(the_last_addresses_do_not_wrap),
        cmocka_unit_test(modes_decide_what_passes),
        cmocka_unit_test(always_allow_outlives_an_expiry),
        cmocka_unit_test(coverage_is_asked_across_neighbours),
        cmocka_unit_test(coverage_of_many_is_that_of_each),
        cmocka_unit_test(a_difference_is_only_what_differs),
        cmocka_unit_test(narrowing_is_told_from_widening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
