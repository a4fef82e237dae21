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
#include "model/fwfile.h"
#include "model/fwpolicy.h"
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
    struct sp_error err;

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
    assert_int_equal(sp_fw_policy_drop_owner(&p, "example.com", &err), 0);
    assert_int_equal(p.n, 2);
    assert_int_equal(p.v[0].source.family, 4);
    assert_int_equal(p.v[1].source.family, 6);
}

static void what_is_borrowed_stays_with_its_owner(void **state)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {0};
    struct sp_error err;

    (void)state;
    put(&p, "192.0.2.1", 0, "");
    put(&p, "10.0.0.0/8", 0, "example.com");
    for (int way = 0; way < 4; way++) {
        _cleanup_(sp_fw_policy_clear) struct sp_fw_policy q = {0};

        sp_fw_policy_borrow(&q, &p);
        assert_true(sp_fw_policy_equal(&p, &q));
        if (way == 1)
            put(&q, "192.0.2.2", 0, "example.org");
        if (way == 2)
            assert_int_equal(sp_fw_policy_drop_owner(&q, "example.com", &err), 0);
        if (way == 3) {
            assert_int_equal(sp_fw_policy_own(&q, &err), 0);
            assert_true(sp_fw_policy_drop(&q, &p.v[0].source, p.v[0].owner));
        }
        assert_int_equal(q.n, way == 0 ? 2 : way == 1 ? 3 : 1);
        assert_true(sp_fw_policy_equal(&p, &q) == (way == 0));
        assert_int_equal(p.n, 2);
        assert_string_equal(p.v[0].owner, "example.com");
        assert_string_equal(q.v[0].owner, way == 3 || way == 2 ? "" : "example.com");
    }
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
    sp_fw_policy_clear(&p);
    p.mode = SP_FW_CLOSED;
    assert_int_equal(sp_fw_policy_check(&p, &err), 0);
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
    assert_int_equal(sp_fwfile_format(&p, &text, NULL, &err), 0);
    if (sp_fwfile_parse(text.data, text.len, &q, NULL, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(sp_fw_policy_equal(&p, &q));
    assert_int_equal(q.n_ports, 2);
    assert_int_equal(sp_fwfile_format(&q, &again, NULL, &err), 0);
    assert_string_equal(text.data, again.data);
}

static void a_broken_state_is_told_apart(void **state)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {.mode = SP_FW_RESTRICTED}, q = {0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    struct sp_error err;

    (void)state;
    put(&p, "192.0.2.0/24", 0, "");
    assert_int_equal(sp_fwfile_format(&p, &text, NULL, &err), 0);
    for (size_t len = 0; len < text.len; len++) {
        assert_int_equal(sp_fwfile_parse(text.data, len, &q, NULL, &err), -1);
        assert_int_equal(err.code, SP_E_STATE);
    }
    for (size_t at = 0; at < text.len; at++) {
        text.data[at] ^= 1;
        assert_int_equal(sp_fwfile_parse(text.data, text.len, &q, NULL, &err), -1);
        assert_int_equal(err.code, SP_E_STATE);
        text.data[at] ^= 1;
    }
    assert_int_equal(sp_fwfile_parse(text.data, text.len, &q, NULL, &err), 0);
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
        cmocka_unit_test(what_is_borrowed_stays_with_its_owner),
        cmocka_unit_test(a_later_value_replaces_the_earlier_one),
        cmocka_unit_test(bad_entries_are_refused_with_their_place),
        cmocka_unit_test(ten_thousand_is_the_limit),
        cmocka_unit_test(restricted_needs_a_permanent_source_of_its_own),
        cmocka_unit_test(the_state_survives_a_round_trip),
        cmocka_unit_test(a_broken_state_is_told_apart),
        cmocka_unit_test(wide_and_overlapping_sources_are_warned_about_once),
        cmocka_unit_test(warnings_have_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
