/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>

bool sp_str_prefix(const char *s, const char *prefix, const char **ret_rest)
{
    size_t n = strlen(prefix);

    if (strncmp(s, prefix, n) != 0)
        return false;
    if (ret_rest != NULL)
        *ret_rest = s + n;
    return true;
}

int sp_str_copy(char *dst, size_t size, const char *src)
{
    size_t n = strlen(src);

    if (n >= size) {
        dst[0] = '\0';
        return -1;
    }
    memcpy(dst, src, n + 1);
    return 0;
}

int sp_str_format(char *dst, size_t size, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(dst, size, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < size)
        return 0;
    dst[0] = '\0';
    return -1;
}

int sp_str_to_u64(const char *s, uint64_t max, uint64_t *ret)
{
    uint64_t v = 0;

    if (s[0] == '\0' || (s[0] == '0' && s[1] != '\0'))
        return -1;
    for (; *s; s++) {
        unsigned digit = (unsigned char)*s - (unsigned)'0';
        if (digit > 9 || v > (max - digit) / 10 || digit > max)
            return -1;
        v = v * 10 + digit;
    }
    *ret = v;
    return 0;
}

size_t sp_str_utf8(const char *bytes, size_t len)
{
    const unsigned char *s = (const unsigned char *)bytes;
    size_t n = s[0] < 0x80                    ? 1
               : s[0] >= 0xc2 && s[0] <= 0xdf ? 2
               : (s[0] & 0xf0) == 0xe0        ? 3
               : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
                                              : 0;

    if (n == 0 || n > len)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
        (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

/* Nearly every text. Without a way out of the loop, so that the compiler looks at 16 bytes at once. */
static bool is_ascii(const char *s, size_t len)
{
    unsigned char other = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        other |= (unsigned char)((c < 0x20) | (c >= 0x7f));
    }
    return other == 0;
}

bool sp_str_is_clean(const char *s, size_t len)
{
    if (is_ascii(s, len))
        return true;
    while (len > 0) {
        size_t n = sp_str_utf8(s, len);
        if (n == 0 || (n == 1 && ((unsigned char)*s < 0x20 || *s == 0x7f)))
            return false;
        s += n;
        len -= n;
    }
    return true;
}

size_t sp_str_hides(const char *s, size_t len)
{
    const unsigned char *u = (const unsigned char *)s;

    if (len >= 2 && u[0] == 0xc2 && u[1] < 0xa0)
        return 2;
    if (len < 3 || u[0] != 0xe2)
        return 0;
    return (u[1] == 0x80 && u[2] >= 0xa8 && u[2] <= 0xae) || (u[1] == 0x81 && u[2] >= 0xa6 && u[2] <= 0xa9)
               ? 3
               : 0;
}

/* Safe in any place of a command, but that one who begins with '-' is taken for an option: callers put
 * absolute paths and checked names. */
#define PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+=,-"

static bool is_one_line(const char *s)
{
    for (size_t left = strlen(s), n; left > 0; s += n, left -= n) {
        n = sp_str_utf8(s, left);
        if (n == 0 || (unsigned char)*s < 0x20 || *s == 0x7f || sp_str_hides(s, left) > 0)
            return false;
    }
    return true;
}

int sp_str_quote(char *dst, size_t size, const char *src)
{
    bool one_line = is_one_line(src);
    size_t used = 0;
    int n = 0;

    if (src[0] != '\0' && src[strspn(src, PLAIN)] == '\0')
        return sp_str_copy(dst, size, src);
    n = snprintf(dst, size, one_line ? "'" : "$'");
    for (; n > 0 && (used += (size_t)n) < size && *src != '\0'; src++) {
        unsigned char c = (unsigned char)*src;
        if (one_line)
            n = snprintf(dst + used, size - used, c == '\'' ? "'\\''" : "%c", c);
        else
            n = snprintf(dst + used, size - used,
                         c < 0x20 || c >= 0x7f || c == '\'' || c == '\\' ? "\\%03o" : "%c", c);
    }
    if (used + 1 < size)
        return sp_str_copy(dst + used, size - used, "'");
    dst[0] = '\0';
    return -1;
}

void sp_str_make_printable(char *s)
{
    size_t left = strlen(s), n;

    for (; left > 0; s += n, left -= n) {
        unsigned char c = (unsigned char)s[0];

        n = sp_str_utf8(s, left);
        if (n == 0 || c < 0x20 || c == 0x7f || sp_str_hides(s, left) > 0) {
            s[0] = '?';
            n = 1;
        }
    }
}

size_t sp_str_said_length(const char *s)
{
    size_t n = strlen(s);

    while (n > 0 && (s[n - 1] == '\n' || s[n - 1] == '\r'))
        n--;
    return n;
}

size_t sp_str_next_part(const char *path, size_t len)
{
    return path[len] == '\0' ? 0 : len + 1 + strcspn(path + len + 1, "/");
}
