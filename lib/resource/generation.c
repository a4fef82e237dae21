/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The store of a jail: the generation of the account's profile set, made once per server and shared by
 * every account. */
#include "host/generation.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/closure.h"
#include "host/fsat.h"
#include "host/layout.h"
#include "resource/profiles.h"
#include "resource/resource.h"

static bool wanted(const struct sp_ctx *c)
{
    return !sp_ctx_absent(c) && c->desired->shell == SP_SHELL_CHROOT;
}

/* What stands is taken for granted: whether it is as new as the host is asked once for each set, not once
 * for each account (engine/refresh.h). */
static int is_current(const struct sp_ctx *c, const char *set, bool *ret, struct sp_error *err)
{
    _cleanup_close_ int fd = -1;
    char path[SP_PATH_SIZE];

    if (sp_str_format(path, sizeof(path), SP_STORE "/sets/%s/usr", set) < 0)
        return sp_fail(err, SP_E_INVALID, 0, "too many profiles");
    fd = sp_fsat_open_dir(c->host->root_fd, path, SP_FSAT_FOLLOW, err);
    *ret = fd >= 0 && sp_fsat_exists(c->host->root_fd, SP_STORE "/dev/null");
    return 0;
}

/* base names what some hosts have and others not; somebody who names a profile wants all that is in it. */
static bool only_base_has(const struct sp_profiles *p, const char *name, size_t len)
{
    bool in_base = false;

    for (size_t i = 0; i < p->n; i++)
        for (size_t k = 0; k < p->v[i]->n_items; k++) {
            const char *value = p->v[i]->items[k].value;

            if (strncmp(value, name, len) != 0 || value[len] != '\0')
                continue;
            if (!sp_streq(p->v[i]->name, "base"))
                return false;
            in_base = true;
        }
    return in_base;
}

static int warn_of_missing(struct sp_host *h, const struct sp_profiles *profiles, struct sp_plan *p,
                           struct sp_error *err)
{
    _cleanup_(sp_manifest_clear) struct sp_manifest m = {0};
    char list[sizeof(m.missing) * 2] = "";
    size_t used = 0;

    if (sp_closure_collect(h, profiles->v, profiles->n, &m, err) < 0)
        return -1;
    for (const char *at = m.missing; *at != '\0'; at += strspn(at, " ")) {
        size_t len = strcspn(at, " ");

        if (!only_base_has(profiles, at, len) && sp_str_format(list + used, sizeof(list) - used, "%s%.*s",
                                                               used > 0 ? ", " : "", (int)len, at) == 0)
            used += strlen(list + used);
        at += len;
    }
    return used == 0 ? 0 : sp_plan_warn(p, err, "this host has no %s: the jail has to do without", list);
}

/* Where a request names them: what builds a generation knows of profiles alone. */
static int in_the_request(struct sp_error *err)
{
    return sp_str_prefix(err->field, "profiles.", NULL) ? sp_field_prefix(err, "jail") : -1;
}

static int generation_plan(const struct sp_ctx *c, struct sp_plan *p, struct sp_error *err)
{
    _cleanup_(sp_profiles_clear) struct sp_profiles profiles = {0};
    char set[SP_PROFILES_MAX * SP_PROFILE_NAME_SIZE];
    struct sp_change *change;
    bool current = false;

    if (!wanted(c))
        return 0;
    sp_account_set_name(c->desired, set);
    if (is_current(c, set, &current, err) < 0)
        return -1;
    if (current)
        return 0;
    /* Unknown profiles are the request's mistake, and what the host has not got cannot be promised: both
     * are said before anything is done. */
    if (sp_profiles_load(c->host, c->config, c->desired, &profiles, err) < 0 ||
        warn_of_missing(c->host, &profiles, p, err) < 0)
        return in_the_request(err);
    change = sp_plan_add(p, &sp_resource_generation, SP_PREPARE, SP_NEUTRAL, 0, err);
    if (change == NULL)
        return -1;
    (void)sp_str_copy(change->target, sizeof(change->target), set);
    (void)sp_str_copy(change->to, sizeof(change->to), "built and proved");
    return 0;
}

static int generation_apply(const struct sp_ctx *c, const struct sp_plan *p, enum sp_phase phase,
                            struct sp_error *err)
{
    _cleanup_(sp_profiles_clear) struct sp_profiles profiles = {0};
    struct sp_generation g = {0};
    size_t i = 0;

    while (i < p->n && (p->v[i].resource != &sp_resource_generation || p->v[i].phase != phase))
        i++;
    if (i == p->n)
        return 0;
    if (sp_profiles_load(c->host, c->config, c->desired, &profiles, err) < 0 ||
        sp_generation_ensure_dev(c->host, err) < 0)
        return -1;
    if (sp_generation_ensure(c->host, p->v[i].target, profiles.v, profiles.n, SP_GENERATION_SOURCES, &g,
                             err) < 0)
        return in_the_request(err);
    return 0;
}

static int generation_read_back(const struct sp_ctx *c, struct sp_change *change, struct sp_error *err)
{
    char path[SP_PATH_SIZE], target[256];
    ssize_t n;

    if (sp_str_format(path, sizeof(path), &SP_STORE "/sets/%s"[1], change -> target) < 0)
        return sp_fail(err, SP_E_INVALID, 0, "too many profiles");
    n = readlinkat(c->host->root_fd, path, target, sizeof(target) - 1);
    target[n > 0 ? n : 0] = '\0';
    return sp_str_format(change->read_back, sizeof(change->read_back), "%s",
                         n > 0 ? strrchr(target, '/') + 1 : "");
}

const struct sp_resource sp_resource_generation = {"generation", generation_plan, generation_apply,
                                                   generation_read_back, NULL};
