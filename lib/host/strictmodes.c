/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/strictmodes.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/asuser.h"
#include "host/closedpath.h"
#include "host/fsat.h"
#include "host/home.h"
#include "model/name.h"

#define DEBIAN "/etc/debian_version"

/* What the child finds; the bytes of the file follow. Both ends are one program. */
struct found {
    bool exists, unread;
    char problem[400];
    bool has_mend, is_shown; /* there is something to do; all that can be told is the way there */
    enum sp_mend_what mend;
    char at[SP_PATH_SIZE]; /* where */
};

struct question {
    const struct sp_user *user;
    const char *path;
    enum sp_strictmodes strict;
    bool private_groups; /* this sshd lets a group of one write */
};

void sp_strictmodes_file_clear(struct sp_strictmodes_file *f)
{
    sp_buf_clear(&f->bytes);
    *f = (struct sp_strictmodes_file){0};
}

/* secure_permissions() of Debian's user-group-modes.patch: a group that has one member, the owner. A user
 * of another name whose primary group it is counts; nobody at all is no member either. */
static bool is_private_group(gid_t gid, uid_t uid)
{
    const struct group *g = getgrgid(gid);
    const struct passwd *p;
    bool others = false;
    int members = 0;

    if (g == NULL)
        return false;
    setpwent();
    while ((p = getpwent()) != NULL)
        if (p->pw_gid == gid) {
            members++;
            others |= p->pw_uid != uid;
        }
    endpwent();
    p = getpwuid(uid);
    g = getgrgid(gid);
    if (p == NULL || g == NULL || others)
        return false;
    if (g->gr_mem[0] == NULL)
        return members > 0;
    return sp_streq(g->gr_mem[0], p->pw_name) && g->gr_mem[1] == NULL;
}

/* Behind a link of the user's stands a name that he chose, and perhaps a file of somebody else's: then the
 * way there is shown, not changed. q->path is root's word. */
static void say_mend(const struct question *q, struct found *f, const char *path, enum sp_mend_what what)
{
    const char *rest;

    f->has_mend = true;
    f->mend = what;
    f->is_shown = !sp_str_prefix(q->path, path, &rest) ||
                  (*rest != '/' && *rest != '\0' && !sp_streq(path, "/")) ||
                  sp_str_copy(f->at, sizeof(f->at), path) < 0;
}

/* As root sees it; the child was the user. */
static void write_mend(struct sp_host *h, const struct question *q, const struct found *f,
                       char ret[SP_MEND_SIZE])
{
    char word[SP_MEND_SIZE];

    ret[0] = '\0';
    if (f->has_mend && !f->is_shown && sp_mend_path(h, q->user, f->mend, f->at, ret))
        return;
    if (f->has_mend && sp_str_quote(word, sizeof(word), q->path) == 0)
        (void)sp_str_format(ret, SP_MEND_SIZE, "namei -l %s", word);
}

static bool is_safe(const struct question *q, const char *path, const struct stat *st, struct found *f)
{
    const char *who = (st->st_mode & S_IWOTH) != 0 ? "everybody" : "its group";
    bool group_writes =
        (st->st_mode & S_IWGRP) != 0 && !(q->private_groups && is_private_group(st->st_gid, st->st_uid));

    if (st->st_uid != 0 && st->st_uid != q->user->uid) {
        (void)snprintf(f->problem, sizeof(f->problem),
                       "%.250s belongs to uid %u, who is neither %s nor root", path, st->st_uid,
                       q->user->name);
        say_mend(q, f, path, SP_MEND_HIS);
        return false;
    }
    if ((st->st_mode & S_IWOTH) == 0 && !group_writes)
        return true;
    (void)snprintf(f->problem, sizeof(f->problem), "%s may write to %.250s (mode %04o)", who, path,
                   st->st_mode & 07777U);
    say_mend(q, f, path, SP_MEND_SAFE);
    return false;
}

/* The file, and each directory up to the home, or up to / where it is not below the home. */
static bool walk(const struct question *q, int fd, struct found *f)
{
    char path[PATH_MAX], home[PATH_MAX];
    struct stat st;
    char *slash;
    bool at_home = realpath(q->user->home, home) != NULL;

    if (fstat(fd, &st) != 0 || realpath(q->path, path) == NULL) {
        (void)snprintf(f->problem, sizeof(f->problem), "%.250s: %s", q->path, strerror(errno));
        return false;
    }
    if (!is_safe(q, path, &st, f))
        return false;
    while ((slash = strrchr(path, '/')) != NULL) {
        slash[slash == path ? 1 : 0] = '\0';
        if (stat(path, &st) != 0) {
            (void)snprintf(f->problem, sizeof(f->problem), "%.250s: %s", path, strerror(errno));
            return false;
        }
        if (!is_safe(q, path, &st, f))
            return false;
        if ((at_home && sp_streq(home, path)) || sp_streq(path, "/"))
            return true;
    }
    return true;
}

/* What is no way to a file is none tomorrow; what is closed today may be open then. */
static bool may_come_to_read(const char *path, int errnum)
{
    if (errnum == EACCES)
        return !sp_closedpath_by_others(path);
    return errnum != ENOTDIR && errnum != ELOOP && errnum != ENAMETOOLONG && errnum != ENXIO;
}

static void look(const struct question *q, struct found *f, struct sp_buf *bytes)
{
    _cleanup_close_ int fd = open(q->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    const int errnum = errno;
    struct sp_error why;
    struct stat st;

    f->exists = fd >= 0 || errnum != ENOENT;
    if (!f->exists)
        return;
    if (fd < 0 || fstat(fd, &st) != 0) {
        (void)snprintf(f->problem, sizeof(f->problem), "%s cannot read %.250s: %s", q->user->name, q->path,
                       strerror(errnum));
        f->unread = may_come_to_read(q->path, errnum);
        f->has_mend = f->is_shown = true;
        return;
    }
    if (!S_ISREG(st.st_mode)) {
        (void)snprintf(f->problem, sizeof(f->problem), "%.250s is not a regular file", q->path);
        say_mend(q, f, q->path, SP_MEND_AWAY);
        return;
    }
    if (q->strict == SP_STRICTMODES_YES && !walk(q, fd, f))
        return;
    f->unread = sp_fsat_read_fd(fd, q->path, SP_AUTHORIZED_KEYS_MAX, bytes, NULL, &why) != 0;
    if (f->unread)
        (void)snprintf(f->problem, sizeof(f->problem), "%s", why.text);
}

static int work(struct sp_host *h, const struct sp_user *u, const void *data, struct sp_buf *out,
                struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf bytes = {0};
    struct sp_closedpath sealed = {.n = 0};
    const struct question *q = data;
    struct found f = {0};

    (void)h;
    (void)u;
    if (q->strict == SP_STRICTMODES_OPEN)
        sp_closedpath_open(q->path, &sealed);
    look(q, &f, &bytes);
    sp_closedpath_close(&sealed);
    sp_buf_add(out, &f, sizeof(f));
    sp_buf_add(out, bytes.data, bytes.len);
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for a file");
}

int sp_strictmodes_read(struct sp_host *h, const struct sp_user *u, const char *path,
                        enum sp_strictmodes strict, struct sp_strictmodes_file *ret, struct sp_error *err)
{
    const struct question q = {u, path, strict, sp_fsat_exists(h->root_fd, DEBIAN)};
    const struct sp_asuser look_at = {
        .user = u, .work = work, .data = &q, .max = sizeof(struct found) + SP_AUTHORIZED_KEYS_MAX};
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    struct found f;

    if (sp_asuser_run(h, &look_at, &out, err) != 0)
        return -1;
    if (out.len < sizeof(f))
        return sp_fail(err, SP_E_INTERNAL, 0, "the process that looks at %s said nothing", path);
    memcpy(&f, out.data, sizeof(f));
    ret->exists = f.exists;
    ret->unread = f.unread;
    (void)sp_str_copy(ret->problem, sizeof(ret->problem), f.problem);
    write_mend(h, &q, &f, ret->mend);
    sp_buf_add(&ret->bytes, out.data + sizeof(f), out.len - sizeof(f));
    return sp_buf_ok(&ret->bytes) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for a file");
}
