/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "host/loginlog.h"

static int64_t now_is;

static int64_t fake_now(struct sp_host *h)
{
    (void)h;
    return now_is;
}

static int64_t when(const char *at)
{
    static const struct sp_host_ops ops = {.now = fake_now};
    struct sp_host h = {.ops = &ops};

    return sp_loginlog_when(&h, at);
}

static void each_way_to_write_a_time_is_understood(void **state)
{
    (void)state;
    now_is = 1795400000; /* 2026-11-23 */
    assert_int_equal(when("1795230974.123456"), 1795230974);
    assert_int_equal(when("1795230974"), 1795230974);
    assert_int_equal(when("2026-11-21T03:16:14.123456+00:00"), 1795230974);
    assert_int_equal(when("2026-11-21T04:16:14+01:00"), 1795230974);
    assert_int_equal(when("2026-11-21T03:16:14Z"), 1795230974);
    assert_int_equal(when("Nov 21 03:16:14"), 1795230974);
}

static void a_time_without_a_year_is_the_last_one(void **state)
{
    (void)state;
    now_is = 1798848000; /* 2027-01-02 */
    assert_int_equal(when("Dec 31 23:59:59"), 1798761599);
    assert_int_equal(when("Jan  1 00:00:00"), 1798761600);
}

static void what_is_no_time_is_none(void **state)
{
    static const char *const texts[] = {"",   "Nov",         "Nov 41 03:16:14", "soon",
                                        "-1", "1795230974x", "2026-11-21"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(when(texts[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_way_to_write_a_time_is_understood),
        cmocka_unit_test(a_time_without_a_year_is_the_last_one),
        cmocka_unit_test(what_is_no_time_is_none),
    };

    (void)setenv("TZ", "UTC", 1);
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
