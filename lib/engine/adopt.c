/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The order: the new name's state, the index, the keys in root's store, and last the old name's state away.
 * Until then both states are there, and say the same; the old one's user does not exist, so that nothing is
 * granted by it.
 */
#include "engine/adopt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/check.h"
#include "host/fsat.h"
#include "host/lock.h"
#include "host/replace.h"
#include "model/pamrecord.h"

struct adoption {
    struct sp_engine *engine;
    const char *old, *new;
    struct sp_state state, had; /* of the old name, and what the new one has already */
};

static void clear(struct adoption *a)
{
    sp_state_clear(&a->state);
    sp_state_clear(&a->had);
}

/* The new name's state was made by an adoption of this account that did not come to its end. */
static bool is_continued(const struct adoption *a)
{
    if (!a->had.exists || a->had.desired.uid != a->state.desired.uid ||
        sp_account_is_empty(&a->state.desired)) /* it is on its way out: nobody takes it over */
        return false;
    for (size_t i = 0; i < a->state.desired.n_domains; i++)
        if (sp_account_find(&a->had.desired, a->state.desired.domains[i].name) == NULL)
            return false;
    return true;
}

static int check_users(struct adoption *a, struct sp_error *err)
{
    struct sp_user renamed, still;

    if (sp_userdb_get(a->engine->host, a->new, &renamed, err) < 0) {
        if (err->code == SP_E_NOT_FOUND)
            sp_hint(err, "usermod -l %s %s makes it so; then send this again", a->new, a->old);
        return sp_field(err, "user");
    }
    if (renamed.uid != a->state.desired.uid) {
        sp_fail(err, SP_E_CONFLICT, 0, "%s has uid %u, and the account of %s has %u: another user", a->new,
                renamed.uid, a->old, a->state.desired.uid);
        sp_hint(err, "to give the domain to another user: domain.remove, then domain.apply");
        return sp_field(err, "user");
    }
    if (sp_userdb_get(a->engine->host, a->old, &still, err) < 0) {
        if (err->code != SP_E_NOT_FOUND) /* a line that cannot be read is no user who is gone */
            return -1;
    } else if (still.uid == renamed.uid) {
        sp_fail(err, SP_E_CONFLICT, 0, "%s is there still, with the same uid %u", a->old, still.uid);
        sp_hint(err, "a user is taken over when he was renamed (usermod -l), not by a second name");
        return sp_field(err, "user");
    }
    return sp_check_person(a->engine, a->new, renamed.uid, err);
}

static int check_states(const struct adoption *a, const struct sp_run *run, struct sp_error *err)
{
    if (run->has_generation && run->if_generation != a->state.generation) {
        sp_fail(err, SP_E_CONFLICT, 0, "the account is at generation %llu",
                (unsigned long long)a->state.generation);
        sp_hint(err, "somebody else changed it since; read it again with domain.get");
        return sp_field(err, "if_generation");
    }
    if (!a->had.exists || is_continued(a))
        return 0;
    sp_fail(err, SP_E_CONFLICT, 0, "%s has domains of its own already", a->new);
    sp_hint(err, "domain.remove them first, or the domains of %s", a->old);
    return sp_field(err, "user");
}

static int save_new(struct adoption *a, struct sp_error *err)
{
    struct sp_state *s = &a->state;

    if (sp_str_copy(s->desired.user, sizeof(s->desired.user), a->new) < 0 ||
        sp_str_copy(s->applied.user, sizeof(s->applied.user), a->new) < 0)
        return sp_fail(err, SP_E_INTERNAL, 0, "the name is too long");
    s->pending = true;
    s->generation++;
    if (sp_store_save(a->engine->host, a->new, s, err) < 0)
        return -1;
    return sp_sync_now(a->engine->host, err);
}

static int move_index(struct adoption *a, const struct sp_account *of, struct sp_error *err)
{
    for (size_t i = 0; i < of->n_domains; i++)
        if (sp_store_index(a->engine->host, of->domains[i].name, a->new, err) < 0)
            return -1;
    return 0;
}

/* The access record names its user: the new one is written by the run that follows. */
static int drop_record(const struct adoption *a, struct sp_error *err)
{
    _cleanup_close_ int dir =
        sp_fsat_open_dir(a->engine->host->root_fd, SP_PAMRECORD_DIR, SP_FSAT_NONE, err);

    if (dir < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    return sp_replace_remove(a->engine->host, dir, a->old, err);
}

/* With key_store = root a key file has the user's name; where keys are elsewhere there is none. */
static int move_keys(const struct adoption *a, struct sp_error *err)
{
    _cleanup_close_ int dir =
        sp_fsat_open_dir(a->engine->host->root_fd, SP_STORE "/keys", SP_FSAT_NONE, err);

    if (dir < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    if (renameat(dir, a->old, dir, a->new) < 0)
        return errno == ENOENT ? 0 : sp_fail(err, SP_E_IO, errno, SP_STORE "/keys/%s", a->old);
    return sp_sync_dir(a->engine->host, dir, err);
}

/* The locks of both names, in the order of their names: nobody waits for the other way round. */
static int take_locks(const struct adoption *a, int ret[2], struct sp_error *err)
{
    bool first = strcmp(a->old, a->new) < 0;
    const char *names[] = {first ? a->old : a->new, first ? a->new : a->old};

    for (size_t i = 0; i < SP_COUNT(names); i++) {
        char path[SP_PATH_SIZE];
        (void)sp_str_format(path, sizeof(path), SP_STORE "/state/%s.lock", names[i]);
        ret[i] = sp_lock_take(a->engine->host, path, SP_LOCK_DEADLINE_MS, err);
        if (ret[i] < 0)
            return -1;
    }
    return 0;
}

static int look(struct adoption *a, const struct sp_run *run, struct sp_error *err)
{
    clear(a);
    if (sp_store_load(a->engine->host, a->old, &a->state, err) < 0 ||
        sp_store_load(a->engine->host, a->new, &a->had, err) < 0)
        return -1;
    return check_users(a, err) < 0 || check_states(a, run, err) < 0 ? -1 : 0;
}

static int carry_out(struct adoption *a, struct sp_error *err)
{
    if ((!a->had.exists && save_new(a, err) < 0) || move_index(a, &a->state.desired, err) < 0 ||
        move_index(a, &a->state.applied, err) < 0 || move_keys(a, err) < 0 || drop_record(a, err) < 0 ||
        sp_sync_now(a->engine->host, err) < 0)
        return -1;
    return sp_store_remove(a->engine->host, a->old, err);
}

/* The index speaks of the new name already: is there an old one left, from a crash? */
static int find_left_over(struct sp_engine *e, const char *new, char ret[SP_USER_SIZE],
                          struct sp_error *err)
{
    _cleanup_(sp_users_clear) struct sp_users users = {0};
    struct sp_user passwd, other;

    ret[0] = '\0';
    if (sp_userdb_get(e->host, new, &passwd, err) < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    if (sp_store_users(e->host, &users, err) < 0)
        return -1;
    for (size_t i = 0; i < users.n; i++) {
        _cleanup_(sp_state_clear) struct sp_state s = {0};
        if (sp_streq(users.v[i], new) || sp_userdb_get(e->host, users.v[i], &other, err) == 0)
            continue;
        if (sp_error_is_blind(err))
            return -1;
        if (sp_store_load(e->host, users.v[i], &s, err) < 0) {
            if (sp_error_is_blind(err)) /* it may be this one */
                return -1;
            continue;
        }
        if (s.desired.uid == passwd.uid)
            return sp_str_copy(ret, SP_USER_SIZE, users.v[i]);
    }
    return 0;
}

int sp_adopt(struct sp_engine *e, const char *old, const char *new, const struct sp_run *run,
             enum sp_adopted *ret, struct sp_error *err)
{
    _cleanup_(clear) struct adoption a = {.engine = e, .old = old, .new = new};
    _cleanup_close_ int first = -1, second = -1;
    char left[SP_USER_SIZE];
    int locks[2] = {-1, -1}, rc;

    *ret = SP_ADOPTED_NOTHING;
    if (sp_streq(old, new)) {
        if (find_left_over(e, new, left, err) < 0)
            return -1;
        if (left[0] == '\0')
            return 0;
        a.old = left;
    }
    if (look(&a, run, err) < 0)
        return -1;
    *ret = SP_ADOPTED_WOULD;
    if ((run->flags & SP_RUN_DRY) != 0)
        return 0;
    rc = take_locks(&a, locks, err);
    first = locks[0];
    second = locks[1];
    if (rc < 0 || look(&a, run, err) < 0 || carry_out(&a, err) < 0)
        return -1;
    *ret = SP_ADOPTED_DONE;
    return 0;
}

int sp_adopt_report(const char *old, const char *new, cJSON *result, struct sp_error *err)
{
    return sp_report_first(result, "account", new, old, new, new, err);
}

int sp_adopt_report_dry(struct sp_engine *e, const char *old, const char *new, cJSON *result,
                        struct sp_error *err)
{
    _cleanup_(sp_state_clear) struct sp_state s = {0};
    cJSON *changes, *warnings;

    if (sp_store_load(e->host, old, &s, err) < 0)
        return -1;
    if (!cJSON_AddStringToObject(result, "user", new) ||
        !cJSON_AddNumberToObject(result, "generation", (double)s.generation) ||
        !cJSON_AddTrueToObject(result, "changed"))
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    changes = cJSON_AddArrayToObject(result, "changes");
    warnings = cJSON_AddArrayToObject(result, "warnings");
    if (changes == NULL || warnings == NULL ||
        !cJSON_AddItemToArray(warnings, cJSON_CreateString("what else changes with the name is known when "
                                                           "the account has it")))
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    return sp_report_first(result, "account", new, old, new, NULL, err);
}
