/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/pwuser.h"

static const struct sp_pwuser dev = {"dev", 1005, "/home/dev", "/bin/bash", 20000};

static void adds(enum sp_pwuser_file file, const char *old, const char *expected)
{
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    struct sp_error err;

    assert_int_equal(sp_pwuser_add(old, strlen(old), file, &dev, &out, &err), 0);
    assert_string_equal(sp_buf_str(&out), expected);
}

static enum sp_code refuses(enum sp_pwuser_file file, const char *old, const struct sp_pwuser *u)
{
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    struct sp_error err;

    assert_int_equal(sp_pwuser_add(old, strlen(old), file, u, &out, &err), -1);
    assert_int_not_equal(err.text[0], '\0');
    return err.code;
}

static void each_file_gets_its_line_behind_all_others(void **state)
{
    (void)state;
    adds(SP_PWUSER_PASSWD, "root:x:0:0::/root:/bin/sh\n",
         "root:x:0:0::/root:/bin/sh\ndev:x:1005:1005::/home/dev:/bin/bash\n");
    adds(SP_PWUSER_SHADOW, "root:*:1::::::", "root:*:1::::::\ndev:*:20000:0:99999:7:::\n");
    adds(SP_PWUSER_GROUP, "odd\n\n+nis:::\n", "odd\n\n+nis:::\ndev:x:1005:\n");
    adds(SP_PWUSER_GSHADOW, "", "dev:!::\n");
}

static void a_line_that_a_crash_left_is_the_users_own(void **state)
{
    (void)state;
    adds(SP_PWUSER_PASSWD, "dev:x:1005:7::/elsewhere:/bin/sh", "dev:x:1005:7::/elsewhere:/bin/sh");
    adds(SP_PWUSER_SHADOW, "dev:*:1::::::\n", "dev:*:1::::::\n");
}

static void anothers_name_or_id_and_a_name_that_stands_twice_are_refused(void **state)
{
    (void)state;
    assert_int_equal(refuses(SP_PWUSER_PASSWD, "dev:x:1006:1006::/home/dev:/bin/sh\n", &dev),
                     SP_E_CONFLICT);
    assert_int_equal(refuses(SP_PWUSER_PASSWD, "eve:x:1005:1::/home/eve:/bin/sh\n", &dev), SP_E_CONFLICT);
    assert_int_equal(refuses(SP_PWUSER_GROUP, "eve:x:1005:\n", &dev), SP_E_CONFLICT);
    assert_int_equal(refuses(SP_PWUSER_GROUP, "dev:x:7:\n", &dev), SP_E_CONFLICT);
    assert_int_equal(refuses(SP_PWUSER_PASSWD, "dev:x\n", &dev),
                     SP_E_CONFLICT); /* malformed: nobody's id */
    assert_int_equal(refuses(SP_PWUSER_SHADOW, "dev:*:1::::::\ndev:*:2::::::\n", &dev), SP_E_STATE);
}

static void what_would_break_a_line_is_refused_by_the_writer(void **state)
{
    static const struct sp_pwuser bad[] = {
        {"de:v", 1005, "/home/dev", "/bin/bash", 1},    {"dev", 1005, "/home/d\nroot::0:0", "/bin/bash", 1},
        {"dev", 1005, "/home/dev", "/bin/ba:sh", 1},    {"dev", 0, "/home/dev", "/bin/bash", 1},
        {"dev", 1U << 31, "/home/dev", "/bin/bash", 1}, {"dev", 1005, "/home/dev", "/bin/bash", -1},
    };

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++)
        assert_int_equal(refuses(SP_PWUSER_PASSWD, "", &bad[i]), SP_E_INVALID);
}

static void removes(enum sp_pwuser_file file, const char *old, uint32_t id, const char *expected)
{
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    struct sp_error err;

    assert_int_equal(sp_pwuser_remove(old, strlen(old), file, "dev", id, &out, &err), 0);
    assert_string_equal(sp_buf_str(&out), expected);
}

static void only_the_users_own_line_is_taken_away(void **state)
{
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    struct sp_error err;

    (void)state;
    removes(SP_PWUSER_PASSWD, "a:x:1:1:::\ndev:x:1005:1005:::\nb:x:2:2:::\n", 1005,
            "a:x:1:1:::\nb:x:2:2:::\n");
    removes(SP_PWUSER_PASSWD, "a:x:1:1:::\ndev:x:1005:1005:::", 1005, "a:x:1:1:::\n");
    removes(SP_PWUSER_PASSWD, "dev:x:1006:1006:::\n", 1005, "dev:x:1006:1006:::\n");
    removes(SP_PWUSER_SHADOW, "dev:!:1::::::\na:*:1::::::\n", 1005, "a:*:1::::::\n");
    removes(SP_PWUSER_GROUP, "a:x:1:\n", 1005, "a:x:1:\n");
    assert_int_equal(sp_pwuser_remove("x", 1, SP_PWUSER_PASSWD, "a\nb", 1, &out, &err), -1);
    assert_int_equal(err.code, SP_E_INVALID);
    assert_int_equal(
        sp_pwuser_remove("dev:x:1:1:::\ndev:x:1:1:::\n", 26, SP_PWUSER_PASSWD, "dev", 1, &out, &err), -1);
    assert_int_equal(err.code, SP_E_STATE);
}

static void names_and_ids_are_found(void **state)
{
    static const char text[] = "a:x:1:1:::\nodd:x\ndev:x:1005:1005:::\n";

    (void)state;
    assert_string_equal(sp_pwuser_file_name(SP_PWUSER_GSHADOW), "gshadow");
    assert_true(sp_pwuser_has(text, strlen(text), SP_PWUSER_PASSWD, "dev", 0));
    assert_true(sp_pwuser_has(text, strlen(text), SP_PWUSER_PASSWD, NULL, 1005));
    assert_true(sp_pwuser_has(text, strlen(text), SP_PWUSER_PASSWD, "odd", 7));
    assert_false(sp_pwuser_has(text, strlen(text), SP_PWUSER_PASSWD, "de", 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_file_gets_its_line_behind_all_others),
        cmocka_unit_test(a_line_that_a_crash_left_is_the_users_own),
        cmocka_unit_test(anothers_name_or_id_and_a_name_that_stands_twice_are_refused),
        cmocka_unit_test(what_would_break_a_line_is_refused_by_the_writer),
        cmocka_unit_test(only_the_users_own_line_is_taken_away),
        cmocka_unit_test(names_and_ids_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
