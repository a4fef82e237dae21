/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/when.h"

static void known_times_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t when;
    } known[] = {
        {"1970-01-01T00:00:01Z", 1},
        {"2000-02-29T12:34:56Z", 951827696},
        {"2027-01-01T00:00:00Z", 1798761600},
        {"2027-01-01t00:00:00z", 1798761600},
        {"2027-01-01T01:30:00+01:30", 1798761600},
        {"2026-12-31T19:00:00-05:00", 1798761600},
        {"2027-01-01T00:00:00-00:00", 1798761600},
        {"2038-01-19T03:14:08Z", INT64_C(2147483648)},
        {"9999-12-31T23:59:59Z", INT64_C(253402300799)},
    };
    struct sp_error err;

    (void)state;
    for (size_t i = 0; i < SP_COUNT(known); i++) {
        int64_t when = 0;
        assert_int_equal(sp_when_parse(known[i].text, &when, &err), 0);
        assert_true(when == known[i].when);
    }
}

static void what_is_no_time_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "2027",
        "2027-01-01",
        "2027-01-01T00:00:00",
        "2027-01-01 00:00:00Z",
        "2027-01-01T00:00:00.5Z",
        "2027-01-01T00:00Z",
        "2027-1-1T00:00:00Z",
        "2027-13-01T00:00:00Z",
        "2027-00-01T00:00:00Z",
        "2027-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2027-04-31T00:00:00Z",
        "2027-01-00T00:00:00Z",
        "2027-01-01T24:00:00Z",
        "2027-01-01T00:60:00Z",
        "2027-01-01T00:00:60Z",
        "2027-01-01T00:00:00Zx",
        "2027-01-01T00:00:00Z\n",
        " 2027-01-01T00:00:00Z",
        "2027-01-01T00:00:00+1:00",
        "2027-01-01T00:00:00+24:00",
        "2027-01-01T00:00:00+01:60",
        "2027-01-01T00:00:00+0100",
        "+027-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "10000-01-01T00:00:00Z",
        "1798761600",
        "never",
    };
    struct sp_error err;

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++) {
        int64_t when = 77;
        if (sp_when_parse(bad[i], &when, &err) != -1)
            fail_msg("\"%s\" was accepted", bad[i]);
        assert_int_equal(err.code, SP_E_INVALID);
        assert_string_not_equal(err.hint, "");
        assert_true(when == 77);
    }
}

static void no_text_means_never(void **state)
{
    static const char *const bad[] = {"1970-01-01T00:00:00Z", "1970-01-01T01:00:00+01:00",
                                      "1970-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"};
    struct sp_error err;
    int64_t when;

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++)
        assert_int_equal(sp_when_parse(bad[i], &when, &err), -1);
}

static void format_agrees_with_the_c_library_and_reads_back(void **state)
{
    char text[SP_WHEN_SIZE], expected[SP_WHEN_SIZE];
    struct sp_error err;

    (void)state;
    for (int64_t when = 1; when <= INT64_C(253402300799); when += INT64_C(86400) * 97 + 12345) {
        time_t t = (time_t)when;
        struct tm tm;
        int64_t back;

        gmtime_r(&t, &tm);
        strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%SZ", &tm);
        sp_when_format(when, text);
        assert_string_equal(text, expected);
        assert_int_equal(sp_when_parse(text, &back, &err), 0);
        assert_true(back == when);
    }
}

static void format_stays_within_its_years(void **state)
{
    char text[SP_WHEN_SIZE];

    (void)state;
    sp_when_format(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59Z");
    sp_when_format(INT64_MIN, text);
    assert_string_equal(text, "1970-01-01T00:00:00Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_times_are_read),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(no_text_means_never),
        cmocka_unit_test(format_agrees_with_the_c_library_and_reads_back),
        cmocka_unit_test(format_stays_within_its_years),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
