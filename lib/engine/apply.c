/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/check.h"
#include "engine/engine.h"
#include "engine/seen.h"
#include "engine/tight.h"
#include "engine/unique.h"
#include "engine/wake.h"
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

/* A transaction in flight. */
struct flight {
    struct sp_engine *engine;
    const struct sp_run *run;
    struct sp_outcome *out;
    struct sp_account desired; /* after the edit */
    struct sp_account before;  /* all that may be in force: applied, and what a crash left half done */
    struct sp_ctx ctx;
    bool stranger; /* the name has another uid now than when it was given access */
    bool edited;   /* desired differs from what the state held */
    bool keeps;    /* the names are kept for this transaction alone */
    struct sp_later later;
};

static void begin(struct flight *f)
{
    struct sp_host *h = f->engine->host;

    h->later = &f->later;
    f->keeps = h->names == NULL;
    sp_userdb_keep(h);
}

static void clear_flight(struct flight *f)
{
    struct sp_host *h = f->engine->host;
    struct sp_error ignored;

    (void)sp_sync_now(h, &ignored); /* only after a failure is there something left */
    h->later = NULL;
    if (f->keeps)
        sp_userdb_forget(h);
    sp_account_clear(&f->desired);
    sp_account_clear(&f->before);
}

static int look_up(struct flight *f, const char *user, struct sp_error *err)
{
    struct sp_outcome *o = f->out;

    if (sp_userdb_get(f->engine->host, user, &o->passwd, err) < 0) {
        if (err->code != SP_E_NOT_FOUND)
            return sp_field_prefix(err, "user");
        o->user_missing = true;
        return 0;
    }
    sp_homepath_resolve(f->engine->host, &o->passwd);
    /* Somebody else by the same name: nothing of his is looked at or touched; our records of the other can
     * go. */
    f->stranger = o->state.exists && o->state.desired.uid != o->passwd.uid;
    o->user_missing = f->stranger;
    return 0;
}

/* An account of the same name but another uid is not ours to touch: only our own records of it can go. */
static int load(struct flight *f, const char *user, struct sp_error *err)
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

/* What was asked of sallyport so far: of an account that is only held, nothing. What takes access away is
 * not held up by roots. */
static const struct sp_account *asked_before(const struct flight *f)
{
    static const struct sp_account nothing = {0};
    const struct sp_account *was = &f->out->state.desired;

    return was->found.held && (f->run->flags & SP_RUN_WITHDRAWS) == 0 ? &nothing : was;
}

static int renamed(const struct sp_outcome *o, const char *now, struct sp_error *err)
{
    sp_fail(err, SP_E_CONFLICT, 0, "there is no local user %s: his uid %u is %s now", o->user,
            o->state.desired.uid, now);
    sp_hint(err, "if he was renamed (usermod -l): domain.rebind with \"user\":\"%s\"; else domain.remove",
            now);
    return sp_field(err, "user");
}

static int refuse_missing(const struct flight *f, struct sp_error *err)
{
    const struct sp_outcome *o = f->out;
    char now[64];

    if (f->stranger)
        return sp_refuse_stranger(&o->state.desired, &o->passwd, err);
    if (o->state.exists && sp_userdb_name_of(f->engine->host, o->state.desired.uid, now))
        return renamed(o, now, err);
    return sp_refuse_nobody(o->user, err);
}

static int edit(struct flight *f, struct sp_error *err)
{
    struct sp_outcome *o = f->out;
    bool same = false, withdraws = o->state.exists && (f->run->flags & SP_RUN_WITHDRAWS) != 0;

    if (f->run->edit != NULL && f->run->edit(f->engine, &f->desired, &o->passwd, f->run->data, err) < 0)
        return -1;
    if (f->run->edit != NULL && sp_check_size(&o->state.desired, &f->desired, err) < 0)
        return -1;
    if (f->run->edit != NULL && !o->user_missing &&
        ((!withdraws && sp_check_account(f->engine, &f->desired, &o->passwd, err) < 0) ||
         sp_check_new_roots(f->engine, asked_before(f), &f->desired, &o->passwd, err) < 0 ||
         sp_unique_check(f->engine, asked_before(f), &f->desired, err) < 0))
        return -1;
    if (o->user_missing && f->run->edit != NULL && !sp_account_is_empty(&f->desired))
        return refuse_missing(f, err);
    if (same_account(&f->desired, &o->state.desired, &same, err) < 0)
        return -1;
    if (f->desired.found.held && f->run->edit != NULL && (f->run->flags & SP_RUN_FORGETS) == 0 &&
        !(same && withdraws)) /* there is nothing that it could take away */
        same = f->desired.found.held = false;
    f->edited = !same && (o->state.exists || !sp_account_is_empty(&f->desired));
    return 0;
}

static int make_context(struct flight *f, struct sp_error *err)
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
                             .thorough = (f->run->flags & SP_RUN_THOROUGH) != 0,
                             .keep_sessions = (f->run->flags & SP_RUN_KEEP_SESSIONS) != 0};
    return 0;
}

static size_t count_resources(void)
{
    size_t n = 0;

    while (sp_resources[n] != NULL)
        n++;
    return n;
}

/* The i-th resource of a phase: narrowing runs the array backwards. */
static const struct sp_resource *in_phase(enum sp_phase phase, size_t i)
{
    return sp_resources[phase == SP_NARROW ? count_resources() - 1 - i : i];
}

/* Put the changes in the order in which they will run: that is what a plan shows. */
static int sort_plan(struct sp_plan *p, struct sp_error *err)
{
    _cleanup_(sp_plan_clear) struct sp_plan sorted = {0};

    for (int phase = 0; phase < SP_PHASES; phase++)
        for (size_t r = 0; r < count_resources(); r++)
            for (size_t i = 0; i < p->n; i++) {
                const struct sp_change *c = &p->v[i];
                struct sp_change *to;
                if (c->phase != (enum sp_phase)phase || c->resource != in_phase(c->phase, r))
                    continue;
                to = sp_plan_add(&sorted, c->resource, c->phase, c->effect, c->what, err);
                if (to == NULL)
                    return -1;
                *to = *c;
            }
    free(p->v);
    p->v = sp_steal_ptr(sorted.v);
    return 0;
}

static int plan(struct flight *f, struct sp_error *err)
{
    if (f->desired.found.held)
        return 0;
    for (size_t i = 0; sp_resources[i] != NULL; i++)
        if (sp_resources[i]->plan(&f->ctx, &f->out->plan, err) < 0)
            return -1;
    if (sp_tight_keep(f->run, &f->desired, f->out, err) < 0)
        return -1;
    return sort_plan(&f->out->plan, err);
}

/* Where the user himself can stand in the way. What he does there must not hold up the rest of a narrowing:
 * his sessions end all the same. */
static bool is_users_ground(const struct sp_resource *r)
{
    return r == &sp_resource_keys || r == &sp_resource_keys_elsewhere || r == &sp_resource_points;
}

/* Carry out a phase, then ask the system what it now shows: a later phase may change it again. */
static int run_phase(struct flight *f, enum sp_phase phase, struct sp_error *err)
{
    struct sp_plan *p = &f->out->plan;
    struct sp_error first, now;
    bool keys_left = false;
    int rc = 0;

    for (size_t i = 0; i < count_resources(); i++) {
        const struct sp_resource *r = in_phase(phase, i);
        if (r->apply(&f->ctx, p, phase, &now) == 0)
            continue;
        if (rc == 0)
            first = now;
        rc = -1;
        keys_left = keys_left || r == &sp_resource_keys || r == &sp_resource_keys_elsewhere;
        if (phase != SP_NARROW || !is_users_ground(r))
            break;
    }
    if (keys_left && phase == SP_NARROW && f->ctx.withdraws)
        sp_tight_shut(&f->ctx, &first);
    for (size_t i = 0; rc == 0 && i < p->n; i++)
        if (p->v[i].phase == phase && p->v[i].resource->read_back(&f->ctx, &p->v[i], &first) < 0)
            rc = -1;
    if (rc < 0)
        *err = first;
    return rc;
}

static int prove(struct flight *f, struct sp_error *err)
{
    for (size_t i = 0; !f->desired.found.held && sp_resources[i] != NULL; i++)
        if (sp_resources[i]->prove != NULL && sp_resources[i]->prove(&f->ctx, err) < 0 &&
            !sp_tight_explains(f->out, err))
            return -1;
    return 0;
}

static int apply_plan(struct flight *f, struct sp_error *err)
{
    if (run_phase(f, SP_PREPARE, err) < 0 || run_phase(f, SP_NARROW, err) < 0 ||
        run_phase(f, SP_BUILD, err) < 0 || prove(f, err) < 0)
        return -1;
    return run_phase(f, SP_WIDEN, err);
}

/* The domains' index is made before a state that names them, and taken away after one that no longer does.
 * A domain is attached to one account. Two requests that attach the same one to different accounts meet at
 * this lock: the second sees the first one's state. So it is with a root of root's and the jail of a uid.
 */
static int claim(struct flight *f, int *ret_lock, struct sp_error *err)
{
    struct sp_host *h = f->engine->host;

    if (sp_unique_is_wider(asked_before(f), &f->desired)) {
        *ret_lock = sp_lock_take(h, SP_STORE_DOMAINS_LOCK, SP_LOCK_DEADLINE_MS, err);
        if (*ret_lock < 0 || sp_unique_check(f->engine, asked_before(f), &f->desired, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < f->desired.n_domains && !sp_extra_is(&f->desired.extra); i++) {
        const char *name = f->desired.domains[i].name;
        char owner[SP_USER_SIZE];
        if (sp_account_find(&f->out->state.desired, name) != NULL)
            continue;
        if (*ret_lock < 0)
            *ret_lock = sp_lock_take(h, SP_STORE_DOMAINS_LOCK, SP_LOCK_DEADLINE_MS, err);
        if (*ret_lock < 0 || sp_store_owner(h, name, owner, err) < 0)
            return -1;
        if (owner[0] != '\0' && !sp_streq(owner, f->out->user)) {
            sp_fail(err, SP_E_CONFLICT, 0, "%s was attached to the user %s a moment ago", name, owner);
            sp_hint(err, "domain.remove it from %s first", owner);
            return sp_field(err, "domain");
        }
        if (sp_store_index(h, name, f->out->user, err) < 0)
            return -1;
    }
    return 0;
}

static int save_desire(struct flight *f, struct sp_error *err)
{
    struct sp_state next = f->out->state;
    _cleanup_json_ cJSON *opens = NULL;
    _cleanup_close_ int lock = -1; /* until the state that confirms the index is there */

    if (sp_store_prepare(f->engine->host, err) < 0 || claim(f, &lock, err) < 0 ||
        sp_tight_note(&f->out->plan, &opens, err) < 0)
        return -1;
    next.opens = opens;
    next.desired = f->desired;
    next.applied = f->before;
    next.pending = true;
    next.generation += f->edited;
    if (sp_store_save(f->engine->host, f->out->user, &next, err) < 0)
        return -1;
    return sp_sync_now(f->engine->host, err); /* durable before the first change */
}

static int drop_index(struct flight *f, const struct sp_account *gone, struct sp_error *err)
{
    for (size_t i = 0; i < gone->n_domains; i++)
        if (sp_account_find(&f->desired, gone->domains[i].name) == NULL &&
            sp_store_unindex(f->engine->host, gone->domains[i].name, f->out->user, err) < 0)
            return -1;
    return 0;
}

static int save_done(struct flight *f, struct sp_error *err)
{
    struct sp_outcome *o = f->out;
    struct sp_state done = o->state;

    done.desired = done.applied = f->desired;
    done.pending = false;
    done.generation += f->edited;
    if (sp_account_is_empty(&f->desired)) {
        if (sp_store_raise_generation(f->engine->host, done.generation, err) < 0 ||
            sp_sync_now(f->engine->host, err) < 0 || sp_store_remove(f->engine->host, o->user, err) < 0)
            return -1;
    } else if (sp_store_save(f->engine->host, o->user, &done, err) < 0 ||
               sp_sync_now(f->engine->host, err) < 0)
        return -1;
    if (drop_index(f, &o->state.desired, err) < 0 || drop_index(f, &o->state.applied, err) < 0)
        return -1;
    sp_account_clear(&o->state.desired);
    sp_account_clear(&o->state.applied);
    o->state.pending = false;
    o->state.exists = !sp_account_is_empty(&f->desired);
    o->state.generation = done.generation;
    o->state.desired = f->desired;
    f->desired = (struct sp_account){0};
    return sp_account_copy(&o->state.applied, &o->state.desired, err);
}

static int commit(struct flight *f, struct sp_error *err)
{
    struct sp_outcome *o = f->out;

    if (save_desire(f, err) < 0)
        return -1;
    o->pending = true;
    if (apply_plan(f, err) < 0 || save_done(f, err) < 0)
        return -1;
    o->pending = false;
    if (o->user_missing)
        return 0;
    if (sp_userdb_get(f->engine->host, o->user, &o->passwd, err) < 0) {
        /* An extra login that was given up has no user any more. */
        o->user_missing = err->code == SP_E_NOT_FOUND && !o->state.exists;
        return o->user_missing ? 0 : -1;
    }
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
    return fd >= 0 ? fd : -2;
}

int sp_engine_hold(struct sp_engine *e, const char *user, const struct sp_run *run, struct sp_hold *ret,
                   struct sp_error *err)
{
    int fd = sp_name_check_user(user, err) < 0 ? -2 : take_lock(e, user, run, err);

    if (fd == -2)
        return -1;
    *ret = (struct sp_hold){e, fd};
    e->holds = fd >= 0;
    return 0;
}

void sp_hold_end(struct sp_hold *h)
{
    if (h->engine == NULL)
        return;
    h->engine->holds = false;
    if (h->fd >= 0)
        (void)close(h->fd);
}

int sp_engine_run(struct sp_engine *e, const char *user, const struct sp_run *run, struct sp_outcome *ret,
                  struct sp_error *err)
{
    _cleanup_(clear_flight) struct flight f = {.engine = e, .run = run, .out = ret};
    _cleanup_close_ int lock = -1;
    bool dry = (run->flags & SP_RUN_DRY) != 0;

    begin(&f);
    if (sp_name_check_user(user, err) < 0)
        return sp_field_prefix(err, "user");
    lock = take_lock(e, user, run, err);
    if (lock == -2)
        return -1;
    if (load(&f, user, err) < 0 || edit(&f, err) < 0 || make_context(&f, err) < 0 || plan(&f, err) < 0)
        return -1;
    ret->changed = ret->plan.n > 0 || f.edited;
    ret->generation = ret->state.generation + (!dry && f.edited);
    if (dry) { /* what would be */
        sp_account_clear(&ret->state.desired);
        ret->state.desired = f.desired;
        f.desired = (struct sp_account){0};
        return 0;
    }
    if ((!ret->changed && !ret->state.pending ? prove(&f, err) : commit(&f, err)) < 0)
        return -1;
    if (run->seen != NULL && !ret->changed && !ret->state.pending && ret->kept.n == 0)
        sp_seen_note(run->seen, &f.ctx);
    sp_wake_account(e->host, &ret->state.desired);
    return 0;
}
