/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * sp_fsat_remove_tree(). One directory descriptor is held at a time, whatever the depth, and the way back
 * is
 * "..", believed only if it is the very directory that we came from: whoever moves a directory away while
 * we are in it stops the removal and redirects nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"

#define TRIES 3 /* somebody who keeps making files must not keep us for ever */

struct level {
    dev_t dev;
    ino_t ino;
    char name[256];     /* in the level above */
    struct sp_buf dirs; /* the names of its directories, each with its NUL */
    size_t next;        /* offset of the first that is not yet done */
    unsigned tries;
};

struct walk {
    int fd; /* of the deepest level */
    struct level *levels;
    size_t n, size;
};

static void end_walk(struct walk *w)
{
    sp_cleanup_close(&w->fd);
    for (size_t i = 0; i < w->n; i++)
        sp_buf_clear(&w->levels[i].dirs);
    free(w->levels);
}

/* Remove what is no directory; note the names of what is. */
static int sweep(int fd, struct sp_buf *dirs, struct sp_error *err)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *d = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *e;

    if (d == NULL) {
        int saved = errno;
        sp_cleanup_close(&copy);
        return sp_fail(err, SP_E_IO, saved, "cannot list a directory");
    }
    while (errno = 0, (e = readdir(d)) != NULL) {
        if (sp_streq(e->d_name, ".") || sp_streq(e->d_name, ".."))
            continue;
        if (e->d_type != DT_DIR && (unlinkat(fd, e->d_name, 0) == 0 || errno == ENOENT))
            continue;
        /* Linux answers EISDIR for a directory, never the EPERM of POSIX (unlink(2)). */
        if (e->d_type != DT_DIR && errno != EISDIR)
            return sp_fail(err, SP_E_IO, errno, "cannot remove %s", e->d_name);
        sp_buf_add(dirs, e->d_name, strlen(e->d_name) + 1);
    }
    if (errno != 0)
        return sp_fail(err, SP_E_IO, errno, "cannot list a directory");
    return sp_buf_ok(dirs) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for a list of names");
}

static struct level *push(struct walk *w)
{
    if (w->n == w->size) {
        size_t size = w->size != 0 ? 2 * w->size : 16;
        struct level *more = reallocarray(w->levels, size, sizeof(*more));
        if (more == NULL)
            return NULL;
        w->levels = more;
        w->size = size;
    }
    w->levels[w->n] = (struct level){0};
    return &w->levels[w->n++];
}

/* Into the directory NAME below dirfd, which closes dirfd if that is the walk's own. */
static int descend(struct walk *w, int dirfd, const char *name, struct sp_error *err)
{
    _cleanup_close_ int fd = sp_fsat_open_dir(dirfd, name, SP_FSAT_NO_XDEV, err);
    struct level *l;
    struct stat st;

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) != 0)
        return sp_fail(err, SP_E_IO, errno, "fstat of %s failed", name);
    l = push(w);
    if (l == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for a walk");
    l->dev = st.st_dev;
    l->ino = st.st_ino;
    (void)sp_str_copy(l->name, sizeof(l->name), name);
    sp_cleanup_close(&w->fd);
    w->fd = sp_steal_fd(&fd);
    return sweep(w->fd, &l->dirs, err);
}

/* Back to the level above, and remove the one that is now empty. */
static int ascend(struct walk *w, int top, struct sp_error *err)
{
    struct level *l = &w->levels[w->n - 1], *up = w->n > 1 ? l - 1 : NULL;
    _cleanup_close_ int fd = -1;
    struct stat st;

    if (up != NULL) {
        fd = openat(w->fd, "..", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) != 0)
            return sp_fail(err, SP_E_IO, errno, "cannot leave %s", l->name);
        if (st.st_dev != up->dev || st.st_ino != up->ino)
            return sp_fail(err, SP_E_UNSAFE_PATH, 0, "%s was moved while it was being removed", l->name);
    }
    if (unlinkat(up != NULL ? fd : top, l->name, AT_REMOVEDIR) != 0 && errno != ENOENT) {
        if ((errno != ENOTEMPTY && errno != EEXIST) || ++l->tries >= TRIES)
            return sp_fail(err, SP_E_IO, errno, "cannot remove the directory %s", l->name);
        sp_buf_clear(&l->dirs);
        l->next = 0;
        return sweep(w->fd, &l->dirs, err);
    }
    sp_cleanup_close(&w->fd);
    w->fd = sp_steal_fd(&fd);
    sp_buf_clear(&l->dirs);
    w->n--;
    return 0;
}

static int remove_dir(int top, const char *name, struct sp_error *err)
{
    _cleanup_(end_walk) struct walk w = {.fd = -1};

    if (descend(&w, top, name, err) != 0)
        return -1;
    while (w.n > 0) {
        struct level *l = &w.levels[w.n - 1];
        if (l->next < l->dirs.len) {
            char child[256];
            (void)sp_str_copy(child, sizeof(child), l->dirs.data + l->next);
            l->next += strlen(child) + 1;
            if (descend(&w, w.fd, child, err) != 0 && err->code != SP_E_NOT_FOUND)
                return -1;
        } else if (ascend(&w, top, err) != 0)
            return -1;
    }
    return 0;
}

int sp_fsat_remove_tree(int dirfd, const char *name, struct sp_error *err)
{
    const char *slash = strrchr(name, '/'), *base = slash != NULL ? slash + 1 : name;
    _cleanup_free_ char *parent = strndup(name, slash != NULL ? (size_t)(slash - name) : 0);
    _cleanup_close_ int fd = -1;

    if (parent == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for a path");
    if (base[0] == '\0' || sp_streq(base, ".") || sp_streq(base, ".."))
        return sp_fail(err, SP_E_INVALID, 0, "\"%s\" names nothing to remove", name);
    fd = sp_fsat_open_dir(dirfd, parent, SP_FSAT_NONE, err);
    if (fd < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    if (unlinkat(fd, base, 0) != 0) {
        if (errno == ENOENT)
            return 0;
        if (errno != EISDIR)
            return sp_fail(err, SP_E_IO, errno, "cannot remove %s", name);
        if (remove_dir(fd, base, err) != 0)
            return -1;
    }
    return fsync(fd) == 0 ? 0 : sp_fail(err, SP_E_IO, errno, "fsync after the removal of %s failed", name);
}

int sp_fsat_remove_empty(int dirfd, const char *name, struct sp_error *err)
{
    if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT || errno == ENOTEMPTY ||
        errno == EEXIST || errno == EBUSY)
        return 0;
    return sp_fail(err, SP_E_IO, errno, "cannot remove %s", name);
}
