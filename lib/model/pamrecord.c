/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/pamrecord.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define HEADER "sallyport-access 1"
#define LINE_MAX_BYTES 256

void sp_pamrecord_clear(struct sp_pamrecord *r)
{
    sp_cidr_list_clear(&r->sources);
    *r = (struct sp_pamrecord){0};
}

/* Of a file below a directory: no path, no hidden name, nothing that ends a line. */
static int check_user(const char *user, struct sp_error *err)
{
    bool good = user[0] != '\0' && user[0] != '.';

    for (const char *c = user; *c != '\0'; c++)
        good = good && (unsigned char)*c > ' ' && *c != '/' && *c != 0x7f;
    return good ? 0 : sp_fail(err, SP_E_INVALID, 0, "no user name");
}

int sp_pamrecord_format(const struct sp_pamrecord *r, struct sp_buf *out, struct sp_error *err)
{
    char text[SP_CIDR_SIZE];

    if (check_user(r->user, err) < 0)
        return -1;
    if (r->uid == 0 || r->valid_from < 0 || r->valid_until < 0)
        return sp_fail(err, SP_E_INTERNAL, 0, "uid 0, or a time before 1970, in an access record");
    sp_buf_printf(out, HEADER "\nuser %s\nuid %u\n", r->user, r->uid);
    if (r->suspended)
        sp_buf_puts(out, "suspended yes\n");
    if (r->valid_from != 0)
        sp_buf_printf(out, "valid_from %lld\n", (long long)r->valid_from);
    if (r->valid_until != 0)
        sp_buf_printf(out, "valid_until %lld\n", (long long)r->valid_until);
    for (size_t i = 0; i < r->sources.n; i++) {
        if (sp_cidr_check(&r->sources.v[i], err) < 0)
            return -1;
        sp_cidr_format(&r->sources.v[i], text);
        sp_buf_printf(out, "source %s\n", text);
    }
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

static int read_when(const char *value, int64_t *ret, struct sp_error *err)
{
    uint64_t n = 0;

    if (*ret != 0 || sp_str_to_u64(value, INT64_MAX, &n) < 0 || n == 0)
        return sp_fail(err, SP_E_INVALID, 0, "no time, or a second one");
    *ret = (int64_t)n;
    return 0;
}

static int read_uid(const char *value, struct sp_pamrecord *r, struct sp_error *err)
{
    uint64_t n = 0;

    if (r->uid != 0 || sp_str_to_u64(value, INT32_MAX, &n) < 0 || n == 0)
        return sp_fail(err, SP_E_INVALID, 0, "no uid, or a second one");
    r->uid = (uint32_t)n;
    return 0;
}

static int read_user(const char *value, struct sp_pamrecord *r, struct sp_error *err)
{
    if (r->user[0] != '\0' || check_user(value, err) < 0 ||
        sp_str_copy(r->user, sizeof(r->user), value) < 0)
        return sp_fail(err, SP_E_INVALID, 0, "no user name, or a second one");
    return 0;
}

static int read_source(const char *value, struct sp_pamrecord *r, struct sp_error *err)
{
    struct sp_cidr c;

    return sp_cidr_parse(value, &c, err) < 0 ? -1 : sp_cidr_list_add(&r->sources, &c, err);
}

/* A line that is not known may take something away: it is no record that we can judge by. */
static int read_line(const char *line, struct sp_pamrecord *r, struct sp_error *err)
{
    const char *value = NULL;

    if (sp_str_prefix(line, "user ", &value))
        return read_user(value, r, err);
    if (sp_str_prefix(line, "uid ", &value))
        return read_uid(value, r, err);
    if (sp_str_prefix(line, "valid_from ", &value))
        return read_when(value, &r->valid_from, err);
    if (sp_str_prefix(line, "valid_until ", &value))
        return read_when(value, &r->valid_until, err);
    if (sp_str_prefix(line, "source ", &value))
        return read_source(value, r, err);
    if (!sp_streq(line, "suspended yes"))
        return sp_fail(err, SP_E_INVALID, 0, "a line that is not known");
    r->suspended = true;
    return 0;
}

int sp_pamrecord_parse(const char *bytes, size_t len, struct sp_pamrecord *ret, struct sp_error *err)
{
    _cleanup_(sp_pamrecord_clear) struct sp_pamrecord r = {0};
    bool first = true;

    if (len == 0 || bytes[len - 1] != '\n' || memchr(bytes, '\0', len) != NULL)
        return sp_fail(err, SP_E_INVALID, 0, "cut short");
    for (size_t at = 0; at < len;) {
        size_t n = (size_t)((const char *)memchr(bytes + at, '\n', len - at) - (bytes + at));
        char line[LINE_MAX_BYTES];

        if (n >= sizeof(line))
            return sp_fail(err, SP_E_INVALID, 0, "a line is too long");
        memcpy(line, bytes + at, n);
        line[n] = '\0';
        if (first ? !sp_streq(line, HEADER) : read_line(line, &r, err) < 0)
            return first ? sp_fail(err, SP_E_INVALID, 0, "not a record of this format") : -1;
        first = false;
        at += n + 1;
    }
    if (r.user[0] == '\0' || r.uid == 0)
        return sp_fail(err, SP_E_INVALID, 0, "it names no user");
    *ret = r;
    r = (struct sp_pamrecord){0};
    return 0;
}

static bool holds(const struct sp_cidr_list *outer, const struct sp_cidr *c)
{
    for (size_t i = 0; i < outer->n; i++)
        if (sp_cidr_contains(&outer->v[i], c))
            return true;
    return outer->n == 0;
}

bool sp_pamrecord_is_stricter(const struct sp_pamrecord *a, const struct sp_pamrecord *b)
{
    if (a->suspended)
        return true;
    if (b->suspended || a->valid_from < b->valid_from ||
        (b->valid_until != 0 && (a->valid_until == 0 || a->valid_until > b->valid_until)) ||
        (a->sources.n == 0 && b->sources.n != 0))
        return false;
    for (size_t i = 0; i < a->sources.n; i++)
        if (!holds(&b->sources, &a->sources.v[i]))
            return false;
    return true;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

int sp_pamrecord_meet(const struct sp_pamrecord *a, const struct sp_pamrecord *b, struct sp_pamrecord *ret,
                      struct sp_error *err)
{
    _cleanup_(sp_pamrecord_clear) struct sp_pamrecord r = {0};

    r.uid = b->uid;
    (void)sp_str_copy(r.user, sizeof(r.user), b->user);
    r.suspended = a->suspended || b->suspended;
    r.valid_from = a->valid_from > b->valid_from ? a->valid_from : b->valid_from;
    r.valid_until = sooner(a->valid_until, b->valid_until);
    if (sp_cidr_list_intersect(&a->sources, &b->sources, &r.sources, err) < 0)
        return -1;
    if (r.sources.n == 0 && (a->sources.n != 0 || b->sources.n != 0)) /* from nowhere */
        r.suspended = true;
    *ret = r;
    r = (struct sp_pamrecord){0};
    return 0;
}

bool sp_pamrecord_address(const char *text, struct sp_cidr *ret)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct sp_cidr c = {.family = 6, .prefix = 128};
    char bare[INET6_ADDRSTRLEN];

    if (sp_str_format(bare, sizeof(bare), "%.*s", (int)strcspn(text, "%"), text) < 0)
        return false;
    if (inet_pton(AF_INET, text, c.addr) == 1) {
        c.family = 4;
        c.prefix = 32;
    } else if (inet_pton(AF_INET6, bare, c.addr) != 1) {
        return false;
    } else if (memcmp(c.addr, mapped, sizeof(mapped)) == 0) {
        memmove(c.addr, c.addr + sizeof(mapped), 4);
        memset(c.addr + 4, 0, sizeof(c.addr) - 4);
        c.family = 4;
        c.prefix = 32;
    }
    *ret = c;
    return true;
}

enum sp_pam_verdict sp_pamrecord_judge(const struct sp_pamrecord *r, int64_t now,
                                       const struct sp_cidr *from)
{
    if (r->suspended)
        return SP_PAM_SUSPENDED;
    if (r->valid_from != 0 && now < r->valid_from)
        return SP_PAM_EARLY;
    if (r->valid_until != 0 && now >= r->valid_until)
        return SP_PAM_OVER;
    return from == NULL || holds(&r->sources, from) ? SP_PAM_ADMITTED : SP_PAM_ELSEWHERE;
}
