/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/tight.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "host/replace.h"
#include "host/userdb.h"
#include "model/json.h"

static bool keeps(const struct sp_run *run, const struct sp_account *desired)
{
    if ((run->flags & SP_RUN_KEEP_TIGHT) != 0)
        return true;
    return (run->flags & SP_RUN_WITHDRAWS) != 0 && !sp_account_is_empty(desired) &&
           desired->shell != SP_SHELL_NONE;
}

/* From what it was: a shell that is another one by now was changed by somebody else. */
static int describe(const struct sp_change *c, struct sp_buf *out, struct sp_error *err)
{
    sp_buf_printf(out, "%s %s: %s -> %s", c->resource->name, c->target, c->from, c->to);
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* 1: the unfinished transaction meant to open it, 0: not, -1: no memory. */
static int is_meant(const struct sp_state *s, const struct sp_change *c, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    const cJSON *one;

    if (!s->pending)
        return 0;
    if (s->opens == NULL) /* written before openings were */
        return 1;
    if (describe(c, &text, err) < 0)
        return -1;
    cJSON_ArrayForEach(one, s->opens) if (sp_streq(one->valuestring, sp_buf_str(&text))) return 1;
    return 0;
}

int sp_tight_keep(const struct sp_run *run, const struct sp_account *desired, struct sp_outcome *o,
                  struct sp_error *err)
{
    struct sp_plan *p = &o->plan;
    size_t n = 0;

    if (!keeps(run, desired))
        return 0;
    for (size_t i = 0; i < p->n; i++) {
        const struct sp_change *c = &p->v[i];
        int meant = c->effect == SP_LOOSENS ? is_meant(&o->state, c, err) : 1;
        struct sp_change *left;

        if (meant < 0)
            return -1;
        if (meant > 0) {
            p->v[n++] = *c;
            continue;
        }
        left = sp_plan_add(&o->kept, c->resource, c->phase, c->effect, c->what, err);
        if (left == NULL)
            return -1;
        *left = *c;
    }
    p->n = n;
    return 0;
}

bool sp_tight_explains(const struct sp_outcome *o, const struct sp_error *why)
{
    for (size_t i = 0; why->code == SP_E_NOT_IN_FORCE && i < o->kept.n; i++)
        if (o->kept.v[i].resource == &sp_resource_groups)
            return true;
    return false;
}

int sp_tight_note(const struct sp_plan *p, cJSON **ret, struct sp_error *err)
{
    _cleanup_json_ cJSON *opens = cJSON_CreateArray();

    for (size_t i = 0; i < p->n; i++) {
        _cleanup_(sp_buf_clear) struct sp_buf text = {0};

        if (p->v[i].effect != SP_LOOSENS && p->v[i].phase < SP_BUILD)
            continue;
        if (describe(&p->v[i], &text, err) < 0)
            return -1;
        if (!cJSON_AddItemToArray(opens, cJSON_CreateString(sp_buf_str(&text))))
            return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    }
    if (opens == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    *ret = sp_steal_ptr(opens);
    return 0;
}

static void opening(const char *user, struct sp_change *ret)
{
    ret->resource = &sp_resource_gate;
    (void)sp_str_copy(ret->target, sizeof(ret->target), user);
    (void)sp_str_copy(ret->from, sizeof(ret->from), "shut");
    (void)sp_str_copy(ret->to, sizeof(ret->to), "open");
}

bool sp_tight_is_own_shut(const struct sp_state *s, const char *user)
{
    _cleanup_free_ struct sp_change *c = calloc(1, sizeof(*c));
    struct sp_error ignored;

    if (c == NULL || s->opens == NULL)
        return false;
    opening(user, c);
    return is_meant(s, c, &ignored) > 0;
}

/* In the state, so that whoever finishes it opens the gate again. */
static int note_opening(const struct sp_ctx *c, struct sp_error *err)
{
    _cleanup_(sp_state_clear) struct sp_state s = {0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    _cleanup_free_ struct sp_change *change = calloc(1, sizeof(*change));

    if (change == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    opening(c->user->name, change);
    if (sp_store_load(c->host, c->user->name, &s, err) < 0 || describe(change, &text, err) < 0)
        return -1;
    if (!s.exists || !s.pending || s.opens == NULL)
        return sp_fail(err, SP_E_INTERNAL, 0, "nothing of %s is pending", c->user->name);
    if (!cJSON_AddItemToArray(s.opens, cJSON_CreateString(sp_buf_str(&text))))
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    return sp_store_save(c->host, c->user->name, &s, err) < 0 ? -1 : sp_sync_now(c->host, err);
}

void sp_tight_shut(const struct sp_ctx *c, struct sp_error *err)
{
    char mend[sizeof(err->hint)];
    struct sp_error why;
    bool shut = false;

    if (c->user == NULL)
        return;
    (void)sp_str_copy(mend, sizeof(mend), err->hint);
    if (sp_userdb_in_group(c->host, SP_GROUP_NONE, c->user->name, &shut, &why) < 0 ||
        (!shut && (note_opening(c, &why) < 0 ||
                   sp_userdb_set_member(c->host, SP_GROUP_NONE, c->user->name, SP_MEMBER_ADD, &why) < 0)))
        sp_hint(err, "the key still lets in, since the gate could not be shut: %.300s", why.text);
    else
        sp_hint(err, "%.100s%sthe account is shut (group %s) until it is mended and the request sent again",
                mend, mend[0] != '\0' ? "; " : "", SP_GROUP_NONE);
}
