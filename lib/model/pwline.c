/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/pwline.h"

#include <string.h>

#include "base/find.h"
#include "base/str.h"

bool sp_pwline_next(const char *bytes, size_t len, size_t offset, struct sp_pwline *ret)
{
    const char *end;

    if (offset >= len)
        return false;
    end = memchr(bytes + offset, '\n', len - offset);
    ret->text.p = bytes + offset;
    ret->text.len = end != NULL ? (size_t)(end - ret->text.p) : len - offset;
    ret->next = offset + ret->text.len + 1;
    return true;
}

struct sp_slice sp_pwline_name(struct sp_slice line)
{
    struct sp_slice name = {0};
    const char *colon;

    while (line.len > 0 && (*line.p == ' ' || (*line.p >= '\t' && *line.p <= '\r'))) {
        line.p++;
        line.len--;
    }
    if (line.len == 0 || *line.p == '#')
        return name;
    colon = memchr(line.p, ':', line.len);
    if (colon != NULL)
        name = (struct sp_slice){line.p, (size_t)(colon - line.p)};
    return name;
}

bool sp_slice_equal(struct sp_slice a, struct sp_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool sp_slice_is(struct sp_slice s, const char *text)
{
    return sp_slice_equal(s, (struct sp_slice){text, strlen(text)});
}

bool sp_pwline_split(struct sp_slice line, size_t want, struct sp_slice *fields)
{
    for (size_t i = 0; i < want; i++) {
        const char *colon = memchr(line.p, ':', line.len);
        size_t n = colon != NULL ? (size_t)(colon - line.p) : line.len;

        if ((colon == NULL) != (i + 1 == want))
            return false;
        fields[i] = (struct sp_slice){line.p, n};
        if (colon != NULL)
            line = (struct sp_slice){colon + 1, line.len - n - 1};
    }
    return true;
}

bool sp_slice_to_id(struct sp_slice s, uint32_t *ret)
{
    enum { DIGITS = 10 }; /* of 2^32 */
    uint64_t v = 0;

    if (s.len == 0 || s.len > DIGITS || (s.p[0] == '0' && s.len > 1))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned char)s.p[i] - (unsigned)'0';

        if (digit > 9)
            return false;
        v = v * 10 + digit;
    }
    /* (uint32_t)-1 is no id but "leave it" to chown(2) and setuid(2). */
    if (v >= UINT32_MAX)
        return false;
    *ret = (uint32_t)v;
    return true;
}

/* Is a byte of eight below 0x20, or 0x7f? */
static bool has_low_or_del(const char *s)
{
    const uint64_t each = 0x0101010101010101U, high = each << 7;
    uint64_t w, del;

    memcpy(&w, s, sizeof(w));
    del = w ^ (each * 0x7f);
    return ((((w - each * 0x20) & ~w) | ((del - each) & ~del)) & high) != 0;
}

/* All lines of passwd may come by: eight bytes at once, the last of which overlap others. Tabs are rare. */
bool sp_pwline_has_control(struct sp_slice s)
{
    bool suspect = s.len < 8 || has_low_or_del(s.p + s.len - 8);

    for (size_t i = 0; i + 8 < s.len; i += 8)
        suspect |= has_low_or_del(s.p + i);
    for (size_t i = 0; suspect && i < s.len; i++)
        if (((unsigned char)s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7f)
            return true;
    return false;
}

bool sp_slice_copy(struct sp_slice s, char *dst, size_t size)
{
    if (s.len >= size)
        return false;
    memcpy(dst, s.p, s.len);
    dst[s.len] = '\0';
    return true;
}

int sp_pwline_malformed(const char *file, const char *name, struct sp_error *err)
{
    sp_fail(err, SP_E_STATE, 0, "the line of %s in %s is malformed", name, file);
    return sp_hint(err, "mend it by hand with vipw or vigr, and check with pwck or grpck");
}

int sp_pwline_twice(const char *file, const char *name, struct sp_error *err)
{
    sp_fail(err, SP_E_STATE, 0, "%s has more than one line of %s", file, name);
    return sp_hint(err, "leave one of them, with vipw or vigr");
}

/* The line of which bytes[at] is a part. */
static struct sp_pwline line_at(const char *bytes, size_t len, size_t at)
{
    const char *before = memrchr(bytes, '\n', at);
    struct sp_pwline line = {0};

    (void)sp_pwline_next(bytes, len, before != NULL ? (size_t)(before - bytes) + 1 : 0, &line);
    return line;
}

bool sp_pwline_with(const char *bytes, size_t len, size_t offset, const char *text, struct sp_pwline *ret)
{
    const char *hit = offset < len ? sp_find(bytes + offset, len - offset, text, strlen(text)) : NULL;

    if (hit == NULL)
        return false;
    *ret = line_at(bytes, len, (size_t)(hit - bytes));
    return true;
}

/* Only lines that hold the name somewhere are taken apart: with ten thousand accounts that is one in many.
 */
int sp_pwline_find(const char *bytes, size_t len, const char *file, const char *name, struct sp_pwline *ret,
                   struct sp_error *err)
{
    struct sp_pwline l, found = {0};
    char field[256];

    if (sp_str_format(field, sizeof(field), "%s:", name) < 0)
        return sp_fail(err, SP_E_INVALID, 0, "the name is too long");
    for (size_t at = 0; sp_pwline_with(bytes, len, at, field, &l); at = l.next) {
        if (!sp_slice_is(sp_pwline_name(l.text), name))
            continue;
        if (found.text.p != NULL)
            return sp_pwline_twice(file, name, err);
        found = l;
    }
    if (found.text.p == NULL) {
        sp_fail(err, SP_E_NOT_FOUND, 0, "%s has no line of %s", file, name);
        return sp_hint(
            err,
            "an account or group from LDAP or the like is not in /etc: it is changed where it is kept");
    }
    *ret = found;
    return 0;
}
