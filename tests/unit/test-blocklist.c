/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "keys.h"
#include "model/blocklist.h"

static void fingerprints_remarks_and_comments_are_read(void **state)
{
    static const char list[] = "# bad ones\n\n" FP_RSA2048 "\r\n  " FP_ED25519 " lost in 2024\n#" FP_DSA
                               "\n" FP_NISTP256 "# no remark without a blank, but a comment";
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_blocklist_check(list, strlen(list), &err), 0);
    assert_true(sp_blocklist_has(list, strlen(list), FP_RSA2048));
    assert_true(sp_blocklist_has(list, strlen(list), FP_ED25519));
    assert_true(sp_blocklist_has(list, strlen(list), FP_NISTP256));
    assert_false(sp_blocklist_has(list, strlen(list), FP_DSA));
    assert_false(sp_blocklist_has(list, strlen(list), FP_NISTP384));
    assert_false(sp_blocklist_has("", 0, FP_DSA));
    assert_int_equal(sp_blocklist_check("", 0, &err), 0);
}

static void a_line_that_is_no_fingerprint_is_named(void **state)
{
    static const char *const bad[] = {
        FP_DSA "\nMD5:aa:bb\n", FP_DSA "\n" FP_DSA "x\n", "\nSHA256:\n", "#\nssh-ed25519 AAAA\n", "\n*\n",
    };
    struct sp_error err;

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++) {
        assert_int_equal(sp_blocklist_check(bad[i], strlen(bad[i]), &err), -1);
        assert_string_equal(err.text, "line 2 is no fingerprint");
        assert_string_not_equal(err.hint, "");
    }
    assert_int_equal(sp_blocklist_check("a\0b", 3, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fingerprints_remarks_and_comments_are_read),
        cmocka_unit_test(a_line_that_is_no_fingerprint_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
