/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "resource/shown.h"

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/genbuild.h"
#include "host/layout.h"
#include "resource/profiles.h"

/* What a login will find: no profile is read for it. False: this set has no generation yet. */
static bool read_built(const struct sp_ctx *c, const char *set, struct sp_shown *ret)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    char path[SP_PATH_SIZE];
    struct sp_error ignored;
    _cleanup_close_ int dir = -1;

    if (sp_str_format(path, sizeof(path), SP_STORE "/sets/%s", set) < 0)
        return false;
    dir = sp_fsat_open_dir(c->host->root_fd, path, SP_FSAT_FOLLOW, &ignored);
    return dir >= 0 && sp_fsat_read(dir, SP_SHOWN_FILE, SP_SHOWN_MAX_BYTES, &text, NULL, &ignored) == 0 &&
           sp_shown_parse(sp_buf_str(&text), text.len, ret, &ignored) == 0;
}

/* The generation's resource has planned before all that mounts. */
static bool will_be_built(const struct sp_plan *p)
{
    for (size_t i = 0; p != NULL && i < p->n; i++)
        if (sp_streq(p->v[i].resource->name, "generation"))
            return true;
    return false;
}

int sp_shown_of(const struct sp_ctx *c, const struct sp_account *a, const struct sp_plan *p,
                struct sp_shown *ret, struct sp_error *err)
{
    _cleanup_(sp_profiles_clear) struct sp_profiles profiles = {0};
    char set[SP_PROFILES_MAX * SP_PROFILE_NAME_SIZE];

    sp_account_set_name(a, set);
    if (!will_be_built(p) && read_built(c, set, ret))
        return 0;
    if (sp_profiles_load(c->host, c->config, a, &profiles, err) < 0)
        return sp_error_is_blind(err) ? -1 : 0;
    return sp_genbuild_shown(profiles.v, profiles.n, ret, err);
}

int sp_shown_warn(const struct sp_ctx *c, const struct sp_shown *s, struct sp_plan *p, struct sp_error *err)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct sp_shown_item *item = &s->v[i];
        const char *lacks = sp_genbuild_lacks(c->host, item);
        int r = 0;

        if (item->kind == SP_SHOWN_DENIED)
            r = sp_plan_warn(p, err,
                             "the jail does not show %.200s: jail_trees and jail_sockets in "
                             "sallyport.conf do not allow it",
                             item->path);
        else if (lacks != NULL)
            r = sp_plan_warn(p, err, "the jail has no %.200s: %s", item->path, lacks);
        if (r < 0)
            return -1;
    }
    return 0;
}
