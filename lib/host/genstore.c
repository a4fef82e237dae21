/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/genstore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/genusers.h"
#include "host/layout.h"

#define TMP ".tmp-"

/* A login reads the link, then mounts what it named: so long it may take. */
enum { GRACE_S = 60, MANIFEST_MAX = 64 << 20, HEAD_MAX = 4096 };

void sp_genstore_clear(struct sp_genstore *s)
{
    sp_cleanup_close(&s->store);
    sp_cleanup_close(&s->gens);
    sp_cleanup_close(&s->sets);
    s->store = s->gens = s->sets = -1;
}

int sp_genstore_open(struct sp_host *h, enum sp_genstore_flags flags, struct sp_genstore *ret,
                     struct sp_error *err)
{
    _cleanup_(sp_genstore_clear) struct sp_genstore s = SP_GENSTORE_INIT;
    _cleanup_close_ int var = -1;

    if (flags & SP_GENSTORE_MAKE) {
        var = sp_fsat_make_dirs(h->root_fd, "var/lib", 0755, err);
        s.store = var >= 0 ? sp_fsat_make_dirs(h->root_fd, SP_STORE, 0711, err) : -1;
        s.gens = s.store >= 0 ? sp_fsat_make_dirs(s.store, "gen", 0755, err) : -1;
        s.sets = s.gens >= 0 ? sp_fsat_make_dirs(s.store, "sets", 0755, err) : -1;
    } else {
        s.store = sp_fsat_open_dir(h->root_fd, SP_STORE, SP_FSAT_NONE, err);
        s.gens = s.store >= 0 ? sp_fsat_open_dir(s.store, "gen", SP_FSAT_NONE, err) : -1;
        s.sets = s.gens >= 0 ? sp_fsat_open_dir(s.store, "sets", SP_FSAT_NONE, err) : -1;
    }
    if (s.sets < 0)
        return -1;
    *ret = s;
    s = (struct sp_genstore)SP_GENSTORE_INIT;
    return 0;
}

bool sp_genstore_is_hash(const char *name)
{
    return strlen(name) == 64 && strspn(name, "0123456789abcdef") == 64;
}

/* "" where the set names none. -1: it could not be looked at. */
static int read_set(const struct sp_genstore *s, const char *set, char ret_hash[65])
{
    char target[128];
    const char *hash = NULL;
    ssize_t n = readlinkat(s->sets, set, target, sizeof(target) - 1);

    ret_hash[0] = '\0';
    if (n < 0)
        return errno == ENOENT || errno == EINVAL ? 0 : -1;
    target[n] = '\0';
    if (sp_str_prefix(target, "../gen/", &hash) && sp_genstore_is_hash(hash))
        memcpy(ret_hash, hash, 65);
    return 0;
}

void sp_genstore_current(const struct sp_genstore *s, const char *set, char ret_hash[65])
{
    (void)read_set(s, set, ret_hash);
}

int sp_genstore_load(const struct sp_genstore *s, const char *hash, struct sp_manifest *ret,
                     struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    _cleanup_close_ int fd = sp_fsat_open_dir(s->gens, hash, SP_FSAT_NONE, err);

    if (fd < 0 || sp_fsat_read(fd, "manifest", MANIFEST_MAX, &text, NULL, err) < 0)
        return -1;
    return sp_manifest_parse(&text, ret, err) < 0 ? -1 : sp_steal_fd(&fd);
}

void sp_genstore_text_clear(struct sp_genstore_text *text)
{
    sp_cleanup_close(&text->fd);
}

int sp_genstore_begin(const struct sp_genstore *s, const char *hash, struct sp_manifest *ret,
                      struct sp_genstore_text *ret_text, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    _cleanup_close_ int dir = sp_fsat_open_dir(s->gens, hash, SP_FSAT_NONE, err), fd = -1;
    struct stat st;
    ssize_t n;

    if (dir >= 0)
        fd = sp_fsat_open(dir, "manifest", O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, SP_FSAT_NONE, err);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > MANIFEST_MAX)
        return sp_fail(err, SP_E_STATE, 0, "the manifest of a generation is no file, or too large");
    n = sp_buf_read(&text, fd, HEAD_MAX);
    if (n < 0)
        return sp_fail(err, SP_E_IO, errno, "cannot read the manifest of a generation");
    if (sp_manifest_begin(&text, ret, err) < 0)
        return -1;
    *ret_text = (struct sp_genstore_text){
        .fd = sp_steal_fd(&fd), .begin = (uint64_t)n - ret->rest_len, .end = (uint64_t)st.st_size};
    return sp_steal_fd(&dir);
}

/* The directory's own mtime says when it went out of use: nothing in it changes otherwise. */
static void retire(struct sp_host *h, const struct sp_genstore *s, const char *hash)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = h->ops->now(h)}};

    if (hash[0] != '\0')
        (void)utimensat(s->gens, hash, times, AT_SYMLINK_NOFOLLOW);
}

int sp_genstore_point(struct sp_host *h, const struct sp_genstore *s, const char *set, const char *hash,
                      struct sp_error *err)
{
    char target[96], temp[300], old[65];

    if (sp_str_format(target, sizeof(target), "../gen/%s", hash) < 0 ||
        sp_str_format(temp, sizeof(temp), TMP "%s", set) < 0)
        return sp_fail(err, SP_E_INTERNAL, 0, "the name of a set does not fit");
    sp_genstore_current(s, set, old);
    if ((unlinkat(s->sets, temp, 0) < 0 && errno != ENOENT) || symlinkat(target, s->sets, temp) < 0 ||
        renameat(s->sets, temp, s->sets, set) < 0 || fsync(s->sets) < 0)
        return sp_fail(err, SP_E_IO, errno, "making a generation the current one of %s", set);
    retire(h, s, old);
    return 0;
}

int sp_genstore_unpoint(struct sp_host *h, const struct sp_genstore *s, const char *set,
                        struct sp_error *err)
{
    char old[65];

    sp_genstore_current(s, set, old);
    if ((unlinkat(s->sets, set, 0) < 0 && errno != ENOENT) || fsync(s->sets) < 0)
        return sp_fail(err, SP_E_IO, errno, "forgetting the set %s", set);
    retire(h, s, old);
    return 0;
}

/* For each name in directory dirfd. */
static int each_name(int dirfd, int (*visit)(void *, const char *), void *ctx, struct sp_error *err)
{
    _cleanup_closedir_ DIR *d = NULL;
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;
    const struct dirent *e;

    d = fd >= 0 ? fdopendir(fd) : NULL;
    if (d == NULL)
        return sp_fail(err, SP_E_IO, errno, "reading the store");
    while ((rc = sp_fsat_next(d, "the store", &e, err)) > 0)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && visit(ctx, e->d_name) < 0)
            return -1;
    return rc;
}

struct list {
    char (*hashes)[65];
    size_t n, max;
};

static int list_one(void *ctx, const char *name)
{
    struct list *l = ctx;

    if (l->n < l->max && sp_genstore_is_hash(name))
        memcpy(l->hashes[l->n++], name, sizeof(l->hashes[0]));
    return 0;
}

size_t sp_genstore_list(const struct sp_genstore *s, char (*hashes)[65], size_t max)
{
    struct list l = {.hashes = hashes, .max = max};
    struct sp_error ignored;

    (void)each_name(s->gens, list_one, &l, &ignored);
    return l.n;
}

struct sets {
    const struct sp_genstore *s;
    char (*v)[256];
    size_t n;
    struct sp_error *err;
};

static int add_set(void *ctx, const char *name)
{
    struct sets *l = ctx;
    char hash[65];
    void *grown;

    sp_genstore_current(l->s, name, hash);
    if (hash[0] == '\0' || sp_str_prefix(name, TMP, NULL))
        return 0;
    grown = reallocarray(l->v, l->n + 1, sizeof(*l->v));
    if (grown == NULL)
        return sp_fail(l->err, SP_E_NO_MEMORY, 0, "out of memory");
    l->v = grown;
    return sp_str_copy(l->v[l->n++], sizeof(l->v[0]), name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

int sp_genstore_sets(const struct sp_genstore *s, char (**ret)[256], size_t *ret_n, struct sp_error *err)
{
    struct sets l = {.s = s, .err = err};

    if (each_name(s->sets, add_set, &l, err) < 0) {
        free(l.v);
        return -1;
    }
    if (l.n > 0)
        qsort(l.v, l.n, sizeof(*l.v), by_name);
    *ret = l.v;
    *ret_n = l.n;
    return 0;
}

struct sweep {
    struct sp_host *h;
    const struct sp_genstore *s;
    struct sp_buf named; /* the hashes of all sets, one after the other */
    struct sp_genusers users;
    struct sp_error *err;
};

static void sweep_clear(struct sweep *w)
{
    sp_buf_clear(&w->named);
    sp_genusers_clear(&w->users);
}

static int clean_one(void *ctx, const char *name)
{
    struct sweep *w = ctx;

    return sp_str_prefix(name, TMP, NULL) ? sp_fsat_remove_tree(w->s->gens, name, w->err) : 0;
}

int sp_genstore_clean(const struct sp_genstore *s, struct sp_error *err)
{
    struct sweep w = {.s = s, .err = err};

    return each_name(s->gens, clean_one, &w, err);
}

/* A set that cannot be looked at may name any of them: then none goes. */
static int name_one(void *ctx, const char *set)
{
    struct sweep *w = ctx;
    char hash[65];

    if (read_set(w->s, set, hash) < 0)
        return sp_fail(w->err, SP_E_IO, errno, "reading which generation is that of %s", set);
    sp_buf_puts(&w->named, hash);
    return 0;
}

static bool is_fresh(const struct sweep *w, const char *hash)
{
    int64_t now = w->h->ops->now(w->h);
    struct stat st;

    return fstatat(w->s->gens, hash, &st, AT_SYMLINK_NOFOLLOW) < 0 || now - st.st_mtim.tv_sec < GRACE_S;
}

/* Renamed first: a removal that is cut short leaves no half generation under a true name. */
static int collect_one(void *ctx, const char *hash)
{
    struct sweep *w = ctx;
    char temp[80];

    if (!sp_genstore_is_hash(hash) || strstr(sp_buf_str(&w->named), hash) != NULL || is_fresh(w, hash))
        return 0;
    if (sp_genusers_load(&w->users, w->err) < 0)
        return -1;
    if (sp_genusers_has(&w->users, hash))
        return 0;
    if (sp_str_format(temp, sizeof(temp), TMP "%s", hash) < 0 ||
        renameat(w->s->gens, hash, w->s->gens, temp) < 0)
        return sp_fail(w->err, SP_E_IO, errno, "retiring a generation");
    return sp_fsat_remove_tree(w->s->gens, temp, w->err);
}

int sp_genstore_collect(struct sp_host *h, const struct sp_genstore *s, struct sp_error *err)
{
    _cleanup_(sweep_clear) struct sweep w = {.h = h, .s = s, .err = err};

    if (each_name(s->sets, name_one, &w, err) < 0)
        return -1;
    if (!sp_buf_ok(&w.named))
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    return each_name(s->gens, collect_one, &w, err);
}
