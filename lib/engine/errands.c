/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/errands.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/genbuild.h"
#include "host/generation.h"
#include "host/genstore.h"
#include "host/idmap.h"
#include "host/prove.h"
#include "host/tryshell.h"
#include "host/userdb.h"
#include "resource/profiles.h"

static bool is_named(const char *set, const char *name)
{
    char all[sizeof(((struct sp_errand *)0)->profiles) + 2], one[SP_PROFILE_NAME_SIZE + 2];

    return sp_str_format(all, sizeof(all), "+%s+", set) == 0 &&
           sp_str_format(one, sizeof(one), "+%s+", name) == 0 && strstr(all, one) != NULL;
}

/* What a login would find mounted beside it. */
static int load_shown(struct sp_engine *e, const char *name, struct sp_shown *ret, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    char path[SP_PATH_SIZE];

    if (sp_str_format(path, sizeof(path), SP_STORE "/gen/%s/" SP_SHOWN_FILE, name) < 0)
        return sp_fail(err, SP_E_INTERNAL, 0, "path too long");
    if (sp_fsat_read(e->host->root_fd, path, SP_SHOWN_MAX_BYTES, &text, NULL, err) < 0)
        return -1;
    return sp_shown_parse(sp_buf_str(&text), text.len, ret, err);
}

static int prove(struct sp_engine *e, struct sp_errand *errand, struct sp_error *err)
{
    _cleanup_(sp_profiles_clear) struct sp_profiles profiles = {0};
    _cleanup_(sp_shown_clear) struct sp_shown shown = {0};
    size_t n = 0;

    if (!sp_streq(errand->name, SP_GENBUILD_STAGE) && !sp_genstore_is_hash(errand->name))
        return sp_fail(err, SP_E_INVALID, 0, "not the name of a generation: %s", errand->name);
    if (sp_profiles_load_set(e->host, e->config, errand->profiles, &profiles, err) < 0 ||
        load_shown(e, errand->name, &shown, err) < 0)
        return -1;
    /* What they require is loaded too, and proved where it is asked for. */
    for (size_t i = 0; i < profiles.n; i++)
        if (is_named(errand->profiles, profiles.v[i]->name))
            profiles.v[n++] = profiles.v[i];
    return sp_prove_run(errand->name, profiles.v, n, &shown, err);
}

static int keep(struct sp_engine *e, struct sp_errand *errand, struct sp_error *err)
{
    return sp_idmap_keep(e->host, &errand->map, err);
}

static int drop(struct sp_engine *e, struct sp_errand *errand, struct sp_error *err)
{
    return sp_idmap_drop(e->host, &errand->map, err);
}

static int try(struct sp_engine *e, struct sp_errand *errand, struct sp_error *err)
{
    return sp_idmap_try(e->host, &errand->map, errand->path, err);
}

static int dev(struct sp_engine *e, struct sp_errand *errand, struct sp_error *err)
{
    (void)errand;
    return sp_generation_ensure_dev(e->host, err);
}

/* His shell is what passwd says, here too. */
static int shell(struct sp_engine *e, struct sp_errand *errand, struct sp_error *err)
{
    struct sp_user u;

    if (sp_userdb_get(e->host, errand->name, &u, err) < 0)
        return -1;
    if (u.uid == 0 || u.uid != errand->map.uid)
        return sp_fail(err, SP_E_INVALID, 0, "no shell of %s is tried", errand->name);
    if (errand->shell.deadline_ms == 0 || errand->shell.deadline_ms > SP_TRYSHELL_DEADLINE_MS)
        errand->shell.deadline_ms = SP_TRYSHELL_DEADLINE_MS;
    return sp_tryshell_run(e->host, &u, &errand->shell, err);
}

int sp_errands_serve(struct sp_engine *e, int fd, struct sp_errand *ret, struct sp_error *err)
{
    static int (*const doing[SP_ERRAND_KINDS])(struct sp_engine *, struct sp_errand *,
                                               struct sp_error *) = {
        [SP_ERRAND_PROVE] = prove, [SP_ERRAND_KEEP] = keep, [SP_ERRAND_DROP] = drop,
        [SP_ERRAND_TRY] = try,     [SP_ERRAND_DEV] = dev,   [SP_ERRAND_SHELL] = shell,
    };
    if (sp_errand_take(fd, ret, err) < 0)
        return -1;
    return doing[ret->kind](e, ret, err);
}
