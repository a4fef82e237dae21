/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is the account's own of its jail: the entry record, the names that /etc/passwd and /etc/group show
 * inside. It stays while the account is managed, so that running sessions are not disturbed by a change of
 * shell. The mount points are points.c's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/layout.h"
#include "host/recordfile.h"
#include "host/replace.h"
#include "resource/extra.h"
#include "resource/jail-names.h"
#include "resource/resource.h"
#include "resource/shown.h"

enum { RECORD, NAMES_PASSWD, NAMES_GROUP };

#define FILE_MAX 65536

static bool wanted(const struct sp_ctx *c)
{
    return c->user != NULL && !sp_ctx_absent(c) && c->desired->shell == SP_SHELL_CHROOT;
}

static int file_path(int what, uint32_t uid, char out[SP_PATH_SIZE])
{
    static const char *const formats[] = {[RECORD] = SP_STORE "/entry/%u",
                                          [NAMES_PASSWD] = SP_STORE "/names/%u/passwd",
                                          [NAMES_GROUP] = SP_STORE "/names/%u/group"};
    char number[16];
    const char *rest = NULL, *at = strstr(formats[what], "%u");

    (void)snprintf(number, sizeof(number), "%u", uid);
    rest = at + 2;
    return sp_str_format(out, SP_PATH_SIZE, "%.*s%s%s", (int)(at - formats[what]), formats[what], number,
                         rest);
}

static int record_text(const struct sp_ctx *c, struct sp_buf *out, struct sp_error *err)
{
    char paths[SP_ROOTS_MAX][SP_RECORD_PATH];
    const struct sp_limits limits = sp_policy_limits(c->config, c->desired);
    const char *roots[SP_ROOTS_MAX];
    char set[SP_PROFILES_MAX * SP_PROFILE_NAME_SIZE];
    struct sp_record r = {.uid = c->user->uid, .gid = c->user->gid, .roots = paths};

    r.n_roots = sp_account_roots(c->desired, roots);
    for (size_t i = 0; i < r.n_roots; i++)
        (void)sp_str_copy(paths[i], sizeof(paths[i]), roots[i]);
    r.tmp_mib = c->desired->tmp_mib != 0 ? c->desired->tmp_mib : c->config->tmp_mib;
    r.processes = limits.processes;
    /* /tmp is memory of the sessions': one that could take all of it would have every session killed. */
    if (limits.memory_mib != 0 && r.tmp_mib > limits.memory_mib / 2)
        r.tmp_mib = limits.memory_mib / 2;
    r.agent = c->desired->agent;
    sp_account_set_name(c->desired, set);
    if (sp_str_copy(r.profiles, sizeof(r.profiles), set) < 0)
        return sp_fail(err, SP_E_INVALID, 0, "the names of the profiles are too long together");
    if (sp_str_copy(r.user, sizeof(r.user), c->user->name) < 0 ||
        sp_str_copy(r.home, sizeof(r.home), c->user->home) < 0)
        return sp_fail(err, SP_E_INVALID, 0, "the name or home of %s is too long", c->user->name);
    if (sp_extra_is(&c->desired->extra) && sp_extra_record(c->desired, &r, err) < 0)
        return -1;
    return sp_record_format(&r, out, err);
}

static int file_text(const struct sp_ctx *c, int what, struct sp_buf *out, struct sp_error *err)
{
    return what == RECORD         ? record_text(c, out, err)
           : what == NAMES_PASSWD ? sp_jail_passwd(c, out, err)
                                  : sp_jail_group(c, SP_JAIL_LOOK, out, err);
}

/* The record is for root and the user's own group; the names are bound into a jail that he reads as
 * himself. */
static void file_rights(const struct sp_ctx *c, int what, struct sp_replace *ret)
{
    *ret = (struct sp_replace){
        .mode = what == RECORD ? 0640 : 0644, .uid = 0, .gid = what == RECORD ? c->user->gid : 0};
}

/* Reconcile asks for thousands of accounts: it does not look below their roots, requests do. */
static int text_is_right(const struct sp_ctx *c, int what, const struct sp_buf *have, bool *ret,
                         struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf want = {0};

    if (what == NAMES_GROUP && c->hangs) {
        *ret = have->len > 0;
        return 0;
    }
    if (what == NAMES_GROUP)
        return sp_jail_group_stands(c, c->thorough ? SP_JAIL_NO_LOOK : SP_JAIL_LOOK, have, ret, err);
    if (file_text(c, what, &want, err) < 0)
        return -1;
    *ret = have->len == want.len && memcmp(have->data, want.data, want.len) == 0;
    return 0;
}

static int file_is_right(const struct sp_ctx *c, int what, bool *ret_exists, bool *ret_right,
                         struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf have = {0};
    struct sp_replace rights;
    char path[SP_PATH_SIZE];
    struct stat st;

    *ret_exists = *ret_right = false;
    if (file_path(what, c->user != NULL ? c->user->uid : c->desired->uid, path) < 0)
        return sp_fail(err, SP_E_INTERNAL, 0, "path too long");
    if (sp_fsat_read(c->host->root_fd, path, FILE_MAX, &have, &st, err) < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    *ret_exists = true;
    if (!wanted(c))
        return 0;
    if (text_is_right(c, what, &have, ret_right, err) < 0)
        return -1;
    file_rights(c, what, &rights);
    *ret_right = *ret_right && (!c->host->real || ((st.st_mode & 07777) == rights.mode && st.st_uid == 0 &&
                                                   st.st_gid == rights.gid));
    return 0;
}

static int add(struct sp_plan *p, int what, const char *target, const char *from, const char *to,
               enum sp_phase phase, struct sp_error *err)
{
    struct sp_change *change = sp_plan_add(p, &sp_resource_jail, phase, SP_NEUTRAL, what, err);

    if (change == NULL)
        return -1;
    (void)sp_str_format(change->target, sizeof(change->target), "%.500s", target);
    (void)sp_str_copy(change->from, sizeof(change->from), from);
    (void)sp_str_copy(change->to, sizeof(change->to), to);
    return 0;
}

/* A uid comes back: the record of the user who has it now is not the one of him who is gone. */
static int is_anothers(const struct sp_ctx *c, struct sp_error *err)
{
    _cleanup_(sp_record_clear) struct sp_record r = {0};

    if (sp_recordfile_read(c->host, c->desired->uid, &r, err) < 0)
        return sp_error_is_blind(err) ? -1 : 0;
    return !sp_streq(r.user, c->desired->user);
}

/* A kill while it was written leaves the temporary file, one between the last file and its directory the
 * directory: both are planned like the file. */
static bool is_left(const struct sp_ctx *c, int what, const char *path)
{
    char other[SP_PATH_SIZE];

    if (sp_str_format(other, sizeof(other), "%s" SP_REPLACE_SUFFIX, path) == 0 &&
        !sp_fsat_is_missing(c->host->root_fd, other))
        return true;
    (void)sp_str_copy(other, sizeof(other), path);
    *strrchr(other, '/') = '\0';
    return what == NAMES_GROUP && !sp_fsat_is_missing(c->host->root_fd, other);
}

static int plan_files(const struct sp_ctx *c, struct sp_plan *p, struct sp_error *err)
{
    int anothers = sp_ctx_absent(c) ? is_anothers(c, err) : 0;

    if (anothers != 0)
        return anothers < 0 ? -1 : 0;
    for (int what = RECORD; what <= NAMES_GROUP; what++) {
        bool exists = false, right = false;
        char path[SP_PATH_SIZE];

        if (file_is_right(c, what, &exists, &right, err) < 0)
            return -1;
        (void)file_path(what, c->user != NULL ? c->user->uid : c->desired->uid, path);
        if (wanted(c) && !right && add(p, what, path, exists ? "stale" : "", "written", SP_BUILD, err) < 0)
            return -1;
        if (sp_ctx_absent(c) && (exists || is_left(c, what, path)) &&
            add(p, what, path, "written", "", SP_NARROW, err) < 0)
            return -1;
    }
    return 0;
}

/* Of what else it shows only the reasons why it does not are the account's to hear. */
static int warn_of_shown(const struct sp_ctx *c, struct sp_plan *p, struct sp_error *err)
{
    _cleanup_(sp_shown_clear) struct sp_shown shown = {0};

    if (!wanted(c))
        return 0;
    return sp_shown_of(c, c->desired, p, &shown, err) < 0 ? -1 : sp_shown_warn(c, &shown, p, err);
}

static int jail_plan(const struct sp_ctx *c, struct sp_plan *p, struct sp_error *err)
{
    if (c->user == NULL && !sp_ctx_absent(c))
        return 0;
    return plan_files(c, p, err) < 0 || warn_of_shown(c, p, err) < 0 ? -1 : 0;
}

/* The directory of a file; names/UID is made on the way. */
static int open_dir(const struct sp_ctx *c, int what, struct sp_error *err)
{
    _cleanup_close_ int dir = sp_fsat_open_dir(
        c->host->root_fd, what == RECORD ? SP_STORE "/entry" : SP_STORE "/names", SP_FSAT_NONE, err);
    char uid[16];
    int fd;

    if (dir < 0 || what == RECORD)
        return sp_steal_fd(&dir);
    (void)snprintf(uid, sizeof(uid), "%u", c->user->uid);
    if (mkdirat(dir, uid, 0700) < 0 && errno != EEXIST)
        return sp_fail(err, SP_E_IO, errno, SP_STORE "/names/%s", uid);
    fd = sp_fsat_open_dir(dir, uid, SP_FSAT_NONE, err);
    if (fd >= 0 && (fchmod(fd, 0755) < 0 || sp_sync_dir(c->host, dir, err) < 0)) {
        (void)close(fd);
        return sp_fail(err, SP_E_IO, errno, SP_STORE "/names/%s", uid);
    }
    return fd;
}

static int stage_file(const struct sp_ctx *c, int what, struct sp_stage *stage, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    struct sp_replace rights;
    char path[SP_PATH_SIZE];
    _cleanup_close_ int fd = -1;

    if (file_text(c, what, &text, err) < 0 || file_path(what, c->user->uid, path) < 0)
        return -1;
    file_rights(c, what, &rights);
    fd = open_dir(c, what, err);
    return fd < 0 ? -1
                  : sp_stage_add(c->host, stage, fd, strrchr(path, '/') + 1, text.data, text.len, &rights,
                                 err);
}

static int remove_file(const struct sp_ctx *c, int what, struct sp_error *err)
{
    char path[SP_PATH_SIZE], *slash;
    _cleanup_close_ int dir = -1;

    (void)file_path(what, c->user != NULL ? c->user->uid : c->desired->uid, path);
    slash = strrchr(path, '/');
    *slash = '\0';
    dir = sp_fsat_open_dir(c->host->root_fd, path, SP_FSAT_NONE, err);
    if (dir < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    if (sp_replace_remove(c->host, dir, slash + 1, err) < 0)
        return -1;
    /* names/UID is ours alone, and goes with its second file */
    return what != RECORD ? sp_replace_remove_empty(c->host, path, err) : 0;
}

static int jail_apply(const struct sp_ctx *c, const struct sp_plan *p, enum sp_phase phase,
                      struct sp_error *err)
{
    _cleanup_(sp_stage_clear) struct sp_stage stage = {0};

    for (size_t i = 0; i < p->n; i++) {
        const struct sp_change *change = &p->v[i];
        if (change->resource != &sp_resource_jail || change->phase != phase)
            continue;
        if ((phase == SP_BUILD ? stage_file(c, change->what, &stage, err)
                               : remove_file(c, change->what, err)) < 0)
            return -1;
    }
    return sp_stage_commit(c->host, &stage, err);
}

static int jail_read_back(const struct sp_ctx *c, struct sp_change *change, struct sp_error *err)
{
    bool exists = false, right = false;

    if (file_is_right(c, change->what, &exists, &right, err) < 0)
        return -1;
    return sp_str_copy(change->read_back, sizeof(change->read_back),
                       right    ? "written"
                       : exists ? "stale"
                                : "");
}

const struct sp_resource sp_resource_jail = {"jail", jail_plan, jail_apply, jail_read_back, NULL};
