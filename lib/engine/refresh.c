/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/refresh.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/audit.h"
#include "host/fsat.h"
#include "host/generation.h"
#include "host/layout.h"
#include "host/lock.h"
#include "host/packages.h"
#include "model/json.h"

/* Made by the triggers too (templates/refresh-jails). */
#define WISH SP_STORE "/refresh.wanted"
#define LOCK SP_STORE "/refresh.lock"

/* apt calls its hook after each call of dpkg; an upgrade with a question in it may take its time. */
enum { QUIET_MS = 1000, DEADLINE_MS = 15 * 60 * 1000 };

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

int sp_refresh_words(cJSON *object, const char *name, const char *words, struct sp_error *err)
{
    cJSON *array = cJSON_AddArrayToObject(object, name);
    char word[256];

    for (const char *at = words; array != NULL && *at != '\0'; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        cJSON *item =
            sp_str_format(word, sizeof(word), "%.*s", (int)n, at) == 0 ? cJSON_CreateString(word) : NULL;
        if (!cJSON_AddItemToArray(array, item))
            return no_memory(err);
        at += n;
    }
    return array != NULL ? 0 : no_memory(err);
}

static int report(const struct sp_generation *g, bool changed, cJSON *object, struct sp_error *err)
{
    if (!cJSON_AddStringToObject(object, "set", g->set) ||
        !cJSON_AddBoolToObject(object, "changed", changed) ||
        !(g->hash[0] != '\0' ? cJSON_AddStringToObject(object, "generation", g->hash)
                             : cJSON_AddNullToObject(object, "generation")) ||
        !cJSON_AddNumberToObject(object, "files", (double)g->n_files))
        return no_memory(err);
    return sp_refresh_words(object, "missing", g->missing, err);
}

/* Nobody reads the answer of a trigger; the log is read. */
static void note(struct sp_host *h, const char *set, const struct sp_error *why)
{
    const struct sp_audit_field fields[] = {
        {"SET", set},
        {"RESULT", why != NULL ? sp_code_name(why->code) : "ok"},
        {"ERROR", why != NULL ? why->text : NULL},
        {NULL, NULL},
    };
    char message[1024];

    if (why != NULL)
        (void)snprintf(message, sizeof(message), "the jails of %s keep the programs they have: %s", set,
                       why->text);
    else
        (void)snprintf(message, sizeof(message), "the jails of %s get new programs", set);
    sp_audit(h, message, fields);
}

static int one(struct sp_engine *e, const char *set, enum sp_refresh_flags flags, struct sp_generation *ret,
               bool *ret_changed, struct sp_error *err)
{
    enum sp_generation_flags deep =
        (flags & SP_REFRESH_STORED) != 0 ? SP_GENERATION_STORED : SP_GENERATION_SOURCES;
    _cleanup_(sp_profiles_clear) struct sp_profiles profiles = {0};
    bool current = false;

    if (sp_profiles_load_set(e->host, e->config, set, &profiles, err) < 0)
        return -1;
    if ((flags & SP_REFRESH_DRY) != 0) {
        if (sp_generation_check(e->host, set, profiles.v, profiles.n, deep, &current, ret, err) < 0)
            return -1;
        *ret_changed = !current;
        return 0;
    }
    if (sp_generation_ensure_dev(e->host, err) < 0 ||
        sp_generation_ensure(e->host, set, profiles.v, profiles.n, deep, ret, err) < 0)
        return -1;
    *ret_changed = ret->built;
    return 0;
}

int sp_refresh_one(struct sp_engine *e, const char *set, enum sp_refresh_flags flags, cJSON *object,
                   struct sp_error *err)
{
    struct sp_generation g = {0};
    bool changed = false;

    if (one(e, set, flags, &g, &changed, err) < 0)
        return -1;
    if (changed && (flags & SP_REFRESH_DRY) == 0)
        note(e->host, set, NULL);
    return report(&g, changed, object, err);
}

static int add_failure(const char *set, const struct sp_error *why, cJSON *object, struct sp_error *err)
{
    if (!cJSON_AddStringToObject(object, "set", set) || !cJSON_AddBoolToObject(object, "changed", false) ||
        !cJSON_AddStringToObject(object, "reason", sp_code_name(why->code)) ||
        !cJSON_AddStringToObject(object, "error", why->text) ||
        !cJSON_AddStringToObject(object, "hint", why->hint))
        return no_memory(err);
    return 0;
}

struct tally {
    enum sp_refresh_flags flags;
    cJSON *sets, *warnings; /* borrowed */
    bool changed;
    int failed;
};

static int warn(struct tally *t, struct sp_error *err, const char *text, const char *a, const char *b)
{
    _cleanup_(sp_buf_clear) struct sp_buf all = {0};

    sp_buf_puts(&all, a);
    sp_buf_puts(&all, text);
    sp_buf_puts(&all, b);
    return sp_buf_ok(&all) && cJSON_AddItemToArray(t->warnings, cJSON_CreateString(sp_buf_str(&all)))
               ? 0
               : no_memory(err);
}

/* A set that nobody uses and that can no longer be made: its profile is gone, or its program is. */
static int forget(struct sp_engine *e, struct tally *t, const char *set, const struct sp_error *why,
                  struct sp_error *err)
{
    if ((t->flags & SP_REFRESH_DRY) == 0 && sp_generation_forget(e->host, set, err) < 0)
        return -1;
    return warn(t, err, ": no account uses it any more, and it is forgotten: ", set, why->text);
}

static int is_used(struct sp_engine *e, const struct sp_set_in_use *set, bool *ret, struct sp_error *err)
{
    _cleanup_(sp_sets_in_use_clear) struct sp_sets_in_use all = {0};

    *ret = set->accounts > 0;
    if (set->accounts > 0)
        return 0;
    if (sp_sets_in_use(e, SP_SETS_ALL, &all, err) < 0)
        return -1;
    *ret = all.is_partial;
    for (size_t i = 0; i < all.n; i++)
        *ret |= all.v[i].accounts > 0 && sp_streq(all.v[i].name, set->name);
    return 0;
}

static int refuse(struct sp_engine *e, struct tally *t, const struct sp_set_in_use *set,
                  const struct sp_error *why, struct sp_error *err)
{
    bool used = true;
    cJSON *item;

    if (is_used(e, set, &used, err) < 0)
        return -1;
    if (!used)
        return forget(e, t, set->name, why, err);
    t->failed++;
    note(e->host, set->name, why);
    item = cJSON_CreateObject();
    if (!cJSON_AddItemToArray(t->sets, item))
        return no_memory(err);
    return add_failure(set->name, why, item, err);
}

static int each(struct sp_engine *e, struct tally *t, struct sp_error *err)
{
    _cleanup_(sp_sets_in_use_clear) struct sp_sets_in_use sets = {0};

    /* reconcile comes to the accounts by itself. */
    if (sp_sets_in_use(e, (t->flags & SP_REFRESH_YIELD) != 0 ? SP_SETS_BUILT : SP_SETS_ALL, &sets, err) < 0)
        return -1;
    for (size_t i = 0; i < sets.n; i++) {
        _cleanup_json_ cJSON *item = cJSON_CreateObject();
        struct sp_error why;

        sp_engine_progress(e, i, sets.n, sets.v[i].name);
        if (sp_refresh_one(e, sets.v[i].name, t->flags, item, &why) < 0) {
            if (refuse(e, t, &sets.v[i], &why, err) < 0)
                return -1;
            continue;
        }
        t->changed |= cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item, "changed"));
        if (!cJSON_AddItemToArray(t->sets, item))
            return no_memory(err);
        item = NULL;
    }
    sp_engine_progress(e, sets.n, sets.n, "");
    return 0;
}

int sp_refresh_sets(struct sp_engine *e, enum sp_refresh_flags flags, cJSON *object, struct sp_error *err)
{
    const char *busy = (flags & SP_REFRESH_YIELD) != 0 ? sp_packages_busy(e->host) : NULL;
    struct tally t = {.flags = flags | (busy != NULL ? SP_REFRESH_DRY : 0),
                      .sets = cJSON_AddArrayToObject(object, "sets"),
                      .warnings = cJSON_AddArrayToObject(object, "warnings")};
    struct sp_error later;

    if (t.sets == NULL || t.warnings == NULL)
        return no_memory(err);
    if (each(e, &t, err) < 0)
        return -1;
    /* Also without a new one: sessions end at any time. What is left over costs room, not access. */
    if ((t.flags & SP_REFRESH_DRY) == 0)
        (void)sp_generation_collect(e->host, &later);
    if (busy != NULL && t.changed &&
        warn(&t, err, " is held: jails get their new programs when the package manager is done", busy, "") <
            0)
        return -1;
    return cJSON_AddBoolToObject(object, "changed", t.changed && busy == NULL) &&
                   cJSON_AddNumberToObject(object, "failed", t.failed)
               ? 0
               : no_memory(err);
}

static int wish(struct sp_host *h, struct sp_error *err)
{
    _cleanup_close_ int fd =
        sp_fsat_open(h->root_fd, WISH, O_WRONLY | O_CREAT | O_NONBLOCK, 0600, SP_FSAT_NONE, err);

    return fd >= 0 ? 0 : -1;
}

int sp_refresh_begin(struct sp_engine *e, int *ret_lock, struct sp_error *err)
{
    _cleanup_close_ int lock = -1;

    *ret_lock = -1;
    if (sp_store_prepare(e->host, err) < 0 || wish(e->host, err) < 0)
        return -1;
    lock = sp_lock_take(e->host, LOCK, 0, err);
    if (lock < 0)
        return err->code == SP_E_BUSY ? 0 : -1;
    if (sp_packages_wait(e->host, QUIET_MS, DEADLINE_MS, err) < 0) {
        (void)unlinkat(e->host->root_fd, &WISH[1], 0); /* a unit that waits for it would start for ever */
        return -1;
    }
    /* Before the first look: what is wished for from here on may come too late for this round. */
    if (unlinkat(e->host->root_fd, &WISH[1], 0) < 0 && errno != ENOENT)
        return sp_fail(err, SP_E_IO, errno, WISH);
    *ret_lock = sp_steal_fd(&lock);
    return 0;
}

/* Looked for without the lock: who wishes after this look takes it. */
bool sp_refresh_end(struct sp_engine *e, int lock)
{
    if (lock >= 0)
        (void)close(lock);
    return !sp_fsat_is_missing(e->host->root_fd, WISH);
}
