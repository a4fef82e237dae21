/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The records of a transaction: the desire before the first change, and that it is in force after the last.
 */
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/flight.h"
#include "engine/tight.h"
#include "engine/unique.h"
#include "host/lock.h"
#include "model/json.h"

const struct sp_account *sp_flight_asked_before(const struct sp_flight *f)
{
    static const struct sp_account nothing = {0};
    const struct sp_account *was = &f->out->state.desired;

    return was->found.held && (f->run->flags & SP_RUN_WITHDRAWS) == 0 ? &nothing : was;
}

/* The domains' index is made before a state that names them, and taken away after one that no longer does.
 * A domain is attached to one account. Two requests that attach the same one to different accounts meet at
 * this lock: the second sees the first one's state. So it is with a root of root's and the jail of a uid.
 */
static int claim(struct sp_flight *f, int *ret_lock, struct sp_error *err)
{
    struct sp_host *h = f->engine->host;

    if (sp_unique_is_wider(sp_flight_asked_before(f), &f->desired)) {
        *ret_lock = sp_lock_take(h, SP_STORE_DOMAINS_LOCK, SP_LOCK_DEADLINE_MS, err);
        if (*ret_lock < 0 || sp_unique_check(f->engine, sp_flight_asked_before(f), &f->desired, err) < 0)
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

int sp_flight_save_desire(struct sp_flight *f, struct sp_error *err)
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

static int drop_index(struct sp_flight *f, const struct sp_account *gone, struct sp_error *err)
{
    for (size_t i = 0; i < gone->n_domains; i++)
        if (sp_account_find(&f->desired, gone->domains[i].name) == NULL &&
            sp_store_unindex(f->engine->host, gone->domains[i].name, f->out->user, err) < 0)
            return -1;
    return 0;
}

int sp_flight_save_done(struct sp_flight *f, struct sp_error *err)
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

/* Nothing has to be remembered while it is done: the desire is the one that is written down, and what is
 * done only takes away. Half of it is found by the next look, and taken for nobody's tightening. */
bool sp_flight_needs_record(const struct sp_flight *f)
{
    const struct sp_plan *p = &f->out->plan;

    if (f->edited || f->out->state.pending || f->out->user_missing || f->run->edit != NULL ||
        f->ctx.withdraws)
        return true;
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].phase > SP_NARROW || p->v[i].effect == SP_LOOSENS ||
            p->v[i].resource == &sp_resource_store) /* the record itself is mended by writing it */
            return true;
    return false;
}
