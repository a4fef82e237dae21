/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An extra login's id map, which is made again after every boot, and its system user. The user is made
 * before the transaction that gives him access (engine/logins.c); he is taken away here, when everything
 * else is.
 */
#include "resource/extra.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/idmap.h"
#include "host/replace.h"
#include "host/userlogin.h"
#include "resource/resource.h"

enum { MAP, USER };

static int add(struct sp_plan *p, int what, enum sp_phase phase, enum sp_effect effect, const char *target,
               const char *from, const char *to, struct sp_error *err)
{
    struct sp_change *change = sp_plan_add(p, &sp_resource_user, phase, effect, what, err);

    if (change == NULL)
        return -1;
    (void)sp_str_copy(change->target, sizeof(change->target), target);
    (void)sp_str_copy(change->from, sizeof(change->from), from);
    (void)sp_str_copy(change->to, sizeof(change->to), to);
    return 0;
}

static int is_there(const struct sp_ctx *c, bool *ret, struct sp_error *err)
{
    char home[SP_PATH_SIZE];

    sp_extra_home(c->desired, home);
    if (sp_userlogin_exists(c->host, c->desired->user, c->desired->uid, ret, err) < 0)
        return -1;
    *ret |= !sp_fsat_is_missing(c->host->root_fd, home);
    return 0;
}

static int user_plan(const struct sp_ctx *c, struct sp_plan *p, struct sp_error *err)
{
    struct sp_idmap map;
    char path[128];
    bool kept = false, there = false;

    if (!sp_extra_is(&c->desired->extra))
        return 0;
    sp_extra_map(c->desired, &map);
    sp_layout_idmap(&map, path);
    if (sp_idmap_is_kept(c->host, &map, &kept, err) < 0)
        return -1;
    if (!sp_ctx_absent(c))
        return kept ? 0 : add(p, MAP, SP_BUILD, SP_NEUTRAL, path, "", "kept", err);
    if (kept && add(p, MAP, SP_WIDEN, SP_TIGHTENS, path, "kept", "", err) < 0)
        return -1;
    if (is_there(c, &there, err) < 0)
        return -1;
    return there ? add(p, USER, SP_WIDEN, SP_TIGHTENS, c->desired->user, "there", "", err) : 0;
}

static int remove_home(const struct sp_ctx *c, struct sp_error *err)
{
    char path[SP_PATH_SIZE];
    _cleanup_close_ int dir = -1;

    sp_extra_dir(c->desired->extra.owner_uid, path);
    dir = sp_fsat_open_dir(c->host->root_fd, path, SP_FSAT_NONE, err);
    if (dir < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    if (sp_sync_now(c->host, err) < 0 || sp_fsat_remove_tree(dir, c->desired->user, err) < 0)
        return -1;
    return sp_replace_remove_empty(c->host, path, err); /* the last one's */
}

/* The directory of homes last: it is what tells of the login. */
static int apply_one(const struct sp_ctx *c, const struct sp_change *change, struct sp_error *err)
{
    struct sp_idmap map;

    sp_extra_map(c->desired, &map);
    if (change->what == MAP)
        return change->to[0] != '\0' ? sp_idmap_keep(c->host, &map, err)
                                     : sp_idmap_drop(c->host, &map, err);
    if (sp_userlogin_remove(c->host, c->desired->user, c->desired->uid, err) < 0)
        return -1;
    return remove_home(c, err);
}

static int user_apply(const struct sp_ctx *c, const struct sp_plan *p, enum sp_phase phase,
                      struct sp_error *err)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].resource == &sp_resource_user && p->v[i].phase == phase &&
            apply_one(c, &p->v[i], err) < 0)
            return -1;
    return 0;
}

static int user_read_back(const struct sp_ctx *c, struct sp_change *change, struct sp_error *err)
{
    struct sp_idmap map;
    bool there = false;

    sp_extra_map(c->desired, &map);
    if (change->what == MAP) {
        if (sp_idmap_is_kept(c->host, &map, &there, err) < 0)
            return -1;
        return sp_str_copy(change->read_back, sizeof(change->read_back), there ? "kept" : "");
    }
    if (is_there(c, &there, err) < 0)
        return -1;
    return sp_str_copy(change->read_back, sizeof(change->read_back), there ? "there" : "");
}

/* A filesystem that takes no map gives no files: better said now than at the login. */
static int user_prove(const struct sp_ctx *c, struct sp_error *err)
{
    struct sp_idmap map;

    if (!sp_extra_is(&c->desired->extra) || sp_ctx_absent(c) || c->desired->shell == SP_SHELL_NONE)
        return 0;
    sp_extra_map(c->desired, &map);
    return sp_idmap_try(c->host, &map, c->desired->domains[0].document_root, err);
}

const struct sp_resource sp_resource_user = {"user", user_plan, user_apply, user_read_back, user_prove};
