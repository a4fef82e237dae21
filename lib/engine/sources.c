/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/sources.h"

#include "base/mem.h"
#include "base/str.h"
#include "engine/firewall.h"
#include "model/json.h"

const struct sp_cidr_list *sp_sources_of(const struct sp_domain *d, enum sp_shell shell)
{
    static const struct sp_cidr_list none = {0};

    return shell != SP_SHELL_NONE ? &d->sources : &none;
}

/* Move the members of one array of `from` behind those of another of `to`. */
static void join(cJSON *to, const char *behind, cJSON *from, const char *name)
{
    cJSON *have = cJSON_GetObjectItemCaseSensitive(to, behind),
          *more = cJSON_GetObjectItemCaseSensitive(from, name);

    while (have != NULL && cJSON_GetArraySize(more) > 0)
        (void)cJSON_AddItemToArray(have, cJSON_DetachItemFromArray(more, 0));
}

void sp_sources_join(cJSON *result, cJSON *part)
{
    if (part == NULL)
        return;
    join(result, "changes", part, "changes");
    join(result, "warnings", part, "warnings");
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(part, "changed")))
        (void)cJSON_ReplaceItemInObjectCaseSensitive(result, "changed", cJSON_CreateTrue());
}

/* Access that is withdrawn is withdrawn, whoever is connected from there: running sessions of others go on
 * anyway. A change of the list is held against the connected, unless the request says force. */
static int sync_list(struct sp_engine *e, const struct sp_params *p, const char *domain,
                     const struct sp_cidr_list *sources, cJSON **ret_part, struct sp_error *err)
{
    enum sp_firewall_flags flags = p->dry_run ? SP_FIREWALL_DRY : SP_FIREWALL_APPLY;

    _cleanup_json_ cJSON *part = cJSON_CreateObject();

    if (part == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (sp_firewall_sync_sources(e->host, e->config, domain, sources,
                                 flags | (p->force || sources->n == 0 ? SP_FIREWALL_FORCE : 0), part,
                                 err) < 0)
        return -1;
    *ret_part = sp_steal_ptr(part);
    return 0;
}

static bool has(const struct sp_cidr_list *l, const struct sp_cidr *c)
{
    for (size_t i = 0; i < l->n; i++)
        if (sp_cidr_equal(&l->v[i], c))
            return true;
    return false;
}

/* Would the account's transaction be carried out? */
static int try_run(struct sp_engine *e, const char *user, const struct sp_run *run, struct sp_error *err)
{
    _cleanup_(sp_outcome_clear) struct sp_outcome o = {0};
    struct sp_run dry = *run;

    dry.flags |= SP_RUN_DRY;
    return sp_engine_run(e, user, &dry, &o, err);
}

/* The shell is the account's: what one domain changes of it is changed for the sources of all. */
static int sync_others(struct sp_engine *e, const struct sp_params *p, const struct sp_account *a,
                       enum sp_shell shell, cJSON *into, struct sp_error *err)
{
    for (size_t i = 0; i < a->n_domains; i++) {
        const struct sp_domain *d = &a->domains[i];
        _cleanup_json_ cJSON *part = NULL;

        if (d->sources.n == 0 || sp_streq(d->name, p->domain))
            continue;
        if (sync_list(e, p, d->name, sp_sources_of(d, shell), &part, err) < 0)
            return -1;
        sp_sources_join(into, part);
    }
    return 0;
}

static size_t count_sources(const struct sp_account *a)
{
    size_t n = 0;

    for (size_t i = 0; i < a->n_domains; i++)
        n += a->domains[i].sources.n;
    return n;
}

int sp_sources_narrow(struct sp_engine *e, const char *user, const struct sp_run *run,
                      const struct sp_params *p, enum sp_sources_why why, cJSON **ret_part,
                      struct sp_error *err)
{
    _cleanup_(sp_state_clear) struct sp_state s = {0};
    _cleanup_(sp_cidr_list_clear) struct sp_cidr_list stay = {0};
    bool all = why == SP_SOURCES_APPLY && p->shell == SP_SHELL_NONE;
    bool nothing = why == SP_SOURCES_REMOVE || all;
    const struct sp_domain *d;

    if (p->dry_run || (!nothing && !p->has_sources))
        return 0;
    if (sp_store_load(e->host, user, &s, err) < 0)
        return -1;
    d = sp_account_find(&s.desired, p->domain);
    if ((d == NULL || d->sources.n == 0) && (!all || count_sources(&s.desired) == 0))
        return 0;
    if (try_run(e, user, run, err) < 0)
        return -1;
    for (size_t i = 0; !nothing && d != NULL && i < d->sources.n; i++)
        if (has(&p->sources, &d->sources.v[i]) && sp_cidr_list_add(&stay, &d->sources.v[i], err) < 0)
            return -1;
    if (sync_list(e, p, p->domain, &stay, ret_part, err) < 0)
        return -1;
    return all ? sync_others(e, p, &s.desired, SP_SHELL_NONE, *ret_part, err) : 0;
}

int sp_sources_widen(struct sp_engine *e, const struct sp_outcome *o, const struct sp_params *p,
                     cJSON *result, struct sp_error *err)
{
    const struct sp_domain *d = sp_account_find(&o->state.desired, p->domain);
    _cleanup_json_ cJSON *part = NULL;

    if (d != NULL && p->shell != SP_SHELL_UNSET &&
        sync_others(e, p, &o->state.desired, o->state.desired.shell, result, err) < 0)
        return -1;
    if (d == NULL || (d->sources.n == 0 && !p->has_sources))
        return 0; /* removed, and narrowed already; or it never had any */
    if (sync_list(e, p, p->domain, sp_sources_of(d, o->state.desired.shell), &part, err) < 0)
        return -1;
    sp_sources_join(result, part);
    return 0;
}

int sp_sources_rename(struct sp_engine *e, const struct sp_outcome *o, const struct sp_params *p,
                      const char *now, cJSON *result, struct sp_error *err)
{
    const struct sp_cidr_list none = {0};
    const struct sp_domain *d = sp_account_find(&o->state.desired, now);
    _cleanup_json_ cJSON *added = NULL, *dropped = NULL;

    if (d == NULL || d->sources.n == 0 || sp_streq(now, p->domain))
        return 0;
    if (sync_list(e, p, now, sp_sources_of(d, o->state.desired.shell), &added, err) < 0 ||
        sync_list(e, p, p->domain, &none, &dropped, err) < 0)
        return -1;
    sp_sources_join(result, added);
    sp_sources_join(result, dropped);
    return 0;
}

/* What cannot be looked at is not taken for in force, and hides nothing else of the answer. */
static int add_unknown(const struct sp_domain *d, const struct sp_error *why, cJSON *part,
                       struct sp_error *err)
{
    cJSON_DeleteItemFromObjectCaseSensitive(part, "changes");
    if (cJSON_AddArrayToObject(part, "changes") == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    return sp_report_first(part, "firewall", d->name, why->text, "open to its sources", NULL, err);
}

int sp_sources_drift(struct sp_engine *e, const struct sp_account *a, const struct sp_domain *d,
                     cJSON *result, struct sp_error *err)
{
    _cleanup_json_ cJSON *part = cJSON_CreateObject();
    struct sp_error why;

    if (part == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (d->sources.n == 0)
        return 0;
    if (sp_firewall_sync_sources(e->host, e->config, d->name, sp_sources_of(d, a->shell),
                                 SP_FIREWALL_DRY | SP_FIREWALL_FORCE, part, &why) < 0 &&
        add_unknown(d, &why, part, err) < 0)
        return -1;
    if (cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(part, "changes")) == 0)
        return 0;
    join(result, "drift", part, "changes");
    return cJSON_ReplaceItemInObjectCaseSensitive(result, "in_force", cJSON_CreateFalse())
               ? 0
               : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}
