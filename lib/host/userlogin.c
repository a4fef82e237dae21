/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/userlogin.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/dbfile.h"
#include "host/fsat.h"
#include "host/layout.h"
#include "host/proctable.h"
#include "host/userdb.h"
#include "model/pwuser.h"

#define N_FILES 4
#define DAY 86400

static const enum sp_pwuser_file order[N_FILES] = {SP_PWUSER_GSHADOW, SP_PWUSER_SHADOW, SP_PWUSER_GROUP,
                                                   SP_PWUSER_PASSWD};

struct files {
    struct sp_dbfile v[N_FILES];
    struct sp_buf out[N_FILES];
};

static void clear(struct files *f)
{
    for (size_t i = 0; i < N_FILES; i++) {
        sp_dbfile_clear(&f->v[i]);
        sp_buf_wipe(&f->out[i]); /* shadow's among them */
    }
}

static int read_all(struct sp_host *h, struct files *f, struct sp_error *err)
{
    for (size_t i = 0; i < N_FILES; i++)
        f->v[i] = (struct sp_dbfile)SP_DBFILE_INIT;
    for (size_t i = 0; i < N_FILES; i++)
        if (sp_dbfile_read(h, sp_pwuser_file_name(order[i]), &f->v[i], err) != 0)
            return -1;
    return 0;
}

/* u: add him; NULL: remove. A host without shadow or gshadow goes without them. */
static int change(struct sp_host *h, const char *name, uint32_t id, const struct sp_pwuser *u,
                  struct sp_error *err)
{
    _cleanup_(sp_stage_clear) struct sp_stage stage = {0};
    _cleanup_(clear) struct files f = {0};
    _cleanup_close_ int lock = sp_dbfile_lock(h, err);
    bool written;

    if (lock < 0 || read_all(h, &f, err) < 0)
        return -1;
    for (size_t i = 0; i < N_FILES; i++) {
        const struct sp_buf *old = &f.v[i].bytes;
        if (!f.v[i].exists)
            continue;
        if ((u != NULL ? sp_pwuser_add(old->data, old->len, order[i], u, &f.out[i], err)
                       : sp_pwuser_remove(old->data, old->len, order[i], name, id, &f.out[i], err)) < 0 ||
            sp_dbfile_stage(h, &f.v[i], &f.out[i], &stage, err) < 0)
            return -1;
    }
    written = stage.n > 0;
    if (sp_stage_commit(h, &stage, err) < 0)
        return -1;
    (void)close(sp_steal_fd(&lock));
    if (written)
        sp_dbfile_flush_caches(h);
    return 0;
}

int sp_userlogin_add(struct sp_host *h, const char *name, uint32_t id, const char *home,
                     struct sp_error *err)
{
    const struct sp_pwuser u = {
        .name = name, .id = id, .home = home, .shell = "/bin/false", .today = h->ops->now(h) / DAY};

    return change(h, name, id, &u, err);
}

int sp_userlogin_remove(struct sp_host *h, const char *name, uint32_t id, struct sp_error *err)
{
    struct sp_user passwd;

    /* shadow and gshadow have no numbers: where the name is somebody else's by now, so are its lines. */
    if (sp_userdb_get(h, name, &passwd, err) == 0) {
        if (passwd.uid != id)
            return 0;
    } else if (err->code != SP_E_NOT_FOUND)
        return -1;
    return change(h, name, id, NULL, err);
}

static int has(struct sp_host *h, enum sp_pwuser_file file, const char *name, uint32_t id, bool *ret,
               struct sp_error *err)
{
    _cleanup_(sp_dbfile_clear) struct sp_dbfile f = SP_DBFILE_INIT;

    if (sp_dbfile_read(h, sp_pwuser_file_name(file), &f, err) < 0)
        return -1;
    *ret = f.exists && sp_pwuser_has(f.bytes.data, f.bytes.len, file, name, id);
    return 0;
}

int sp_userlogin_is_named(struct sp_host *h, const char *name, bool *ret, struct sp_error *err)
{
    if (has(h, SP_PWUSER_PASSWD, name, 0, ret, err) < 0)
        return -1;
    return *ret ? 0 : has(h, SP_PWUSER_GROUP, name, 0, ret, err);
}

int sp_userlogin_exists(struct sp_host *h, const char *name, uint32_t id, bool *ret, struct sp_error *err)
{
    struct sp_user passwd;
    bool stranger = sp_userdb_get(h, name, &passwd, err) == 0 && passwd.uid != id;

    *ret = false;
    for (size_t i = 0; i < N_FILES && !*ret && !stranger; i++)
        if (has(h, order[i], name, 0, ret, err) < 0)
            return -1;
    return 0;
}

static void mark(bool *taken, uint32_t min, uint32_t max, uint32_t id)
{
    if (id >= min && id <= max)
        taken[id - min] = true;
}

/* Whose processes there are: a bit for each number of the range. */
static int mark_processes(struct sp_host *h, uint32_t min, uint32_t max, bool *taken, struct sp_error *err)
{
    _cleanup_(sp_proctable_clear) struct sp_proctable t = {0};

    if (sp_proctable_read(h, 0, &t, err) < 0)
        return -1;
    for (size_t i = 0; i < t.n; i++) {
        mark(taken, min, max, t.procs[i].uid);
        mark(taken, min, max, t.procs[i].euid);
    }
    return 0;
}

/* A record of the number, or a home below it: something of the last one is left. */
static bool is_left(struct sp_host *h, uint32_t id)
{
    char path[64];

    (void)sp_str_format(path, sizeof(path), SP_STORE "/entry/%u", id);
    return !sp_fsat_is_missing(h->root_fd, path);
}

static int is_free(struct sp_host *h, uint32_t id, bool *ret, struct sp_error *err)
{
    bool user = false, group = false;

    if (has(h, SP_PWUSER_PASSWD, NULL, id, &user, err) < 0 ||
        has(h, SP_PWUSER_GROUP, NULL, id, &group, err) < 0)
        return -1;
    *ret = !user && !group && !is_left(h, id);
    return 0;
}

int sp_userlogin_choose(struct sp_host *h, uint32_t min, uint32_t max, uint32_t last, uint32_t *ret,
                        struct sp_error *err)
{
    uint32_t span = max - min + 1, begin = last >= min && last < max ? last - min + 1 : 0;
    _cleanup_free_ bool *taken = calloc(span, sizeof(*taken));

    if (taken == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (mark_processes(h, min, max, taken, err) < 0)
        return -1;
    for (uint32_t i = 0; i < span; i++) {
        uint32_t at = (begin + i) % span;
        bool free_id = false;
        if (taken[at])
            continue;
        if (is_free(h, min + at, &free_id, err) < 0)
            return -1;
        if (free_id) {
            *ret = min + at;
            return 0;
        }
    }
    sp_fail(err, SP_E_CONFLICT, 0, "every uid from %u to %u is taken", min, max);
    return sp_hint(err, "widen login_uids in sallyport.conf");
}
