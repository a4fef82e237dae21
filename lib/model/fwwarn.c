/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/fwwarn.h"

#include "base/mem.h"
#include "base/str.h"

struct walk {
    const struct sp_fw_policy *old;
    int (*say)(void *, const char *);
    void *data;
    size_t said;
    int status;
};

static void tell(struct walk *w, const char *text)
{
    if (w->said++ < SP_FWWARN_MAX && w->status == 0)
        w->status = w->say(w->data, text);
}

static bool is_news(const struct walk *w, const struct sp_fw_entry *e)
{
    const struct sp_fw_entry *was = sp_fw_policy_find(w->old, &e->source, e->owner);

    return was == NULL || !sp_fw_entry_equal(was, e);
}

static void warn_wide(struct walk *w, const struct sp_fw_entry *e)
{
    unsigned limit = e->source.family == 4 ? 7 : 15;
    char source[SP_CIDR_SIZE], text[256];

    if (e->source.prefix > limit || !is_news(w, e))
        return;
    sp_cidr_format(&e->source, source);
    if (sp_str_format(text, sizeof(text), "%s is very wide: it lets a large part of the internet in",
                      source) == 0)
        tell(w, text);
}

static void warn_overlap(struct walk *w, const struct sp_fw_entry *outer, const struct sp_fw_entry *inner)
{
    char a[SP_CIDR_SIZE], b[SP_CIDR_SIZE], text[256];
    int n;

    if (!is_news(w, outer) && !is_news(w, inner))
        return;
    sp_cidr_format(&outer->source, a);
    sp_cidr_format(&inner->source, b);
    if (sp_cidr_equal(&outer->source, &inner->source))
        n = sp_str_format(text, sizeof(text), "%s stands more than once, for different owners", a);
    else
        n = sp_str_format(text, sizeof(text), "%s lies within %s: taking one away leaves the other open", b,
                          a);
    if (n == 0)
        tell(w, text);
}

/* Blocks are nested or apart, and an outer one is sorted before what it holds: one stack of the blocks that
 * are open at this point finds every nearest pair. It is as deep as there are prefix lengths, plus one for
 * each further owner of a block; those share a place, being equal. */
static void walk_overlaps(struct walk *w, const struct sp_fw_policy *p)
{
    const struct sp_fw_entry *stack[130];
    size_t depth = 0;

    for (size_t i = 0; i < p->n; i++) {
        const struct sp_fw_entry *e = &p->v[i];

        while (depth > 0 && !sp_cidr_contains(&stack[depth - 1]->source, &e->source))
            depth--;
        if (depth > 0) {
            warn_overlap(w, stack[depth - 1], e);
            if (sp_cidr_equal(&stack[depth - 1]->source, &e->source))
                depth--;
        }
        if (depth < SP_COUNT(stack))
            stack[depth++] = e;
    }
}

int sp_fwwarn_each(const struct sp_fw_policy *old, const struct sp_fw_policy *p,
                   int (*say)(void *data, const char *text), void *data)
{
    struct walk w = {.old = old, .say = say, .data = data};
    char text[128];

    for (size_t i = 0; i < p->n; i++)
        warn_wide(&w, &p->v[i]);
    walk_overlaps(&w, p);
    if (w.said > SP_FWWARN_MAX && w.status == 0 &&
        sp_str_format(text, sizeof(text), "and %zu more warnings of this kind", w.said - SP_FWWARN_MAX) ==
            0)
        w.status = say(data, text);
    return w.status;
}
