/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/conffile.h"

static int parse(const char *text, struct sp_config *c, struct sp_error *err)
{
    return sp_conffile_parse("file", text, strlen(text), c, err);
}

static void names_values_comments_and_blanks_are_read(void **state)
{
    _cleanup_(sp_config_clear) struct sp_config c = {0};
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_config_defaults(&c, &err), 0);
    assert_int_equal(
        parse("# a comment\r\n\n \t uid_min=2000 # another\r\n  denied_users = root, panel\nuid_max "
              "= 3000",
              &c, &err),
        0);
    assert_int_equal(c.uid_min, 2000);
    assert_int_equal(c.uid_max, 3000);
    assert_true(sp_words_have(&c.denied_users, "panel") && sp_words_have(&c.denied_users, "root"));
    assert_false(sp_words_have(&c.denied_users, "nobody"));
    assert_int_equal(parse("auth_log =", &c, &err), 0);
    assert_int_equal(parse("", &c, &err), 0);
    assert_int_equal(c.uid_min, 2000);
}

static void what_is_not_understood_is_an_error_with_its_line(void **state)
{
    static const struct {
        const char *text, *line, *field;
    } bad[] = {
        {"uid_min = 1000\nuid_max", "line 2: ", ""},
        {"\n= 5", "line 2: ", ""},
        {"[main]\nuid_min = 5", "line 1: ", ""},
        {"uid_min = many", "line 1: ", "uid_min"},
        {"\n\nsurprise = 1\n", "line 3: ", "surprise"},
        {"uid_min = 1000\nuid_min = 1000", "line 2: ", ""},
        {"denied_users = \"root\"", "line 1: ", ""},
        {"denied_users = 'root'", "line 1: ", ""},
        {"uid min = 1000", "line 1: ", "uid min"},
        {"document_roots = /var/www, /home", "line 1: ", "document_roots"},
        {"document_roots = /var/www,/home", "line 1: ", "document_roots"},
        {"document_roots = /var/www/vhosts/*", "line 1: ", "document_roots"},
        {"jail_trees = /opt/*", "line 1: ", "jail_trees"},
        {"\xef\xbb\xbfuid_min = 1000", "line 1: ", "\xef\xbb\xbfuid_min"},
    };
    struct sp_error err;

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++) {
        _cleanup_(sp_config_clear) struct sp_config c = {0};
        assert_int_equal(parse(bad[i].text, &c, &err), -1);
        assert_int_equal(err.code, SP_E_INVALID);
        assert_non_null(strstr(err.text, bad[i].line));
        assert_true(sp_str_prefix(err.text, "file", NULL));
        assert_string_equal(err.field, bad[i].field);
        assert_true(err.hint[0] != '\0');
    }
}

static void a_nul_byte_ends_nothing(void **state)
{
    static const char text[] = "uid_min = 1000\n\0denied_users = root\n";
    _cleanup_(sp_config_clear) struct sp_config c = {0};
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_conffile_parse("file", text, sizeof(text) - 1, &c, &err), -1);
    assert_int_equal(err.code, SP_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_values_comments_and_blanks_are_read),
        cmocka_unit_test(what_is_not_understood_is_an_error_with_its_line),
        cmocka_unit_test(a_nul_byte_ends_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
