/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The records of an adoption, written many at a time, and taken away again. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/adoption.h"
#include "host/bulk.h"
#include "host/fsat.h"
#include "host/lock.h"
#include "host/replace.h"

/* One that a request holds now is left to it. */
#define LOCK_MS 200

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

void sp_adoption_batch_clear(struct sp_adoption_batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        sp_state_clear(&b->states[i]);
    b->n = 0;
}

struct locks {
    int v[SP_ADOPTION_BATCH];
    size_t n;
};

static void locks_clear(struct locks *l)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i] >= 0)
            (void)close(l->v[i]);
}

static int lock_account(struct sp_host *h, const char *user, struct sp_error *err)
{
    char path[SP_PATH_SIZE];

    (void)sp_str_format(path, sizeof(path), SP_STORE_STATES "/%s.lock", user);
    return sp_lock_take(h, path, LOCK_MS, err);
}

/* Again, now that nobody else can be at it. */
static int check_again(struct sp_host *h, const struct sp_account *a, struct sp_error *err)
{
    char path[SP_PATH_SIZE], owner[SP_USER_SIZE];

    (void)sp_str_format(path, sizeof(path), SP_STORE_STATES "/%s.json", a->user);
    if (!sp_fsat_is_missing(h->root_fd, path))
        return sp_fail(err, SP_E_CONFLICT, 0, "a request for it came a moment ago");
    for (size_t i = 0; i < a->n_domains; i++) {
        if (sp_store_owner(h, a->domains[i].name, owner, err) < 0)
            return -1;
        if (owner[0] != '\0' && !sp_streq(owner, a->user))
            return sp_fail(err, SP_E_CONFLICT, 0, "%s was attached to the user %s a moment ago",
                           a->domains[i].name, owner);
    }
    return 0;
}

static int stage(struct sp_host *h, struct sp_bulk *files, const struct sp_state *s, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    char name[64];

    if (check_again(h, &s->desired, err) < 0 || sp_store_format(s, &text, err) < 0 ||
        sp_str_format(name, sizeof(name), "%s.json", s->desired.user) < 0)
        return -1;
    for (size_t i = 0; i < s->desired.n_domains; i++)
        if (sp_store_index(h, s->desired.domains[i].name, s->desired.user, err) < 0)
            return -1;
    return sp_bulk_add(files, name, text.data, text.len, err);
}

static int commit(const struct sp_adoption *a, struct sp_adoption_batch *b, size_t *failed,
                  struct sp_error *err)
{
    struct sp_host *h = a->engine->host;
    _cleanup_(sp_bulk_clear) struct sp_bulk files = {.dirfd = -1};
    _cleanup_(locks_clear) struct locks locks = {.n = 0};
    _cleanup_close_ int domains = -1;
    struct sp_error why[SP_ADOPTION_BATCH];

    if (sp_store_prepare(h, err) < 0 || sp_bulk_open(h, SP_STORE_STATES, &files, err) < 0)
        return -1;
    for (; locks.n < b->n; locks.n++)
        locks.v[locks.n] = lock_account(h, b->states[locks.n].desired.user, &why[locks.n]);
    domains = sp_lock_take(h, SP_STORE_DOMAINS_LOCK, SP_LOCK_DEADLINE_MS, err);
    if (domains < 0)
        return -1;
    for (size_t i = 0; i < b->n; i++) {
        if (locks.v[i] >= 0 && stage(h, &files, &b->states[i], &why[i]) == 0)
            continue;
        ++*failed;
        if (sp_adoption_report(b->reports[i], SP_ADOPTION_FAILED, &why[i], err) < 0)
            return -1;
    }
    /* The index is there before a state that names it. */
    return sp_sync_now(h, err) < 0 ? -1 : sp_bulk_commit(&files, err);
}

int sp_adoption_commit(const struct sp_adoption *a, struct sp_adoption_batch *b, size_t *ret_failed,
                       struct sp_error *err)
{
    struct sp_later later = {0};
    struct sp_error ignored;
    int rc;

    if (b->n == 0)
        return 0;
    a->engine->host->later = &later;
    rc = commit(a, b, ret_failed, err);
    (void)sp_sync_now(a->engine->host, &ignored);
    a->engine->host->later = NULL;
    sp_adoption_batch_clear(b);
    return rc;
}

struct undo {
    struct sp_engine *engine;
    const char *panel;
    const cJSON *names;
    enum sp_run_flags flags;
    cJSON *forgotten, *kept;
    size_t failed; /* of the kept */
    uint64_t generation;
};

static int list(cJSON *array, const char *user, const char *why, struct sp_error *err)
{
    cJSON *o = cJSON_CreateObject();

    if (o == NULL || !cJSON_AddItemToArray(array, o)) {
        cJSON_Delete(o);
        return no_memory(err);
    }
    return cJSON_AddStringToObject(o, "user", user) &&
                   (why == NULL || cJSON_AddStringToObject(o, "why", why))
               ? 0
               : no_memory(err);
}

static int fail(struct undo *u, const char *user, const struct sp_error *why, struct sp_error *err)
{
    u->failed++;
    return list(u->kept, user, why->text, err);
}

static int forget(struct undo *u, const char *user, const struct sp_state *s, struct sp_error *err)
{
    if ((u->flags & SP_RUN_DRY) != 0)
        return 0;
    if (s->generation > u->generation) { /* before it goes: no old if_generation fits again */
        if (sp_store_raise_generation(u->engine->host, s->generation, err) < 0)
            return -1;
        u->generation = s->generation;
    }
    if (sp_store_remove(u->engine->host, user, err) < 0)
        return -1;
    for (size_t i = 0; i < s->desired.n_domains; i++)
        if (sp_store_unindex(u->engine->host, s->desired.domains[i].name, user, err) < 0)
            return -1;
    return 0;
}

/* Judged under the account's lock: a request that is on its way takes the account over first, or after. */
static int undo_one(struct undo *u, const char *user, struct sp_error *err)
{
    _cleanup_(sp_state_clear) struct sp_state s = {0};
    _cleanup_close_ int lock = -1;
    struct sp_error why;

    if ((u->flags & SP_RUN_DRY) == 0) {
        lock = lock_account(u->engine->host, user, &why);
        if (lock < 0)
            return fail(u, user, &why, err);
    }
    if (sp_store_load(u->engine->host, user, &s, &why) < 0)
        return fail(u, user, &why, err);
    if (!s.exists || !sp_found_is(&s.desired.found) ||
        (u->panel != NULL && !sp_streq(u->panel, s.desired.found.panel)) ||
        !sp_adoption_is_named(u->names, user, &s.desired))
        return 0;
    if (!s.desired.found.held)
        return list(u->kept, user, "requests changed it since: sallyport remove takes it away", err);
    if (forget(u, user, &s, &why) < 0)
        return fail(u, user, &why, err);
    return list(u->forgotten, user, NULL, err);
}

int sp_adoption_undo(struct sp_engine *e, const char *panel, const cJSON *names, enum sp_run_flags flags,
                     cJSON *result, struct sp_error *err)
{
    _cleanup_(sp_users_clear) struct sp_users users = {0};
    struct undo u = {.engine = e, .panel = panel, .names = names, .flags = flags};

    u.forgotten = cJSON_AddArrayToObject(result, "forgotten");
    u.kept = cJSON_AddArrayToObject(result, "kept");
    if (u.forgotten == NULL || u.kept == NULL)
        return no_memory(err);
    if (sp_store_users(e->host, &users, err) < 0)
        return -1;
    for (size_t i = 0; i < users.n; i++) {
        if (undo_one(&u, users.v[i], err) < 0)
            return -1;
        sp_engine_progress(e, i + 1, users.n, "accounts");
    }
    if ((flags & SP_RUN_DRY) == 0 && sp_store_tidy_indexes(e->host, err) < 0)
        return -1;
    return cJSON_AddNumberToObject(result, "failed", (double)u.failed) &&
                   cJSON_AddBoolToObject(result, "changed", cJSON_GetArraySize(u.forgotten) > 0)
               ? 0
               : no_memory(err);
}
