/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a request that was cut off between account and firewall left of the domains' sources, for a
 * reconcile. */
#include "engine/sources.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/firewall.h"
#include "model/json.h"

void sp_sources_look_clear(struct sp_sources_look *l)
{
    free(l->owners);
    sp_fw_policy_clear(&l->stored);
    *l = (struct sp_sources_look){0};
}

static int by_name(const void *a, const void *b)
{
    const struct sp_sources_owner *x = a, *y = b;

    return strcmp(x->domain, y->domain);
}

/* Once for all domains: each would else have the whole list looked through. */
static int count_owners(struct sp_sources_look *l)
{
    const struct sp_fw_policy *p = &l->stored;

    if (p->n == 0)
        return 0;
    l->owners = calloc(p->n, sizeof(*l->owners));
    if (l->owners == NULL)
        return -1;
    for (size_t i = 0; i < p->n; i++)
        l->owners[i] = (struct sp_sources_owner){p->v[i].owner, 1};
    qsort(l->owners, p->n, sizeof(*l->owners), by_name);
    for (size_t i = 0; i < p->n; i++) {
        if (l->n_owners > 0 && by_name(&l->owners[l->n_owners - 1], &l->owners[i]) == 0)
            l->owners[l->n_owners - 1].n++;
        else
            l->owners[l->n_owners++] = l->owners[i];
    }
    return 0;
}

/* A file that is broken is the firewall's own trouble, which is told there. */
void sp_sources_look(struct sp_engine *e, struct sp_sources_look *ret)
{
    struct sp_error ignored;
    uint64_t sum = 0;

    *ret = (struct sp_sources_look){0};
    ret->unreadable = sp_fwstore_load(e->host, SP_FWSTORE_CURRENT, &ret->stored, &sum, &ignored) < 0 ||
                      count_owners(ret) < 0;
}

static size_t count_of(const struct sp_sources_look *l, const char *domain)
{
    const struct sp_sources_owner key = {.domain = domain}, *found = NULL;

    if (l->n_owners > 0)
        found = bsearch(&key, l->owners, l->n_owners, sizeof(*l->owners), by_name);
    return found != NULL ? found->n : 0;
}

static bool is_so(const struct sp_sources_look *l, const char *domain, const struct sp_cidr_list *want)
{
    for (size_t i = 0; i < want->n; i++)
        if (sp_fw_policy_find(&l->stored, &want->v[i], domain) == NULL)
            return false;
    return count_of(l, domain) == want->n;
}

bool sp_sources_stand(const struct sp_sources_look *l, const struct sp_account *a)
{
    for (size_t i = 0; i < a->n_domains; i++) {
        const struct sp_domain *d = &a->domains[i];

        if (d->sources.n > 0 && !is_so(l, d->name, sp_sources_of(d, a->shell)))
            return false;
    }
    return true;
}

static int tell(struct sp_engine *e, const struct sp_run *run, const char *domain,
                const struct sp_cidr_list *want, cJSON *into, struct sp_error *err)
{
    const enum sp_firewall_flags flags = (run->flags & SP_RUN_DRY) != 0
                                             ? SP_FIREWALL_DRY | SP_FIREWALL_FORCE
                                             : SP_FIREWALL_APPLY | SP_FIREWALL_FORCE;
    _cleanup_json_ cJSON *part = cJSON_CreateObject();

    if (part == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (sp_firewall_sync_sources(e->host, e->config, domain, want, flags, part, err) < 0)
        return -1;
    sp_sources_join(into, part);
    return 0;
}

static cJSON *new_part(struct sp_error *err)
{
    _cleanup_json_ cJSON *part = cJSON_CreateObject();

    if (part == NULL || !cJSON_AddFalseToObject(part, "changed") ||
        !cJSON_AddArrayToObject(part, "changes") || !cJSON_AddArrayToObject(part, "warnings")) {
        sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
        return NULL;
    }
    return sp_steal_ptr(part);
}

static void give(cJSON **part, cJSON **ret)
{
    if (cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(*part, "changes")) > 0)
        *ret = sp_steal_ptr(*part);
}

/* Under the account's lock, which every request holds that changes its sources, and with its state as it is
 * by then. */
int sp_sources_mend(struct sp_engine *e, const struct sp_outcome *o, const struct sp_run *run,
                    const struct sp_sources_look *l, cJSON **ret_part, struct sp_error *err)
{
    _cleanup_(sp_hold_end) struct sp_hold hold = {0};
    _cleanup_(sp_state_clear) struct sp_state s = {0};
    _cleanup_json_ cJSON *part = NULL;

    /* An extra login has its owner's. */
    if (l->unreadable || o->user_missing || sp_extra_is(&o->state.desired.extra) ||
        sp_sources_stand(l, &o->state.desired))
        return 0;
    part = new_part(err);
    if (part == NULL || sp_engine_hold(e, o->user, run, &hold, err) < 0 ||
        sp_store_load(e->host, o->user, &s, err) < 0)
        return -1;
    for (size_t i = 0; i < s.desired.n_domains; i++) {
        const struct sp_domain *d = &s.desired.domains[i];

        if (d->sources.n > 0 && tell(e, run, d->name, sp_sources_of(d, s.desired.shell), part, err) < 0)
            return -1;
    }
    give(&part, ret_part);
    return 0;
}

int sp_sources_forget_gone(struct sp_engine *e, const struct sp_run *run, const struct sp_sources_look *l,
                           cJSON **ret_part, struct sp_error *err)
{
    const struct sp_cidr_list none = {0};
    _cleanup_json_ cJSON *part = new_part(err);

    if (part == NULL)
        return -1;
    for (size_t i = 0; i < l->n_owners; i++) {
        const char *owner = l->owners[i].domain;
        struct sp_error ignored;
        char user[SP_USER_SIZE];

        /* One whose state cannot be read is not gone. */
        if (owner[0] != '\0' && sp_store_owner(e->host, owner, user, &ignored) == 0 && user[0] == '\0' &&
            tell(e, run, owner, &none, part, err) < 0)
            return -1;
    }
    give(&part, ret_part);
    return 0;
}
