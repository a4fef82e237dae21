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
#include "model/fwpolicy.h"
#include "model/fwstate.h"
#include "model/fwwarn.h"

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

static void refused(struct sp_fw_policy *p, const struct sp_fw_entry *v, size_t n, const char *field,
                    const char *text)
{
    size_t before = p->n;
    struct sp_error err = {0};

    assert_int_equal(sp_fw_policy_put(p, v, n, NOW, &err), -1);
    assert_int_equal(err.code, SP_E_INVALID);
    assert_string_equal(err.field, field);
    assert_non_null(strstr(err.text, text));
    assert_string_not_equal(err.hint, "");
    assert_int_equal(p->n, before);
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

static void modes_have_their_four_names(void **state)
{
    enum sp_fw_mode mode = SP_FW_CLOSED;
    struct sp_error err;

    (void)state;
    for (int i = 0; i < SP_FW_MODE_COUNT; i++) {
        assert_int_equal(sp_fw_mode_parse(sp_fw_mode_name((enum sp_fw_mode)i), &mode, &err), 0);
        assert_int_equal(mode, i);
    }
    assert_int_equal(sp_fw_mode_parse("Open", &mode, &err), -1);
    assert_int_equal(err.code, SP_E_INVALID);
    assert_string_not_equal(err.hint, "");
}

static void a_source_is_kept_once_for_each_owner(void **state)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {0};
    struct sp_cidr c = entry("10.0.0.0/8", 0, "").source;

    (void)state;
    put(&p, "192.0.2.1", 0, "");
    put(&p, "10.0.0.0/8", 0, "example.com");
    put(&p, "10.0.0.0/8", 0, "");
    put(&p, "2001:db8::/32", 0, "");
    put(&p, "10.0.0.0/8", 0, "");
    assert_int_equal(p.n, 4);
    assert_non_null(sp_fw_policy_find(&p, &c, ""));
    assert_non_null(sp_fw_policy_find(&p, &c, "example.com"));
    assert_null(sp_fw_policy_find(&p, &c, "example.org"));
    assert_true(sp_fw_policy_drop(&p, &c, ""));
    assert_false(sp_fw_policy_drop(&p, &c, ""));
    assert_int_equal(p.n, 3);
    sp_fw_policy_drop_owner(&p, "example.com");
    assert_int_equal(p.n, 2);
    assert_int_equal(p.v[0].source.family, 4);
    assert_int_equal(p.v[1].source.family, 6);
}

static void a_later_value_replaces_the_earlier_one(void **state)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {0};

    (void)state;
    put(&p, "10.0.0.0/8", NOW + 60, "");
    put(&p, "10.0.0.0/8", 0, "");
    assert_int_equal(p.n, 1);
    assert_int_equal(p.v[0].expires_at, 0);
}

static void bad_entries_are_refused_with_their_place(void **state)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {0};
    char longest[SP_FW_MAX_COMMENT + 2];
    struct sp_fw_entry v[2];

    (void)state;
    put(&p, "192.0.2.1", 0, "");
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';

    v[0] = entry("10.0.0.1", 0, "");
    v[1] = entry("10.0.0.2", NOW, "");
    refused(&p, v, 2, "[1].expires_at", "passed");
    v[1] = entry("10.0.0.2", -1, "");
    refused(&p, v, 2, "[1].expires_at", "passed");
    v[1] = entry("10.0.0.2", 0, "");
    v[1].comment = longest;
    refused(&p, v, 2, "[1].comment", "longer");
    longest[SP_FW_MAX_COMMENT] = '\0';
    v[1].comment = (char *)"two\nlines";
    refused(&p, v, 2, "[1].comment", "control");
    v[1].comment = (char *)"\x7f";
    refused(&p, v, 2, "[1].comment", "control");
    v[1].comment = (char *)"\xc0\xaf";
    refused(&p, v, 2, "[1].comment", "UTF-8");
    v[1] = entry("10.0.0.1", NOW + 5, "");
    refused(&p, v, 2, "[1]", "twice");
    v[1] = entry("10.0.0.2", 0, "");
    v[1].source.prefix = 0;
    refused(&p, v, 2, "[1].source", "block");
    assert_int_equal(p.n, 1);

    v[0].comment = longest;
    struct sp_error err;
    assert_int_equal(sp_fw_policy_put(&p, v, 1, NOW, &err), 0);
}

static void ten_thousand_is_the_limit(void **state)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {0};
    static struct sp_fw_entry v[SP_FW_MAX_ENTRIES + 1];
    struct sp_error err;

    (void)state;
    /* Backwards, so that the order is the policy's own. */
    for (size_t i = 0; i < SP_COUNT(v); i++) {
        v[i] = entry("10.0.0.1", 0, "");
        v[i].source.addr[1] = (uint8_t)((SP_COUNT(v) - i) >> 8);
        v[i].source.addr[2] = (uint8_t)(SP_COUNT(v) - i);
    }
    assert_int_equal(sp_fw_policy_put(&p, v, SP_FW_MAX_ENTRIES, NOW, &err), 0);
    assert_int_equal(p.n, SP_FW_MAX_ENTRIES);
    assert_int_equal(sp_fw_policy_put(&p, v, SP_FW_MAX_ENTRIES, NOW, &err), 0);
    refused(&p, v, SP_FW_MAX_ENTRIES + 1, "", "more than 10000");
    for (size_t i = 1; i < p.n; i++)
        assert_true(memcmp(p.v[i - 1].source.addr, p.v[i].source.addr, 16) < 0);
}

static void restricted_needs_a_permanent_source_of_its_own(void **state)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {.mode = SP_FW_RESTRICTED};
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_fw_policy_check(&p, &err), -1);
    assert_int_equal(err.code, SP_E_LOCKOUT);
    put(&p, "192.0.2.1", NOW + 60, "");
    assert_int_equal(sp_fw_policy_check(&p, &err), -1);
    put(&p, "192.0.2.2", 0, "example.com");
    assert_int_equal(sp_fw_policy_check(&p, &err), -1);
    put(&p, "192.0.2.3", 0, "");
    assert_int_equal(sp_fw_policy_check(&p, &err), 0);
    p.mode = SP_FW_CLOSED;
    p.n = 0;
    assert_int_equal(sp_fw_policy_check(&p, &err), 0);
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

static void the_state_survives_a_round_trip(void **state)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {.mode = SP_FW_RESTRICTED}, q = {0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0}, again = {0};
    struct sp_fw_entry e = entry("192.0.2.0/24", 4102444800, "");
    struct sp_error err;

    (void)state;
    e.comment = (char *)"B\xc3\xbcro \"links\"";
    assert_int_equal(sp_fw_policy_put(&p, &e, 1, NOW, &err), 0);
    put(&p, "2001:db8::/32", 0, "example.com");
    assert_int_equal(sp_fw_ports_add(p.ports, &p.n_ports, 2222), 0);
    assert_int_equal(sp_fw_ports_add(p.ports, &p.n_ports, 22), 0);
    assert_int_equal(sp_fw_ports_add(p.ports, &p.n_ports, 22), 0);
    assert_int_equal(sp_fwstate_format(&p, &text, &err), 0);
    if (sp_fwstate_parse(text.data, text.len, &q, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(sp_fw_policy_equal(&p, &q));
    assert_int_equal(q.n_ports, 2);
    assert_int_equal(sp_fwstate_format(&q, &again, &err), 0);
    assert_string_equal(text.data, again.data);
}

static void a_broken_state_is_told_apart(void **state)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {.mode = SP_FW_RESTRICTED}, q = {0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    struct sp_error err;

    (void)state;
    put(&p, "192.0.2.0/24", 0, "");
    assert_int_equal(sp_fwstate_format(&p, &text, &err), 0);
    for (size_t len = 0; len < text.len; len++) {
        assert_int_equal(sp_fwstate_parse(text.data, len, &q, &err), -1);
        assert_int_equal(err.code, SP_E_STATE);
    }
    for (size_t at = 0; at < text.len; at++) {
        text.data[at] ^= 1;
        assert_int_equal(sp_fwstate_parse(text.data, text.len, &q, &err), -1);
        assert_int_equal(err.code, SP_E_STATE);
        text.data[at] ^= 1;
    }
    assert_int_equal(sp_fwstate_parse(text.data, text.len, &q, &err), 0);
}

struct said {
    char text[4096];
    size_t n;
};

static int hear(void *data, const char *text)
{
    struct said *s = data;
    size_t used = strlen(s->text);

    s->n++;
    (void)sp_str_format(s->text + used, sizeof(s->text) - used, "%s\n", text);
    return 0;
}

static void wide_and_overlapping_sources_are_warned_about_once(void **state)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy old = {0}, p = {0};
    struct said s = {0};
    struct sp_error err;

    (void)state;
    put(&p, "10.0.0.0/8", 0, "");
    put(&p, "10.1.0.0/16", 0, "");
    put(&p, "10.1.2.0/24", 0, "example.com");
    put(&p, "10.1.2.0/24", 0, "example.org");
    put(&p, "128.0.0.0/7", 0, "");
    put(&p, "2000::/15", 0, "");
    put(&p, "2400::/16", 0, "");
    assert_int_equal(sp_fwwarn_each(&old, &p, hear, &s), 0);
    assert_int_equal(s.n, 5);
    assert_non_null(strstr(s.text, "128.0.0.0/7 is very wide"));
    assert_non_null(strstr(s.text, "2000::/15 is very wide"));
    assert_non_null(strstr(s.text, "10.1.0.0/16 lies within 10.0.0.0/8"));
    assert_non_null(strstr(s.text, "10.1.2.0/24 lies within 10.1.0.0/16"));
    assert_non_null(strstr(s.text, "10.1.2.0/24 stands more than once"));
    /* what stood before is no news */
    assert_int_equal(sp_fw_policy_copy(&old, &p, &err), 0);
    s = (struct said){0};
    assert_int_equal(sp_fwwarn_each(&old, &p, hear, &s), 0);
    assert_int_equal(s.n, 0);
}

static void warnings_have_an_end(void **state)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy old = {0}, p = {0};
    struct said s = {0};

    (void)state;
    put(&p, "10.0.0.0/8", 0, "");
    for (int i = 1; i < 100; i++) {
        char text[SP_CIDR_SIZE];
        assert_int_equal(sp_str_format(text, sizeof(text), "10.0.%d.0/24", i), 0);
        put(&p, text, 0, "");
    }
    assert_int_equal(sp_fwwarn_each(&old, &p, hear, &s), 0);
    assert_int_equal(s.n, SP_FWWARN_MAX + 1);
    assert_non_null(strstr(s.text, "and 79 more"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modes_have_their_four_names),
        cmocka_unit_test(a_source_is_kept_once_for_each_owner),
        cmocka_unit_test(a_later_value_replaces_the_earlier_one),
        cmocka_unit_test(bad_entries_are_refused_with_their_place),
        cmocka_unit_test(ten_thousand_is_the_limit),
        cmocka_unit_test(restricted_needs_a_permanent_source_of_its_own),
        cmocka_unit_test(overlaps_compile_to_the_latest_expiry),
        cmocka_unit_test(one_block_of_two_owners_lasts_as_long_as_either),
        cmocka_unit_test(removing_an_inner_source_leaves_the_outer_whole),
        cmocka_unit_test(the_last_addresses_do_not_wrap),
        cmocka_unit_test(modes_decide_what_passes),
        cmocka_unit_test(always_allow_outlives_an_expiry),
        cmocka_unit_test(coverage_is_asked_across_neighbours),
        cmocka_unit_test(a_difference_is_only_what_differs),
        cmocka_unit_test(the_state_survives_a_round_trip),
        cmocka_unit_test(a_broken_state_is_told_apart),
        cmocka_unit_test(wide_and_overlapping_sources_are_warned_about_once),
        cmocka_unit_test(warnings_have_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
