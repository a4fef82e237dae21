/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/fwfile.h"
#include "model/fwmark.h"
#include "model/json.h"

static void seal(const char *body, struct sp_buf *out)
{
    struct sp_error err;

    sp_buf_puts(out, body);
    assert_int_equal(sp_fwfile_seal(out, 0, NULL, &err), 0);
}

static void is_broken(const char *body, const char *why)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    struct sp_error err = {0};

    seal(body, &text);
    if (sp_fwfile_parse(text.data, text.len, &p, NULL, &err) == 0)
        fail_msg("read: %s", body);
    assert_int_equal(err.code, SP_E_STATE);
    if (strstr(err.text, why) == NULL)
        fail_msg("%s: %s", body, err.text);
    assert_string_not_equal(err.hint, "");
    assert_null(p.v);
}

#define HEAD "{\"version\":2,\"mode\":\"restricted\",\"ports\":[22],\"entries\":"

static void what_the_sum_fits_is_read_strictly_all_the_same(void **state)
{
    (void)state;
    is_broken("{\"version\":3,\"mode\":\"restricted\"", "newer");
    is_broken("{\"version\":0,\"mode\":\"restricted\"", "version");
    is_broken("{\"mode\":\"restricted\"", "version");
    is_broken("{\"version\":2,\"mode\":\"Open\",\"ports\":[],\"entries\":0,\"sources\":[]", "mode");
    is_broken("{\"version\":2,\"mode\":\"open\",\"ports\":[0],\"entries\":0,\"sources\":[]", "port");
    is_broken("{\"version\":2,\"mode\":\"open\",\"ports\":[65536],\"entries\":0,\"sources\":[]", "port");
    is_broken(HEAD "10001,\"sources\":[]", "sources");
    is_broken(HEAD "1,\"sources\":[]", "entry");
    is_broken(HEAD "0,\"sources\":[{\"source\":\"192.0.2.1\"}]", "more entries");
    is_broken(HEAD "1,\"sources\":[{\"source\":\"127.0.0.1\"}]", "entry");
    is_broken(HEAD "1,\"sources\":[{\"source\":\"192.0.2.1\",\"comment\":\"a\\u0041\"}]", "entry");
    is_broken(HEAD "1,\"sources\":[{\"source\":\"192.0.2.1\",\"comment\":\"a\nb\"}]", "entry");
    is_broken(HEAD "1,\"sources\":[{\"source\":\"192.0.2.1\",\"owner\":\"a b\"}]", "entry");
    is_broken(HEAD "1,\"sources\":[{\"source\":\"192.0.2.1\",\"comment\":\"open", "entry");
    is_broken(HEAD "2,\"sources\":[{\"source\":\"192.0.2.2\"},{\"source\":\"192.0.2.1\"}]", "order");
    is_broken(HEAD "2,\"sources\":[{\"source\":\"192.0.2.1\"},{\"source\":\"192.0.2.1\"}]", "order");
    is_broken(HEAD "1,\"sources\":[{\"source\":\"192.0.2.1\"}]]", "behind");
}

static void what_version_1_wrote_is_read_and_becomes_version_2(void **state)
{
    /* tests/fixtures/firewall-1.json */
    static const char old[] =
        "{\"version\":1,\"mode\":\"restricted\",\"ports\":[22],\"sources\":[{\"source\":\"192.0.2.0/24\","
        "\"comment\":\"office\"},{\"source\":\"192.0.2.0/24\",\"owner\":\"fixture.example\"},{\"source\":"
        "\"2001:db8::/64\",\"expires_at\":\"2036-01-01T00:00:00Z\"}],\"checksum\":"
        "\"45370c023a8386890ef054a83c14b91413947fafc9c317b9b88d7217dea6a32a\"}\n";
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {0}, again = {0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    uint64_t old_sum = 0, sum = 0, written = 0;
    struct sp_error err;

    (void)state;
    if (sp_fwfile_parse(old, sizeof(old) - 1, &p, &old_sum, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(p.n, 3);
    assert_string_equal(p.v[0].comment, "office");
    assert_string_equal(p.v[1].owner, "fixture.example");
    assert_int_equal(sp_fwfile_format(&p, &text, &written, &err), 0);
    assert_non_null(strstr(text.data, "\"version\":2"));
    assert_int_equal(sp_fwfile_parse(text.data, text.len, &again, &sum, &err), 0);
    assert_true(sp_fw_policy_equal(&p, &again));
    assert_true(sum == written && sum != old_sum && old_sum != 0);
}

static void any_reader_of_json_can_read_it(void **state)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {.mode = SP_FW_RESTRICTED};
    struct sp_fw_entry e = {.comment = "B\xc3\xbcro \"links\" \\", .expires_at = 4102444800};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    _cleanup_json_ cJSON *j = NULL;
    const cJSON *one;
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_cidr_parse("192.0.2.0/24", &e.source, &err), 0);
    assert_int_equal(sp_fw_policy_put(&p, &e, 1, 0, &err), 0);
    assert_int_equal(sp_fwfile_format(&p, &text, NULL, &err), 0);
    assert_int_equal(sp_json_parse(text.data, text.len, &j, &err), 0);
    one = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(j, "sources"), 0);
    assert_string_equal(cJSON_GetObjectItemCaseSensitive(one, "comment")->valuestring, e.comment);
    assert_string_equal(cJSON_GetObjectItemCaseSensitive(one, "source")->valuestring, "192.0.2.0/24");
    assert_string_equal(cJSON_GetObjectItemCaseSensitive(one, "expires_at")->valuestring,
                        "2100-01-01T00:00:00Z");
}

static void the_sources_are_cut_out_as_they_are_written(void **state)
{
    const struct sp_fw_entry e = {.comment = "\\ \",\"sources\":[", .owner = "example.com"};
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0}, want = {0};
    struct sp_fw_entry v[2] = {e, e};
    struct sp_error err;

    (void)state;
    assert_false(sp_fwfile_cut_sources(&text));
    assert_int_equal(sp_cidr_parse("192.0.2.0/24", &v[0].source, &err), 0);
    assert_int_equal(sp_cidr_parse("2001:db8::/32", &v[1].source, &err), 0);
    for (size_t n = 0; n <= SP_COUNT(v); n++) {
        text.len = want.len = 0;
        assert_int_equal(sp_fw_policy_put(&p, v, n, 0, &err), 0);
        assert_int_equal(sp_fwfile_format(&p, &text, NULL, &err), 0);
        assert_true(sp_fwfile_cut_sources(&text));
        sp_fwfile_put_sources(&p, &want);
        assert_string_equal(sp_buf_str(&text), sp_buf_str(&want));
    }
}

static void a_string_of_any_bytes_becomes_one_of_json(void **state)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};

    (void)state;
    sp_json_put_text(&text, "a\"b\\c\nd\x01");
    assert_string_equal(text.data, "\"a\\\"b\\\\c\\nd\\u0001\"");
}

static const struct sp_fwmark good = {.host = 1,
                                      .generation = 7,
                                      .policy = UINT64_MAX,
                                      .config = 3,
                                      .clock = -5,
                                      .until = 1000,
                                      .sshd = 9,
                                      .ports = {22, 2222},
                                      .n_ports = 2};

static void a_mark_is_read_whole_or_not_at_all(void **state)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0}, again = {0};
    struct sp_fwmark m = {0};
    struct sp_error err = {0};

    (void)state;
    assert_int_equal(sp_fwmark_format(&good, &text, &err), 0);
    assert_int_equal(sp_fwmark_parse(text.data, text.len, &m, &err), 0);
    assert_int_equal(sp_fwmark_format(&m, &again, &err), 0);
    assert_string_equal(text.data, again.data);
    assert_int_equal(m.n_ports, 2);
    for (size_t i = 0; i < text.len; i++) {
        assert_int_equal(sp_fwmark_parse(text.data, i, &m, &err), -1);
        text.data[i] ^= 1;
        assert_int_equal(sp_fwmark_parse(text.data, text.len, &m, &err), -1);
        assert_int_equal(err.code, SP_E_STATE);
        text.data[i] ^= 1;
    }
}

static void a_mark_holds_only_while_nothing_differs(void **state)
{
    const struct sp_fwmark now_is = {.host = 1, .config = 3, .clock = -4};
    struct sp_fwmark m = good, other = now_is;

    (void)state;
    assert_true(sp_fwmark_holds(&m, &now_is, UINT64_MAX, 999));
    assert_false(sp_fwmark_holds(&m, &now_is, UINT64_MAX, 1000)); /* half a day later */
    assert_false(sp_fwmark_holds(&m, &now_is, 5, 999));           /* another state file */
    assert_false(sp_fwmark_holds(&(struct sp_fwmark){0}, &now_is, 0, -1));
    other.host = 2; /* another boot, another network namespace */
    assert_false(sp_fwmark_holds(&m, &other, UINT64_MAX, 999));
    other = now_is;
    other.host = m.host = 0; /* a kernel that cannot tell */
    assert_false(sp_fwmark_holds(&m, &other, UINT64_MAX, 999));
    m = good;
    other = now_is;
    other.config = 4;
    assert_false(sp_fwmark_holds(&m, &other, UINT64_MAX, 999));
    other = now_is;
    other.clock = 5; /* the clock was set: timeouts do not know */
    assert_false(sp_fwmark_holds(&m, &other, UINT64_MAX, 999));
    other.clock = -15;
    assert_false(sp_fwmark_holds(&m, &other, UINT64_MAX, 999));
    m.generation = 0;
    assert_false(sp_fwmark_holds(&m, &now_is, UINT64_MAX, 999));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_sum_fits_is_read_strictly_all_the_same),
        cmocka_unit_test(what_version_1_wrote_is_read_and_becomes_version_2),
        cmocka_unit_test(any_reader_of_json_can_read_it),
        cmocka_unit_test(the_sources_are_cut_out_as_they_are_written),
        cmocka_unit_test(a_string_of_any_bytes_becomes_one_of_json),
        cmocka_unit_test(a_mark_is_read_whole_or_not_at_all),
        cmocka_unit_test(a_mark_holds_only_while_nothing_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
