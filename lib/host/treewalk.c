/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/treewalk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"

struct walk {
    struct sp_resolver *r;
    sp_treewalk_file file;
    void *ctx;
    char **dirs; /* still to read */
    size_t n_dirs, size;
    struct sp_error *err;
};

static void walk_clear(struct walk *w)
{
    for (size_t i = 0; i < w->n_dirs; i++)
        free(w->dirs[i]);
    free(w->dirs);
}

static int push(struct walk *w, const char *path)
{
    if (w->n_dirs == w->size) {
        size_t size = w->size != 0 ? w->size * 2 : 64;
        char **dirs = reallocarray(w->dirs, size, sizeof(*dirs));
        if (dirs == NULL)
            return sp_fail(w->err, SP_E_NO_MEMORY, 0, "out of memory");
        w->dirs = dirs;
        w->size = size;
    }
    w->dirs[w->n_dirs] = strdup(path);
    if (w->dirs[w->n_dirs] == NULL)
        return sp_fail(w->err, SP_E_NO_MEMORY, 0, "out of memory");
    w->n_dirs++;
    return 0;
}

static bool may_be_code(const char *path, mode_t mode)
{
    const char *name = strrchr(path, '/');

    return (mode & S_IXOTH) != 0 || strstr(name != NULL ? name : path, ".so") != NULL;
}

/* A directory that a link leads to is taken too, unless that would take in the tree itself or half the
 * host: what is above the link, or /usr, /usr/lib and the like. */
static bool is_bounded(const char *dir, const char *link)
{
    const char *rest = NULL, *slash = strchr(dir, '/');

    if (slash == NULL || strchr(slash + 1, '/') == NULL)
        return false;
    return !(sp_str_prefix(link, dir, &rest) && rest[0] == '/');
}

static int take_link(struct walk *w, const char *path)
{
    _cleanup_(sp_resolved_clear) struct sp_resolved p = {0};
    bool kept = false, new = false;

    if (sp_resolve_walk(w->r, path, &p, w->err) < 0)
        return -1;
    if (p.kind != SP_RESOLVED_FILE && p.kind != SP_RESOLVED_DIR)
        return 0;
    if (sp_resolve_keep(w->r, &p, &kept, &new, w->err) < 0)
        return -1;
    if (kept && p.kind == SP_RESOLVED_DIR && is_bounded(p.path, path))
        return push(w, p.path);
    return new &&may_be_code(p.path, p.stx.stx_mode) ? w->file(w->ctx, p.path) : 0;
}

static int take_file(struct walk *w, char *path, const struct statx *stx)
{
    struct sp_manifest_entry e;
    bool new = false;

    if (!S_ISREG(stx->stx_mode) || (stx->stx_mode & S_IROTH) == 0)
        return 0;
    sp_resolve_entry(stx, SP_MANIFEST_FILE, path, &e);
    if (sp_manifest_add(w->r->out, &e, &new, w->err) < 0)
        return -1;
    return new &&may_be_code(path, stx->stx_mode) ? w->file(w->ctx, path) : 0;
}

/* Left out unless a profile names them: time zones with leap seconds, which nobody's clock has, and the
 * plain ones a second time. Half of all zones, which each check would look at. */
static bool is_left_out(const char *path)
{
    return sp_streq(path, "usr/share/zoneinfo/right") || sp_streq(path, "usr/share/zoneinfo/posix");
}

static int take_entry(struct walk *w, int dirfd, const char *dir, const char *name)
{
    char path[PATH_MAX];
    struct statx stx;

    if (sp_str_format(path, sizeof(path), "%s/%s", dir, name) < 0 || !sp_manifest_path_ok(path) ||
        sp_resolve_forbidden(path) || is_left_out(path))
        return 0;
    if (statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &stx) < 0)
        return errno == ENOENT ? 0 : sp_fail(w->err, SP_E_IO, errno, "reading /%s", path);
    /* resolv.conf and links have rules of their own, which the resolver knows. */
    if (S_ISLNK(stx.stx_mode) || sp_streq(path, "etc/resolv.conf"))
        return take_link(w, path);
    return S_ISDIR(stx.stx_mode) ? push(w, path) : take_file(w, path, &stx);
}

static int take_dir(struct walk *w, char *path)
{
    _cleanup_closedir_ DIR *d = NULL;
    _cleanup_close_ int fd = sp_fsat_open_dir(w->r->root_fd, path, SP_FSAT_NONE, w->err);
    struct sp_manifest_entry e;
    struct statx stx;
    bool new = false;
    int dirfd;

    if (fd < 0)
        return w->err->code == SP_E_NOT_FOUND ? 0 : -1;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx) < 0)
        return sp_fail(w->err, SP_E_IO, errno, "reading /%s", path);
    if ((stx.stx_mode & (S_IROTH | S_IXOTH)) != (S_IROTH | S_IXOTH))
        return 0;
    sp_resolve_entry(&stx, SP_MANIFEST_DIR, path, &e);
    if (sp_manifest_add(w->r->out, &e, &new, w->err) < 0)
        return -1;
    dirfd = fd;
    d = new ? fdopendir(fd) : NULL;
    if (d == NULL)
        return !new ? 0 : sp_fail(w->err, SP_E_IO, errno, "reading /%s", path);
    (void)sp_steal_fd(&fd);
    for (;;) {
        const struct dirent *entry;

        errno = 0;
        entry = readdir(d);
        if (entry == NULL)
            return errno == 0 ? 0 : sp_fail(w->err, SP_E_IO, errno, "reading /%s", path);
        if (!sp_streq(entry->d_name, ".") && !sp_streq(entry->d_name, "..") &&
            take_entry(w, dirfd, path, entry->d_name) < 0)
            return -1;
    }
}

static int take_all(struct walk *w)
{
    while (w->n_dirs > 0) {
        _cleanup_free_ char *dir = w->dirs[--w->n_dirs];

        if (take_dir(w, dir) < 0)
            return -1;
    }
    return 0;
}

int sp_treewalk(struct sp_resolver *r, const char *path, sp_treewalk_file file, void *ctx,
                struct sp_error *err)
{
    _cleanup_(walk_clear) struct walk w = {.r = r, .file = file, .ctx = ctx, .err = err};
    _cleanup_(sp_resolved_clear) struct sp_resolved p = {0};
    bool kept = false, new = false;

    if (sp_resolve_walk(r, path, &p, err) < 0)
        return -1;
    if (p.kind == SP_RESOLVED_ABSENT)
        return sp_resolve_note_absent(r, &p, err);
    if (p.kind == SP_RESOLVED_REFUSED)
        return 0;
    if (sp_resolve_keep(r, &p, &kept, &new, err) < 0)
        return -1;
    if (!kept)
        return 0;
    if (p.kind == SP_RESOLVED_FILE)
        return new &&may_be_code(p.path, p.stx.stx_mode) && file(ctx, p.path) < 0 ? -1 : 1;
    if (push(&w, p.path) < 0 || take_all(&w) < 0)
        return -1;
    return 1;
}
