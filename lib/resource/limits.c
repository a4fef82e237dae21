/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What all SSH sessions of the account together may take: a drop-in of systemd's for the user's slice. It
 * stays, like the jail's files, while the account is managed. Where the host has no such slices the jail
 * counts processes itself (the entry record), and what was asked for and is not held is said.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/replace.h"
#include "host/slice.h"
#include "resource/resource.h"

#define FILE_MAX 65536

static bool wanted(const struct sp_ctx *c)
{
    return c->user != NULL && !sp_ctx_absent(c) &&
           (c->desired->shell == SP_SHELL_BASH || c->desired->shell == SP_SHELL_CHROOT);
}

static bool is_none(const struct sp_limits *l)
{
    return l->processes == 0 && l->memory_mib == 0;
}

static void drop_in(const struct sp_ctx *c, char dir[SP_PATH_SIZE], char path[SP_PATH_SIZE])
{
    sp_slice_dir(c->user != NULL ? c->user->uid : c->desired->uid, dir);
    (void)sp_str_format(path, SP_PATH_SIZE, "%s/" SP_SLICE_FILE, dir);
}

/* The file's text, and whether it is this account's. */
static int read_file(const struct sp_ctx *c, struct sp_buf *out, bool *ret_exists, bool *ret_ours,
                     struct stat *ret_st, struct sp_error *err)
{
    char dir[SP_PATH_SIZE], path[SP_PATH_SIZE];

    *ret_exists = *ret_ours = false;
    drop_in(c, dir, path);
    if (sp_fsat_read(c->host->root_fd, path, FILE_MAX, out, ret_st, err) < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    *ret_exists = true;
    *ret_ours = sp_limits_slice_is_of(sp_buf_str(out), c->desired->user);
    return 0;
}

/* Whether the file says it, and where sessions live also the kernel. */
static int is_right(const struct sp_ctx *c, const struct sp_limits *want, bool *ret_exists, bool *ret,
                    struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf have = {0}, text = {0};
    struct sp_limits live = *want;
    struct stat st = {0};
    bool ours = false;

    if (read_file(c, &have, ret_exists, &ours, &st, err) < 0 ||
        sp_limits_slice(c->user->name, want, &text, err) < 0)
        return -1;
    if (sp_slice_lives(c->host, c->user->uid))
        sp_slice_read(c->host, c->user->uid, &live);
    *ret = *ret_exists && sp_streq(sp_buf_str(&have), sp_buf_str(&text)) &&
           live.memory_mib == want->memory_mib &&
           (want->processes == 0 || live.processes == want->processes) &&
           (!c->host->real || (st.st_uid == 0 && (st.st_mode & 022) == 0));
    return 0;
}

static int add(const struct sp_ctx *c, struct sp_plan *p, enum sp_phase phase, const char *from,
               const struct sp_limits *to, struct sp_error *err)
{
    struct sp_change *change = sp_plan_add(p, &sp_resource_limits, phase, SP_NEUTRAL, 0, err);
    char dir[SP_PATH_SIZE], path[SP_PATH_SIZE], text[SP_LIMITS_TEXT] = "";

    if (change == NULL)
        return -1;
    drop_in(c, dir, path);
    if (to != NULL)
        sp_limits_text(to, text);
    (void)sp_str_format(change->target, sizeof(change->target), "%.500s", path);
    (void)sp_str_copy(change->from, sizeof(change->from), from);
    return sp_str_copy(change->to, sizeof(change->to), text);
}

/* Said plainly: what somebody asked for and this host does not hold. The default is not an asking. */
static int warn(const struct sp_ctx *c, const struct sp_limits *want, const char *why, struct sp_plan *p,
                struct sp_error *err)
{
    if (want->memory_mib != 0 &&
        sp_plan_warn(p, err, "the memory of this account is not limited, since %s", why) < 0)
        return -1;
    if (c->desired->limits.processes == 0)
        return 0;
    if (c->desired->shell == SP_SHELL_CHROOT)
        return sp_plan_warn(p, err, "the limit of %u processes counts the site's own too, since %s",
                            want->processes, why);
    return sp_plan_warn(p, err, "the processes of this account are not limited, since %s", why);
}

static int plan_wanted(const struct sp_ctx *c, struct sp_plan *p, struct sp_error *err)
{
    const struct sp_limits want = sp_policy_limits(c->config, c->desired);
    const char *why = "";
    bool exists = false, right = false;

    if (!sp_slice_usable(c->host, &why))
        return warn(c, &want, why, p, err);
    if (is_right(c, &want, &exists, &right, err) < 0)
        return -1;
    if (is_none(&want))
        return exists ? add(c, p, SP_BUILD, "written", NULL, err) : 0;
    return right ? 0 : add(c, p, SP_BUILD, exists ? "different" : "", &want, err);
}

static int limits_plan(const struct sp_ctx *c, struct sp_plan *p, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    bool exists = false, ours = false;

    if (wanted(c))
        return plan_wanted(c, p, err);
    if (!sp_ctx_absent(c))
        return 0;
    if (read_file(c, &text, &exists, &ours, NULL, err) < 0)
        return -1;
    return ours ? add(c, p, SP_NARROW, "written", NULL, err) : 0;
}

static int remove_file(const struct sp_ctx *c, struct sp_error *err)
{
    char dir[SP_PATH_SIZE], path[SP_PATH_SIZE];
    _cleanup_close_ int fd = -1;

    drop_in(c, dir, path);
    fd = sp_fsat_open_dir(c->host->root_fd, dir, SP_FSAT_NONE, err);
    if (fd < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    if (sp_replace_remove(c->host, fd, SP_SLICE_FILE, err) < 0)
        return -1;
    return sp_replace_remove_empty(c->host, dir, err); /* the admin's own drop-ins keep it */
}

static int write_file(const struct sp_ctx *c, const struct sp_limits *want, struct sp_error *err)
{
    const struct sp_replace how = {.mode = 0644, .uid = 0, .gid = 0, .relabel = true};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    char dir[SP_PATH_SIZE], path[SP_PATH_SIZE];
    _cleanup_close_ int fd = -1;

    drop_in(c, dir, path);
    fd = sp_fsat_make_dirs(c->host->root_fd, dir, 0755, err);
    if (fd < 0 || sp_limits_slice(c->user->name, want, &text, err) < 0)
        return -1;
    return sp_replace_at(c->host, fd, SP_SLICE_FILE, text.data, text.len, &how, err);
}

static int limits_apply(const struct sp_ctx *c, const struct sp_plan *p, enum sp_phase phase,
                        struct sp_error *err)
{
    const struct sp_limits want = sp_policy_limits(c->config, c->desired);

    for (size_t i = 0; i < p->n; i++) {
        const struct sp_change *change = &p->v[i];
        if (change->resource != &sp_resource_limits || change->phase != phase)
            continue;
        if ((change->to[0] != '\0' ? write_file(c, &want, err) : remove_file(c, err)) < 0)
            return -1;
        if (phase == SP_BUILD && sp_slice_lives(c->host, c->user->uid) &&
            sp_slice_set(c->host, c->user->uid, &want, err) < 0)
            return -1;
    }
    return 0;
}

static int limits_read_back(const struct sp_ctx *c, struct sp_change *change, struct sp_error *err)
{
    const struct sp_limits want = sp_policy_limits(c->config, c->desired);
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    bool exists = false, right = false;

    if (change->phase != SP_BUILD || is_none(&want)) {
        if (read_file(c, &text, &exists, &right, NULL, err) < 0)
            return -1;
        return sp_str_copy(change->read_back, sizeof(change->read_back), exists ? "written" : "");
    }
    if (is_right(c, &want, &exists, &right, err) < 0)
        return -1;
    return sp_str_copy(change->read_back, sizeof(change->read_back), right ? change->to : "different");
}

const struct sp_resource sp_resource_limits = {"limits", limits_plan, limits_apply, limits_read_back, NULL};
