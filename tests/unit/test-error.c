/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/str.h"

static void every_code_has_its_own_faces(void **state)
{
    (void)state;
    for (int a = SP_OK; a < SP_E_COUNT; a++) {
        assert_non_null(sp_code_name((enum sp_code)a));
        assert_in_range(sp_code_exit((enum sp_code)a), 0, 125);
        for (int b = SP_OK; b < a; b++) {
            assert_string_not_equal(sp_code_name((enum sp_code)a), sp_code_name((enum sp_code)b));
            assert_int_not_equal(sp_code_rpc((enum sp_code)a), sp_code_rpc((enum sp_code)b));
            assert_int_not_equal(sp_code_exit((enum sp_code)a), sp_code_exit((enum sp_code)b));
        }
    }
}

static void a_field_grows_on_the_way_up(void **state)
{
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_fail(&err, SP_E_INVALID, 0, "bad"), -1);
    sp_field_prefix(&err, "from[%d]", 0);
    sp_field_prefix(&err, "authorized_keys[%d]", 2);
    sp_field_prefix(&err, "[1]");
    sp_field_prefix(&err, "params");
    assert_string_equal(err.field, "params[1].authorized_keys[2].from[0]");
}

static void control_bytes_never_reach_a_text(void **state)
{
    struct sp_error err;

    (void)state;
    sp_fail(&err, SP_E_IO, ENOENT, "a\nb\033[31m%s", "\177");
    assert_string_equal(err.text, "a?b?[31m?: No such file or directory");
    sp_hint(&err, "do\rthis");
    assert_string_equal(err.hint, "do?this");
}

static void a_long_text_is_cut_not_overrun(void **state)
{
    struct sp_error err;
    char big[2000];

    (void)state;
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    sp_fail(&err, SP_E_IO, EIO, "%s", big);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    sp_field(&err, "%s", big);
    sp_field_prefix(&err, "%s", big);
    assert_int_equal(strlen(err.field), sizeof(err.field) - 1);
}

static void a_cut_leaves_whole_characters(void **state)
{
    struct sp_error err;
    char big[400] = "x";

    (void)state;
    for (size_t i = 1; i + 2 < sizeof(big); i += 2)
        memcpy(big + i, "\xc3\xa9", 3);
    sp_fail(&err, SP_E_IO, 0, "%s", big);
    sp_field(&err, "%s", big);
    assert_true(sp_str_is_clean(err.field, strlen(err.field)));
    sp_field_prefix(&err, "ab");
    assert_true(sp_str_is_clean(err.field, strlen(err.field)));
    sp_hint(&err, "\xc2\x9b[m \xff");
    assert_string_equal(err.hint, "??[m ?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_its_own_faces),
        cmocka_unit_test(a_field_grows_on_the_way_up),
        cmocka_unit_test(control_bytes_never_reach_a_text),
        cmocka_unit_test(a_long_text_is_cut_not_overrun),
        cmocka_unit_test(a_cut_leaves_whole_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
