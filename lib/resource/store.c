/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Our own records of the account, as far as others could come at them or we lose sight of it: who may read
 * its state, and the names of its domains in the index. Requests take both for granted; reconcile looks. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/layout.h"
#include "host/lock.h"
#include "host/replace.h"
#include "resource/resource.h"

enum { STATE, INDEX };

#define INDEX_DIR SP_STORE "/domains"
#define INDEX_LOCK SP_STORE "/domains.lock" /* engine/store.h */
#define LOCK_DEADLINE_MS 10000

static const char wide[] = "others may read or write", tight[] = "root's alone";

static void state_path(const struct sp_ctx *c, char out[SP_PATH_SIZE])
{
    (void)sp_str_format(out, SP_PATH_SIZE, SP_STORE "/state/%s.json", c->desired->user);
}

static int open_state(const struct sp_ctx *c, struct stat *ret, struct sp_error *err)
{
    _cleanup_close_ int fd = -1;
    char path[SP_PATH_SIZE];

    state_path(c, path);
    fd = sp_fsat_open(c->host->root_fd, path, O_RDONLY | O_NONBLOCK, 0, SP_FSAT_NONE, err);
    if (fd >= 0 && fstat(fd, ret) < 0)
        return sp_fail(err, SP_E_IO, errno, "%s", path);
    return sp_steal_fd(&fd);
}

static bool is_wide(const struct sp_ctx *c)
{
    struct sp_error ignored;
    struct stat st;
    _cleanup_close_ int fd = open_state(c, &st, &ignored);

    return fd >= 0 && c->host->real && (st.st_uid != 0 || (st.st_mode & 07777) != 0600);
}

/* The user whom the index has for the domain; "" for none. */
static void indexed(const struct sp_ctx *c, const char *domain, char ret[SP_USER_SIZE])
{
    char path[SP_PATH_SIZE];
    ssize_t n = -1;

    if (sp_str_format(path, sizeof(path), &INDEX_DIR "/%s"[1], domain) == 0)
        n = readlinkat(c->host->root_fd, path, ret, SP_USER_SIZE - 1);
    ret[n > 0 ? n : 0] = '\0';
}

/* Of an account that is not managed, or never was: then the domain is this account's, whose state says so.
 */
static bool is_free(const struct sp_ctx *c, const char *user)
{
    char path[SP_PATH_SIZE];

    return sp_str_format(path, sizeof(path), SP_STORE "/state/%s.json", user) < 0 ||
           sp_fsat_is_missing(c->host->root_fd, path);
}

static int add(struct sp_plan *p, int what, const char *target, const char *from, const char *to,
               struct sp_error *err)
{
    struct sp_change *change = sp_plan_add(p, &sp_resource_store, what == STATE ? SP_NARROW : SP_BUILD,
                                           what == STATE ? SP_TIGHTENS : SP_NEUTRAL, what, err);

    if (change == NULL)
        return -1;
    (void)sp_str_format(change->target, sizeof(change->target), "%.500s", target);
    (void)sp_str_format(change->from, sizeof(change->from), "%.500s", from);
    return sp_str_copy(change->to, sizeof(change->to), to);
}

static int plan_index(const struct sp_ctx *c, const char *domain, struct sp_plan *p, struct sp_error *err)
{
    char user[SP_USER_SIZE];

    indexed(c, domain, user);
    if (sp_streq(user, c->desired->user))
        return 0;
    if (user[0] == '\0' || is_free(c, user))
        return add(p, INDEX, domain, user, c->desired->user, err);
    return sp_plan_warn(p, err, "the index has %s for %s, and so has the state of %s", user, domain,
                        c->desired->user);
}

static int store_plan(const struct sp_ctx *c, struct sp_plan *p, struct sp_error *err)
{
    char path[SP_PATH_SIZE];

    if (!c->thorough || sp_ctx_absent(c))
        return 0;
    state_path(c, path);
    if (is_wide(c) && add(p, STATE, path, wide, tight, err) < 0)
        return -1;
    for (size_t i = 0; i < c->desired->n_domains && !sp_extra_is(&c->desired->extra); i++)
        if (plan_index(c, c->desired->domains[i].name, p, err) < 0)
            return -1;
    return 0;
}

/* The state is written anew by every transaction, with its own mode: what is left to do is to look. */
static int apply_index(const struct sp_ctx *c, const struct sp_change *change, struct sp_error *err)
{
    const char *domain = change->target;
    _cleanup_close_ int lock = sp_lock_take(c->host, INDEX_LOCK, LOCK_DEADLINE_MS, err);
    _cleanup_close_ int dir = -1;
    char user[SP_USER_SIZE];

    if (lock < 0)
        return -1;
    dir = sp_fsat_make_dirs(c->host->root_fd, INDEX_DIR, 0700, err);
    if (dir < 0)
        return -1;
    indexed(c, domain, user); /* somebody may have taken it meanwhile */
    if (user[0] != '\0' && strcmp(user, change->to) != 0 && !is_free(c, user))
        return sp_fail(err, SP_E_CONFLICT, 0, "%s is attached to %s too", domain, user);
    if (unlinkat(dir, domain, 0) < 0 && errno != ENOENT)
        return sp_fail(err, SP_E_IO, errno, INDEX_DIR "/%s", domain);
    if (symlinkat(change->to, dir, domain) < 0)
        return sp_fail(err, SP_E_IO, errno, INDEX_DIR "/%s", domain);
    return sp_sync_dir(c->host, dir, err);
}

static int store_apply(const struct sp_ctx *c, const struct sp_plan *p, enum sp_phase phase,
                       struct sp_error *err)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].resource == &sp_resource_store && p->v[i].phase == phase && p->v[i].what == INDEX &&
            apply_index(c, &p->v[i], err) < 0)
            return -1;
    return 0;
}

static int store_read_back(const struct sp_ctx *c, struct sp_change *change, struct sp_error *err)
{
    char user[SP_USER_SIZE];

    (void)err;
    if (change->what == STATE)
        return sp_str_copy(change->read_back, sizeof(change->read_back), is_wide(c) ? wide : tight);
    indexed(c, change->target, user);
    return sp_str_copy(change->read_back, sizeof(change->read_back), user);
}

const struct sp_resource sp_resource_store = {"store", store_plan, store_apply, store_read_back, NULL};
