/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The file of the SSH port's state as version 1 wrote it, and a trial's policy: what was not written by us
 * is not believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/fwstate.h"
#include "model/json.h"

/* Sealed as the writer would. */
static int parse(const char *text, struct sp_fw_policy *ret, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf sealed = {0};
    _cleanup_json_ cJSON *j = cJSON_Parse(text);

    assert_non_null(j);
    assert_int_equal(sp_fwstate_seal(j, &sealed, err), 0);
    return sp_fwstate_parse(sp_buf_str(&sealed), sealed.len, ret, err);
}

#define STATE(ports, sources)                                                                              \
    "{\"version\":1,\"mode\":\"restricted\",\"ports\":" ports ",\"sources\":" sources "}"

static void what_was_written_is_read_back(void **state)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {0}, again = {0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    _cleanup_json_ cJSON *j = NULL;
    struct sp_error err;

    (void)state;
    assert_int_equal(parse(STATE("[22,2222]",
                                 "[{\"source\":\"192.0.2.0/"
                                 "24\",\"comment\":\"office\"},{\"source\":\"2001:db8::/64\",\"expires_"
                                 "at\":\"2036-01-01T00:00:00Z\",\"owner\":\"a.example\"}]"),
                           &p, &err),
                     0);
    assert_int_equal(p.mode, SP_FW_RESTRICTED);
    assert_int_equal(p.n_ports, 2);
    assert_int_equal(p.n, 2);
    j = sp_fwstate_to_json(&p);
    assert_int_equal(sp_fwstate_seal(j, &text, &err), 0);
    assert_int_equal(sp_fwstate_parse(sp_buf_str(&text), text.len, &again, &err), 0);
    assert_true(sp_fw_policy_equal(&p, &again));
}

static void a_sealed_file_that_we_would_not_write_is_broken(void **state)
{
    static const char *const bad[] = {
        "{}",
        "{\"version\":\"1\"}",
        "{\"version\":2,\"mode\":\"open\",\"ports\":[],\"sources\":[]}",
        "{\"version\":1}",
        "{\"version\":1,\"mode\":\"wide\",\"ports\":[],\"sources\":[]}",
        "{\"version\":1,\"mode\":\"open\",\"ports\":{},\"sources\":[]}",
        "{\"version\":1,\"mode\":\"open\",\"ports\":[]}",
        STATE("[0]", "[]"),
        STATE("[65536]", "[]"),
        STATE("[\"22\"]", "[]"),
        STATE(
            "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,"
            "35,"
            "36,37,38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,59,60,61,62,63,64,65,66]",
            "[]"),
        STATE("[22]", "[{}]"),
        STATE("[22]", "[7]"),
        STATE("[22]", "[{\"source\":\"10.0.0.1/8\"}]"),
        STATE("[22]", "[{\"source\":\"127.0.0.1\"}]"),
        STATE("[22]", "[{\"source\":\"192.0.2.1\",\"expires_at\":\"soon\"}]"),
        STATE("[22]", "[{\"source\":\"192.0.2.1\",\"owner\":\"no domain\"}]"),
        STATE("[22]", "[{\"source\":\"192.0.2.1\",\"comment\":\"a\\u0007b\"}]"),
    };

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++) {
        _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {0};
        struct sp_error err;
        if (parse(bad[i], &p, &err) == 0 || err.code != SP_E_STATE || p.n != 0)
            fail_msg("%s: %s", bad[i], sp_code_name(err.code));
    }
}

static void one_byte_less_or_another_one_and_the_seal_is_broken(void **state)
{
    _cleanup_(sp_buf_clear) struct sp_buf sealed = {0};
    _cleanup_json_ cJSON *j = cJSON_Parse(STATE("[22]", "[{\"source\":\"192.0.2.1\"}]"));
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {0};
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_fwstate_seal(j, &sealed, &err), 0);
    for (size_t n = 0; n < sealed.len; n++)
        assert_int_equal(sp_fwstate_parse(sp_buf_str(&sealed), n, &p, &err), -1);
    for (size_t n = 0; n < sealed.len; n++) {
        sealed.data[n] ^= 1;
        assert_int_equal(sp_fwstate_parse(sp_buf_str(&sealed), sealed.len, &p, &err), -1);
        assert_int_equal(err.code, SP_E_STATE);
        sealed.data[n] ^= 1;
    }
    assert_int_equal(sp_fwstate_parse(sp_buf_str(&sealed), sealed.len, &p, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read_back),
        cmocka_unit_test(a_sealed_file_that_we_would_not_write_is_broken),
        cmocka_unit_test(one_byte_less_or_another_one_and_the_seal_is_broken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
