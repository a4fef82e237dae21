/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/check.h"
#include "engine/engine.h"
#include "engine/flight.h"
#include "engine/seen.h"
#include "engine/tight.h"
#include "engine/unique.h"
#include "engine/wake.h"
#include "host/alive.h"
#include "host/asuser.h"
#include "host/fsat.h"
#include "host/homepath.h"
#include "host/lock.h"
#include "host/replace.h"
#include "model/json.h"

void sp_outcome_clear(struct sp_outcome *o)
{
    sp_plan_clear(&o->plan);
    sp_plan_clear(&o->kept);
    sp_state_clear(&o->state);
    *o = (struct sp_outcome){0};
}

/* Two accounts are the same when they would be written the same. */
static int same_account(const struct sp_account *a, const struct sp_account *b, bool *ret,
                        struct sp_error *err)
{
    _cleanup_json_ cJSON *ja = NULL, *jb = NULL;

    if (sp_account_to_json(a, &ja, err) < 0 || sp_account_to_json(b, &jb, err) < 0)
        return -1;
    *ret = cJSON_Compare(ja, jb, true);
    return 0;
}

static void begin(struct sp_flight *f)
{
    struct sp_host *h = f->engine->host;

    h->later = &f->later;
    f->keeps = h->names == NULL;
    sp_userdb_keep(h);
    /* A first request looks into the home five times: one process serves them all. */
    f->keeps_child = h->users == NULL;
    sp_asuser_keep(h);
}

static void clear_flight(struct sp_flight *f)
{
    struct sp_host *h = f->engine->host;
    struct sp_error ignored;

    (void)sp_sync_now(h, &ignored); /* only after a failure is there something left */
    h->later = NULL;
    if (f->keeps_child)
        sp_asuser_forget(h);
    if (f->keeps)
        sp_userdb_forget(h);
    sp_account_clear(&f->desired);
    sp_account_clear(&f->before);
}

/* What takes access away goes on without the home; so does what is about the door alone. */
static int ask_alive(struct sp_flight *f, struct sp_error *err)
{
    const struct sp_account *a = &f->out->state.desired;
    _cleanup_free_ const char **paths = calloc(a->n_domains + 1, sizeof(*paths));
    size_t n = 0;

    if (paths == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    paths[n++] = f->out->passwd.home;
    for (size_t i = 0; i < a->n_domains; i++)
        paths[n++] = a->domains[i].document_root;
    if (f->run->seen != NULL || sp_alive_ask(f->engine->host, paths, n, &f->why_hangs) == 0)
        return 0; /* a reconcile has asked all of them */
    f->hangs = (f->run->flags & (SP_RUN_WITHDRAWS | SP_RUN_LEAVE_HOME)) != 0;
    if (!f->hangs)
        *err = f->why_hangs;
    return f->hangs ? 0 : -1;
}

static int look_up(struct sp_flight *f, const char *user, struct sp_error *err)
{
    struct sp_outcome *o = f->out;

    if (sp_userdb_get(f->engine->host, user, &o->passwd, err) < 0) {
        if (err->code != SP_E_NOT_FOUND)
            return sp_field_prefix(err, "user");
        o->user_missing = true;
        return 0;
    }
    /* Somebody else by the same name: nothing of his is looked at or touched; our records of the other can
     * go. */
    f->stranger = o->state.exists && o->state.desired.uid != o->passwd.uid;
    o->user_missing = f->stranger;
    if (ask_alive(f, err) < 0)
        return -1;
    if (!f->hangs)
        sp_homepath_resolve(f->engine->host, &o->passwd);
    return 0;
}

/* An account of the same name but another uid is not ours to touch: only our own records of it can go. */
static int load(struct sp_flight *f, const char *user, struct sp_error *err)
{
    struct sp_outcome *o = f->out;
    struct sp_account *d = &f->desired;

    (void)sp_str_copy(o->user, sizeof(o->user), user);
    if (sp_store_load(f->engine->host, user, &o->state, err) < 0 || look_up(f, user, err) < 0)
        return -1;
    if (f->run->has_generation && f->run->if_generation != o->state.generation) {
        sp_fail(err, SP_E_CONFLICT, 0, "the account is at generation %llu",
                (unsigned long long)o->state.generation);
        sp_hint(err, "somebody else changed it since; read it again with domain.get");
        return sp_field(err, "if_generation");
    }
    if (sp_account_copy(d, &o->state.desired, err) < 0)
        return -1;
    if (!o->state.exists) {
        (void)sp_str_copy(d->user, sizeof(d->user), user);
        d->uid = o->passwd.uid;
        d->tmp_mib = f->engine->config->tmp_mib;
        if (sp_store_last_generation(f->engine->host, &o->state.generation, err) < 0)
            return -1;
    }
    /* Of one that is held, too: its panel may have changed the shell since. */
    if (!o->state.exists || (d->found.held && !o->user_missing))
        (void)sp_str_copy(o->state.original_shell, sizeof(o->state.original_shell), o->passwd.shell);
    return 0;
}

static int renamed(const struct sp_outcome *o, const char *now, struct sp_error *err)
{
    sp_fail(err, SP_E_CONFLICT, 0, "there is no local user %s: his uid %u is %s now", o->user,
            o->state.desired.uid, now);
    sp_hint(err, "if he was renamed (usermod -l): domain.rebind with \"user\":\"%s\"; else domain.remove",
            now);
    return sp_field(err, "user");
}

static int refuse_missing(const struct sp_flight *f, struct sp_error *err)
{
    const struct sp_outcome *o = f->out;
    char now[64];

    if (f->stranger)
        return sp_refuse_stranger(&o->state.desired, &o->passwd, err);
    if (o->state.exists && sp_userdb_name_of(f->engine->host, o->state.desired.uid, now))
        return renamed(o, now, err);
    return sp_refuse_nobody(o->user, err);
}

static int edit(struct sp_flight *f, struct sp_error *err)
{
    struct sp_outcome *o = f->out;
    bool same = false, withdraws = o->state.exists && (f->run->flags & SP_RUN_WITHDRAWS) != 0;

    if (f->run->edit != NULL && f->run->edit(f->engine, &f->desired, &o->passwd, f->run->data, err) < 0)
        return -1;
    if (f->run->edit != NULL && sp_check_size(&o->state.desired, &f->desired, err) < 0)
        return -1;
    if (f->run->edit != NULL && !o->user_missing &&
        ((!withdraws && sp_check_account(f->engine, &f->desired, &o->passwd, err) < 0) ||
         sp_check_new_roots(f->engine, sp_flight_asked_before(f), &f->desired, &o->passwd, err) < 0 ||
         sp_unique_check(f->engine, sp_flight_asked_before(f), &f->desired, err) < 0))
        return -1;
    if (o->user_missing && f->run->edit != NULL && !sp_account_is_empty(&f->desired))
        return refuse_missing(f, err);
    same = f->run->edit == NULL;
    if (!same && same_account(&f->desired, &o->state.desired, &same, err) < 0)
        return -1;
    if (f->desired.found.held && f->run->edit != NULL && (f->run->flags & SP_RUN_FORGETS) == 0 &&
        !(same && withdraws)) /* there is nothing that it could take away */
        same = f->desired.found.held = false;
    f->edited = !same && (o->state.exists || !sp_account_is_empty(&f->desired));
    return 0;
}

static int make_context(struct sp_flight *f, struct sp_error *err)
{
    struct sp_outcome *o = f->out;

    if ((o->state.applied.found.held ? sp_found_copy(&f->before.found, &o->state.applied.found, err)
                                     : sp_account_copy(&f->before, &o->state.applied, err)) < 0 ||
        (o->state.pending && sp_account_merge(&f->before, &o->state.desired, err) < 0))
        return -1;
    if (f->before.user[0] ==
        '\0') { /* a first request: nothing was in force, but it is this account's nothing */
        (void)sp_str_copy(f->before.user, sizeof(f->before.user), f->desired.user);
        f->before.uid = f->desired.uid;
        f->before.tmp_mib = f->desired.tmp_mib;
    }
    f->ctx = (struct sp_ctx){.host = f->engine->host,
                             .config = f->engine->config,
                             .user = o->user_missing ? NULL : &o->passwd,
                             .desired = &f->desired,
                             .applied = &f->before,
                             .original_shell = o->state.original_shell,
                             .withdraws = (f->run->flags & SP_RUN_WITHDRAWS) != 0,
                             .shows = (f->run->flags & SP_RUN_SHOW) != 0,
                             .leave_home = (f->run->flags & SP_RUN_LEAVE_HOME) != 0 && !o->state.pending,
                             .own_shut = sp_tight_is_own_shut(&o->state, o->user),
                             .keeps_tight = (f->run->flags & SP_RUN_KEEP_TIGHT) != 0,
                             .hangs = f->hangs,
                             .thorough = (f->run->flags & SP_RUN_THOROUGH) != 0,
                             .keep_sessions = (f->run->flags & SP_RUN_KEEP_SESSIONS) != 0};
    return 0;
}

static int commit(struct sp_flight *f, struct sp_error *err)
{
    struct sp_outcome *o = f->out;
    bool record = sp_flight_needs_record(f);

    if (record && sp_flight_save_desire(f, err) < 0)
        return -1;
    o->pending = record;
    if (sp_flight_apply(f, err) < 0 ||
        (record ? sp_flight_save_done(f, err) : sp_sync_now(f->engine->host, err)) < 0)
        return -1;
    o->pending = false;
    if (o->user_missing)
        return 0;
    if (sp_userdb_get(f->engine->host, o->user, &o->passwd, err) < 0) {
        /* An extra login that was given up has no user any more. */
        o->user_missing = err->code == SP_E_NOT_FOUND && !o->state.exists;
        return o->user_missing ? 0 : -1;
    }
    if (!f->hangs)
        sp_homepath_resolve(f->engine->host, &o->passwd);
    return 0;
}

/* A name that may have no access leaves no lock file behind: names come from the caller, without end. */
static int check_name(struct sp_engine *e, const char *user, const char *lock_path, struct sp_error *err)
{
    char state[SP_PATH_SIZE];
    struct sp_user passwd;

    (void)sp_str_format(state, sizeof(state), SP_STORE "/state/%s.json", user);
    if (sp_fsat_exists(e->host->root_fd, lock_path) || sp_fsat_exists(e->host->root_fd, state))
        return 0;
    if (sp_userdb_get(e->host, user, &passwd, err) < 0)
        return err->code == SP_E_NOT_FOUND ? sp_refuse_nobody(user, err) : sp_field_prefix(err, "user");
    return sp_check_person(e, user, passwd.uid, err);
}

static int take_lock(struct sp_engine *e, const char *user, const struct sp_run *run, struct sp_error *err)
{
    char path[SP_PATH_SIZE];
    int fd;

    if ((run->flags & SP_RUN_DRY) != 0 || e->holds)
        return -1;
    (void)sp_str_format(path, sizeof(path), SP_STORE "/state/%s.lock", user);
    if ((run->edit != NULL && check_name(e, user, path, err) < 0) || sp_store_prepare(e->host, err) < 0)
        return -2;
    fd = sp_lock_take(e->host, path, SP_LOCK_DEADLINE_MS, err);
    if (fd < 0)
        return -2;
    sp_store_tidy(e->host, user);
    return fd;
}

int sp_engine_hold(struct sp_engine *e, const char *user, const struct sp_run *run, struct sp_hold *ret,
                   struct sp_error *err)
{
    *ret = (struct sp_hold){e, -1, e->host->names == NULL};
    sp_userdb_keep(e->host);
    ret->fd = sp_name_check_user(user, err) < 0 ? -2 : take_lock(e, user, run, err);
    if (ret->fd == -2)
        return -1;
    e->holds = ret->fd >= 0;
    return 0;
}

void sp_hold_end(struct sp_hold *h)
{
    if (h->engine == NULL)
        return;
    h->engine->holds = false;
    if (h->keeps)
        sp_userdb_forget(h->engine->host);
    if (h->fd >= 0)
        (void)close(h->fd);
}

int sp_engine_run(struct sp_engine *e, const char *user, const struct sp_run *run, struct sp_outcome *ret,
                  struct sp_error *err)
{
    _cleanup_(clear_flight) struct sp_flight f = {.engine = e, .run = run, .out = ret};
    _cleanup_close_ int lock = -1;
    bool dry = (run->flags & SP_RUN_DRY) != 0;

    begin(&f);
    if (sp_name_check_user(user, err) < 0)
        return sp_field_prefix(err, "user");
    lock = take_lock(e, user, run, err);
    if (lock == -2)
        return -1;
    if (load(&f, user, err) < 0 || edit(&f, err) < 0 || make_context(&f, err) < 0 ||
        sp_flight_plan(&f, err) < 0)
        return -1;
    ret->changed = ret->plan.n > 0 || f.edited;
    ret->generation = ret->state.generation + (!dry && f.edited);
    if (dry) { /* what would be */
        sp_account_clear(&ret->state.desired);
        ret->state.desired = f.desired;
        f.desired = (struct sp_account){0};
        return 0;
    }
    if ((!ret->changed && !ret->state.pending ? sp_flight_prove(&f, err) : commit(&f, err)) < 0)
        return -1;
    if (run->seen != NULL && !ret->changed && !ret->state.pending && ret->kept.n == 0)
        sp_seen_note(run->seen, &f.ctx);
    sp_wake_account(e->host, &ret->state.desired);
    return 0;
}
