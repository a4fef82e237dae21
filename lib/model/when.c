/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/when.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define DAY 86400
#define YEAR_S (366U * DAY)

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days between 1970-01-01 and the first of January of a year of the Gregorian calendar. */
static int64_t days_before_year(int year)
{
    int64_t y = year - 1;

    return y * 365 + y / 4 - y / 100 + y / 400 - 719162;
}

/* `n` decimal digits at *text, which moves on; -1 if there are other bytes. */
static int digits(const char **text, int n)
{
    int v = 0;

    for (; n > 0; n--, (*text)++) {
        if (**text < '0' || **text > '9')
            return -1;
        v = v * 10 + (**text - '0');
    }
    return v;
}

struct field {
    char separator; /* before it; '\0' for the first; 'T' also as 't' (RFC 3339 section 5.6) */
    int width, min, max;
};

enum { YEAR, MONTH, MDAY, HOUR, MINUTE, SECOND, N_FIELDS };

static bool read_fields(const char **text, int v[N_FIELDS])
{
    static const struct field fields[N_FIELDS] = {
        [YEAR] = {'\0', 4, 1970, 9999}, [MONTH] = {'-', 2, 1, 12},  [MDAY] = {'-', 2, 1, 31},
        [HOUR] = {'T', 2, 0, 23},       [MINUTE] = {':', 2, 0, 59}, [SECOND] = {':', 2, 0, 59},
    };

    for (int i = 0; i < N_FIELDS; i++) {
        const struct field *f = &fields[i];
        if (f->separator != '\0') {
            if (**text != f->separator && !(f->separator == 'T' && **text == 't'))
                return false;
            (*text)++;
        }
        v[i] = digits(text, f->width);
        if (v[i] < f->min || v[i] > f->max)
            return false;
    }
    return v[MDAY] <= month_days(v[YEAR], v[MONTH]);
}

/* "Z" or "+hh:mm"; the seconds that UTC is behind the written time. */
static bool read_offset(const char **text, int64_t *ret)
{
    char sign = *(*text)++;
    int hours, minutes;

    *ret = 0;
    if (sign == 'Z' || sign == 'z')
        return true;
    if (sign != '+' && sign != '-')
        return false;
    hours = digits(text, 2);
    if (hours < 0 || hours > 23 || *(*text)++ != ':')
        return false;
    minutes = digits(text, 2);
    if (minutes < 0 || minutes > 59)
        return false;
    *ret = (hours * 60 + minutes) * (sign == '+' ? 60 : -60);
    return true;
}

int sp_when_parse(const char *text, int64_t *ret, struct sp_error *err)
{
    int v[N_FIELDS];
    int64_t days, when, offset;

    if (!read_fields(&text, v) || *text == '\0' || !read_offset(&text, &offset) || *text != '\0') {
        sp_fail(err, SP_E_INVALID, 0, "this is not a time of RFC 3339 in whole seconds");
        return sp_hint(err, "write it as 2027-01-01T00:00:00Z");
    }
    days = days_before_year(v[YEAR]) + v[MDAY] - 1;
    for (int m = 1; m < v[MONTH]; m++)
        days += month_days(v[YEAR], m);
    when = days * DAY + v[HOUR] * 3600 + v[MINUTE] * 60 + v[SECOND] - offset;
    /* The epoch itself is how a record says "never": it must not be had by asking for 1970. */
    if (when <= 0 || when > SP_WHEN_MAX) {
        sp_fail(err, SP_E_INVALID, 0, "the time lies outside the years 1970 to 9999");
        return sp_hint(err, "leave the field out if there is no such time");
    }
    *ret = when;
    return 0;
}

void sp_when_format(int64_t when, char out[SP_WHEN_SIZE])
{
    int year = 1970, month = 1;
    int64_t days, rest;

    when = when < 0 ? 0 : when > SP_WHEN_MAX ? SP_WHEN_MAX : when;
    days = when / DAY;
    rest = when % DAY;
    year += (int)(days / 366); /* never too far; the loop takes the few years that are missing */
    while (days_before_year(year + 1) <= days)
        year++;
    days -= days_before_year(year);
    for (; days >= month_days(year, month); month++)
        days -= month_days(year, month);
    (void)sp_str_format(out, SP_WHEN_SIZE, "%04d-%02d-%02dT%02d:%02d:%02dZ", year, month, (int)days + 1,
                        (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
}

int sp_when_duration(const char *text, uint32_t *ret_seconds, struct sp_error *err)
{
    static const struct {
        char unit;
        uint32_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    uint32_t seconds = 1;
    size_t len = strlen(text);
    char digits[16];
    uint64_t n = 0;

    for (size_t i = 0; len > 0 && i < SP_COUNT(units); i++)
        if (text[len - 1] == units[i].unit) {
            seconds = units[i].seconds;
            len--;
            break;
        }
    if (sp_str_format(digits, sizeof(digits), "%.*s", (int)len, text) < 0 ||
        sp_str_to_u64(digits, YEAR_S / seconds, &n) < 0 || n == 0)
        return sp_fail(err, SP_E_INVALID, 0, "\"%.40s\" is no time such as 90m, 6h or 7d", text);
    *ret_seconds = (uint32_t)n * seconds;
    return 0;
}
