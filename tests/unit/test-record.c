/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/record.h"

#define GOOD                                                                                               \
    "sallyport-entry 1\nuser example\nuid 1001\ngid 1002\nhome /home/example\nprofiles base+git\n"         \
    "tmp_mib 512\nprocesses 400\nagent 1\nroot /var/www/vhosts/example.com\nroot "                         \
    "/var/www/vhosts/example.org/a b\n"

static int parse(const char *text, struct sp_record *ret)
{
    struct sp_error err = {0};
    int rc = sp_record_parse(text, strlen(text), ret, &err);

    if (rc < 0)
        assert_int_equal(err.code, SP_E_STATE);
    return rc;
}

static void a_record_reads_back_as_it_was_written(void **state)
{
    _cleanup_(sp_record_clear) struct sp_record r = {0};
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    struct sp_error err = {0};

    (void)state;
    assert_int_equal(parse(GOOD, &r), 0);
    assert_string_equal(r.user, "example");
    assert_int_equal(r.uid, 1001);
    assert_int_equal(r.gid, 1002);
    assert_string_equal(r.home, "/home/example");
    assert_string_equal(r.profiles, "base+git");
    assert_int_equal(r.tmp_mib, 512);
    assert_int_equal(r.processes, 400);
    assert_int_equal(r.agent, 1);
    assert_int_equal(r.n_roots, 2);
    assert_string_equal(r.roots[1], "/var/www/vhosts/example.org/a b");
    assert_int_equal(sp_record_format(&r, &out, &err), 0);
    assert_string_equal(sp_buf_str(&out), GOOD);
}

static void a_record_of_before_the_limits_is_read(void **state)
{
    _cleanup_(sp_record_clear) struct sp_record r = {0};

    (void)state;
    assert_int_equal(parse("sallyport-entry 1\nuser example\nuid 1001\ngid 1002\nhome /home/example\n"
                           "profiles base\ntmp_mib 512\nroot /home/example\n",
                           &r),
                     0);
    assert_int_equal(r.processes, 0);
    assert_int_equal(r.agent, 0);
}

static void every_prefix_of_a_record_is_refused(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof(GOOD) - 1; n++) {
        _cleanup_(sp_record_clear) struct sp_record r = {0};
        struct sp_error err = {0};
        size_t second_root = (size_t)(strstr(GOOD, "root /var/www/vhosts/example.org") - GOOD);

        if (n == second_root) /* a whole record with one root */
            continue;
        assert_int_equal(sp_record_parse(GOOD, n, &r, &err), -1);
    }
}

static void a_bad_line_is_refused(void **state)
{
    static const struct {
        const char *from, *to;
    } swaps[] = {
        {"entry 1", "entry 2"},
        {"uid 1001", "uid 0"},
        {"uid 1001", "uid 4294967295"},
        {"uid 1001", "uid 01001"},
        {"uid 1001", "uid -1"},
        {"gid 1002", "gid 0"},
        {"user example\n", "user example\nuser other\n"},
        {"user example\n", ""},
        {"user example\n", "user example\nshell /bin/sh\n"},
        {"user example", "user -x"},
        {"user example", "user a b"},
        {"user example", "user  "},
        {"profiles base+git", "profiles ../x"},
        {"profiles base+git", "profiles base++git"},
        {"profiles base+git", "profiles base+"},
        {"profiles base+git", "profiles ."},
        {"profiles base+git", "profiles ..@base"},
        {"tmp_mib 512", "tmp_mib 0"},
        {"processes 400", "processes 3"},
        {"agent 1", "agent 0"},
        {"agent 1", "agent yes"},
        {"processes 400", "processes 4194305"},
        {"processes 400\n", "processes 400\nprocesses 400\n"},
        {"tmp_mib 512", "tmp_mib 99999999"},
        {"home /home/example", "home home/example"},
        {"home /home/example", "home /home/../etc"},
        {"home /home/example", "home /"},
        {"root /var/www/vhosts/example.com", "root /var//www"},
        {"root /var/www/vhosts/example.com", "root /var/www/"},
        {"root /var/www/vhosts/example.com", "root /var/www/./x"},
        {"root /var/www/vhosts/example.com", "root /var/w:w"},
        {"root /var/www/vhosts/example.com", "root /var/\033[m"},
        {"root /var/www/vhosts/example.com", "root /var/\xff"},
    };

    (void)state;
    for (size_t i = 0; i < SP_COUNT(swaps); i++) {
        _cleanup_(sp_record_clear) struct sp_record r = {0};
        const char *at = strstr(GOOD, swaps[i].from);
        char text[1024];

        assert_non_null(at);
        assert_int_equal(sp_str_format(text, sizeof(text), "%.*s%s%s", (int)(at - GOOD), GOOD, swaps[i].to,
                                       at + strlen(swaps[i].from)),
                         0);
        if (parse(text, &r) == 0)
            fail_msg("taken: %s", swaps[i].to);
    }
}

static void nul_and_size_are_refused(void **state)
{
    _cleanup_(sp_record_clear) struct sp_record r = {0};
    struct sp_error err = {0};
    char with_nul[sizeof(GOOD)];
    _cleanup_free_ char *big = malloc(SP_RECORD_MAX_BYTES + 1);

    (void)state;
    memcpy(with_nul, GOOD, sizeof(GOOD));
    with_nul[30] = '\0';
    assert_int_equal(sp_record_parse(with_nul, sizeof(GOOD) - 1, &r, &err), -1);
    assert_non_null(big);
    memset(big, 'x', SP_RECORD_MAX_BYTES + 1);
    assert_int_equal(sp_record_parse(big, SP_RECORD_MAX_BYTES + 1, &r, &err), -1);
}

static void more_roots_than_allowed_are_refused(void **state)
{
    _cleanup_(sp_record_clear) struct sp_record r = {0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};

    (void)state;
    sp_buf_puts(&text, GOOD);
    for (int i = 2; i < SP_RECORD_MAX_ROOTS; i++)
        sp_buf_printf(&text, "root /r%d\n", i);
    assert_int_equal(parse(sp_buf_str(&text), &r), 0);
    sp_record_clear(&r);
    sp_buf_puts(&text, "root /one-more\n");
    assert_int_equal(parse(sp_buf_str(&text), &r), -1);
}

static void the_writer_refuses_what_the_parser_would(void **state)
{
    char roots[1][SP_RECORD_PATH] = {"/srv/x"};
    struct sp_record good = {.user = "u",
                             .uid = 5,
                             .gid = 5,
                             .home = "/h",
                             .profiles = "base",
                             .tmp_mib = 1,
                             .n_roots = 1,
                             .roots = roots};
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    struct sp_error err = {0};
    struct sp_record r = good;

    (void)state;
    assert_int_equal(sp_record_format(&good, &out, &err), 0);
    (void)sp_str_copy(r.home, sizeof(r.home), "/h\nroot /");
    assert_int_equal(sp_record_format(&r, &out, &err), -1);
    assert_int_equal(err.code, SP_E_INVALID);
    assert_string_equal(err.field, "home");
    r = good;
    r.uid = 0;
    assert_int_equal(sp_record_format(&r, &out, &err), -1);
    r = good;
    (void)sp_str_copy(r.user, sizeof(r.user), "a\nuid 0");
    assert_int_equal(sp_record_format(&r, &out, &err), -1);
    r = good;
    r.n_roots = 0;
    assert_int_equal(sp_record_format(&r, &out, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_reads_back_as_it_was_written),
        cmocka_unit_test(a_record_of_before_the_limits_is_read),
        cmocka_unit_test(every_prefix_of_a_record_is_refused),
        cmocka_unit_test(a_bad_line_is_refused),
        cmocka_unit_test(nul_and_size_are_refused),
        cmocka_unit_test(more_roots_than_allowed_are_refused),
        cmocka_unit_test(the_writer_refuses_what_the_parser_would),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
