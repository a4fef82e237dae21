/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Membership of the groups that sshd's drop-in matches: what an account may do over SSH, without a reload
 * for each. */
#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "resource/memberships.h"
#include "resource/resource.h"

static int is_member(const struct sp_ctx *c, const char *group, bool *ret, struct sp_error *err)
{
    *ret = false;
    if (sp_userdb_in_group(c->host, group, c->user->name, ret, err) < 0 && err->code != SP_E_NOT_FOUND)
        return -1;
    return 0;
}

/* An account that is new here was under no policy at all: joining all its groups in one rewrite, the first
 * of them among them, opens nothing. */
static int groups_plan(const struct sp_ctx *c, struct sp_plan *p, struct sp_error *err)
{
    bool new = false;

    for (size_t i = 0; c->user != NULL && i < SP_MEMBERSHIPS; i++) {
        const struct sp_membership_rule *m = &sp_membership_rules()[i];
        bool wanted = m->wanted(c), is = false;
        struct sp_change *change;

        if (is_member(c, m->group, &is, err) < 0)
            return -1;
        if (is == wanted)
            continue;
        if (i == 0)
            new = wanted && !is;
        change = sp_plan_add(p, &sp_resource_groups,
                             wanted && new ? SP_NARROW
                             : wanted      ? m->join
                                           : m->leave,
                             wanted ? m->joined : m->left, (int)i, err);
        if (change == NULL)
            return -1;
        (void)sp_str_format(change->target, sizeof(change->target), "%s", m->group);
        (void)sp_str_format(change->from, sizeof(change->from), "%s", is ? "member" : "");
        (void)sp_str_format(change->to, sizeof(change->to), "%s", wanted ? "member" : "");
    }
    return 0;
}

static int groups_apply(const struct sp_ctx *c, const struct sp_plan *p, enum sp_phase phase,
                        struct sp_error *err)
{
    struct sp_member members[SP_MEMBERSHIPS];
    size_t n = 0;

    for (size_t i = 0; i < p->n; i++) {
        const struct sp_change *change = &p->v[i];
        if (change->resource == &sp_resource_groups && change->phase == phase && n < SP_COUNT(members))
            members[n++] = (struct sp_member){sp_membership_rules()[change->what].group,
                                              change->to[0] != '\0' ? SP_MEMBER_ADD : SP_MEMBER_REMOVE};
    }
    return n > 0 ? sp_userdb_set_members(c->host, c->user->name, members, n, err) : 0;
}

static int groups_read_back(const struct sp_ctx *c, struct sp_change *change, struct sp_error *err)
{
    bool is = false;

    if (is_member(c, change->target, &is, err) < 0)
        return -1;
    return sp_str_copy(change->read_back, sizeof(change->read_back), is ? "member" : "");
}

const struct sp_resource sp_resource_groups = {"group", groups_plan, groups_apply, groups_read_back, NULL};
