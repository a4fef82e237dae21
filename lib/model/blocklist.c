/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/blocklist.h"

#include <string.h>

#include "base/str.h"
#include "model/sshkey.h"

#define FINGERPRINT_LEN 50 /* "SHA256:" and 43 characters */

struct line {
    const char *p;
    size_t len;
};

/* The next line without its end and the blanks before it; false behind the last. */
static bool next_line(const char **at, const char *end, struct line *ret)
{
    const char *stop;

    if (*at >= end)
        return false;
    stop = memchr(*at, '\n', (size_t)(end - *at));
    if (stop == NULL)
        stop = end;
    *ret = (struct line){*at, (size_t)(stop - *at)};
    *at = stop + 1;
    while (ret->len > 0 && strchr(" \t\r", ret->p[ret->len - 1]) != NULL)
        ret->len--;
    while (ret->len > 0 && (*ret->p == ' ' || *ret->p == '\t')) {
        ret->p++;
        ret->len--;
    }
    return true;
}

static bool is_entry(struct line l)
{
    char word[FINGERPRINT_LEN + 1];
    struct sp_error ignored;

    if (l.len < FINGERPRINT_LEN ||
        (l.len > FINGERPRINT_LEN && strchr(" \t#", l.p[FINGERPRINT_LEN]) == NULL))
        return false;
    memcpy(word, l.p, FINGERPRINT_LEN);
    word[FINGERPRINT_LEN] = '\0';
    return strlen(word) == FINGERPRINT_LEN && sp_fingerprint_check(word, &ignored) == 0;
}

int sp_blocklist_check(const char *bytes, size_t len, struct sp_error *err)
{
    const char *at = bytes;
    size_t number = 0;
    struct line l;

    while (next_line(&at, bytes + len, &l)) {
        number++;
        if (l.len == 0 || *l.p == '#' || is_entry(l))
            continue;
        sp_fail(err, SP_E_INVALID, 0, "line %zu is no fingerprint", number);
        return sp_hint(err, "one SHA256:... a line, as ssh-keygen -lf prints it; # begins a comment");
    }
    return 0;
}

bool sp_blocklist_has(const char *bytes, size_t len, const char *fingerprint)
{
    const char *at = bytes;
    struct line l;

    while (next_line(&at, bytes + len, &l))
        if (l.len >= FINGERPRINT_LEN && memcmp(l.p, fingerprint, FINGERPRINT_LEN) == 0 && is_entry(l))
            return true;
    return false;
}
