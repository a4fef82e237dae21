/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/fwpolicy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/name.h"

static const char *const mode_names[SP_FW_MODE_COUNT] = {
    [SP_FW_UNMANAGED] = "unmanaged",
    [SP_FW_OPEN] = "open",
    [SP_FW_RESTRICTED] = "restricted",
    [SP_FW_CLOSED] = "closed",
};

const char *sp_fw_mode_name(enum sp_fw_mode mode)
{
    return mode < SP_FW_MODE_COUNT ? mode_names[mode] : "unknown";
}

int sp_fw_mode_parse(const char *name, enum sp_fw_mode *ret, struct sp_error *err)
{
    for (size_t i = 0; i < SP_FW_MODE_COUNT; i++) {
        if (sp_streq(name, mode_names[i])) {
            *ret = (enum sp_fw_mode)i;
            return 0;
        }
    }
    (void)sp_fail(err, SP_E_INVALID, 0, "no such mode of the SSH port");
    return sp_hint(err, "one of unmanaged, open, restricted, closed");
}

void sp_fw_entry_clear(struct sp_fw_entry *e)
{
    free(e->comment);
    free(e->owner);
    *e = (struct sp_fw_entry){0};
}

void sp_fw_policy_clear(struct sp_fw_policy *p)
{
    for (size_t i = 0; i < p->n; i++)
        sp_fw_entry_clear(&p->v[i]);
    free(p->v);
    *p = (struct sp_fw_policy){0};
}

static int entry_copy(struct sp_fw_entry *dst, const struct sp_fw_entry *src, struct sp_error *err)
{
    *dst = *src;
    dst->comment = strdup(src->comment != NULL ? src->comment : "");
    dst->owner = strdup(src->owner != NULL ? src->owner : "");
    if (dst->comment != NULL && dst->owner != NULL)
        return 0;
    sp_fw_entry_clear(dst);
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

int sp_fw_policy_copy(struct sp_fw_policy *dst, const struct sp_fw_policy *src, struct sp_error *err)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy copy = *src;

    copy.n = 0;
    copy.v = calloc(src->n + 1, sizeof(*copy.v));
    if (copy.v == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    for (; copy.n < src->n; copy.n++)
        if (entry_copy(&copy.v[copy.n], &src->v[copy.n], err) < 0)
            return -1;
    *dst = copy;
    copy = (struct sp_fw_policy){0};
    return 0;
}

static int compare_source(const struct sp_cidr *a, const struct sp_cidr *b)
{
    int d = (int)a->family - (int)b->family;

    if (d == 0)
        d = memcmp(a->addr, b->addr, sizeof(a->addr));
    return d != 0 ? d : (int)a->prefix - (int)b->prefix;
}

static int compare_entry(const struct sp_fw_entry *a, const struct sp_fw_entry *b)
{
    int d = compare_source(&a->source, &b->source);

    return d != 0 ? d : strcmp(a->owner, b->owner);
}

/* Entries of one array, equal ones in the order they stand in: qsort(3) itself promises no stability. */
static int compare_pointer(const void *a, const void *b)
{
    const struct sp_fw_entry *x = *(const struct sp_fw_entry *const *)a;
    const struct sp_fw_entry *y = *(const struct sp_fw_entry *const *)b;
    int d = compare_entry(x, y);

    return d != 0 ? d : (x > y) - (x < y);
}

bool sp_fw_entry_equal(const struct sp_fw_entry *a, const struct sp_fw_entry *b)
{
    return compare_entry(a, b) == 0 && a->expires_at == b->expires_at &&
           strcmp(a->comment, b->comment) == 0;
}

bool sp_fw_policy_equal(const struct sp_fw_policy *a, const struct sp_fw_policy *b)
{
    if (a->mode != b->mode || a->n != b->n || a->n_ports != b->n_ports)
        return false;
    for (size_t i = 0; i < a->n_ports; i++)
        if (a->ports[i] != b->ports[i])
            return false;
    for (size_t i = 0; i < a->n; i++)
        if (!sp_fw_entry_equal(&a->v[i], &b->v[i]))
            return false;
    return true;
}

static int check_comment(const char *comment, struct sp_error *err)
{
    size_t len = strlen(comment);

    if (len > SP_FW_MAX_COMMENT)
        (void)sp_fail(err, SP_E_INVALID, 0, "the comment is longer than %d bytes", SP_FW_MAX_COMMENT);
    else if (!sp_str_is_clean(comment, len))
        (void)sp_fail(err, SP_E_INVALID, 0, "the comment has control bytes or is not UTF-8");
    else
        return 0;
    (void)sp_hint(err, "a short line of plain text");
    return sp_field(err, "comment");
}

static int check_entry(const struct sp_fw_entry *e, int64_t now, struct sp_error *err)
{
    unsigned most = e->source.family == 4 ? 32 : 128;

    if ((e->source.family != 4 && e->source.family != 6) || e->source.prefix < 1 ||
        e->source.prefix > most) {
        (void)sp_fail(err, SP_E_INVALID, 0, "not an address block");
        (void)sp_hint(err, "an address, or a block with a prefix length of 1 to %u", most);
        return sp_field(err, "source");
    }
    if (e->expires_at < 0 || (now != 0 && e->expires_at != 0 && e->expires_at <= now)) {
        (void)sp_fail(err, SP_E_INVALID, 0, "the expiry has passed already");
        (void)sp_hint(err, "a later expires_at, or none for a permanent entry");
        return sp_field(err, "expires_at");
    }
    if (e->comment != NULL && check_comment(e->comment, err) < 0)
        return -1;
    if (e->owner != NULL && e->owner[0] != '\0' && sp_name_check_domain(e->owner, err) < 0)
        return sp_field(err, "owner");
    return 0;
}

/* Sort all[0..n), of which the first n_old stood there before: a later one replaces an earlier equal one.
 * Two new ones that contradict each other are an error. Entries move to out; *ret_n says how many. */
static int merge(struct sp_fw_entry *all, size_t n, size_t n_old, struct sp_fw_entry *out, size_t *ret_n,
                 struct sp_error *err)
{
    _cleanup_free_ struct sp_fw_entry **order = calloc(n + 1, sizeof(struct sp_fw_entry *));
    size_t kept = 0;

    if (order == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    for (size_t i = 0; i < n; i++)
        order[i] = &all[i];
    qsort(order, n, sizeof(struct sp_fw_entry *), compare_pointer);
    for (size_t i = 0; i + 1 < n; i++) {
        bool both_new = order[i] >= all + n_old;
        if (!both_new || compare_entry(order[i], order[i + 1]) != 0 ||
            sp_fw_entry_equal(order[i], order[i + 1]))
            continue;
        (void)sp_fail(err, SP_E_INVALID, 0, "the same source twice, with another comment or expiry");
        (void)sp_hint(err, "name each source once");
        return sp_field(err, "[%zu]", (size_t)(order[i + 1] - all) - n_old);
    }
    for (size_t i = 0; i < n; i++)
        if (i + 1 == n || compare_entry(order[i], order[i + 1]) != 0)
            kept++;
    if (kept > SP_FW_MAX_ENTRIES) {
        (void)sp_fail(err, SP_E_INVALID, 0, "more than %d sources", SP_FW_MAX_ENTRIES);
        return sp_hint(err, "join neighbouring addresses into blocks");
    }
    *ret_n = kept;
    kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (i + 1 == n || compare_entry(order[i], order[i + 1]) != 0) {
            out[kept++] = *order[i];
            *order[i] = (struct sp_fw_entry){0};
        }
    }
    return 0;
}

int sp_fw_policy_put(struct sp_fw_policy *p, const struct sp_fw_entry *v, size_t n, int64_t now,
                     struct sp_error *err)
{
    /* A copy of everything, so that a failure leaves *p as it was. */
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy all = {0};
    struct sp_fw_entry *merged = NULL;
    size_t n_merged = 0;

    for (size_t i = 0; i < n; i++)
        if (check_entry(&v[i], now, err) < 0)
            return sp_field_prefix(err, "[%zu]", i);
    all.v = calloc(p->n + n + 1, sizeof(*all.v));
    merged = calloc(p->n + n + 1, sizeof(*merged));
    if (all.v == NULL || merged == NULL) {
        free(merged);
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    }
    for (; all.n < p->n + n; all.n++) {
        const struct sp_fw_entry *src = all.n < p->n ? &p->v[all.n] : &v[all.n - p->n];
        if (entry_copy(&all.v[all.n], src, err) < 0)
            break;
    }
    if (all.n < p->n + n || merge(all.v, all.n, p->n, merged, &n_merged, err) < 0) {
        free(merged);
        return -1;
    }
    for (size_t i = 0; i < p->n; i++)
        sp_fw_entry_clear(&p->v[i]);
    free(p->v);
    p->v = merged;
    p->n = n_merged;
    return 0;
}

/* Keep the entries that `keep` wants, in their order. */
static void filter(struct sp_fw_policy *p, bool (*keep)(const struct sp_fw_entry *, const void *),
                   const void *data)
{
    size_t kept = 0;

    for (size_t i = 0; i < p->n; i++) {
        if (!keep(&p->v[i], data))
            sp_fw_entry_clear(&p->v[i]);
        else
            p->v[kept++] = p->v[i];
    }
    p->n = kept;
}

static bool is_not_owner(const struct sp_fw_entry *e, const void *data)
{
    return strcmp(e->owner, data) != 0;
}

void sp_fw_policy_drop_owner(struct sp_fw_policy *p, const char *owner)
{
    filter(p, is_not_owner, owner);
}

static bool is_alive(const struct sp_fw_entry *e, const void *data)
{
    return e->expires_at == 0 || e->expires_at > *(const int64_t *)data;
}

void sp_fw_policy_drop_expired(struct sp_fw_policy *p, int64_t now)
{
    filter(p, is_alive, &now);
}

static int compare_key(const void *key, const void *entry)
{
    return compare_entry(key, entry);
}

const struct sp_fw_entry *sp_fw_policy_find(const struct sp_fw_policy *p, const struct sp_cidr *source,
                                            const char *owner)
{
    const struct sp_fw_entry key = {.source = *source, .owner = (char *)owner};

    return p->n == 0 ? NULL : bsearch(&key, p->v, p->n, sizeof(*p->v), compare_key);
}

bool sp_fw_policy_drop(struct sp_fw_policy *p, const struct sp_cidr *source, const char *owner)
{
    const struct sp_fw_entry *found = sp_fw_policy_find(p, source, owner);
    size_t at;

    if (found == NULL)
        return false;
    at = (size_t)(found - p->v);
    sp_fw_entry_clear(&p->v[at]);
    memmove(&p->v[at], &p->v[at + 1], (p->n - at - 1) * sizeof(*p->v));
    p->n--;
    return true;
}

int sp_fw_policy_check(const struct sp_fw_policy *p, struct sp_error *err)
{
    if (p->mode != SP_FW_RESTRICTED)
        return 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].owner[0] == '\0' && p->v[i].expires_at == 0)
            return 0;
    (void)sp_fail(err, SP_E_LOCKOUT, 0,
                  "restricted needs at least one permanent source given by firewall.set");
    (void)sp_hint(err, "name a source without expires_at; to let nobody in, ask for mode closed");
    return sp_field(err, "sources");
}

int sp_fw_ports_add(uint16_t *ports, size_t *n_ports, uint16_t port)
{
    size_t at = 0;

    while (at < *n_ports && ports[at] < port)
        at++;
    if (at < *n_ports && ports[at] == port)
        return 0;
    if (*n_ports == SP_FW_MAX_PORTS)
        return -1;
    memmove(&ports[at + 1], &ports[at], (*n_ports - at) * sizeof(*ports));
    ports[at] = port;
    (*n_ports)++;
    return 0;
}
