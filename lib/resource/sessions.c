/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Running logins: ended when access is withdrawn, when a plain shell becomes a jailed one, or when a
 * jail's root is given up. The site's own processes go on. */
#include "base/mem.h"

#include "base/str.h"
#include "host/sessions.h"
#include "resource/resource.h"

#define END_DEADLINE_MS 5000

/* The document root that is "/" of its jail was given up: its mount points go (points.c), and what is
 * mounted on them goes with them, in running jails too (mount_namespaces(7), on rmdir). */
static bool loses_root(const struct sp_ctx *c)
{
    const char *before[SP_ROOTS_MAX], *now[SP_ROOTS_MAX];
    size_t n_now = sp_account_roots(c->desired, now);

    if (c->applied->shell != SP_SHELL_CHROOT || sp_account_roots(c->applied, before) == 0)
        return false;
    for (size_t i = 0; i < n_now; i++)
        if (sp_streq(now[i], before[0]))
            return false;
    return true;
}

/* A session that an account may not have any more. An account whose shell was never ours keeps its
 * sessions. */
static bool must_end(const struct sp_ctx *c)
{
    if (sp_ctx_absent(c))
        return !sp_account_is_empty(c->applied) && c->applied->shell != SP_SHELL_UNSET;
    if (sp_ctx_shut(c))
        return true;
    if (loses_root(c))
        return true;
    return c->desired->shell == SP_SHELL_CHROOT && sp_loginshell_width(c->user->shell) == 2;
}

static int sessions_plan(const struct sp_ctx *c, struct sp_plan *p, struct sp_error *err)
{
    _cleanup_(sp_sessions_clear) struct sp_sessions now = {0};
    struct sp_change *change;

    if (c->user == NULL || !must_end(c))
        return 0;
    if (sp_sessions_find(c->host, c->user->name, c->user->uid, &now, err) < 0)
        return -1;
    if (now.n == 0)
        return 0;
    change = sp_plan_add(p, &sp_resource_sessions, SP_NARROW, SP_TIGHTENS, 0, err);
    if (change == NULL)
        return -1;
    (void)sp_str_format(change->target, sizeof(change->target), "%s", c->user->name);
    (void)sp_str_format(change->from, sizeof(change->from), "processes: %zu, logins: %zu", now.n,
                        now.n_logins);
    (void)sp_str_format(change->to, sizeof(change->to), "ended");
    return 0;
}

/* Planned or not: a login that was on its way in when the plan was made has arrived by now. */
static int sessions_apply(const struct sp_ctx *c, const struct sp_plan *p, enum sp_phase phase,
                          struct sp_error *err)
{
    size_t ended = 0;

    (void)p;
    if (phase != SP_NARROW || c->user == NULL || !must_end(c))
        return 0;
    return sp_sessions_end(c->host, c->user->name, c->user->uid, END_DEADLINE_MS, &ended, err);
}

static int sessions_read_back(const struct sp_ctx *c, struct sp_change *change, struct sp_error *err)
{
    _cleanup_(sp_sessions_clear) struct sp_sessions now = {0};

    if (sp_sessions_find(c->host, c->user->name, c->user->uid, &now, err) < 0)
        return -1;
    if (now.n == 0)
        return sp_str_copy(change->read_back, sizeof(change->read_back), "ended");
    return sp_str_format(change->read_back, sizeof(change->read_back), "processes: %zu, logins: %zu", now.n,
                         now.n_logins);
}

const struct sp_resource sp_resource_sessions = {"sessions", sessions_plan, sessions_apply,
                                                 sessions_read_back, NULL};
