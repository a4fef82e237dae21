/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/generation.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "host/closure.h"
#include "host/fsat.h"
#include "host/genbuild.h"
#include "host/gencheck.h"
#include "host/genstore.h"
#include "host/layout.h"
#include "host/lock.h"
#include "host/prove.h"

#define LOCK SP_STORE "/gen.lock"

/* What is generated below changed: generations of an older program are then not current. */
#define FORMAT "4"

/* A build takes seconds on a slow disk; somebody else's is waited for. */
enum { LOCK_MS = 120000, TRIES = 3, MAX_PROFILES = 32, CONTENT_MAX = 65536 };

struct build {
    struct sp_host *h;
    const struct sp_profile *const *profiles;
    size_t n;
    enum sp_generation_flags flags;
    struct sp_genstore *store;
    struct sp_generation *ret;
    struct sp_error *err;
};

/* By name, so that the order in which profiles were asked for makes no other set. */
static void insert(const struct sp_profile **sorted, size_t n, const struct sp_profile *p)
{
    for (; n > 0 && strcmp(sorted[n - 1]->name, p->name) > 0; n--)
        sorted[n] = sorted[n - 1];
    sorted[n] = p;
}

int sp_generation_set_name(const struct sp_profile *const *profiles, size_t n, char ret[256],
                           struct sp_error *err)
{
    const struct sp_profile *sorted[MAX_PROFILES];
    size_t used = 0;

    ret[0] = '\0';
    if (n == 0 || n > MAX_PROFILES)
        return sp_fail(err, SP_E_INVALID, 0, "a set of %zu profiles", n);
    for (size_t i = 0; i < n; i++) {
        if (sp_profile_check_name(profiles[i]->name, err) < 0)
            return -1;
        insert(sorted, i, profiles[i]);
    }
    for (size_t i = 0; i < n; i++) {
        if (sp_str_format(ret + used, 256 - used, "%s%s", i > 0 ? "+" : "", sorted[i]->name) < 0)
            return sp_fail(err, SP_E_INVALID, 0, "too many profiles in one set");
        used += strlen(ret + used);
    }
    return 0;
}

/* What the profiles say: each item is a line. The caller brings them in one order. */
static int hash_profiles(const struct sp_profile *const *profiles, size_t n, char ret[65],
                         struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};

    sp_buf_puts(&text, FORMAT "\n");
    for (size_t i = 0; i < n; i++) {
        sp_buf_printf(&text, "%s\n", profiles[i]->name);
        for (size_t k = 0; k < profiles[i]->n_items; k++)
            if (profiles[i]->items[k].kind < SP_PROFILE_PROMISE) /* the others are for people */
                sp_buf_printf(&text, "%d %d%s %s\n", (int)profiles[i]->items[k].kind,
                              (int)profiles[i]->items[k].optional,
                              profiles[i]->items[k].denied ? " denied" : "", profiles[i]->items[k].value);
    }
    if (!sp_buf_ok(&text))
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    sp_manifest_digest(sp_buf_str(&text), text.len, ret);
    return 0;
}

static size_t count_files(const struct sp_manifest *m)
{
    size_t n = SP_GENBUILD_OWN_FILES;

    for (size_t i = 0; i < m->n; i++)
        n += sp_gencheck_counts(&m->entries[i]);
    return n;
}

static int differs(void *ctx, const struct sp_manifest_entry *e, enum sp_gencheck_finding f)
{
    (void)ctx;
    (void)e;
    (void)f;
    return 1;
}

static bool is_stored(struct build *b)
{
    _cleanup_(sp_manifest_clear) struct sp_manifest m = {0};
    struct sp_error broken;
    _cleanup_close_ int fd = sp_genstore_load(b->store, b->ret->hash, &m, &broken);

    return fd >= 0 && sp_gencheck_store(b->h, fd, &m, differs, NULL) == 0;
}

static int check(struct build *b, bool *ret_current)
{
    _cleanup_(sp_genstore_text_clear) struct sp_genstore_text text = {.fd = -1};
    _cleanup_(sp_manifest_clear) struct sp_manifest m = {0};
    _cleanup_close_ int fd = -1;
    struct sp_error broken;
    char profiles[65];
    size_t files = 0;

    *ret_current = false;
    sp_genstore_current(b->store, b->ret->set, b->ret->hash);
    if (hash_profiles(b->profiles, b->n, profiles, b->err) < 0)
        return -1;
    fd = b->ret->hash[0] != '\0' ? sp_genstore_begin(b->store, b->ret->hash, &m, &text, &broken) : -1;
    if (fd < 0 || !sp_streq(m.profiles, profiles) || !sp_fsat_exists(fd, "usr/bin") ||
        !sp_fsat_exists(fd, "etc/passwd") || !sp_gencheck_current(b->h, &text, &files))
        return 0;
    if ((b->flags & SP_GENERATION_STORED) != 0 && !is_stored(b))
        return 0;
    b->ret->n_files = SP_GENBUILD_OWN_FILES + files;
    memcpy(b->ret->missing, m.missing, sizeof(m.missing));
    *ret_current = true;
    return 0;
}

/* It becomes a name in sets/. */
static int take_name(const char *set, struct sp_generation *ret, struct sp_error *err)
{
    if (set[0] < 'a' || set[0] > 'z' || strchr(set, '/') != NULL ||
        sp_str_copy(ret->set, sizeof(ret->set), set) < 0)
        return sp_fail(err, SP_E_INVALID, 0, "not the name of a set of profiles: %s", set);
    return 0;
}

int sp_generation_check(struct sp_host *h, const char *set, const struct sp_profile *const *profiles,
                        size_t n, enum sp_generation_flags flags, bool *ret_current,
                        struct sp_generation *ret, struct sp_error *err)
{
    _cleanup_(sp_genstore_clear) struct sp_genstore store = SP_GENSTORE_INIT;
    struct build b = {
        .h = h, .profiles = profiles, .n = n, .flags = flags, .store = &store, .ret = ret, .err = err};

    *ret_current = false;
    *ret = (struct sp_generation){0};
    if (take_name(set, ret, err) < 0)
        return -1;
    if (sp_genstore_open(h, SP_GENSTORE_NONE, &store, err) < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    return check(&b, ret_current);
}

static int build_once(struct build *b)
{
    _cleanup_(sp_manifest_clear) struct sp_manifest m = {0};

    if (hash_profiles(b->profiles, b->n, m.profiles, b->err) < 0 ||
        sp_closure_collect(b->h, b->profiles, b->n, &m, b->err) < 0 ||
        sp_genbuild_run(b->h, b->store, b->ret->set, b->profiles, b->n, &m, b->ret->hash, b->err) < 0)
        return -1;
    b->ret->n_files = count_files(&m);
    memcpy(b->ret->missing, m.missing, sizeof(m.missing));
    b->ret->built = true;
    return 0;
}

/* A source that changes while it is copied is an installation that is running: soon it is done. */
static int build(struct build *b)
{
    const struct timespec pause = {.tv_nsec = 200000000};
    int r = -1;

    for (int i = 0; i < TRIES; i++) {
        if (i > 0)
            (void)nanosleep(&pause, NULL);
        r = build_once(b);
        if (r == 0 || b->err->code != SP_E_BUSY)
            break;
    }
    return r;
}

static int check_requires(const struct sp_profile *const *profiles, size_t n, struct sp_error *err)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < profiles[i]->n_items; k++) {
            size_t other = 0;

            if (profiles[i]->items[k].kind != SP_PROFILE_REQUIRES)
                continue;
            while (other < n && !sp_streq(profiles[other]->name, profiles[i]->items[k].value))
                other++;
            if (other == n)
                return sp_fail(err, SP_E_INVALID, 0, "the profile %s needs the profile %s",
                               profiles[i]->name, profiles[i]->items[k].value);
        }
    return 0;
}

int sp_generation_ensure(struct sp_host *h, const char *set, const struct sp_profile *const *profiles,
                         size_t n, enum sp_generation_flags flags, struct sp_generation *ret,
                         struct sp_error *err)
{
    _cleanup_(sp_genstore_clear) struct sp_genstore store = SP_GENSTORE_INIT;
    _cleanup_close_ int lock = -1;
    struct build b = {
        .h = h, .profiles = profiles, .n = n, .flags = flags, .store = &store, .ret = ret, .err = err};
    struct sp_error later;
    bool current = false;

    *ret = (struct sp_generation){0};
    if (take_name(set, ret, err) < 0 || check_requires(profiles, n, err) < 0 ||
        sp_genstore_open(h, SP_GENSTORE_MAKE, &store, err) < 0)
        return -1;
    /* Without the lock first: the usual answer is that all is as it was. */
    if (check(&b, &current) < 0)
        return -1;
    if (current)
        return 0;
    lock = sp_lock_take(h, LOCK, LOCK_MS, err);
    if (lock < 0 || check(&b, &current) < 0)
        return -1;
    if (current)
        return 0;
    if (sp_genstore_clean(&store, err) < 0 || sp_generation_ensure_dev(h, err) < 0 || build(&b) < 0)
        return -1;
    /* What is left over costs room, not access: the next run tries again. */
    (void)sp_genstore_collect(h, &store, &later);
    return 0;
}

struct tale {
    sp_generation_tell tell;
    void *ctx;
    enum sp_generation_trouble trouble;
};

static int tell_entry(void *ctx, const struct sp_manifest_entry *e, enum sp_gencheck_finding f)
{
    static const char *const what[][4] = {
        [SP_GENERATION_STALE] = {"", "is gone from the host", "is another on the host now",
                                 "has come to the host"},
        [SP_GENERATION_DAMAGED] = {"", "is missing in the generation", "was changed in the generation", ""},
    };
    const struct tale *t = ctx;
    const char *source =
        t->trouble == SP_GENERATION_STALE && e->extra != NULL && e->kind == SP_MANIFEST_FILE ? e->extra
                                                                                             : e->path;
    char path[PATH_MAX];

    (void)sp_str_format(path, sizeof(path), "/%s", source);
    return t->tell(t->ctx, t->trouble, path, what[t->trouble][f]);
}

/* What is shown of the host is not in the store, but promised. */
static int inspect_promises(struct build *b, struct tale *t)
{
    _cleanup_(sp_shown_clear) struct sp_shown shown = {0};
    struct sp_error why;
    int r = 0;

    if (sp_genbuild_shown(b->profiles, b->n, &shown, b->err) < 0)
        return -1;
    for (size_t i = 0; r == 0 && i < shown.n; i++) {
        const char *lacks = sp_genbuild_lacks(b->h, &shown.v[i]);

        if (lacks != NULL)
            r = t->tell(t->ctx, SP_GENERATION_BROKEN, shown.v[i].path, lacks);
    }
    for (size_t i = 0; b->h->real && r == 0 && i < b->n; i++)
        if (sp_prove_run(b->ret->hash, &b->profiles[i], 1, &shown, &why) < 0)
            r = t->tell(t->ctx, SP_GENERATION_BROKEN, "", why.text);
    return r;
}

/* The files first, then what they are for: a proof that fails is explained by what stands before it. */
static int inspect(struct build *b, struct tale *t)
{
    _cleanup_(sp_manifest_clear) struct sp_manifest m = {0};
    _cleanup_close_ int fd = -1;
    struct sp_error why;
    char profiles[65];
    int r = 0;

    if (hash_profiles(b->profiles, b->n, profiles, b->err) < 0)
        return -1;
    fd = sp_genstore_load(b->store, b->ret->hash, &m, &why);
    if (fd < 0)
        return t->tell(t->ctx, SP_GENERATION_DAMAGED, "", why.text);
    b->ret->n_files = count_files(&m);
    memcpy(b->ret->missing, m.missing, sizeof(m.missing));
    if (!sp_streq(m.profiles, profiles))
        r = t->tell(t->ctx, SP_GENERATION_STALE, "", "its profiles say something else now");
    t->trouble = SP_GENERATION_STALE;
    r = r == 0 ? sp_gencheck_sources(b->h, &m, tell_entry, t) : r;
    t->trouble = SP_GENERATION_DAMAGED;
    r = r == 0 ? sp_gencheck_store(b->h, fd, &m, tell_entry, t) : r;
    return r == 0 ? inspect_promises(b, t) : r;
}

int sp_generation_inspect(struct sp_host *h, const char *set, const struct sp_profile *const *profiles,
                          size_t n, sp_generation_tell tell, void *ctx, struct sp_generation *ret,
                          struct sp_error *err)
{
    _cleanup_(sp_genstore_clear) struct sp_genstore store = SP_GENSTORE_INIT;
    struct build b = {.h = h, .profiles = profiles, .n = n, .store = &store, .ret = ret, .err = err};
    struct tale t = {.tell = tell, .ctx = ctx};

    *ret = (struct sp_generation){0};
    if (take_name(set, ret, err) < 0)
        return -1;
    if (sp_genstore_open(h, SP_GENSTORE_NONE, &store, err) == 0)
        sp_genstore_current(&store, set, ret->hash);
    else if (err->code != SP_E_NOT_FOUND)
        return -1;
    if (ret->hash[0] == '\0')
        return tell(ctx, SP_GENERATION_ABSENT, "", "it has not been built");
    return inspect(&b, &t);
}

void sp_generation_sets_clear(struct sp_generation_sets *s)
{
    free(s->v);
    *s = (struct sp_generation_sets){0};
}

int sp_generation_sets(struct sp_host *h, struct sp_generation_sets *ret, struct sp_error *err)
{
    _cleanup_(sp_genstore_clear) struct sp_genstore store = SP_GENSTORE_INIT;

    *ret = (struct sp_generation_sets){0};
    if (sp_genstore_open(h, SP_GENSTORE_NONE, &store, err) < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    return sp_genstore_sets(&store, &ret->v, &ret->n, err);
}

int sp_generation_forget(struct sp_host *h, const char *set, struct sp_error *err)
{
    _cleanup_(sp_genstore_clear) struct sp_genstore store = SP_GENSTORE_INIT;
    _cleanup_close_ int lock = -1;
    struct sp_generation name = {0};

    if (take_name(set, &name, err) < 0 || sp_genstore_open(h, SP_GENSTORE_NONE, &store, err) < 0)
        return -1;
    lock = sp_lock_take(h, LOCK, LOCK_MS, err);
    return lock >= 0 ? sp_genstore_unpoint(h, &store, set, err) : -1;
}

int sp_generation_collect(struct sp_host *h, struct sp_error *err)
{
    _cleanup_(sp_genstore_clear) struct sp_genstore store = SP_GENSTORE_INIT;
    _cleanup_close_ int lock = -1;

    if (sp_genstore_open(h, SP_GENSTORE_NONE, &store, err) < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    lock = sp_lock_take(h, LOCK, LOCK_MS, err);
    if (lock < 0 || sp_genstore_clean(&store, err) < 0)
        return -1;
    return sp_genstore_collect(h, &store, err);
}
