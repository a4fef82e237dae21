/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/gencopy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/gencheck.h"
#include "host/resolve.h"

/* From this size on writing back begins at once, so that the final sync has less to wait for. */
enum { EARLY_WRITE = 1 << 20, CONTENT_MAX = 65536 };

struct twin {
    uint64_t dev, ino; /* of the source */
    const char *dest;  /* borrowed; the first name of it in the generation */
};

struct copy {
    struct sp_host *h;
    int genfd;
    const struct sp_gencopy_old *old;
    size_t n_old;
    struct sp_gencopy *ret;
    char dir[PATH_MAX]; /* the last parent, and its fd: entries come sorted */
    int dirfd;
    bool no_clone; /* the filesystem has no FICLONE */
    struct twin *twins;
    size_t n_twins, twins_size;
    struct sp_error *err;
};

struct item {
    const struct sp_manifest_entry *e;
    char *dest; /* owned */
};

struct items {
    struct item *at; /* owned */
    size_t n;
};

static void copy_clear(struct copy *c)
{
    sp_cleanup_close(&c->dirfd);
    free(c->twins);
}

static void items_clear(struct items *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->at[i].dest);
    free(l->at);
}

static int failed(struct copy *c, const char *doing, const char *path)
{
    return sp_fail(c->err, SP_E_IO, errno, "%s /%s for a generation", doing, path);
}

static int changed(struct copy *c, const char *path)
{
    sp_fail(c->err, SP_E_BUSY, 0, "/%s changed while it was copied", path);
    return sp_hint(c->err, "an installation is running: try again when it is done");
}

/* A directory with exact mode, made if it is not there. */
static int make_dir(struct copy *c, int dirfd, const char *name)
{
    _cleanup_close_ int fd = -1;

    if (mkdirat(dirfd, name, 0755) < 0 && errno != EEXIST)
        return -1;
    fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fchmod(fd, 0755) < 0 || c->h->ops->chown(c->h, fd, 0, 0) < 0)
        return -1;
    return sp_steal_fd(&fd);
}

/* Make dir below genfd with all its parents, and hold it. */
static int enter(struct copy *c, const char *dir)
{
    _cleanup_close_ int fd = -1;
    const char *at = dir;

    if (c->dirfd >= 0 && sp_streq(c->dir, dir))
        return 0;
    fd = fcntl(c->genfd, F_DUPFD_CLOEXEC, 3);
    while (fd >= 0 && *at != '\0') {
        char name[NAME_MAX + 1];
        size_t n = strcspn(at, "/");
        int next;

        if (sp_str_format(name, sizeof(name), "%.*s", (int)n, at) < 0)
            return sp_fail(c->err, SP_E_INTERNAL, 0, "a name does not fit");
        next = make_dir(c, fd, name);
        (void)close(fd);
        fd = next;
        at += n + (at[n] == '/');
    }
    if (fd < 0 || sp_str_copy(c->dir, sizeof(c->dir), dir) < 0)
        return failed(c, "making", dir);
    sp_cleanup_close(&c->dirfd);
    c->dirfd = sp_steal_fd(&fd);
    return 0;
}

static int copy_bytes(struct copy *c, int from, int to, uint64_t size)
{
    char buf[65536];
    ssize_t n;

    if (!c->no_clone && size > 0) {
        if (ioctl(to, FICLONE, from) == 0)
            return 0;
        c->no_clone = true;
    }
    for (uint64_t left = size; left > 0; left -= (uint64_t)n) {
        n = copy_file_range(from, NULL, to, NULL, left, 0);
        if (n <= 0)
            break;
    }
    /* What copy_file_range(2) could not do (EXDEV, a virtual file) or did not finish goes by hand. */
    for (;;) {
        n = read(from, buf, sizeof(buf));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return (int)n;
        if (sp_write_all(to, buf, (size_t)n) < 0)
            return -1;
    }
}

static int finish(struct copy *c, int fd, const struct sp_manifest_entry *e)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};

    if (e->mtime != 0) {
        times[1] = (struct timespec){.tv_sec = (time_t)(e->mtime / 1000000000U),
                                     .tv_nsec = (long)(e->mtime % 1000000000U)};
    }
    if (c->h->ops->chown(c->h, fd, 0, 0) < 0 || fchmod(fd, (e->mode & 0111) != 0 ? 0755 : 0644) < 0 ||
        futimens(fd, times) < 0)
        return -1;
    if (e->size >= EARLY_WRITE)
        (void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    return 0;
}

static int create(struct copy *c, const char *name)
{
    return openat(c->dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static int copy_file(struct copy *c, const struct sp_manifest_entry *e, const char *name)
{
    const char *source = e->extra != NULL ? e->extra : e->path;
    _cleanup_close_ int from =
        sp_fsat_open(c->h->root_fd, source, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, SP_FSAT_NONE, c->err);
    _cleanup_close_ int to = -1;
    struct sp_manifest_entry now;
    struct statx stx;

    if (from < 0)
        return c->err->code == SP_E_NOT_FOUND ? changed(c, source) : -1;
    to = create(c, name);
    if (to < 0 || copy_bytes(c, from, to, e->size) < 0 || finish(c, to, e) < 0)
        return failed(c, "copying", e->path);
    if (statx(from, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx) < 0)
        return failed(c, "reading", source);
    sp_resolve_entry(&stx, SP_MANIFEST_FILE, e->path, &now);
    return S_ISREG(stx.stx_mode) && sp_manifest_same(e, &now) ? 0 : changed(c, source);
}

static int copy_content(struct copy *c, const struct sp_manifest_entry *e, const char *name)
{
    _cleanup_(sp_buf_clear) struct sp_buf bytes = {0};
    _cleanup_close_ int to = -1;
    char digest[65];

    if (sp_fsat_read(c->h->root_fd, e->extra, CONTENT_MAX, &bytes, NULL, c->err) < 0)
        return -1;
    sp_manifest_digest(sp_buf_str(&bytes), bytes.len, digest);
    if (!sp_streq(digest, e->digest))
        return changed(c, e->extra);
    to = create(c, name);
    if (to < 0 || sp_write_all(to, sp_buf_str(&bytes), bytes.len) < 0 || finish(c, to, e) < 0)
        return failed(c, "copying", e->path);
    return 0;
}

/* The same bytes in an older generation, if nobody laid hands on them. 1 shared, 0 not. EMLINK, or an old
 * file that is gone, only means a copy. */
static int share(struct copy *c, const struct sp_manifest_entry *e, const char *dest, const char *name)
{
    for (size_t i = 0; i < c->n_old; i++) {
        const struct sp_manifest_entry *was = sp_manifest_find(c->old[i].manifest, e->path);

        if (was != NULL && sp_manifest_same(was, e) && sp_gencheck_stored(c->h, c->old[i].fd, dest, e) &&
            linkat(c->old[i].fd, dest, c->dirfd, name, 0) == 0)
            return 1;
    }
    return 0;
}

static bool same_inode(const struct twin *t, const struct sp_manifest_entry *e)
{
    return t->ino == e->ino && t->dev == e->dev;
}

/* Names of one inode on the host stay names of one inode. 1 linked, 0 it is the first, -1. */
static int link_twin(struct copy *c, const struct item *item, const char *name)
{
    for (size_t i = 0; i < c->n_twins; i++)
        if (same_inode(&c->twins[i], item->e) && linkat(c->genfd, c->twins[i].dest, c->dirfd, name, 0) == 0)
            return 1;
    if (c->n_twins == c->twins_size) {
        size_t size = c->twins_size != 0 ? c->twins_size * 2 : 32;
        struct twin *twins = reallocarray(c->twins, size, sizeof(*twins));
        if (twins == NULL)
            return sp_fail(c->err, SP_E_NO_MEMORY, 0, "out of memory");
        c->twins = twins;
        c->twins_size = size;
    }
    c->twins[c->n_twins++] = (struct twin){.dev = item->e->dev, .ino = item->e->ino, .dest = item->dest};
    return 0;
}

static int put_file(struct copy *c, const struct item *item, const char *name)
{
    c->ret->n_files++;
    if (share(c, item->e, item->dest, name) > 0) {
        c->ret->n_linked++;
        return 0;
    }
    if (item->e->kind == SP_MANIFEST_CONTENT)
        return copy_content(c, item->e, name);
    if (item->e->nlink > 1) {
        int r = link_twin(c, item, name);
        if (r != 0)
            return r < 0 ? -1 : 0;
    }
    return copy_file(c, item->e, name);
}

/* On a host without merged /usr a link moves one level down; a relative target would then miss. */
static int put_link(struct copy *c, const struct item *item, const char *name)
{
    const struct sp_manifest_entry *e = item->e;
    char target[PATH_MAX];
    const char *slash = strrchr(e->path, '/');
    bool moved = !sp_streq(e->path, item->dest) && e->extra[0] != '/' && strchr(e->extra, '/') != NULL;

    if (moved &&
        sp_str_format(target, sizeof(target), "/%.*s/%s", (int)(slash - e->path), e->path, e->extra) < 0)
        return 0;
    /* There, a link and the file it means may fall on one name: the file stays. */
    if (symlinkat(moved ? target : e->extra, c->dirfd, name) < 0 && errno != EEXIST)
        return failed(c, "linking", e->path);
    return 0;
}

static bool is_link(const struct item *item)
{
    return item->e->kind == SP_MANIFEST_LINK || item->e->kind == SP_MANIFEST_MADE;
}

static int put(struct copy *c, const struct item *item)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(item->dest, '/');

    if (item->e->kind == SP_MANIFEST_DIR)
        return enter(c, item->dest);
    if (sp_str_format(dir, sizeof(dir), "%.*s", (int)(slash - item->dest), item->dest) < 0)
        return sp_fail(c->err, SP_E_INTERNAL, 0, "a path does not fit");
    if (enter(c, dir) < 0)
        return -1;
    return is_link(item) ? put_link(c, item, slash + 1) : put_file(c, item, slash + 1);
}

/* By directory, then files before links, so that each directory is entered once. */
static int by_place(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    const char *sx = strrchr(x->dest, '/'), *sy = strrchr(y->dest, '/');
    size_t nx = sx != NULL ? (size_t)(sx - x->dest) : 0, ny = sy != NULL ? (size_t)(sy - y->dest) : 0;
    int order = memcmp(x->dest, y->dest, nx < ny ? nx : ny);

    if (order == 0)
        order = (nx > ny) - (nx < ny);
    if (order == 0)
        order = is_link(x) - is_link(y);
    return order != 0 ? order : strcmp(x->dest, y->dest);
}

static int sort_items(const struct sp_manifest *m, struct items *ret, struct sp_error *err)
{
    ret->at = calloc(m->n + 1, sizeof(*ret->at));
    if (ret->at == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    for (size_t i = 0; i < m->n; i++) {
        char dest[PATH_MAX];

        if (m->entries[i].kind == SP_MANIFEST_ABSENT ||
            sp_manifest_dest(m->entries[i].path, dest, sizeof(dest)) < 0)
            continue;
        ret->at[ret->n].e = &m->entries[i];
        ret->at[ret->n].dest = strdup(dest);
        if (ret->at[ret->n].dest == NULL)
            return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
        ret->n++;
    }
    qsort(ret->at, ret->n, sizeof(*ret->at), by_place);
    return 0;
}

int sp_gencopy_fill(struct sp_host *h, int genfd, const struct sp_manifest *m,
                    const struct sp_gencopy_old *old, size_t n_old, struct sp_gencopy *ret,
                    struct sp_error *err)
{
    _cleanup_(copy_clear) struct copy c = {
        .h = h, .genfd = genfd, .old = old, .n_old = n_old, .ret = ret, .dirfd = -1, .err = err};
    _cleanup_(items_clear) struct items items = {0};

    *ret = (struct sp_gencopy){0};
    if (sort_items(m, &items, err) < 0)
        return -1;
    for (size_t i = 0; i < items.n; i++)
        if (put(&c, &items.at[i]) < 0)
            return -1;
    return 0;
}
