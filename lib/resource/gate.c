/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The gate: membership of sallyport-none, which sshd's DenyGroups turns away. It is what `none` means over
 * SSH, and what suspends an account or holds it to its dates; it shuts an account for the moment in which
 * its shell moves from bash to chroot.
 */
#include <stdio.h>

#include "base/str.h"
#include "resource/resource.h"

enum { SHUT, OPEN };

static int add(struct sp_plan *p, const char *user, int what, enum sp_phase phase, enum sp_effect effect,
               struct sp_error *err)
{
    struct sp_change *change = sp_plan_add(p, &sp_resource_gate, phase, effect, what, err);

    if (change == NULL)
        return -1;
    (void)sp_str_copy(change->target, sizeof(change->target), user);
    (void)sp_str_copy(change->from, sizeof(change->from), what == SHUT ? "open" : "shut");
    (void)sp_str_copy(change->to, sizeof(change->to), what == SHUT ? "shut" : "open");
    return 0;
}

/* A wide shell is about to become ours: nobody may come in while it is neither. */
static bool moves_into_jail(const struct sp_ctx *c)
{
    return !sp_ctx_absent(c) && c->desired->shell == SP_SHELL_CHROOT &&
           sp_loginshell_width(c->user->shell) == 2;
}

/* The gate of an account whose shell nobody asked for is left as it is found, but where we shut it. */
static bool is_ours(const struct sp_ctx *c)
{
    const struct sp_access *before = &c->applied->access;

    return sp_ctx_absent(c) || c->own_shut || c->desired->shell != SP_SHELL_UNSET || before->suspended ||
           before->valid_from != 0 || before->valid_until != 0;
}

/* Its first day has come: it was we who shut the gate until then, and reconcile opens it. */
static bool has_begun(const struct sp_ctx *c)
{
    return !sp_ctx_absent(c) && c->desired->access.valid_from != 0;
}

static int gate_plan(const struct sp_ctx *c, struct sp_plan *p, struct sp_error *err)
{
    bool shut = false, wanted;

    if (c->user == NULL || sp_userdb_in_group(c->host, SP_GROUP_NONE, c->user->name, &shut, err) < 0) {
        if (c->user != NULL && err->code != SP_E_NOT_FOUND)
            return -1;
        shut = false;
    }
    wanted = sp_ctx_shut(c);
    if (c->user == NULL || (!wanted && !is_ours(c)))
        return 0;
    if (wanted)
        return shut ? 0 : add(p, c->user->name, SHUT, SP_NARROW, SP_TIGHTENS, err);
    if (moves_into_jail(c) && !shut) {
        if (add(p, c->user->name, SHUT, SP_NARROW, SP_TIGHTENS, err) < 0)
            return -1;
        return add(p, c->user->name, OPEN, SP_WIDEN, SP_NEUTRAL, err);
    }
    return shut ? add(p, c->user->name, OPEN, SP_WIDEN, has_begun(c) ? SP_NEUTRAL : SP_LOOSENS, err) : 0;
}

static int gate_apply(const struct sp_ctx *c, const struct sp_plan *p, enum sp_phase phase,
                      struct sp_error *err)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct sp_change *change = &p->v[i];
        if (change->resource != &sp_resource_gate || change->phase != phase)
            continue;
        if (sp_userdb_set_member(c->host, SP_GROUP_NONE, change->target,
                                 change->what == SHUT ? SP_MEMBER_ADD : SP_MEMBER_REMOVE, err) < 0)
            return -1;
    }
    return 0;
}

static int gate_read_back(const struct sp_ctx *c, struct sp_change *change, struct sp_error *err)
{
    bool shut = false;

    if (sp_userdb_in_group(c->host, SP_GROUP_NONE, change->target, &shut, err) < 0)
        return -1;
    return sp_str_copy(change->read_back, sizeof(change->read_back), shut ? "shut" : "open");
}

const struct sp_resource sp_resource_gate = {"gate", gate_plan, gate_apply, gate_read_back, NULL};
