/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/fwpolicy.h"

#include <assert.h>
#include <endian.h>
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

static void free_entries(struct sp_fw_policy *p)
{
    if (!p->borrowed)
        free(p->v);
}

void sp_fw_policy_clear(struct sp_fw_policy *p)
{
    free_entries(p);
    sp_fw_text_drop(p->text);
    *p = (struct sp_fw_policy){0};
}

int sp_fw_policy_copy(struct sp_fw_policy *dst, const struct sp_fw_policy *src, struct sp_error *err)
{
    struct sp_fw_entry *v = malloc((src->n + 1) * sizeof(*v));

    if (v == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (src->n > 0)
        memcpy(v, src->v, src->n * sizeof(*v));
    *dst = *src;
    dst->v = v;
    dst->borrowed = false;
    dst->text = sp_fw_text_share(src->text);
    return 0;
}

void sp_fw_policy_borrow(struct sp_fw_policy *dst, const struct sp_fw_policy *src)
{
    *dst = *src;
    dst->borrowed = true;
    dst->text = sp_fw_text_share(src->text);
}

int sp_fw_policy_own(struct sp_fw_policy *p, struct sp_error *err)
{
    struct sp_fw_policy own;

    if (!p->borrowed)
        return 0;
    if (sp_fw_policy_copy(&own, p, err) < 0)
        return -1;
    sp_fw_policy_clear(p);
    *p = own;
    return 0;
}

static uint64_t half(const uint8_t *bytes)
{
    uint64_t n;

    memcpy(&n, bytes, sizeof(n));
    return be64toh(n);
}

static int compare_source(const struct sp_cidr *a, const struct sp_cidr *b)
{
    const uint64_t high[2] = {half(a->addr), half(b->addr)},
                   low[2] = {half(a->addr + 8), half(b->addr + 8)};

    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    if (high[0] != high[1])
        return high[0] < high[1] ? -1 : 1;
    if (low[0] != low[1])
        return low[0] < low[1] ? -1 : 1;
    return (int)a->prefix - (int)b->prefix;
}

/* Shared strings are most often one and the same. */
static int compare_text(const char *a, const char *b)
{
    return a == b ? 0 : strcmp(a != NULL ? a : "", b != NULL ? b : "");
}

int sp_fw_entry_compare(const struct sp_fw_entry *a, const struct sp_fw_entry *b)
{
    int d = compare_source(&a->source, &b->source);

    return d != 0 ? d : compare_text(a->owner, b->owner);
}

/* Entries of one array, equal ones in the order they stand in: qsort(3) itself promises no stability. */
static int compare_pointer(const void *a, const void *b)
{
    const struct sp_fw_entry *x = *(const struct sp_fw_entry *const *)a;
    const struct sp_fw_entry *y = *(const struct sp_fw_entry *const *)b;
    int d = sp_fw_entry_compare(x, y);

    return d != 0 ? d : (x > y) - (x < y);
}

/* Of one source and owner: the rest. */
static bool same_value(const struct sp_fw_entry *a, const struct sp_fw_entry *b)
{
    return a->expires_at == b->expires_at && compare_text(a->comment, b->comment) == 0;
}

bool sp_fw_entry_equal(const struct sp_fw_entry *a, const struct sp_fw_entry *b)
{
    return sp_fw_entry_compare(a, b) == 0 && same_value(a, b);
}

bool sp_fw_policy_equal(const struct sp_fw_policy *a, const struct sp_fw_policy *b)
{
    if (a->mode != b->mode || a->n != b->n || a->n_ports != b->n_ports)
        return false;
    if (a->v == b->v) /* borrowed */
        return memcmp(a->ports, b->ports, a->n_ports * sizeof(a->ports[0])) == 0;
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

int sp_fw_entry_check(const struct sp_fw_entry *e, int64_t now, struct sp_error *err)
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
    if (e->comment != NULL && e->comment[0] != '\0' && check_comment(e->comment, err) < 0)
        return -1;
    if (e->owner != NULL && e->owner[0] != '\0' && sp_name_check_domain(e->owner, err) < 0)
        return sp_field(err, "owner");
    return 0;
}

/* The new entries in order, each once; two that contradict each other are an error. *n is how many. */
static int sort_new(const struct sp_fw_entry *v, const struct sp_fw_entry **order, size_t *n,
                    struct sp_error *err)
{
    bool sorted = true;
    size_t kept = 0;

    for (size_t i = 0; i < *n; i++) {
        order[i] = &v[i];
        sorted &= i == 0 || sp_fw_entry_compare(&v[i - 1], &v[i]) < 0;
    }
    if (sorted)
        return 0;
    qsort(order, *n, sizeof(struct sp_fw_entry *), compare_pointer);
    for (size_t i = 0; i < *n; i++) {
        if (kept == 0 || sp_fw_entry_compare(order[kept - 1], order[i]) != 0) {
            order[kept++] = order[i];
            continue;
        }
        if (sp_fw_entry_equal(order[kept - 1], order[i]))
            continue;
        (void)sp_fail(err, SP_E_INVALID, 0, "the same source twice, with another comment or expiry");
        (void)sp_hint(err, "name each source once");
        return sp_field(err, "[%zu]", (size_t)(order[i] - v));
    }
    *n = kept;
    return 0;
}

/* Both are in order; where they have one alike, the new one counts. How many there are. */
static size_t merge(const struct sp_fw_entry *old, size_t n_old, const struct sp_fw_entry *const *order,
                    size_t n, struct sp_fw_entry *out)
{
    size_t o = 0, k = 0, at = 0;

    while (o < n_old || k < n) {
        int d = o == n_old ? 1 : k == n ? -1 : sp_fw_entry_compare(&old[o], order[k]);
        out[at++] = d < 0 ? old[o] : *order[k];
        o += d <= 0;
        k += d >= 0;
    }
    return at;
}

/* With the strings where nobody changes them: a block above those of the policy. NULL: out of memory. */
static struct sp_fw_text *keep_text(const struct sp_fw_policy *p, const struct sp_fw_entry **order,
                                    size_t n, struct sp_fw_entry *out)
{
    struct sp_fw_text *below = sp_fw_text_share(p->text), *text;
    size_t size = 0;

    for (size_t i = 0; i < n; i++) {
        out[i] = *order[i];
        order[i] = &out[i];
        size += (out[i].comment != NULL ? strlen(out[i].comment) + 1 : 0) +
                (out[i].owner != NULL ? strlen(out[i].owner) + 1 : 0);
    }
    text = sp_fw_text_new(size, below);
    if (text == NULL)
        sp_fw_text_drop(below);
    for (size_t i = 0; text != NULL && i < n; i++) {
        out[i].comment = sp_fw_text_add(text, out[i].comment);
        out[i].owner = sp_fw_text_add(text, out[i].owner);
    }
    return text;
}

static int too_many(struct sp_error *err)
{
    (void)sp_fail(err, SP_E_INVALID, 0, "more than %d sources", SP_FW_MAX_ENTRIES);
    return sp_hint(err, "join neighbouring addresses into blocks");
}

static void drop_text(struct sp_fw_text **t)
{
    sp_fw_text_drop(*t);
}

/* What fails leaves *p as it was: everything is made beside it. */
int sp_fw_policy_put(struct sp_fw_policy *p, const struct sp_fw_entry *v, size_t n, int64_t now,
                     struct sp_error *err)
{
    _cleanup_free_ const struct sp_fw_entry **order = calloc(n + 1, sizeof(struct sp_fw_entry *));
    _cleanup_free_ struct sp_fw_entry *fresh = malloc((n + 1) * sizeof(*fresh));
    _cleanup_free_ struct sp_fw_entry *merged = malloc((p->n + n + 1) * sizeof(*merged));
    _cleanup_(drop_text) struct sp_fw_text *text = NULL;
    size_t n_merged;

    if (order == NULL || merged == NULL || fresh == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    for (size_t i = 0; i < n; i++)
        if (sp_fw_entry_check(&v[i], now, err) < 0)
            return sp_field_prefix(err, "[%zu]", i);
    if (n == 0)
        return 0;
    if (sort_new(v, order, &n, err) < 0)
        return -1;
    text = keep_text(p, order, n, fresh);
    if (text == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    n_merged = merge(p->v, p->n, order, n, merged);
    if (n_merged > SP_FW_MAX_ENTRIES)
        return too_many(err);
    sp_fw_text_drop(p->text);
    p->text = sp_steal_ptr(text);
    free_entries(p);
    p->v = sp_steal_ptr(merged);
    p->borrowed = false;
    p->n = n_merged;
    return 0;
}

/* Keep the entries that `keep` wants, in their order. */
static void filter(struct sp_fw_policy *p, bool (*keep)(const struct sp_fw_entry *, const void *),
                   const void *data)
{
    size_t kept = 0;

    assert(!p->borrowed);
    for (size_t i = 0; i < p->n; i++) {
        if (!keep(&p->v[i], data))
            continue;
        if (kept != i)
            p->v[kept] = p->v[i];
        kept++;
    }
    p->n = kept;
}

static bool is_not_owner(const struct sp_fw_entry *e, const void *data)
{
    return strcmp(e->owner, data) != 0;
}

int sp_fw_policy_drop_owner(struct sp_fw_policy *p, const char *owner, struct sp_error *err)
{
    struct sp_fw_policy others = *p;

    if (p->borrowed) { /* no more is copied than stays */
        others.n = 0;
        for (size_t i = 0; i < p->n; i++)
            others.n += is_not_owner(&p->v[i], owner);
        others.v = malloc((others.n + 1) * sizeof(*others.v));
        if (others.v == NULL)
            return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
        others.borrowed = false;
        for (size_t i = 0, k = 0; i < p->n; i++)
            if (is_not_owner(&p->v[i], owner))
                others.v[k++] = p->v[i];
        *p = others;
        return 0;
    }
    filter(p, is_not_owner, owner);
    return 0;
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
    return sp_fw_entry_compare(key, entry);
}

const struct sp_fw_entry *sp_fw_policy_find(const struct sp_fw_policy *p, const struct sp_cidr *source,
                                            const char *owner)
{
    const struct sp_fw_entry key = {.source = *source, .owner = owner};

    return p->n == 0 ? NULL : bsearch(&key, p->v, p->n, sizeof(*p->v), compare_key);
}

int sp_fw_policy_diff(const struct sp_fw_policy *from, const struct sp_fw_policy *to,
                      int (*visit)(void *data, const struct sp_fw_entry *from,
                                   const struct sp_fw_entry *to),
                      void *data)
{
    size_t f = 0, t = 0;
    int r = 0;

    if (from->v == to->v && from->n == to->n)
        return 0;
    while (r == 0 && (f < from->n || t < to->n)) {
        const struct sp_fw_entry *a = f < from->n ? &from->v[f] : NULL;
        const struct sp_fw_entry *b = t < to->n ? &to->v[t] : NULL;
        int d = a == NULL ? 1 : b == NULL ? -1 : sp_fw_entry_compare(a, b);

        f += d <= 0;
        t += d >= 0;
        if (d > 0)
            a = NULL;
        if (d < 0)
            b = NULL;
        if (a == NULL || b == NULL || !same_value(a, b))
            r = visit(data, a, b);
    }
    return r;
}

bool sp_fw_policy_drop(struct sp_fw_policy *p, const struct sp_cidr *source, const char *owner)
{
    const struct sp_fw_entry *found = sp_fw_policy_find(p, source, owner);
    size_t at;

    if (found == NULL)
        return false;
    assert(!p->borrowed);
    at = (size_t)(found - p->v);
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
