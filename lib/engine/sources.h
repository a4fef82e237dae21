/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A domain's own sources and the SSH port: in `restricted` they open it. Like everything else they narrow
 * before the account's transaction and widen after it. Their changes and warnings join the transaction's in
 * the answer.
 */
#ifndef SP_ENGINE_SOURCES_H
#define SP_ENGINE_SOURCES_H

#include "engine/fwstore.h"
#include "engine/methods.h"

enum sp_sources_why { SP_SOURCES_APPLY, SP_SOURCES_REMOVE };

/* What the firewall's list is to have of the domain: its sources, nothing while its account has the shell
 * none. */
const struct sp_cidr_list *sp_sources_of(const struct sp_domain *d, enum sp_shell shell);

/* Before: what the domain had and will not have any more is taken out of the firewall's list. *ret_part is
 * what that changed, for sp_sources_join(); NULL if nothing was asked. `run` is the account's transaction
 * to come: one that would be refused (a stale if_generation) narrows nothing. */
int sp_sources_narrow(struct sp_engine *e, const char *user, const struct sp_run *run,
                      const struct sp_params *p, enum sp_sources_why why, cJSON **ret_part,
                      struct sp_error *err);

/* Move the changes and warnings of a part (taken apart; may be NULL) behind those of the answer. */
void sp_sources_join(cJSON *result, cJSON *part);

/* After: the list is what the domain now has (nothing while its account has the shell none, or is gone). */
int sp_sources_widen(struct sp_engine *e, const struct sp_outcome *o, const struct sp_params *p,
                     cJSON *result, struct sp_error *err);

/* What the firewall's list lacks of the domain's, or has too much, moved behind result.drift;
 * result.in_force is false then. A request that was cut off between account and firewall leaves that, until
 * it is sent again or a reconcile comes by. */
int sp_sources_drift(struct sp_engine *e, const struct sp_account *a, const struct sp_domain *d,
                     cJSON *result, struct sp_error *err);

struct sp_sources_owner {
    const char *domain; /* "": given by firewall.set */
    size_t n;           /* of the list's entries */
};

/* For a reconcile: the firewall's list as it was when that began. */
struct sp_sources_look {
    struct sp_fw_policy stored;
    struct sp_sources_owner *owners; /* owned, their names stored's; sorted by name */
    size_t n_owners;
    bool unreadable; /* nothing is known of it, so nothing is held against it */
};
void sp_sources_look_clear(struct sp_sources_look *l);
void sp_sources_look(struct sp_engine *e, struct sp_sources_look *ret);

/* Is that list what the account's domains have? */
bool sp_sources_stand(const struct sp_sources_look *l, const struct sp_account *a);

/* Where that list is not what the account's domains have, it is made so. *ret_part is what that changed,
 * for sp_sources_join(); NULL: nothing. */
int sp_sources_mend(struct sp_engine *e, const struct sp_outcome *o, const struct sp_run *run,
                    const struct sp_sources_look *l, cJSON **ret_part, struct sp_error *err);

/* What stands in that list for domains that no account has goes: a rename that was cut off leaves them.
 * *ret_part as above. */
int sp_sources_forget_gone(struct sp_engine *e, const struct sp_run *run, const struct sp_sources_look *l,
                           cJSON **ret_part, struct sp_error *err);

/* The domain's list is `now`'s. First the new owner, then the old one away: no moment without. */
int sp_sources_rename(struct sp_engine *e, const struct sp_outcome *o, const struct sp_params *p,
                      const char *now, cJSON *result, struct sp_error *err);

#endif
