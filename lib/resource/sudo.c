/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a plain-bash account may run by sudo(8): a drop-in of sudoers(5), /etc/sudoers.d/sallyport-UID, made
 * of the administrator's templates. In a jail there is none: no_new_privs takes every setuid bit its
 * effect.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/layout.h"
#include "host/replace.h"
#include "host/spawn.h"
#include "model/sudo.h"
#include "resource/resource.h"

enum { REMOVE, WRITE };

#define TEMPLATES "/etc/sallyport/sudo.d"
#define DROPINS "/etc/sudoers.d"
#define VISUDO "/usr/sbin/visudo"
#define FILE_MAX 65536
#define HEAD "# Written by sallyport, from " TEMPLATES "; see sallyport.conf(5).\n"

static const char candidate[] = SP_STORE "/state/sudoers.check";

static bool wanted(const struct sp_ctx *c)
{
    return c->user != NULL && !sp_ctx_absent(c) && c->desired->shell == SP_SHELL_BASH &&
           c->desired->sudo.n > 0 && !sp_ctx_shut(c);
}

/* By the uid: sudo passes over names with a dot in them, and user names may have one. */
static void drop_in(const struct sp_ctx *c, char name[64])
{
    (void)sp_str_format(name, 64, "sallyport-%u", c->desired->uid);
}

struct writer {
    const struct sp_ctx *ctx;
    struct sp_buf *out;
    struct sp_error *err;
};

/* Each directory on the way: who can write to one puts another program in the place of root's. */
static bool is_way_roots(const struct sp_host *h, const char *path)
{
    char way[SP_PATH_SIZE];

    if (sp_str_copy(way, sizeof(way), path) < 0)
        return false;
    for (char *slash = strrchr(way, '/'); slash != NULL; slash = strrchr(way, '/')) {
        const char *name = slash == way ? "." : way + 1;
        struct stat st;
        *slash = '\0';
        if (fstatat(h->root_fd, name, &st, 0) < 0 || st.st_uid != 0 || (st.st_mode & 022) != 0)
            return false;
    }
    return true;
}

/* As it is named, and where it lies behind links. */
static bool is_reached_by_root(const struct sp_host *h, const char *program, int fd)
{
    char self[64], real[SP_PATH_SIZE] = "";
    ssize_t n;

    (void)sp_str_format(self, sizeof(self), "/proc/self/fd/%d", fd);
    n = readlink(self, real, sizeof(real) - 1);
    return n > 0 && is_way_roots(h, program) && is_way_roots(h, real);
}

/* A program that others may change is anybody's root. */
static int put_rule(const struct sp_sudo_rule *rule, void *data)
{
    const struct writer *w = data;
    struct sp_host *h = w->ctx->host;
    _cleanup_close_ int fd = -1;
    struct stat st;

    if (h->real) {
        fd = sp_fsat_open(h->root_fd, rule->program, O_PATH, 0, SP_FSAT_FOLLOW, w->err);
        if (fd < 0)
            return -1;
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & 022) != 0 ||
            !is_reached_by_root(h, rule->program, fd))
            return sp_fail(w->err, SP_E_UNSAFE_PATH, 0, "%s is not root's alone to write", rule->program);
    }
    return sp_sudo_format(w->ctx->desired->user, rule, w->out, w->err);
}

static int put_template(const struct sp_ctx *c, const char *name, struct sp_buf *out, struct sp_error *err)
{
    struct writer w = {c, out, err};
    _cleanup_(sp_buf_clear) struct sp_buf bytes = {0};
    char path[SP_PATH_SIZE];
    struct stat st;

    (void)sp_str_format(path, sizeof(path), TEMPLATES "/%s", name);
    if (sp_fsat_read(c->host->root_fd, path, FILE_MAX, &bytes, &st, err) < 0) {
        if (err->code == SP_E_NOT_FOUND)
            sp_hint(err, "the administrator's templates are the files of " TEMPLATES);
        return sp_field(err, "sudo");
    }
    if (c->host->real && (st.st_uid != 0 || (st.st_mode & 022) != 0)) {
        sp_fail(err, SP_E_UNSAFE_PATH, 0, "%s is not root's alone to write", path);
        return sp_field(err, "sudo");
    }
    if (sp_sudo_each(sp_buf_str(&bytes), bytes.len, put_rule, &w, err) == 0)
        return 0;
    return sp_field(err, "sudo");
}

static int make_text(const struct sp_ctx *c, struct sp_buf *out, struct sp_error *err)
{
    sp_buf_puts(out, HEAD);
    for (size_t i = 0; i < c->desired->sudo.n; i++)
        if (put_template(c, c->desired->sudo.names[i], out, err) < 0)
            return -1;
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

static int look(const struct sp_ctx *c, bool *ret_exists, bool *ret_right, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf have = {0}, want = {0};
    char name[64], path[SP_PATH_SIZE];
    struct stat st;

    *ret_exists = *ret_right = false;
    drop_in(c, name);
    (void)sp_str_format(path, sizeof(path), DROPINS "/%s", name);
    if (sp_fsat_read(c->host->root_fd, path, FILE_MAX, &have, &st, err) < 0) {
        if (err->code != SP_E_NOT_FOUND)
            return -1;
    } else
        *ret_exists = true;
    if (!wanted(c))
        return 0;
    if (make_text(c, &want, err) < 0)
        return -1;
    *ret_right = *ret_exists && have.len == want.len && memcmp(have.data, want.data, want.len) == 0 &&
                 (!c->host->real || (st.st_uid == 0 && (st.st_mode & 07777) == 0440));
    return 0;
}

static int add(const struct sp_ctx *c, struct sp_plan *p, int what, enum sp_effect effect,
               struct sp_error *err)
{
    struct sp_change *change =
        sp_plan_add(p, &sp_resource_sudo, what == WRITE ? SP_WIDEN : SP_NARROW, effect, what, err);
    char name[64];

    if (change == NULL)
        return -1;
    drop_in(c, name);
    (void)sp_str_format(change->target, sizeof(change->target), DROPINS "/%s", name);
    if (what == REMOVE)
        return sp_str_copy(change->from, sizeof(change->from), "written");
    for (size_t i = 0, at = 0; i < c->desired->sudo.n; i++)
        at += (size_t)snprintf(change->to + at, sizeof(change->to) - at, "%s%s", i > 0 ? " " : "",
                               c->desired->sudo.names[i]);
    return 0;
}

/* What is not as it should be goes first, and comes back last. One that somebody took away stays away until
 * a request says so. */
static int sudo_plan(const struct sp_ctx *c, struct sp_plan *p, struct sp_error *err)
{
    bool exists = false, right = false;

    if (c->desired->sudo.n == 0 && c->applied->sudo.n == 0)
        return 0;
    if (look(c, &exists, &right, err) < 0)
        return -1;
    if (!sp_ctx_absent(c) && c->desired->sudo.n > 0 && c->desired->shell == SP_SHELL_CHROOT &&
        sp_plan_warn(p, err, "sudo is not in force: a jail has no_new_privs") < 0)
        return -1;
    if (right)
        return 0;
    if (exists && add(c, p, REMOVE, SP_TIGHTENS, err) < 0)
        return -1;
    return wanted(c) ? add(c, p, WRITE, exists ? SP_NEUTRAL : SP_LOOSENS, err) : 0;
}

static int take_away_candidate(struct sp_host *h, struct sp_error *err)
{
    _cleanup_close_ int dir = sp_fsat_open_dir(h->root_fd, SP_STORE "/state", SP_FSAT_NONE, err);

    return dir < 0 ? -1 : sp_replace_remove(h, dir, strrchr(candidate, '/') + 1, err);
}

/* visudo(8) reads it before sudo could: a file that sudo cannot parse would shut it for everybody. */
static int check(const struct sp_ctx *c, const struct sp_buf *text, struct sp_error *err)
{
    const struct sp_replace how = {.mode = 0440, .uid = 0, .gid = 0};
    const char *const argv[] = {VISUDO, "-c", "-f", candidate, NULL};
    struct sp_spawn s = {.argv = argv, .deadline_ms = 5000, .max_output = 4096};
    struct sp_error ignored;
    int rc;

    if (!c->host->real)
        return 0;
    if (!sp_fsat_exists(c->host->root_fd, DROPINS)) {
        sp_fail(err, SP_E_UNSUPPORTED, 0, "this host has no " DROPINS);
        return sp_hint(err, "apt install sudo");
    }
    if (sp_replace_path(c->host, candidate, text->data, text->len, &how, err) < 0)
        return -1;
    rc = sp_spawn_run(c->host, &s, err);
    if (rc == 0 && s.status != 0) {
        char said[200];
        (void)snprintf(said, sizeof(said), "%.150s", sp_buf_str(&s.err_out));
        sp_str_make_printable(said);
        rc = sp_fail(err, SP_E_REJECTED, 0, "visudo refuses the commands: %s", said);
    }
    sp_spawn_clear(&s);
    /* It syncs what was put off before: a failure of that is the request's. */
    return take_away_candidate(c->host, rc < 0 ? &ignored : err) < 0 ? -1 : rc;
}

static int write_file(const struct sp_ctx *c, struct sp_error *err)
{
    const struct sp_replace how = {.mode = 0440, .uid = 0, .gid = 0, .relabel = true};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    _cleanup_close_ int dir = -1;
    char name[64];

    if (make_text(c, &text, err) < 0 || check(c, &text, err) < 0)
        return -1;
    drop_in(c, name);
    dir = c->host->real ? sp_fsat_open_dir(c->host->root_fd, DROPINS, SP_FSAT_NONE, err)
                        : sp_fsat_make_dirs(c->host->root_fd, DROPINS, 0755, err);
    /* Its name on the way has a dot in it: sudo passes over it. */
    return dir < 0 ? -1 : sp_replace_at(c->host, dir, name, text.data, text.len, &how, err);
}

static int remove_file(const struct sp_ctx *c, struct sp_error *err)
{
    _cleanup_close_ int dir = sp_fsat_open_dir(c->host->root_fd, DROPINS, SP_FSAT_NONE, err);
    char name[64];

    if (dir < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    drop_in(c, name);
    return sp_replace_remove(c->host, dir, name, err);
}

static int sudo_apply(const struct sp_ctx *c, const struct sp_plan *p, enum sp_phase phase,
                      struct sp_error *err)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->v[i].resource != &sp_resource_sudo || p->v[i].phase != phase)
            continue;
        if ((p->v[i].what == WRITE ? write_file(c, err) : remove_file(c, err)) < 0)
            return -1;
    }
    return 0;
}

static int sudo_read_back(const struct sp_ctx *c, struct sp_change *change, struct sp_error *err)
{
    bool exists = false, right = false;

    if (look(c, &exists, &right, err) < 0)
        return -1;
    return sp_str_copy(change->read_back, sizeof(change->read_back),
                       right    ? change->to
                       : exists ? "stale"
                                : "");
}

const struct sp_resource sp_resource_sudo = {"sudo", sudo_plan, sudo_apply, sudo_read_back, NULL};
