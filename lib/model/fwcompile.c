/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/fwcompile.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define NEVER INT64_MAX /* in here; outside it is 0 */

void sp_fw_intervals_clear(struct sp_fw_intervals *l)
{
    free(l->v);
    *l = (struct sp_fw_intervals){0};
}

void sp_fw_compiled_clear(struct sp_fw_compiled *c)
{
    sp_fw_intervals_clear(&c->v4);
    sp_fw_intervals_clear(&c->v6);
}

int sp_fw_intervals_add(struct sp_fw_intervals *l, const struct sp_fw_interval *i, struct sp_error *err)
{
    if (l->v == NULL || l->n == l->size) {
        size_t size = l->size != 0 ? l->size * 2 : 16;
        struct sp_fw_interval *v = reallocarray(l->v, size, sizeof(*v));
        if (v == NULL)
            return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
        l->v = v;
        l->size = size;
    }
    l->v[l->n++] = *i;
    return 0;
}

sp_fw_address sp_fw_address_load(const uint8_t *bytes, size_t len)
{
    sp_fw_address a = 0;

    for (size_t i = 0; i < len; i++)
        a = a << 8 | bytes[i];
    return a;
}

void sp_fw_address_store(sp_fw_address a, uint8_t *bytes, size_t len)
{
    for (size_t i = len; i-- > 0; a >>= 8)
        bytes[i] = (uint8_t)a;
}

/* Most blocks are of IPv4, whose words are short. */
static struct sp_fw_interval block4(const struct sp_cidr *c)
{
    uint32_t first, host = UINT32_MAX >> (c->prefix - 1) >> 1; /* prefix >= 1 */

    memcpy(&first, c->addr, sizeof(first));
    first = be32toh(first);
    return (struct sp_fw_interval){.first = first, .last = first | host};
}

static struct sp_fw_interval block_interval(const struct sp_cidr *c)
{
    sp_fw_address first, host;

    if (c->family == 4)
        return block4(c);
    first = sp_fw_address_load(c->addr, sizeof(c->addr));
    host = (((sp_fw_address)1) << (128 - c->prefix)) - 1; /* prefix >= 1 */
    return (struct sp_fw_interval){.first = first, .last = first | host};
}

/* The sweep's stack: the blocks that are open at the cursor, innermost on top. Blocks are nested or apart,
 * equal ones share a place, so it is never deeper than there are prefix lengths. */
struct sweep {
    struct sp_fw_intervals *out;
    struct sp_fw_interval stack[130];
    size_t depth;
    sp_fw_address cursor; /* the first address that is not yet put out */
    struct sp_error *err;
};

/* Put out [cursor, last] with the expiry of the innermost block; neighbours that expire together are one.
 */
static int put_until(struct sweep *s, sp_fw_address last)
{
    struct sp_fw_interval *before = s->out->n > 0 ? &s->out->v[s->out->n - 1] : NULL;
    int64_t expires_at = s->stack[s->depth - 1].expires_at;

    if (before != NULL && before->last + 1 == s->cursor && before->expires_at == expires_at) {
        before->last = last;
        return 0;
    }
    return sp_fw_intervals_add(
        s->out, &(struct sp_fw_interval){.first = s->cursor, .last = last, .expires_at = expires_at},
        s->err);
}

/* Close every block that ends before `next` (NULL: all of them). */
static int close_blocks(struct sweep *s, const sp_fw_address *next)
{
    while (s->depth > 0) {
        sp_fw_address last = s->stack[s->depth - 1].last;
        if (next != NULL && last >= *next)
            break;
        /* cursor <= last, unless an inner block ended where this one does: its expiry then covered all. */
        if (s->cursor <= last && s->cursor >= s->stack[s->depth - 1].first) {
            if (put_until(s, last) < 0)
                return -1;
            s->cursor = last + 1; /* 0 behind the very last address; no block begins after that one */
        }
        s->depth--;
    }
    return 0;
}

static int open_block(struct sweep *s, const struct sp_fw_interval *block)
{
    struct sp_fw_interval *top;

    if (close_blocks(s, &block->first) < 0)
        return -1;
    top = s->depth > 0 ? &s->stack[s->depth - 1] : NULL;
    /* What the outer block keeps open at least as long adds nothing. */
    if (top != NULL && block->expires_at <= top->expires_at)
        return 0;
    if (top != NULL && block->first == top->first && block->last == top->last) {
        top->expires_at = block->expires_at;
        return 0;
    }
    if (top != NULL && s->cursor < block->first && put_until(s, block->first - 1) < 0)
        return -1;
    s->cursor = block->first;
    s->stack[s->depth++] = *block;
    return 0;
}

/* Outer blocks before what they hold. */
static int compare_block(const void *a, const void *b)
{
    const struct sp_fw_interval *x = a, *y = b;

    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return (x->last < y->last) - (x->last > y->last);
}

/* A policy's own order is this one already: only always_allow stands out of it. */
static void sort(struct sp_fw_intervals *blocks)
{
    for (size_t i = 1; i < blocks->n; i++) {
        if (compare_block(&blocks->v[i - 1], &blocks->v[i]) <= 0)
            continue;
        qsort(blocks->v, blocks->n, sizeof(*blocks->v), compare_block);
        return;
    }
}

static int end_sweep(struct sweep *s)
{
    if (close_blocks(s, NULL) < 0)
        return -1;
    for (size_t i = 0; i < s->out->n; i++)
        if (s->out->v[i].expires_at == NEVER)
            s->out->v[i].expires_at = 0;
    return 0;
}

/* One family's, from its own array. */
static int sweep(struct sp_fw_intervals *blocks, struct sp_fw_intervals *out, struct sp_error *err)
{
    struct sweep s = {.out = out, .err = err};

    sort(blocks);
    for (size_t i = 0; i < blocks->n; i++)
        if (open_block(&s, &blocks->v[i]) < 0)
            return -1;
    return end_sweep(&s);
}

static struct sp_fw_intervals *of_family(struct sp_fw_compiled *c, uint8_t family)
{
    return family == 4 ? &c->v4 : &c->v6;
}

static int add_block(struct sp_fw_compiled *blocks, const struct sp_cidr *c, int64_t expires_at,
                     struct sp_error *err)
{
    struct sp_fw_interval i = block_interval(c);

    i.expires_at = expires_at;
    return sp_fw_intervals_add(of_family(blocks, c->family), &i, err);
}

static int reserve(struct sp_fw_intervals *l, size_t n, struct sp_error *err)
{
    if (n == 0)
        return 0;
    l->v = malloc(n * sizeof(*l->v));
    if (l->v == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    l->size = n;
    return 0;
}

/* Room at once for what there is, unless an expiry cuts a block in parts. */
static int reserve_both(const struct sp_fw_policy *p, struct sp_fw_compiled *c, struct sp_error *err)
{
    size_t n4 = 0;

    while (n4 < p->n && p->v[n4].source.family == 4)
        n4++;
    return reserve(&c->v4, n4, err) < 0 || reserve(&c->v6, p->n - n4, err) < 0 ? -1 : 0;
}

/* False for what has expired. */
static bool block_of(const struct sp_fw_entry *e, int64_t now, struct sp_fw_interval *ret)
{
    if (e->expires_at != 0 && e->expires_at <= now)
        return false;
    *ret = block_interval(&e->source);
    ret->expires_at = e->expires_at == 0 || e->expires_at - now > SP_FW_FAR ? NEVER : e->expires_at;
    return true;
}

/* A policy's own order is the sweep's: without always_allow nothing is copied, and nothing sorted. */
static int sweep_policy(const struct sp_fw_policy *p, int64_t now, struct sp_fw_compiled *out,
                        struct sp_error *err)
{
    struct sweep s4 = {.out = &out->v4, .err = err}, s6 = {.out = &out->v6, .err = err};

    if (reserve_both(p, out, err) < 0)
        return -1;
    for (size_t i = 0; i < p->n; i++) {
        struct sp_fw_interval block;
        if (block_of(&p->v[i], now, &block) &&
            open_block(p->v[i].source.family == 4 ? &s4 : &s6, &block) < 0)
            return -1;
    }
    return end_sweep(&s4) < 0 || end_sweep(&s6) < 0 ? -1 : 0;
}

static int sweep_both(const struct sp_fw_policy *p, const struct sp_cidr_list *always_allow, int64_t now,
                      struct sp_fw_compiled *out, struct sp_error *err)
{
    _cleanup_(sp_fw_compiled_clear) struct sp_fw_compiled blocks = {0};

    for (size_t i = 0; i < always_allow->n; i++)
        if (add_block(&blocks, &always_allow->v[i], NEVER, err) < 0)
            return -1;
    for (size_t i = 0; p->mode == SP_FW_RESTRICTED && i < p->n; i++) {
        struct sp_fw_interval block;
        if (block_of(&p->v[i], now, &block) &&
            sp_fw_intervals_add(of_family(&blocks, p->v[i].source.family), &block, err) < 0)
            return -1;
    }
    return sweep(&blocks.v4, &out->v4, err) < 0 || sweep(&blocks.v6, &out->v6, err) < 0 ? -1 : 0;
}

int sp_fw_compile(const struct sp_fw_policy *p, const struct sp_cidr_list *always_allow, int64_t now,
                  struct sp_fw_compiled *ret, struct sp_error *err)
{
    _cleanup_(sp_fw_compiled_clear) struct sp_fw_compiled out = {0};
    int r;

    if (p->mode != SP_FW_RESTRICTED && p->mode != SP_FW_CLOSED)
        return 0;
    if (always_allow != NULL && always_allow->n > 0)
        r = sweep_both(p, always_allow, now, &out, err);
    else
        r = p->mode == SP_FW_RESTRICTED ? sweep_policy(p, now, &out, err) : 0;
    if (r < 0)
        return -1;
    *ret = out;
    out = (struct sp_fw_compiled){0};
    return 0;
}

/* The first interval that ends at or behind `a`. */
static size_t find(const struct sp_fw_intervals *l, sp_fw_address a)
{
    size_t low = 0, high = l->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (l->v[mid].last < a)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Is every address of [first, last] in some interval, of which `at` is the first that ends at or behind
 * `first`? *ret_earliest: the first expiry among them, or 0. */
static bool covers(const struct sp_fw_intervals *l, size_t at, sp_fw_address first, sp_fw_address last,
                   int64_t *ret_earliest)
{
    *ret_earliest = 0;
    for (size_t i = at; i < l->n && l->v[i].first <= first; i++) {
        int64_t until = l->v[i].expires_at;
        if (until != 0 && (*ret_earliest == 0 || until < *ret_earliest))
            *ret_earliest = until;
        if (l->v[i].last >= last)
            return true;
        first = l->v[i].last + 1;
    }
    return false;
}

static bool is_first_behind(const struct sp_fw_intervals *l, size_t at, sp_fw_address a)
{
    return (at == l->n || l->v[at].last >= a) && (at == 0 || l->v[at - 1].last < a);
}

/* Like find(); who asks in order finds it where he was, or one further. */
static size_t find_next(const struct sp_fw_intervals *l, sp_fw_address a, size_t *place)
{
    for (size_t at = *place; at <= l->n && at < *place + 2; at++)
        if (is_first_behind(l, at, a))
            return *place = at;
    return *place = find(l, a);
}

bool sp_fw_covers_next(const struct sp_fw_compiled *c, const struct sp_cidr *block,
                       struct sp_fw_place *place, int64_t *ret_expires_at)
{
    const bool v4 = block->family == 4;
    const struct sp_fw_intervals *l = v4 ? &c->v4 : &c->v6;
    struct sp_fw_interval want = block_interval(block);
    int64_t earliest;

    if (!covers(l, find_next(l, want.first, v4 ? &place->v4 : &place->v6), want.first, want.last,
                &earliest))
        return false;
    if (ret_expires_at != NULL)
        *ret_expires_at = earliest;
    return true;
}

bool sp_fw_covers(const struct sp_fw_compiled *c, const struct sp_cidr *block, int64_t *ret_expires_at)
{
    struct sp_fw_place begin = {0};

    return sp_fw_covers_next(c, block, &begin, ret_expires_at);
}

static bool narrows(const struct sp_fw_intervals *have, const struct sp_fw_intervals *want)
{
    size_t at = 0;

    for (size_t i = 0; i < have->n; i++) {
        const struct sp_fw_interval *h = &have->v[i];
        int64_t until;

        while (at < want->n && want->v[at].last < h->first)
            at++;
        if (!covers(want, at, h->first, h->last, &until))
            return true;
        if (until != 0 && (h->expires_at == 0 || until < h->expires_at - SP_FW_SLACK))
            return true;
    }
    return false;
}

bool sp_fw_narrows(const struct sp_fw_compiled *have, const struct sp_fw_compiled *want)
{
    return narrows(&have->v4, &want->v4) || narrows(&have->v6, &want->v6);
}

static bool same(const struct sp_fw_interval *a, const struct sp_fw_interval *b)
{
    int64_t apart = a->expires_at - b->expires_at;

    if (a->first != b->first || a->last != b->last || (a->expires_at == 0) != (b->expires_at == 0))
        return false;
    return apart >= -SP_FW_SLACK && apart <= SP_FW_SLACK;
}

/* Their next difference, from *h and *w on: what of `have` goes (1), what of `want` comes (2), or both (3);
 * 0 at the end. The two are then behind it. */
static int next_difference(const struct sp_fw_intervals *have, const struct sp_fw_intervals *want,
                           size_t *h, size_t *w)
{
    while (*h < have->n || *w < want->n) {
        bool old_first = *w == want->n || (*h < have->n && have->v[*h].first <= want->v[*w].first);
        bool new_first = *h == have->n || (*w < want->n && want->v[*w].first <= have->v[*h].first);
        bool alike = old_first && new_first && same(&have->v[*h], &want->v[*w]);

        *h += old_first;
        *w += new_first;
        if (!alike)
            return (old_first ? 1 : 0) + (new_first ? 2 : 0);
    }
    return 0;
}

/* Counted first: two lists that grow by turns would be copied again and again. */
static int diff_family(const struct sp_fw_intervals *have, const struct sp_fw_intervals *want,
                       struct sp_fw_intervals *del, struct sp_fw_intervals *add, struct sp_error *err)
{
    size_t h = 0, w = 0, n_del = 0, n_add = 0;
    int d;

    while ((d = next_difference(have, want, &h, &w)) != 0) {
        n_del += (d & 1) != 0;
        n_add += (d & 2) != 0;
    }
    if (reserve(del, n_del, err) < 0 || reserve(add, n_add, err) < 0)
        return -1;
    for (h = w = 0; (d = next_difference(have, want, &h, &w)) != 0;) {
        if ((d & 1) != 0)
            del->v[del->n++] = have->v[h - 1];
        if ((d & 2) != 0)
            add->v[add->n++] = want->v[w - 1];
    }
    return 0;
}

int sp_fw_diff(const struct sp_fw_compiled *have, const struct sp_fw_compiled *want,
               struct sp_fw_compiled *ret_del, struct sp_fw_compiled *ret_add, struct sp_error *err)
{
    if (diff_family(&have->v4, &want->v4, &ret_del->v4, &ret_add->v4, err) < 0)
        return -1;
    return diff_family(&have->v6, &want->v6, &ret_del->v6, &ret_add->v6, err);
}
