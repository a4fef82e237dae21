/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/pamrecord.h"

#define HEAD "sallyport-access 1\nuser example\nuid 1001\n"

static int parse(const char *text, struct sp_pamrecord *ret)
{
    struct sp_error err;

    return sp_pamrecord_parse(text, strlen(text), ret, &err);
}

static struct sp_pamrecord read_ok(const char *text)
{
    struct sp_pamrecord r = {0};

    assert_int_equal(parse(text, &r), 0);
    return r;
}

static void a_record_comes_back_as_it_was_written(void **state)
{
    static const char *const texts[] = {
        HEAD, HEAD "suspended yes\n", HEAD "valid_from 1800000000\nvalid_until 1900000000\n",
        HEAD "source 192.0.2.0/24\nsource 198.51.100.7\nsource 2001:db8::/32\n"};

    (void)state;
    for (size_t i = 0; i < SP_COUNT(texts); i++) {
        _cleanup_(sp_pamrecord_clear) struct sp_pamrecord r = read_ok(texts[i]);
        _cleanup_(sp_buf_clear) struct sp_buf out = {0};
        struct sp_error err;
        assert_int_equal(sp_pamrecord_format(&r, &out, &err), 0);
        assert_string_equal(sp_buf_str(&out), texts[i]);
    }
}

static void what_is_not_understood_is_no_record(void **state)
{
    static const char *const texts[] = {"",
                                        "\n",
                                        "sallyport-access 2\nuser example\nuid 1001\n",
                                        "user example\nuid 1001\n",
                                        "sallyport-access 1\nuid 1001\n",
                                        "sallyport-access 1\nuser example\n",
                                        "sallyport-access 1\nuser ../shadow\nuid 1001\n",
                                        "sallyport-access 1\nuser example\nuid 0\n",
                                        "sallyport-access 1\nuser example\nuid 4294967295\n",
                                        HEAD "uid 1002\n",
                                        HEAD "user other\n",
                                        HEAD "suspended no\n",
                                        HEAD "suspended yes",
                                        HEAD "valid_until 0\n",
                                        HEAD "valid_until -1\n",
                                        HEAD "valid_until 1\nvalid_until 2\n",
                                        HEAD "source 0.0.0.0/0\n",
                                        HEAD "source 192.0.2.1/24\n",
                                        HEAD " source 192.0.2.1\n",
                                        HEAD "else\n"};

    (void)state;
    for (size_t i = 0; i < SP_COUNT(texts); i++) {
        struct sp_pamrecord r = {0};
        if (parse(texts[i], &r) == 0)
            fail_msg("taken: %s", texts[i]);
    }
}

static void a_writer_refuses_what_no_record_may_hold(void **state)
{
    static const char *const users[] = {"", ".hidden", "a/b", "two\nlines", "a b"};

    (void)state;
    for (size_t i = 0; i < SP_COUNT(users); i++) {
        struct sp_pamrecord r = {.uid = 1001};
        _cleanup_(sp_buf_clear) struct sp_buf out = {0};
        struct sp_error err;
        (void)sp_str_copy(r.user, sizeof(r.user), users[i]);
        assert_int_equal(sp_pamrecord_format(&r, &out, &err), -1);
    }
}

static enum sp_pam_verdict judge(const char *lines, int64_t now, const char *host)
{
    _cleanup_(sp_pamrecord_clear) struct sp_pamrecord r = {0};
    char text[512];
    struct sp_cidr from;

    (void)sp_str_format(text, sizeof(text), HEAD "%s", lines);
    r = read_ok(text);
    if (host != NULL)
        assert_true(sp_pamrecord_address(host, &from));
    return sp_pamrecord_judge(&r, now, host != NULL ? &from : NULL);
}

static void dates_hold_to_the_second(void **state)
{
    (void)state;
    assert_int_equal(judge("valid_from 100\n", 99, NULL), SP_PAM_EARLY);
    assert_int_equal(judge("valid_from 100\n", 100, NULL), SP_PAM_ADMITTED);
    assert_int_equal(judge("valid_until 200\n", 199, NULL), SP_PAM_ADMITTED);
    assert_int_equal(judge("valid_until 200\n", 200, NULL), SP_PAM_OVER);
    assert_int_equal(judge("suspended yes\nvalid_from 100\n", 1, NULL), SP_PAM_SUSPENDED);
}

static void sources_hold_for_every_way_to_write_an_address(void **state)
{
    static const char sources[] = "source 192.0.2.0/24\nsource 2001:db8::/32\n";
    struct sp_cidr c;

    (void)state;
    assert_int_equal(judge(sources, 1, "192.0.2.9"), SP_PAM_ADMITTED);
    assert_int_equal(judge(sources, 1, "::ffff:192.0.2.9"), SP_PAM_ADMITTED);
    assert_int_equal(judge(sources, 1, "2001:db8:1::1"), SP_PAM_ADMITTED);
    assert_int_equal(judge(sources, 1, NULL), SP_PAM_ADMITTED);
    assert_int_equal(judge(sources, 1, "192.0.3.9"), SP_PAM_ELSEWHERE);
    assert_int_equal(judge(sources, 1, "127.0.0.1"), SP_PAM_ELSEWHERE);
    assert_int_equal(judge(sources, 1, "fe80::1%eth0"), SP_PAM_ELSEWHERE);
    assert_int_equal(judge("", 1, "203.0.113.1"), SP_PAM_ADMITTED);
    assert_false(sp_pamrecord_address("192.0.2.9.example", &c));
    assert_false(sp_pamrecord_address("", &c));
    assert_false(sp_pamrecord_address("192.0.2.9 ", &c));
}

static void stricter_is_what_lets_in_nobody_more(void **state)
{
    static const struct {
        const char *a, *b;
        bool stricter;
    } cases[] = {{"", "", true},
                 {"suspended yes\n", "", true},
                 {"", "suspended yes\n", false},
                 {"suspended yes\n", "source 192.0.2.1\n", true},
                 {"valid_from 2\n", "valid_from 1\n", true},
                 {"valid_from 1\n", "valid_from 2\n", false},
                 {"valid_until 1\n", "", true},
                 {"", "valid_until 1\n", false},
                 {"valid_until 2\n", "valid_until 1\n", false},
                 {"source 192.0.2.1\n", "", true},
                 {"", "source 192.0.2.1\n", false},
                 {"source 192.0.2.1\n", "source 192.0.2.0/24\n", true},
                 {"source 192.0.2.1\nsource 198.51.100.1\n", "source 192.0.2.0/24\n", false}};

    (void)state;
    for (size_t i = 0; i < SP_COUNT(cases); i++) {
        char a[512], b[512];
        (void)sp_str_format(a, sizeof(a), HEAD "%s", cases[i].a);
        (void)sp_str_format(b, sizeof(b), HEAD "%s", cases[i].b);
        {
            _cleanup_(sp_pamrecord_clear) struct sp_pamrecord ra = read_ok(a), rb = read_ok(b);
            assert_int_equal(sp_pamrecord_is_stricter(&ra, &rb), cases[i].stricter);
        }
    }
}

static void what_two_records_both_let_in_is_stricter_than_each(void **state)
{
    static const char *const all[] = {HEAD,
                                      HEAD "suspended yes\n",
                                      HEAD "valid_from 5\nvalid_until 9\n",
                                      HEAD "valid_until 7\nsource 192.0.2.0/24\n",
                                      HEAD "source 192.0.2.7\nsource 198.51.100.1\n",
                                      HEAD "source 203.0.113.1\n"};

    (void)state;
    for (size_t i = 0; i < SP_COUNT(all); i++)
        for (size_t k = 0; k < SP_COUNT(all); k++) {
            _cleanup_(sp_pamrecord_clear) struct sp_pamrecord a = read_ok(all[i]), b = read_ok(all[k]),
                                                              both = {0};
            struct sp_error err;
            assert_int_equal(sp_pamrecord_meet(&a, &b, &both, &err), 0);
            assert_true(sp_pamrecord_is_stricter(&both, &a) && sp_pamrecord_is_stricter(&both, &b));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back_as_it_was_written),
        cmocka_unit_test(what_is_not_understood_is_no_record),
        cmocka_unit_test(a_writer_refuses_what_no_record_may_hold),
        cmocka_unit_test(dates_hold_to_the_second),
        cmocka_unit_test(sources_hold_for_every_way_to_write_an_address),
        cmocka_unit_test(stricter_is_what_lets_in_nobody_more),
        cmocka_unit_test(what_two_records_both_let_in_is_stricter_than_each),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
