/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"

/* As the kernel's own limit, path_resolution(7). */
enum { MAX_LINKS = 40 };

/* Up to this size a file from elsewhere is compared by content. */
enum { CONTENT_MAX = 65536 };

struct walk {
    struct sp_resolver *r;
    struct sp_resolved *ret;
    char cur[PATH_MAX];  /* real so far; "" is the root */
    char rest[PATH_MAX]; /* still to walk */
    struct sp_error *err;
};

void sp_resolver_clear(struct sp_resolver *r)
{
    sp_manifest_clear(&r->walked);
}

void sp_resolved_clear(struct sp_resolved *p)
{
    for (size_t i = 0; i < p->n_links; i++) {
        free(p->links[i].path);
        free(p->links[i].target);
    }
    free(p->links);
    p->links = NULL;
    p->n_links = 0;
}

bool sp_resolve_forbidden(const char *path)
{
    static const char *const begins[] = {
        "etc/shadow", "etc/gshadow",   "etc/ssh/ssh_host_", "etc/machine-id",  "etc/sudoers", "etc/passwd-",
        "etc/group-", "etc/sallyport", "etc/hostid",        "etc/krb5.keytab", "etc/subuid",  "etc/subgid",
    };
    /* Generated, not copied. */
    static const char *const is[] = {"etc/passwd", "etc/group", "etc/nsswitch.conf", "etc/mtab"};

    for (size_t i = 0; i < SP_COUNT(begins); i++)
        if (sp_str_prefix(path, begins[i], NULL))
            return true;
    for (size_t i = 0; i < SP_COUNT(is); i++)
        if (sp_streq(path, is[i]))
            return true;
    return false;
}

void sp_resolve_entry(const struct statx *stx, enum sp_manifest_kind kind, char *path,
                      struct sp_manifest_entry *ret)
{
    *ret = (struct sp_manifest_entry){
        .kind = kind,
        .mode = stx->stx_mode & 07777,
        .size = kind == SP_MANIFEST_FILE ? stx->stx_size : 0,
        .mtime = (uint64_t)stx->stx_mtime.tv_sec * 1000000000U + stx->stx_mtime.tv_nsec,
        .ino = stx->stx_ino,
        .dev = (uint64_t)stx->stx_dev_major << 32 | stx->stx_dev_minor,
        .nlink = stx->stx_nlink,
        .path = path,
    };
}

static int end_at(struct walk *w, enum sp_resolved_kind kind, const char *path)
{
    w->ret->kind = kind;
    return sp_str_copy(w->ret->path, sizeof(w->ret->path), path) == 0
               ? 1
               : sp_fail(w->err, SP_E_INTERNAL, 0, "a path does not fit");
}

static int note_link(struct walk *w, const char *path, const char *target)
{
    struct sp_resolved *p = w->ret;
    struct sp_resolved_link *links = reallocarray(p->links, p->n_links + 1, sizeof(*links));
    struct sp_resolved_link *l;

    if (links == NULL)
        return sp_fail(w->err, SP_E_NO_MEMORY, 0, "out of memory");
    p->links = links;
    l = &links[p->n_links++];
    l->path = strdup(path);
    l->target = strdup(target);
    l->last = w->rest[strspn(w->rest, "/")] == '\0';
    return l->path != NULL && l->target != NULL ? 0 : sp_fail(w->err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* A link: what it says goes before the rest. */
static int step_link(struct walk *w, const char *next)
{
    char target[PATH_MAX], rest[PATH_MAX];
    ssize_t n = readlinkat(w->r->root_fd, next, target, sizeof(target) - 1);

    if (n < 0)
        return errno == ENOENT || errno == EINVAL
                   ? end_at(w, SP_RESOLVED_ABSENT, next)
                   : sp_fail(w->err, SP_E_IO, errno, "reading the link /%s", next);
    target[n] = '\0';
    if (w->ret->n_links == MAX_LINKS || sp_str_format(rest, sizeof(rest), "%s/%s", target, w->rest) < 0)
        return end_at(w, SP_RESOLVED_ABSENT, next);
    if (note_link(w, next, target) < 0)
        return -1;
    memcpy(w->rest, rest, sizeof(rest));
    if (target[0] == '/')
        w->cur[0] = '\0';
    return 0;
}

static int step_dir(struct walk *w, char *next)
{
    struct sp_manifest_entry e = {.kind = SP_MANIFEST_DIR, .path = next};

    /* What others may not pass holds nothing for a jail. */
    if ((w->ret->stx.stx_mode & S_IXOTH) == 0)
        return end_at(w, SP_RESOLVED_REFUSED, next);
    if (!sp_manifest_path_ok(next))
        return end_at(w, SP_RESOLVED_REFUSED, next);
    memcpy(w->cur, next, strlen(next) + 1);
    return sp_manifest_add(&w->r->walked, &e, NULL, w->err);
}

static int step_file(struct walk *w, const char *next)
{
    const struct statx *stx = &w->ret->stx;

    if (w->rest[strspn(w->rest, "/")] != '\0')
        return end_at(w, SP_RESOLVED_ABSENT, next);
    if (!S_ISREG(stx->stx_mode) || (stx->stx_mode & S_IROTH) == 0 || sp_resolve_forbidden(next) ||
        !sp_manifest_path_ok(next))
        return end_at(w, SP_RESOLVED_REFUSED, next);
    return end_at(w, SP_RESOLVED_FILE, next);
}

static void step_up(struct walk *w)
{
    char *slash = strrchr(w->cur, '/');

    if (slash != NULL)
        *slash = '\0';
    else
        w->cur[0] = '\0';
}

/* One component. 0 to go on, 1 at the end, -1 failed. */
static int step(struct walk *w)
{
    char next[PATH_MAX], name[NAME_MAX + 1];
    const char *at = w->rest + strspn(w->rest, "/");
    size_t n = strcspn(at, "/");

    if (n == 0)
        return end_at(w, SP_RESOLVED_DIR, w->cur);
    if (sp_str_format(name, sizeof(name), "%.*s", (int)n, at) < 0 ||
        sp_str_format(next, sizeof(next), "%s%s%s", w->cur, w->cur[0] != '\0' ? "/" : "", name) < 0)
        return end_at(w, SP_RESOLVED_ABSENT, w->cur);
    memmove(w->rest, at + n, strlen(at + n) + 1);
    if (sp_streq(name, "."))
        return 0;
    if (sp_streq(name, "..")) {
        step_up(w);
        return 0;
    }
    if (sp_manifest_find(&w->r->walked, next) != NULL) {
        memcpy(w->cur, next, sizeof(next));
        return 0;
    }
    if (statx(w->r->root_fd, next, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &w->ret->stx) <
        0)
        return errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG
                   ? end_at(w, SP_RESOLVED_ABSENT, next)
                   : sp_fail(w->err, SP_E_IO, errno, "reading /%s", next);
    if (S_ISLNK(w->ret->stx.stx_mode))
        return step_link(w, next);
    return S_ISDIR(w->ret->stx.stx_mode) ? step_dir(w, next) : step_file(w, next);
}

int sp_resolve_walk(struct sp_resolver *r, const char *path, struct sp_resolved *ret, struct sp_error *err)
{
    struct walk w = {.r = r, .ret = ret, .err = err};
    int done = 0;

    ret->links = NULL;
    ret->n_links = 0;
    if (sp_str_copy(w.rest, sizeof(w.rest), path) < 0)
        return end_at(&w, SP_RESOLVED_ABSENT, "") < 0 ? -1 : 0;
    while (done == 0)
        done = step(&w);
    return done < 0 ? -1 : 0;
}

static bool has_place(const struct sp_resolver *r, const char *path)
{
    const char *rest;
    char dest[PATH_MAX];

    if (r->beyond != NULL && sp_str_prefix(path, r->beyond, &rest) && (*rest == '/' || *rest == '\0'))
        return true;
    return sp_manifest_dest(path, dest, sizeof(dest)) == 0;
}

static int keep_links(struct sp_resolver *r, const struct sp_resolved *p, size_t n, struct sp_error *err)
{
    for (size_t i = 0; i < n; i++) {
        struct sp_manifest_entry e = {
            .kind = SP_MANIFEST_LINK, .path = p->links[i].path, .extra = p->links[i].target};
        /* A link that could not be listed is one that nothing of ours needs by that name. */
        if (has_place(r, e.path) && sp_manifest_path_ok(e.path) && !sp_resolve_forbidden(e.path) &&
            sp_manifest_add(r->out, &e, NULL, err) < 0)
            return -1;
    }
    return 0;
}

/* Small files of elsewhere, and resolv.conf, are told apart by what they say. */
static int keep_content(struct sp_resolver *r, const struct sp_resolved *p, char *dest, bool *ret_new,
                        struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf bytes = {0};
    char digest[65], source[PATH_MAX];
    struct sp_manifest_entry e = {
        .kind = SP_MANIFEST_CONTENT, .path = dest, .extra = source, .digest = digest};

    memcpy(source, p->path, sizeof(source));
    if (sp_fsat_read(r->root_fd, p->path, CONTENT_MAX, &bytes, NULL, err) < 0)
        return -1;
    sp_manifest_digest(sp_buf_str(&bytes), bytes.len, digest);
    e.mode = p->stx.stx_mode & 07777;
    e.size = bytes.len;
    return sp_manifest_add(r->out, &e, ret_new, err);
}

static int keep_file(struct sp_resolver *r, const struct sp_resolved *p, char *dest, bool *ret_new,
                     struct sp_error *err)
{
    struct sp_manifest_entry e;
    char source[PATH_MAX];
    bool elsewhere = !sp_streq(dest, p->path);

    if (p->stx.stx_size <= CONTENT_MAX && (elsewhere || sp_streq(dest, "etc/resolv.conf")))
        return keep_content(r, p, dest, ret_new, err);
    memcpy(source, p->path, sizeof(source));
    sp_resolve_entry(&p->stx, SP_MANIFEST_FILE, dest, &e);
    if (elsewhere)
        e.extra = source;
    return sp_manifest_add(r->out, &e, ret_new, err);
}

int sp_resolve_keep(struct sp_resolver *r, const struct sp_resolved *p, bool *ret_kept, bool *ret_new,
                    struct sp_error *err)
{
    size_t n = p->n_links;
    char dest[PATH_MAX];

    *ret_kept = true;
    if (ret_new != NULL)
        *ret_new = false;
    memcpy(dest, p->path, sizeof(dest));
    if (!has_place(r, p->path)) {
        while (n > 0 && !(p->links[n - 1].last && has_place(r, p->links[n - 1].path)))
            n--;
        *ret_kept = n > 0 && p->kind == SP_RESOLVED_FILE &&
                    sp_str_copy(dest, sizeof(dest), p->links[n - 1].path) == 0;
        if (!*ret_kept)
            return 0;
        n--;
    }
    if (keep_links(r, p, n, err) < 0)
        return -1;
    return p->kind == SP_RESOLVED_FILE ? keep_file(r, p, dest, ret_new, err) : 0;
}

int sp_resolve_note_absent(struct sp_resolver *r, const struct sp_resolved *p, struct sp_error *err)
{
    struct sp_manifest_entry e = {.kind = SP_MANIFEST_ABSENT};
    char path[PATH_MAX];

    memcpy(path, p->path, sizeof(path));
    e.path = path;
    return sp_manifest_path_ok(path) ? sp_manifest_add(r->out, &e, NULL, err) : 0;
}
