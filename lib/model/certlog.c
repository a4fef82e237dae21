/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/certlog.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define LINE_SIZE 2048
#define FIELDS_MAX 13

void sp_certlog_clear(struct sp_certlog *l)
{
    free(l->v);
    *l = (struct sp_certlog){0};
}

static bool number(const char *text, uint64_t max, uint64_t *ret)
{
    return sp_str_to_u64(text, max, ret) == 0;
}

static bool when(const char *text, int64_t *ret)
{
    uint64_t n = 0;

    if (!number(text, INT64_MAX, &n))
        return false;
    *ret = (int64_t)n;
    return true;
}

static bool read_issue(char *const f[], struct sp_certificate *c)
{
    uint64_t uid = 0, caller = 0;

    *c = (struct sp_certificate){0};
    if (!number(f[0], UINT64_MAX, &c->serial) || !number(f[3], UINT32_MAX, &uid) ||
        !when(f[5], &c->issued_at) || !when(f[6], &c->valid_from) || !when(f[7], &c->valid_to) ||
        !number(f[8], UINT32_MAX, &caller))
        return false;
    c->uid = (uint32_t)uid;
    c->caller = (uint32_t)caller;
    return sp_str_copy(c->user, sizeof(c->user), f[2]) == 0 &&
           sp_str_copy(c->fingerprint, sizeof(c->fingerprint), f[4]) == 0 &&
           sp_str_copy(c->principal, sizeof(c->principal), f[9]) == 0 &&
           sp_str_copy(c->sources, sizeof(c->sources), f[10]) == 0 &&
           sp_str_copy(c->key_id, sizeof(c->key_id), f[11]) == 0 &&
           sp_str_copy(c->reason, sizeof(c->reason), f[12]) == 0;
}

static struct sp_certificate *find(const struct sp_certlog *l, uint64_t serial)
{
    size_t low = 0, high = l->n;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (l->v[middle].serial == serial)
            return &l->v[middle];
        if (l->v[middle].serial < serial)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static int add(struct sp_certlog *l, const struct sp_certificate *c, struct sp_error *err)
{
    if ((l->n & (l->n - 1)) == 0) {
        struct sp_certificate *grown = reallocarray(l->v, l->n > 0 ? l->n * 2 : 1, sizeof(*grown));
        if (grown == NULL)
            return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
        l->v = grown;
    }
    l->v[l->n++] = *c;
    return 0;
}

/* 1: taken; 0: none of ours. */
static int read_line(struct sp_certlog *l, char *line, struct sp_error *err)
{
    char *f[FIELDS_MAX + 1], *rest = line;
    struct sp_certificate c, *revoked;
    uint64_t at = 0, serial = 0;
    size_t n = 0;

    while (n <= FIELDS_MAX && (f[n] = strsep(&rest, "\t")) != NULL)
        n++;
    if (n < 2 || !number(f[0], UINT64_MAX - 1, &at) ||
        at + 1 < l->next) /* a pruned file repeats the last */
        return 0;
    if (n == 13 && at >= l->next && sp_streq(f[1], "issue") && read_issue(f, &c)) {
        if (add(l, &c, err) < 0)
            return -1;
    } else if (n == 6 && sp_streq(f[1], "revoke") && number(f[2], UINT64_MAX, &serial)) {
        revoked = find(l, serial);
        if (revoked != NULL && revoked->revoked_at == 0 && !when(f[3], &revoked->revoked_at))
            return 0;
    } else if (n != 2 || !sp_streq(f[1], "pruned"))
        return 0;
    l->next = at + 1;
    return 1;
}

int sp_certlog_parse(const char *bytes, size_t len, struct sp_certlog *ret, struct sp_error *err)
{
    _cleanup_(sp_certlog_clear) struct sp_certlog l = {.next = 1};
    const char *end;

    for (size_t at = 0; at < len && (end = memchr(bytes + at, '\n', len - at)) != NULL;) {
        size_t n = (size_t)(end - bytes) - at;
        char line[LINE_SIZE];
        int taken = 0;
        if (n < sizeof(line)) {
            memcpy(line, bytes + at, n);
            line[n] = '\0';
            taken = read_line(&l, line, err);
        }
        if (taken < 0)
            return -1;
        l.strange += taken == 0;
        at += n + 1;
        l.whole = at;
    }
    *ret = l;
    l = (struct sp_certlog){0};
    return 0;
}

uint64_t sp_certlog_next(const char *tail, size_t len, size_t *ret_whole)
{
    const char *end = len > 0 ? memrchr(tail, '\n', len) : NULL, *start;
    uint64_t n = 0;

    *ret_whole = end != NULL ? (size_t)(end - tail) + 1 : 0;
    if (end == NULL)
        return len < SP_CERTLOG_TAIL ? 1 : 0;
    start = end > tail ? memrchr(tail, '\n', (size_t)(end - tail)) : NULL;
    for (start = start != NULL ? start + 1 : tail; *start >= '0' && *start <= '9'; start++)
        n = n * 10 + (uint64_t)(*start - '0');
    return n > 0 && *start == '\t' ? n + 1 : 0;
}

/* A field is clean text without tabs; what is not is a bug of the caller's. */
static int check_field(const char *text, struct sp_error *err)
{
    return sp_str_is_clean(text, strlen(text))
               ? 0
               : sp_fail(err, SP_E_INTERNAL, 0, "a control byte in a certificate's record");
}

int sp_certlog_issue(const struct sp_certificate *c, struct sp_buf *out, struct sp_error *err)
{
    if (check_field(c->user, err) < 0 || check_field(c->fingerprint, err) < 0 ||
        check_field(c->principal, err) < 0 || check_field(c->sources, err) < 0 ||
        check_field(c->key_id, err) < 0 || check_field(c->reason, err) < 0)
        return -1;
    sp_buf_printf(out, "%llu\tissue\t%s\t%u\t%s\t%lld\t%lld\t%lld\t%u\t%s\t%s\t%s\t%s\n",
                  (unsigned long long)c->serial, c->user, c->uid, c->fingerprint, (long long)c->issued_at,
                  (long long)c->valid_from, (long long)c->valid_to, c->caller, c->principal, c->sources,
                  c->key_id, c->reason);
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

int sp_certlog_revoke(uint64_t at, uint64_t serial, int64_t now, uint32_t caller, const char *reason,
                      struct sp_buf *out, struct sp_error *err)
{
    if (check_field(reason, err) < 0)
        return -1;
    sp_buf_printf(out, "%llu\trevoke\t%llu\t%lld\t%u\t%s\n", (unsigned long long)at,
                  (unsigned long long)serial, (long long)now, caller, reason);
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* The numbers of the lines go up: a revocation gets the next one behind what it follows, and the last line
 * keeps the count. */
int sp_certlog_prune(const struct sp_certlog *l, int64_t before, struct sp_buf *out, struct sp_error *err)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].valid_to >= before && sp_certlog_issue(&l->v[i], out, err) < 0)
            return -1;
    for (size_t i = 0; l->next > 1 && i < l->n; i++)
        if (l->v[i].valid_to >= before && l->v[i].revoked_at != 0 &&
            sp_certlog_revoke(l->next - 1, l->v[i].serial, l->v[i].revoked_at, 0, "", out, err) < 0)
            return -1;
    if (l->next > 1)
        sp_buf_printf(out, "%llu\tpruned\n", (unsigned long long)(l->next - 1));
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

int sp_certlog_krl(const struct sp_certlog *l, int64_t now, struct sp_buf *out, struct sp_error *err)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].revoked_at != 0 && l->v[i].valid_to > now)
            sp_buf_printf(out, "serial: %llu\n", (unsigned long long)l->v[i].serial);
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}
