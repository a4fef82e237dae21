/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/closure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/resolve.h"
#include "host/treewalk.h"
#include "model/elf.h"
#include "model/ldcache.h"
#include "model/libsearch.h"

#define LD_SO_CACHE "etc/ld.so.cache"

enum { CACHE_MAX = 16 << 20, HEAD = 256 };

/* A file that was taken and is still to be looked into. */
struct todo {
    char *path;    /* where its bytes are */
    char *rpath;   /* of what loaded it, expanded; NULL */
    bool promised; /* a program of a profile, or what it needs: its failures are told */
};

struct closure {
    struct sp_host *h;
    struct sp_resolver resolver;
    struct sp_manifest *out;
    struct sp_buf cache_bytes;
    struct sp_ldcache cache;
    struct todo *todo;
    size_t n_todo, todo_size;
    const struct sp_profile *const *profiles;
    size_t n_profiles;
    struct sp_manifest fitting; /* libraries that were seen to be for the native machine */
    struct sp_elf native;       /* of the first program seen: what a bare soname is meant for */
    bool has_native;
    struct sp_error *err;
};

static void closure_clear(struct closure *c)
{
    sp_resolver_clear(&c->resolver);
    sp_manifest_clear(&c->fitting);
    sp_ldcache_clear(&c->cache);
    sp_buf_clear(&c->cache_bytes);
    for (size_t i = 0; i < c->n_todo; i++) {
        free(c->todo[i].path);
        free(c->todo[i].rpath);
    }
    free(c->todo);
}

static int no_memory(struct closure *c)
{
    return sp_fail(c->err, SP_E_NO_MEMORY, 0, "out of memory");
}

static int push(struct closure *c, const char *path, const char *rpath, bool promised)
{
    struct todo *t;

    if (c->n_todo == c->todo_size) {
        size_t size = c->todo_size != 0 ? c->todo_size * 2 : 256;
        struct todo *bigger = reallocarray(c->todo, size, sizeof(*bigger));
        if (bigger == NULL)
            return no_memory(c);
        c->todo = bigger;
        c->todo_size = size;
    }
    t = &c->todo[c->n_todo++];
    *t = (struct todo){.path = strdup(path), .promised = promised};
    t->rpath = rpath != NULL ? strdup(rpath) : NULL;
    return t->path != NULL && (rpath == NULL || t->rpath != NULL) ? 0 : no_memory(c);
}

/* Does it lie in a tree that a jail shows as it is? */
static bool is_shown(const struct closure *c, const char *path)
{
    for (size_t i = 0; i < c->n_profiles; i++)
        for (size_t k = 0; k < c->profiles[i]->n_items; k++) {
            const struct sp_profile_item *item = &c->profiles[i]->items[k];
            const char *rest;

            if (item->kind == SP_PROFILE_MOUNT && !item->denied &&
                sp_str_prefix(path, item->value + 1, &rest) && (*rest == '/' || *rest == '\0'))
                return true;
        }
    return false;
}

/* Keep what was walked to, and look into it later if it is new. 1 kept, or in a tree that is shown (and
 * looked into with it), 0 no place for it, -1. */
static int take(struct closure *c, const struct sp_resolved *p, const char *rpath, bool promised)
{
    bool kept = false, new = false;

    if (sp_resolve_keep(&c->resolver, p, &kept, &new, c->err) < 0)
        return -1;
    if (new &&push(c, p->path, rpath, promised) < 0)
        return -1;
    return kept || is_shown(c, p->path) ? 1 : 0;
}

/* Take a path if it is a file there; otherwise remember what was missing. 1, 0 or -1. */
static int take_path(struct closure *c, const char *path, mode_t need, bool promised)
{
    _cleanup_(sp_resolved_clear) struct sp_resolved p = {0};

    if (sp_resolve_walk(&c->resolver, path, &p, c->err) < 0)
        return -1;
    if (p.kind == SP_RESOLVED_FILE && (p.stx.stx_mode & need) == need)
        return take(c, &p, NULL, promised);
    return p.kind == SP_RESOLVED_ABSENT ? sp_resolve_note_absent(&c->resolver, &p, c->err) : 0;
}

static int take_program(struct closure *c, const char *name)
{
    static const char *const dirs[] = {"usr/local/bin", "usr/bin", "bin", "usr/sbin", "sbin"};
    char path[PATH_MAX];

    if (name[0] == '/')
        return take_path(c, name, S_IROTH | S_IXOTH, true);
    for (size_t i = 0; i < SP_COUNT(dirs); i++) {
        int r = sp_str_format(path, sizeof(path), "%s/%s", dirs[i], name) < 0
                    ? 0
                    : take_path(c, path, S_IROTH | S_IXOTH, true);
        if (r != 0)
            return r;
    }
    return 0;
}

/* pread for the ELF reader. */
static int read_fd(void *ctx, uint64_t offset, void *buf, size_t len)
{
    const int *fd = ctx;

    if (offset > INT64_MAX)
        return -1;
    return pread(*fd, buf, len, (off_t)offset) == (ssize_t)len ? 0 : -1;
}

static int open_file(struct closure *c, const char *path, struct sp_error *err)
{
    return sp_fsat_open(c->h->root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW, 0, SP_FSAT_NONE,
                        err);
}

/* A file that cannot be looked at at all is none that the loader takes. One that cannot be looked at for a
 * reason of the host's own may be: without it the jail would count as whole. */
static int unseen(struct closure *c, const struct sp_error *why)
{
    if (!sp_error_is_blind(why))
        return 0;
    *c->err = *why;
    return -1;
}

struct search {
    struct closure *c;
    const struct sp_elf *elf; /* what needs the library */
    const char *rpath;
    bool promised;
};

/* 1 if the loader would take the file at path, 0 if not. Most are asked for again and again. */
static int fits(struct search *s, const char *path)
{
    _cleanup_(sp_elf_clear) struct sp_elf elf = {0};
    struct sp_manifest_entry e = {.kind = SP_MANIFEST_FILE};
    bool native = s->c->has_native && sp_elf_fits(s->elf, &s->c->native);
    char key[PATH_MAX];
    struct sp_error why;
    _cleanup_close_ int fd = -1;

    if (native && sp_manifest_find(&s->c->fitting, path) != NULL)
        return 1;
    fd = open_file(s->c, path, &why);
    if (fd < 0)
        return unseen(s->c, &why);
    if (sp_elf_parse(read_fd, &fd, &elf, &why) < 0 || !sp_elf_fits(s->elf, &elf) ||
        sp_str_copy(key, sizeof(key), path) < 0)
        return 0;
    e.path = key;
    return native && sp_manifest_add(&s->c->fitting, &e, NULL, s->c->err) < 0 ? -1 : 1;
}

/* Is it there, and would the loader take it? */
static int try_library(void *ctx, const char *path)
{
    struct search *s = ctx;
    _cleanup_(sp_resolved_clear) struct sp_resolved p = {0};
    int r;

    if (sp_resolve_walk(&s->c->resolver, path, &p, s->c->err) < 0)
        return -1;
    if (p.kind == SP_RESOLVED_ABSENT)
        return sp_resolve_note_absent(&s->c->resolver, &p, s->c->err);
    r = p.kind == SP_RESOLVED_FILE ? fits(s, p.path) : 0;
    return r > 0 ? take(s->c, &p, s->rpath, s->promised) : r;
}

static int find_library(struct search *s, const char *rpath, const char *runpath, const char *soname)
{
    int r = sp_libsearch_each(&s->c->cache, s->elf, rpath, runpath, soname, try_library, s);

    if (r == 0 && s->promised)
        sp_manifest_miss(s->c->out, soname);
    return r < 0 ? -1 : r;
}

static int follow_elf(struct closure *c, const struct todo *t, const struct sp_elf *elf)
{
    char origin[PATH_MAX];
    _cleanup_free_ char *rpath = NULL, *runpath = NULL;
    struct search s = {.c = c, .elf = elf, .promised = t->promised};
    char *slash;

    if (sp_str_format(origin, sizeof(origin), "/%s", t->path) < 0)
        return 0;
    slash = strrchr(origin, '/');
    *slash = '\0';
    /* DT_RPATH is handed down to what is loaded, DT_RUNPATH is not. */
    rpath = sp_libsearch_expand(elf->runpath == NULL ? elf->rpath : NULL, origin, t->rpath);
    runpath = elf->runpath != NULL ? sp_libsearch_expand(elf->runpath, origin, NULL) : NULL;
    if (rpath == NULL || (elf->runpath != NULL && runpath == NULL))
        return no_memory(c);
    s.rpath = rpath[0] != '\0' ? rpath : NULL;
    if (elf->interp != NULL && take_path(c, elf->interp, S_IROTH, t->promised) < 0)
        return -1;
    for (size_t i = 0; i < elf->n_needed; i++)
        if (find_library(&s, rpath, runpath, elf->needed[i]) < 0)
            return -1;
    return 0;
}

/* execve(2): "#!", blanks, the interpreter, at most one argument. */
static int follow_script(struct closure *c, char *line)
{
    char *at = line + 2, *save = NULL;
    char *interpreter, *argument;
    const char *base;
    int r;

    line[strcspn(line, "\n")] = '\0';
    interpreter = strtok_r(at, " \t", &save);
    argument = strtok_r(NULL, " \t", &save);
    if (interpreter == NULL || interpreter[0] != '/')
        return 0;
    r = take_path(c, interpreter, S_IROTH | S_IXOTH, true);
    if (r == 0)
        sp_manifest_miss(c->out, interpreter);
    if (r < 0)
        return -1;
    base = strrchr(interpreter, '/') + 1;
    if (!sp_streq(base, "env") || argument == NULL)
        return 0;
    if (sp_streq(argument, "-S"))
        argument = strtok_r(NULL, " \t", &save);
    r = argument != NULL ? take_program(c, argument) : 1;
    if (r == 0)
        sp_manifest_miss(c->out, argument);
    return r < 0 ? -1 : 0;
}

/* An entry that is checked and not copied. */
static int watch_one(struct closure *c, const char *path, enum sp_manifest_kind kind)
{
    _cleanup_close_ int fd = -1;
    struct sp_manifest_entry e;
    struct sp_error why;
    struct statx stx;
    char key[PATH_MAX];

    fd = sp_fsat_open(c->h->root_fd, path, O_PATH | O_NOFOLLOW, 0, SP_FSAT_NONE, &why);
    if (fd < 0)
        return unseen(c, &why);
    if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx) < 0)
        return sp_fail(c->err, SP_E_IO, errno, "cannot look at /%s", path);
    if (sp_str_copy(key, sizeof(key), path) < 0)
        return 0;
    sp_resolve_entry(&stx, kind, key, &e);
    return sp_manifest_add(c->out, &e, NULL, c->err);
}

/* What is shown is no part of the generation, but what it is linked with is: a new version may want other
 * libraries. Of a directory the time tells that a module came. */
static int watch(struct closure *c, const char *path)
{
    char dir[PATH_MAX];

    if (!is_shown(c, path) || sp_manifest_find(c->out, path) != NULL)
        return 0;
    (void)sp_str_format(dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path), path);
    if (sp_manifest_find(c->out, dir) == NULL && is_shown(c, dir) && watch_one(c, dir, SP_MANIFEST_DIR) < 0)
        return -1;
    return watch_one(c, path, SP_MANIFEST_FILE);
}

static int look_into(struct closure *c, const struct todo *t)
{
    _cleanup_(sp_elf_clear) struct sp_elf elf = {0};
    char head[HEAD + 1];
    struct sp_error ignored, why;
    _cleanup_close_ int fd = open_file(c, t->path, &why);
    ssize_t n = fd >= 0 ? pread(fd, head, HEAD, 0) : -1;

    if (fd < 0)
        return unseen(c, &why);
    if (n < 4)
        return n < 0 ? sp_fail(c->err, SP_E_IO, errno, "reading /%s", t->path) : 0;
    head[n] = '\0';
    /* Scripts deep in a tree name interpreters that nobody promised (git-p4: python3). */
    if (head[0] == '#' && head[1] == '!')
        return t->promised ? follow_script(c, head) : 0;
    if (sp_elf_parse(read_fd, &fd, &elf, &ignored) < 0)
        return 0;
    if (watch(c, t->path) < 0)
        return -1;
    if (!c->has_native && elf.interp != NULL) {
        c->native = (struct sp_elf){.is64 = elf.is64, .big_endian = elf.big_endian, .machine = elf.machine};
        c->has_native = true;
    }
    return follow_elf(c, t, &elf);
}

static int drain(struct closure *c)
{
    while (c->n_todo > 0) {
        struct todo t = c->todo[--c->n_todo];
        int r = look_into(c, &t);

        free(t.path);
        free(t.rpath);
        if (r < 0)
            return -1;
    }
    return 0;
}

static int take_library(struct closure *c, const char *soname)
{
    struct search s = {.c = c, .elf = &c->native, .promised = true};

    if (!c->has_native)
        return 0;
    return sp_libsearch_each(&c->cache, s.elf, NULL, NULL, soname, try_library, &s);
}

/* Called for each file that a tree brought and that may be code. */
static int tree_file(void *ctx, const char *path)
{
    return push(ctx, path, NULL, false);
}

static int take_tree(struct closure *c, const char *path)
{
    return sp_treewalk(&c->resolver, path, tree_file, c, c->err);
}

/* A tree that is shown is not copied, but what its programs and modules are linked with is. */
static int scan_tree(struct closure *c, const char *path)
{
    _cleanup_(sp_manifest_clear) struct sp_manifest seen = {0};
    _cleanup_(sp_resolver_clear) struct sp_resolver r = {
        .root_fd = c->h->root_fd, .out = &seen, .beyond = path + 1};

    return sp_treewalk(&r, path, tree_file, c, c->err) < 0 ? -1 : 1;
}

static int take_item(struct closure *c, const struct sp_profile *p, const struct sp_profile_item *item)
{
    static int (*const takers[])(struct closure *, const char *) = {
        [SP_PROFILE_PROGRAM] = take_program,
        [SP_PROFILE_LIBRARY] = take_library,
        [SP_PROFILE_TREE] = take_tree,
        [SP_PROFILE_MOUNT] = scan_tree,
    };
    int r = takers[item->kind](c, item->value);
    size_t install;

    if (r > 0)
        return drain(c);
    if (r < 0)
        return -1;
    if (item->optional) {
        /* A path is one of several places where distributions keep a thing; a name is a thing. */
        if (item->value[0] != '/')
            sp_manifest_miss(c->out, item->value);
        return 0;
    }
    sp_fail(c->err, SP_E_NOT_FOUND, 0,
            "the profile %s promises %s, which this host has not got, or not readable for everybody",
            p->name, item->value);
    install = sp_profile_next(p, 0, SP_PROFILE_INSTALL);
    sp_hint(c->err, "install %s, or say \"%s?\" in a profile of your own",
            install < p->n_items ? p->items[install].value : "it",
            item->kind == SP_PROFILE_TREE      ? "tree"
            : item->kind == SP_PROFILE_LIBRARY ? "library"
                                               : "program");
    return sp_field(c->err, "profiles.%s", p->name);
}

/* First of all: whatever the host has at that path does not get in. */
static int take_links(struct closure *c, const struct sp_profile *p)
{
    for (size_t i = 0; (i = sp_profile_next(p, i, SP_PROFILE_LINK)) < p->n_items; i++) {
        const char *value = p->items[i].value, *blank = strchr(value, ' ');
        struct sp_manifest_entry e = {.kind = SP_MANIFEST_MADE, .extra = (char *)blank + 1};
        char path[PATH_MAX];

        if (sp_str_format(path, sizeof(path), "%.*s", (int)(blank - value - 1), value + 1) < 0)
            return sp_fail(c->err, SP_E_INTERNAL, 0, "a path does not fit");
        e.path = path;
        if (sp_manifest_add(c->out, &e, NULL, c->err) < 0)
            return -1;
    }
    return 0;
}

/* Without the loader's cache the default directories must do, but not for a moment. */
static int read_cache(struct closure *c)
{
    struct sp_error why;

    if ((sp_fsat_read(c->h->root_fd, LD_SO_CACHE, CACHE_MAX, &c->cache_bytes, NULL, &why) < 0 ||
         sp_ldcache_parse(sp_buf_str(&c->cache_bytes), c->cache_bytes.len, &c->cache, &why) < 0) &&
        unseen(c, &why) < 0)
        return -1;
    /* Taken always: it decides what was found, so that its change must be noticed. */
    return take_path(c, LD_SO_CACHE, S_IROTH, false) < 0 ? -1 : 0;
}

/* Programs first: they tell which machine a bare soname is for. */
static int take_kind(struct closure *c, const struct sp_profile *const *profiles, size_t n,
                     enum sp_profile_kind kind)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < profiles[i]->n_items; k++)
            if (profiles[i]->items[k].kind == kind && !profiles[i]->items[k].denied &&
                take_item(c, profiles[i], &profiles[i]->items[k]) < 0)
                return -1;
    return 0;
}

int sp_closure_collect(struct sp_host *h, const struct sp_profile *const *profiles, size_t n,
                       struct sp_manifest *ret, struct sp_error *err)
{
    _cleanup_(closure_clear) struct closure c = {
        .h = h, .out = ret, .profiles = profiles, .n_profiles = n, .err = err};

    c.resolver = (struct sp_resolver){.root_fd = h->root_fd, .out = ret};
    for (size_t i = 0; i < n; i++)
        if (take_links(&c, profiles[i]) < 0)
            return -1;
    if (read_cache(&c) < 0 || take_kind(&c, profiles, n, SP_PROFILE_PROGRAM) < 0 ||
        take_kind(&c, profiles, n, SP_PROFILE_LIBRARY) < 0 ||
        take_kind(&c, profiles, n, SP_PROFILE_TREE) < 0 || take_kind(&c, profiles, n, SP_PROFILE_MOUNT) < 0)
        return -1;
    return drain(&c);
}
