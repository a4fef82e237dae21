/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/fwpending.h"

static void format(struct sp_buf *out)
{
    _cleanup_(sp_fw_pending_clear) struct sp_fw_pending p = {.token = "0123456789abcdef",
                                                             .phase = SP_FW_CONFIRMING,
                                                             .boot_id =
                                                                 "7ad7e8c1-6d1e-4b6b-9df2-9f3f9b1c2c3d",
                                                             .deadline = 1800000000};
    struct sp_fw_entry e = {.comment = (char *)"office", .owner = (char *)""};
    struct sp_error err;

    p.policy.mode = SP_FW_RESTRICTED;
    assert_int_equal(sp_cidr_parse("203.0.113.0/24", &e.source, &err), 0);
    assert_int_equal(sp_fw_policy_put(&p.policy, &e, 1, 0, &err), 0);
    assert_int_equal(sp_fwpending_format(&p, out, &err), 0);
}

static void what_was_written_is_read_again(void **state)
{
    _cleanup_(sp_fw_pending_clear) struct sp_fw_pending p = {0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    struct sp_error err;

    (void)state;
    format(&text);
    assert_int_equal(sp_fwpending_parse(text.data, text.len, &p, &err), 0);
    assert_string_equal(p.token, "0123456789abcdef");
    assert_string_equal(p.boot_id, "7ad7e8c1-6d1e-4b6b-9df2-9f3f9b1c2c3d");
    assert_int_equal(p.phase, SP_FW_CONFIRMING);
    assert_int_equal(p.deadline, 1800000000);
    assert_int_equal(p.policy.mode, SP_FW_RESTRICTED);
    assert_int_equal(p.policy.n, 1);
    assert_string_equal(p.policy.v[0].comment, "office");
}

static void no_byte_of_it_can_change_or_go_unseen(void **state)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    struct sp_error err;

    (void)state;
    format(&text);
    for (size_t i = 0; i < text.len; i++) {
        struct sp_fw_pending p = {0};
        text.data[i] ^= 1;
        assert_int_equal(sp_fwpending_parse(text.data, text.len, &p, &err), -1);
        assert_int_equal(err.code, SP_E_STATE);
        text.data[i] ^= 1;
        assert_int_equal(sp_fwpending_parse(text.data, i, &p, &err), -1);
        assert_string_equal(p.token, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read_again),
        cmocka_unit_test(no_byte_of_it_can_change_or_go_unseen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
