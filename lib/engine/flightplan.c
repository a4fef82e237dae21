/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The plan of a transaction, and its way through the phases. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/flight.h"
#include "engine/tight.h"

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

int sp_flight_plan(struct sp_flight *f, struct sp_error *err)
{
    if (f->desired.found.held)
        return 0;
    if (f->hangs && sp_plan_warn(&f->out->plan, err, "%.400s", f->why_hangs.text) < 0)
        return -1;
    for (size_t i = 0; sp_resources[i] != NULL; i++)
        if (sp_resources[i]->plan(&f->ctx, &f->out->plan, err) < 0)
            return -1;
    if (sp_tight_keep(f->run, &f->desired, f->out, err) < 0)
        return -1;
    return sort_plan(&f->out->plan, err);
}

static bool are_keys(const struct sp_resource *r)
{
    return r == &sp_resource_keys || r == &sp_resource_keys_elsewhere;
}

/* Where the user himself can stand in the way. What he does there must not hold up the rest of a narrowing:
 * his sessions end all the same. */
static bool is_users_ground(const struct sp_resource *r)
{
    return are_keys(r) || r == &sp_resource_points;
}

static bool is_same_line(const struct sp_key *a, const struct sp_key *b)
{
    _cleanup_(sp_buf_clear) struct sp_buf la = {0}, lb = {0};
    struct sp_error ignored;

    return sp_authkeys_line(a, &la, &ignored) == 0 && sp_authkeys_line(b, &lb, &ignored) == 0 &&
           sp_buf_ok(&la) && sp_buf_ok(&lb) && sp_streq(sp_buf_str(&la), sp_buf_str(&lb));
}

static bool brings_keys(const struct sp_flight *f)
{
    const struct sp_account *was = sp_flight_asked_before(f);

    for (size_t i = 0; i < f->desired.n_domains; i++) {
        const struct sp_domain *now = &f->desired.domains[i], *old = sp_account_find(was, now->name);

        for (size_t k = 0; k < now->keys.n; k++) {
            const struct sp_key *had =
                old != NULL ? sp_key_list_find(&old->keys, now->keys.v[k].key.fingerprint) : NULL;
            if (had == NULL || !is_same_line(&now->keys.v[k], had))
                return true;
        }
    }
    return false;
}

/* A key of an earlier request that lets nobody in need not be there: a home without room for it holds up no
 * `none`. */
static bool may_fail(const struct sp_flight *f, enum sp_phase phase, const struct sp_resource *r)
{
    return phase == SP_BUILD && f->desired.shell == SP_SHELL_NONE && f->run->edit != NULL && are_keys(r) &&
           !brings_keys(f);
}

/* Carry out a phase, then ask the system what it now shows: a later phase may change it again. */
static int run_phase(struct sp_flight *f, enum sp_phase phase, struct sp_error *err)
{
    struct sp_plan *p = &f->out->plan;
    struct sp_error first, now;
    bool keys_left = false;
    int rc = 0;

    for (size_t i = 0; i < count_resources(); i++) {
        const struct sp_resource *r = in_phase(phase, i);
        if (r->apply(&f->ctx, p, phase, &now) == 0)
            continue;
        if (may_fail(f, phase, r)) {
            if (sp_plan_warn(p, err, "%s could not be written: %s", r->name, now.text) < 0)
                return -1;
            continue;
        }
        if (rc == 0)
            first = now;
        rc = -1;
        keys_left = keys_left || are_keys(r);
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

int sp_flight_prove(struct sp_flight *f, struct sp_error *err)
{
    for (size_t i = 0; !f->desired.found.held && sp_resources[i] != NULL; i++)
        if (sp_resources[i]->prove != NULL && sp_resources[i]->prove(&f->ctx, err) < 0 &&
            !sp_tight_explains(f->out, err))
            return -1;
    return 0;
}

int sp_flight_apply(struct sp_flight *f, struct sp_error *err)
{
    if (run_phase(f, SP_PREPARE, err) < 0 || run_phase(f, SP_NARROW, err) < 0 ||
        run_phase(f, SP_BUILD, err) < 0 || sp_flight_prove(f, err) < 0)
        return -1;
    return run_phase(f, SP_WIDEN, err);
}
