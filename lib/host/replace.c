/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "host/acl.h"
#include "host/fsat.h"
#include "host/label.h"

static bool same_dir(int a, int b)
{
    struct stat x, y;

    return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static int sync_one(int fd, struct sp_error *err)
{
    return fsync(fd) == 0 ? 0 : sp_fail(err, SP_E_IO, errno, "fsync of a directory failed");
}

int sp_sync_dir(struct sp_host *h, int dirfd, struct sp_error *err)
{
    struct sp_later *l = h->later;
    int mine;

    for (size_t i = 0; l != NULL && i < l->n; i++)
        if (same_dir(l->fds[i], dirfd))
            return 0;
    mine = l != NULL && l->n < SP_LATER_MAX ? fcntl(dirfd, F_DUPFD_CLOEXEC, 3) : -1;
    if (mine < 0)
        return sync_one(dirfd, err);
    l->fds[l->n++] = mine;
    return 0;
}

int sp_sync_now(struct sp_host *h, struct sp_error *err)
{
    struct sp_later *l = h->later;
    int rc = 0;

    for (size_t i = 0; l != NULL && i < l->n; i++) {
        if (rc == 0)
            rc = sync_one(l->fds[i], err);
        (void)close(l->fds[i]);
    }
    if (l != NULL)
        l->n = 0;
    return rc;
}

static void drop(struct sp_staged *t)
{
    int saved = errno;

    sp_cleanup_close(&t->fd);
    if (t->temp[0] != '\0')
        (void)unlinkat(t->dirfd, t->temp, 0);
    sp_cleanup_close(&t->dirfd);
    errno = saved;
}

void sp_stage_clear(struct sp_stage *s)
{
    while (s->n > 0)
        drop(&s->v[--s->n]);
}

/* A new, empty entry with its temporary file; the stage has it from here on. */
static struct sp_staged *make_temp(struct sp_stage *s, int dirfd, const char *name, struct sp_error *err)
{
    struct sp_staged *t = &s->v[s->n];

    if (s->n == SP_STAGE_MAX || name[0] == '\0' || strchr(name, '/') != NULL || sp_streq(name, ".") ||
        sp_streq(name, "..")) {
        (void)sp_fail(err, SP_E_INTERNAL, 0, "\"%s\" is no name in a directory, or one too many", name);
        return NULL;
    }
    *t = (struct sp_staged){.dirfd = -1, .fd = -1};
    if (sp_str_format(t->temp, sizeof(t->temp), "%s" SP_REPLACE_SUFFIX, name) != 0) {
        (void)sp_fail(err, SP_E_INVALID, 0, "the name %s is too long", name);
        return NULL;
    }
    (void)sp_str_copy(t->name, sizeof(t->name), name);
    t->dirfd = fcntl(dirfd, F_DUPFD_CLOEXEC, 3);
    /* A fixed name: what a crash left goes away at the next write instead of piling up. */
    if (t->dirfd >= 0 && (unlinkat(dirfd, t->temp, 0) == 0 || errno == ENOENT))
        t->fd = openat(dirfd, t->temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (t->fd < 0) {
        int saved = errno;
        t->temp[0] = '\0';
        drop(t);
        (void)sp_fail(err, SP_E_IO, saved, "cannot make %s" SP_REPLACE_SUFFIX, name);
        return NULL;
    }
    s->n++;
    return t;
}

/* Owner before mode: chown(2) clears set-id bits. ACL before mode: fchmod sets the mask of an ACL. */
static int dress(struct sp_host *h, int fd, int old, uid_t uid, gid_t gid, mode_t mode, bool keep_acl,
                 struct sp_error *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return sp_fail(err, SP_E_IO, errno, "fstat of a new file failed");
    if ((st.st_uid != uid || st.st_gid != gid) && h->ops->chown(h, fd, uid, gid) != 0)
        return sp_fail(err, SP_E_IO, errno, "cannot give a new file its owner");
    if ((keep_acl && old >= 0 ? sp_acl_copy(old, fd, err) : sp_acl_strip(fd, err)) != 0)
        return -1;
    if (fchmod(fd, mode) != 0)
        return sp_fail(err, SP_E_IO, errno, "cannot give a new file its mode");
    return 0;
}

static int label(struct sp_host *h, int fd, int old, int dirfd, const char *name, struct sp_error *err)
{
    bool done = false;

    if (!h->real || (old >= 0 && sp_label_copy(old, fd, &done, err) != 0))
        return h->real ? -1 : 0;
    return done ? 0 : sp_label_set_at(&h->labels, fd, dirfd, name, err);
}

/* The old bytes under the backup's name. A copy, not a link: between a link and the rename that follows
 * both names would be one inode, and shadow's tools truncate "passwd-" in place before they write it. */
static int keep_backup(struct sp_host *h, struct sp_stage *s, int dirfd, const struct sp_replace *how,
                       int old, const struct stat *st, struct sp_error *err)
{
    const struct sp_staged *t = make_temp(s, dirfd, how->backup, err);

    if (t == NULL || dress(h, t->fd, old, st->st_uid, st->st_gid, st->st_mode & 07777, false, err) != 0 ||
        label(h, t->fd, -1, dirfd, how->backup, err) != 0)
        return -1;
    return sp_write_all(t->fd, sp_buf_str(how->old), how->old->len) == 0
               ? 0
               : sp_fail(err, SP_E_IO, errno, "cannot keep a copy in %s", how->backup);
}

/* The old file for reading, -1 with *ret_missing if there is none. */
static int open_old(int dirfd, const char *name, struct stat *st, bool *ret_missing, struct sp_error *err)
{
    _cleanup_close_ int fd =
        sp_fsat_open(dirfd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, SP_FSAT_NONE, err);

    *ret_missing = fd < 0 && err->code == SP_E_NOT_FOUND;
    if (fd < 0)
        return -1;
    if (fstat(fd, st) != 0)
        return sp_fail(err, SP_E_IO, errno, "fstat of %s failed", name);
    if (!S_ISREG(st->st_mode))
        return sp_fail(err, SP_E_UNSAFE_PATH, 0, "%s is no regular file", name);
    return sp_steal_fd(&fd);
}

int sp_stage_add(struct sp_host *h, struct sp_stage *s, int dirfd, const char *name, const void *bytes,
                 size_t len, const struct sp_replace *how, struct sp_error *err)
{
    struct stat st = {.st_uid = geteuid(), .st_gid = getegid()};
    bool missing = false;
    _cleanup_close_ int old = open_old(dirfd, name, &st, &missing, err);
    uid_t uid = how->uid != (uid_t)-1 ? how->uid : st.st_uid;
    gid_t gid = how->gid != (gid_t)-1 ? how->gid : st.st_gid;
    struct sp_staged *t;

    if (old < 0 && !missing)
        return -1;
    if (how->backup != NULL && old >= 0 && keep_backup(h, s, dirfd, how, old, &st, err) != 0)
        return -1;
    t = make_temp(s, dirfd, name, err);
    if (t == NULL || dress(h, t->fd, old, uid, gid, how->mode, how->keep_acl, err) != 0 ||
        label(h, t->fd, how->relabel ? -1 : old, dirfd, name, err) != 0)
        return -1;
    if (sp_write_all(t->fd, bytes, len) != 0)
        return sp_fail(err, SP_E_IO, errno, "cannot write %s", t->temp);
    return 0;
}

/* close(2) may be the first to tell of a full disk over NFS. */
static int settle(struct sp_staged *t, struct sp_error *err)
{
    int fd = sp_steal_fd(&t->fd);

    if (fsync(fd) != 0) {
        (void)sp_fail(err, SP_E_IO, errno, "fsync of %s failed", t->temp);
        (void)close(fd);
        return -1;
    }
    return close(fd) == 0 ? 0 : sp_fail(err, SP_E_IO, errno, "closing %s failed", t->temp);
}

int sp_stage_commit(struct sp_host *h, struct sp_stage *s, struct sp_error *err)
{
    int rc = 0;

    for (size_t i = 0; i < s->n; i++)
        if (settle(&s->v[i], err) != 0)
            return -1;
    if (s->n > 0 && sp_sync_now(h, err) != 0)
        return -1;
    for (size_t i = 0; i < s->n; i++) {
        struct sp_staged *t = &s->v[i];
        if (renameat(t->dirfd, t->temp, t->dirfd, t->name) != 0)
            return sp_fail(err, SP_E_IO, errno, "cannot put %s in place", t->name);
        t->temp[0] = '\0';
    }
    /* Without this the rename may be lost in a power cut though the bytes are safe. */
    for (size_t i = 0; rc == 0 && i < s->n; i++)
        if (i == 0 || !same_dir(s->v[i].dirfd, s->v[i - 1].dirfd))
            rc = sp_sync_dir(h, s->v[i].dirfd, err);
    if (rc == 0)
        sp_stage_clear(s);
    return rc;
}

int sp_replace_at(struct sp_host *h, int dirfd, const char *name, const void *bytes, size_t len,
                  const struct sp_replace *how, struct sp_error *err)
{
    _cleanup_(sp_stage_clear) struct sp_stage s = {0};

    if (sp_stage_add(h, &s, dirfd, name, bytes, len, how, err) != 0)
        return -1;
    return sp_stage_commit(h, &s, err);
}

/* The directory that holds a path's last component. */
static int open_parent(struct sp_host *h, const char *path, const char **ret_base, struct sp_error *err)
{
    const char *slash = strrchr(path, '/');
    _cleanup_free_ char *dir = strndup(path, slash != NULL ? (size_t)(slash - path) : 0);

    *ret_base = slash != NULL ? slash + 1 : path;
    if (dir == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for a path");
    return sp_fsat_open_dir(h->root_fd, dir, SP_FSAT_NONE, err);
}

int sp_replace_path(struct sp_host *h, const char *path, const void *bytes, size_t len,
                    const struct sp_replace *how, struct sp_error *err)
{
    const char *base = NULL;
    _cleanup_close_ int fd = open_parent(h, path, &base, err);

    return fd < 0 ? -1 : sp_replace_at(h, fd, base, bytes, len, how, err);
}

int sp_replace_remove(struct sp_host *h, int dirfd, const char *name, struct sp_error *err)
{
    char temp[256];

    if (sp_sync_now(h, err) != 0)
        return -1;
    if (sp_str_format(temp, sizeof(temp), "%s" SP_REPLACE_SUFFIX, name) == 0)
        (void)unlinkat(dirfd, temp, 0);
    if (unlinkat(dirfd, name, 0) != 0 && errno != ENOENT)
        return sp_fail(err, SP_E_IO, errno, "cannot remove %s", name);
    return fsync(dirfd) != 0 ? sp_fail(err, SP_E_IO, errno, "cannot remove %s for good", name) : 0;
}

int sp_replace_remove_empty(struct sp_host *h, const char *path, struct sp_error *err)
{
    const char *base = NULL;
    _cleanup_close_ int fd = open_parent(h, path, &base, err);

    if (fd < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    return sp_fsat_remove_empty(fd, base, err) < 0 ? -1 : sp_sync_dir(h, fd, err);
}
