/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/name.h"
#include "model/sshkey.h"

typedef int check_fn(const char *, struct sp_error *);

static void all(check_fn *check, const char *const *texts, size_t n, int expected)
{
    for (size_t i = 0; i < n; i++) {
        struct sp_error err = {0};
        if (check(texts[i], &err) != expected)
            fail_msg("\"%s\" should be %s", texts[i], expected == 0 ? "accepted" : "refused");
        if (expected < 0) {
            assert_int_equal(err.code, SP_E_INVALID);
            assert_string_not_equal(err.hint, "");
            assert_string_not_equal(err.text, "");
        }
    }
}

static void user_names_of_panels_are_accepted(void **state)
{
    static const char *const good[] = {
        "alice",      "_x", "Ab.c", "a",        "0day",
        "user-1.com", "a-", "x_y",  "www-data", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};

    (void)state;
    all(sp_name_check_user, good, SP_COUNT(good), 0);
}

static void user_names_with_foreign_bytes_are_refused(void **state)
{
    static const char *const bad[] = {"",    "a\nb",  "a\rb",  "a:b",
                                      "a,b", "a\x7f", "a b",   "-a",
                                      ".a",  "..",    "1000",  "0",
                                      "a/b", "a\tb",  "a$",    "r\xc3\xb6t",
                                      "+",   "a\\n",  "a\x01", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};

    (void)state;
    all(sp_name_check_user, bad, SP_COUNT(bad), -1);
}

static void host_names_are_accepted(void **state)
{
    static const char *const good[] = {"example.com", "a.b",       "xn--bcher-kva.example",
                                       "1and1.com",   "a-b.c-d.e", "sub.sub.example.co.uk"};

    (void)state;
    all(sp_name_check_domain, good, SP_COUNT(good), 0);
}

static void what_is_no_host_name_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "example",
        "example.com.",
        ".example.com",
        "a..b",
        "-a.b",
        "a-.b",
        "*.a.b",
        "a_b.c",
        "Example.com",
        "b\xc3\xbc.de",
        "a.b\n",
        "a.b/c",
        "192.0.2.1",
        "a b.c",
        "a.b:22",
        ".",
        "a.b\x7f",
        "a.b-",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.com",
    };
    char big[300];
    const char *const one[] = {big};

    (void)state;
    all(sp_name_check_domain, bad, SP_COUNT(bad), -1);
    memset(big, 0, sizeof(big));
    for (size_t i = 0; i < 254; i++)
        big[i] = i % 2 == 0 ? 'a' : '.';
    all(sp_name_check_domain, one, 1, -1);
    big[253] = '\0';
    all(sp_name_check_domain, one, 1, 0);
}

static void the_hint_mends_a_host_name(void **state)
{
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_name_check_domain("WWW.Example.COM", &err), -1);
    assert_string_equal(err.hint, "send www.example.com");
    assert_int_equal(sp_name_check_domain("example.com.", &err), -1);
    assert_string_equal(err.hint, "send example.com");
    assert_int_equal(sp_name_check_domain("b\xc3\xbc.de", &err), -1);
    assert_non_null(strstr(err.hint, "punycode"));
}

static void paths_are_absolute_and_normalised(void **state)
{
    static const char *const good[] = {
        "/", "/var/www/vhosts/example.com", "/a b", "/...", "/.ssh", "/a/..b", "/b\xc3\xbc"};
    static const char *const bad[] = {"",      "a",     "a/b",     "//",     "//a",   "/a/",      "/a//b",
                                      "/.",    "/..",   "/a/../b", "/a/./b", "/a/.",  "/a/..",    "/a:b",
                                      "/a\nb", "/a\rb", "/a\x7f",  "/a\x01", "/\xff", "/\xc0\xaf"};
    char big[SP_PATH_SIZE + 1];
    const char *const one[] = {big};

    (void)state;
    all(sp_name_check_path, good, SP_COUNT(good), 0);
    all(sp_name_check_path, bad, SP_COUNT(bad), -1);
    memset(big, 'a', sizeof(big));
    big[0] = '/';
    big[SP_PATH_SIZE] = '\0';
    all(sp_name_check_path, one, 1, -1);
    big[SP_PATH_SIZE - 1] = '\0';
    all(sp_name_check_path, one, 1, 0);
}

static void labels_are_one_line_of_printable_text(void **state)
{
    static const char *const good[] = {"", "laptop", "Zo\xc3\xab's laptop #2", "\xe2\x82\xac",
                                       "\xe6\x97\xa5\xe6\x9c\xac"};
    static const char *const bad[] = {"a\nb",         "a\rb",         "a\tb",        "a\x1b[31m",
                                      "\x7f",         "\xff",         "\xc3",        "\xc2\x9b[m",
                                      "\xe2\x80\xae", "\xe2\x80\xa8", "\xe2\x81\xa6"};
    char big[SP_LABEL_SIZE + 1];
    const char *const one[] = {big};

    (void)state;
    all(sp_name_check_label, good, SP_COUNT(good), 0);
    all(sp_name_check_label, bad, SP_COUNT(bad), -1);
    memset(big, 'a', sizeof(big));
    big[SP_LABEL_SIZE] = '\0';
    all(sp_name_check_label, one, 1, -1);
    big[SP_LABEL_SIZE - 1] = '\0';
    all(sp_name_check_label, one, 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(user_names_of_panels_are_accepted),
        cmocka_unit_test(user_names_with_foreign_bytes_are_refused),
        cmocka_unit_test(host_names_are_accepted),
        cmocka_unit_test(what_is_no_host_name_is_refused),
        cmocka_unit_test(the_hint_mends_a_host_name),
        cmocka_unit_test(paths_are_absolute_and_normalised),
        cmocka_unit_test(labels_are_one_line_of_printable_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
