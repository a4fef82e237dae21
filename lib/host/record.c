/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/record.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define HEADER "sallyport-entry 1"
#define TMP_MIB_MAX (1U << 20) /* one TiB: more is a slip of the pen */
#define PROCESSES_MIN 16       /* fewer, and no login could do anything */
#define PROCESSES_MAX (1U << 22)

void sp_record_clear(struct sp_record *r)
{
    free(r->roots);
    *r = (struct sp_record){0};
}

static bool all_of(const char *s, const char *allowed)
{
    return s[0] != '\0' && s[strspn(s, allowed)] == '\0';
}

/* The same bytes that useradd and panels allow. The name reaches syslog and the environment only. */
static bool user_ok(const char *s)
{
    return all_of(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-$") && s[0] != '-' &&
           s[0] != '.';
}

/* No "//", "." or "..", no slash at the end, not "/" itself. */
bool sp_record_path_ok(const char *s)
{
    if (s[0] != '/' || s[1] == '\0' || !sp_str_is_clean(s, strlen(s)) || strchr(s, ':') != NULL)
        return false;
    for (const char *p = s; *p != '\0';) {
        size_t n = strcspn(++p, "/");
        if (n == 0 || n > 255 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        p += n;
    }
    return true;
}

/* It becomes the name of a link below sets/, so neither a slash nor a leading dot may get through. */
static bool profiles_ok(const char *s)
{
    return all_of(s, "abcdefghijklmnopqrstuvwxyz0123456789-_+@.") && strchr("+-@.", s[0]) == NULL &&
           strstr(s, "++") == NULL && s[strlen(s) - 1] != '+';
}

/* An extra login's part. A map of the user to himself, or half of one, is none. */
static const char *login_fault(const struct sp_record *r)
{
    if (r->files_uid > INT32_MAX || r->files_uid == r->uid || (r->files_uid == 0) != (r->files_gid == 0))
        return "files_uid";
    if (r->files_gid > INT32_MAX || r->files_gid == r->gid)
        return "files_gid";
    if (r->read_only > 1)
        return "read_only";
    if (r->until < 0)
        return "until";
    if (r->n_hidden > SP_RECORD_MAX_HIDDEN)
        return "hide";
    for (size_t i = 0; i < r->n_hidden; i++)
        if (!sp_record_path_ok(r->hidden[i]))
            return "hide";
    return NULL;
}

/* The writer and the parser both pass through here: neither can skip it. Returns what is wrong, or NULL. */
static const char *fault(const struct sp_record *r)
{
    if (!user_ok(r->user))
        return "user";
    if (r->uid == 0 || r->uid > INT32_MAX)
        return "uid";
    if (r->gid == 0 || r->gid > INT32_MAX)
        return "gid";
    if (!sp_record_path_ok(r->home))
        return "home";
    if (!profiles_ok(r->profiles))
        return "profiles";
    if (r->tmp_mib == 0 || r->tmp_mib > TMP_MIB_MAX)
        return "tmp_mib";
    if (r->processes != 0 && (r->processes < PROCESSES_MIN || r->processes > PROCESSES_MAX))
        return "processes";
    if (r->n_roots == 0 || r->n_roots > SP_RECORD_MAX_ROOTS)
        return "root";
    for (size_t i = 0; i < r->n_roots; i++)
        if (!sp_record_path_ok(r->roots[i]))
            return "root";
    return login_fault(r);
}

int sp_record_format(const struct sp_record *r, struct sp_buf *out, struct sp_error *err)
{
    const char *bad = fault(r);

    if (bad != NULL) {
        sp_fail(err, SP_E_INVALID, 0, "the entry record cannot hold this %s", bad);
        return sp_field(err, "%s", bad);
    }
    sp_buf_printf(out, HEADER "\nuser %s\nuid %u\ngid %u\nhome %s\nprofiles %s\ntmp_mib %u\n", r->user,
                  (unsigned)r->uid, (unsigned)r->gid, r->home, r->profiles, r->tmp_mib);
    if (r->processes != 0)
        sp_buf_printf(out, "processes %u\n", r->processes);
    if (r->agent != 0)
        sp_buf_puts(out, "agent 1\n");
    for (size_t i = 0; i < r->n_roots; i++)
        sp_buf_printf(out, "root %s\n", r->roots[i]);
    if (r->files_uid != 0)
        sp_buf_printf(out, "files_uid %u\nfiles_gid %u\n", (unsigned)r->files_uid, (unsigned)r->files_gid);
    if (r->read_only != 0)
        sp_buf_puts(out, "read_only 1\n");
    if (r->until != 0)
        sp_buf_printf(out, "until %lld\n", (long long)r->until);
    for (size_t i = 0; i < r->n_hidden; i++)
        sp_buf_printf(out, "hide %s\n", r->hidden[i]);
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

enum key {
    KEY_USER,
    KEY_UID,
    KEY_GID,
    KEY_HOME,
    KEY_PROFILES,
    KEY_TMP_MIB,
    KEY_ROOT,
    KEY_PROCESSES,
    KEY_AGENT,
    KEY_FILES_UID,
    KEY_FILES_GID,
    KEY_READ_ONLY,
    KEY_UNTIL,
    KEY_HIDE,
    KEY_COUNT
};

#define REQUIRED ((1U << KEY_PROCESSES) - 1) /* all that stand before it */

static const char *const keys[KEY_COUNT] = {
    [KEY_USER] = "user ",
    [KEY_UID] = "uid ",
    [KEY_GID] = "gid ",
    [KEY_HOME] = "home ",
    [KEY_PROFILES] = "profiles ",
    [KEY_TMP_MIB] = "tmp_mib ",
    [KEY_ROOT] = "root ",
    [KEY_PROCESSES] = "processes ",
    [KEY_AGENT] = "agent ",
    [KEY_FILES_UID] = "files_uid ",
    [KEY_FILES_GID] = "files_gid ",
    [KEY_READ_ONLY] = "read_only ",
    [KEY_UNTIL] = "until ",
    [KEY_HIDE] = "hide ",
};

static int number(const char *s, uint64_t max, unsigned *ret)
{
    uint64_t v;

    if (sp_str_to_u64(s, max, &v) < 0)
        return -1;
    *ret = (unsigned)v;
    return 0;
}

static int set_until(struct sp_record *r, const char *s)
{
    uint64_t v;

    if (sp_str_to_u64(s, INT64_MAX, &v) < 0)
        return -1;
    r->until = (int64_t)v;
    return 0;
}

static int set(struct sp_record *r, enum key key, const char *value)
{
    switch (key) {
    case KEY_USER:
        return sp_str_copy(r->user, sizeof(r->user), value);
    case KEY_UID:
        return number(value, INT32_MAX, &r->uid);
    case KEY_GID:
        return number(value, INT32_MAX, &r->gid);
    case KEY_HOME:
        return sp_str_copy(r->home, sizeof(r->home), value);
    case KEY_PROFILES:
        return sp_str_copy(r->profiles, sizeof(r->profiles), value);
    case KEY_TMP_MIB:
        return number(value, TMP_MIB_MAX, &r->tmp_mib);
    case KEY_AGENT:
        return sp_streq(value, "1") ? (int)(r->agent = 1) - 1 : -1;
    case KEY_PROCESSES:
        return number(value, PROCESSES_MAX, &r->processes);
    case KEY_ROOT:
        if (r->n_roots == SP_RECORD_MAX_ROOTS)
            return -1;
        return sp_str_copy(r->roots[r->n_roots++], SP_RECORD_PATH, value);
    case KEY_FILES_UID:
        return number(value, INT32_MAX, &r->files_uid);
    case KEY_FILES_GID:
        return number(value, INT32_MAX, &r->files_gid);
    case KEY_READ_ONLY:
        return number(value, 1, &r->read_only);
    case KEY_UNTIL:
        return set_until(r, value);
    case KEY_HIDE:
        if (r->n_hidden == SP_RECORD_MAX_HIDDEN)
            return -1;
        return sp_str_copy(r->hidden[r->n_hidden++], SP_RECORD_PATH, value);
    case KEY_COUNT:
        break;
    }
    return -1;
}

/* One line after the header. `seen` holds a bit for each key: only root and hide may come twice. */
static int parse_line(struct sp_record *r, unsigned *seen, const char *line)
{
    for (unsigned k = 0; k < KEY_COUNT; k++) {
        const char *value;
        if (!sp_str_prefix(line, keys[k], &value))
            continue;
        if (k != KEY_ROOT && k != KEY_HIDE && (*seen & (1U << k)) != 0)
            return -1;
        *seen |= 1U << k;
        return set(r, (enum key)k, value);
    }
    return -1;
}

static int parse_lines(struct sp_record *r, char *text)
{
    unsigned seen = 0;

    for (char *line = text, *end; *line != '\0'; line = end + 1) {
        end = strchr(line, '\n');
        if (end == NULL) /* the last line is cut off: so may be a root, to a shorter path */
            return -1;
        *end = '\0';
        if (parse_line(r, &seen, line) < 0)
            return -1;
    }
    return (seen & REQUIRED) == REQUIRED ? 0 : -1;
}

int sp_record_parse(const char *bytes, size_t len, struct sp_record *ret, struct sp_error *err)
{
    _cleanup_(sp_record_clear) struct sp_record r = {0};
    _cleanup_free_ char *text = NULL;
    const char *rest;

    if (len > SP_RECORD_MAX_BYTES || memchr(bytes, '\0', len) != NULL)
        return sp_fail(err, SP_E_STATE, 0, "the entry record is not text of at most %d bytes",
                       SP_RECORD_MAX_BYTES);
    text = malloc(len + 1);
    r.roots = calloc(SP_RECORD_MAX_ROOTS, sizeof(*r.roots));
    if (text == NULL || r.roots == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    memcpy(text, bytes, len);
    text[len] = '\0';
    if (!sp_str_prefix(text, HEADER "\n", &rest)) /* also a record of a format newer than we know */
        return sp_fail(err, SP_E_STATE, 0, "the entry record does not begin with \"" HEADER "\"");
    if (parse_lines(&r, text + (rest - text)) < 0)
        return sp_fail(err, SP_E_STATE, 0,
                       "the entry record has a line that is missing, unknown or cut off");
    if (fault(&r) != NULL)
        return sp_fail(err, SP_E_STATE, 0, "the entry record has a bad %s", fault(&r));
    *ret = r;
    r = (struct sp_record){0};
    return 0;
}
