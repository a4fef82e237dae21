/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A key that is in no file although it is on record: its time is over, or none of the addresses that it is
 * for is one of its domain's. Reconcile does not bring it back. */
#include "base/mem.h"
#include "base/str.h"
#include "doctor/doctor.h"

struct left_out {
    const struct sp_visit *visit;
    const struct sp_domain *domain;
    const struct sp_key *key;
    const char *why;
};

static void hear_left_out(const struct sp_domain *d, const struct sp_key *k, const char *why, void *data)
{
    struct left_out *l = data;
    const struct sp_sshkey *key = l->visit->login->key;

    if (l->key == NULL && (key == NULL || sp_streq(key->fingerprint, k->key.fingerprint)))
        *l = (struct left_out){l->visit, d, k, why};
}

int sp_doctor_left_out(struct sp_visit *v, enum sp_finding_state bad, struct sp_error *err)
{
    _cleanup_(sp_key_list_clear) struct sp_key_list keys = {0};
    const struct sp_sshkey *key = v->login->key;
    struct sp_host *h = v->login->host;
    struct left_out l = {.visit = v};
    char from[SP_CIDR_SIZE];

    if (v->login->account == NULL)
        return 0;
    if (sp_account_effective_keys(v->login->account, h->ops->now(h), &keys, hear_left_out, &l, err) < 0)
        return -1;
    if (l.key == NULL || (key == NULL ? keys.n > 0 : sp_key_list_find(&keys, key->fingerprint) != NULL))
        return 0;
    if (sp_finding_add(v, "key", bad, err, "the key %s of %s lets nobody in: %s", l.key->key.fingerprint,
                       l.domain->name, l.why) < 0)
        return -1;
    if (l.key->expires_at != 0 && l.key->expires_at <= h->ops->now(h))
        (void)sp_finding_mend(v, "sallyport keys add %s FILE --expires-at LATER", l.domain->name);
    else if (l.key->from.n > 0 && l.domain->sources.n > 0) {
        sp_cidr_format(&l.domain->sources.v[0], from);
        (void)sp_finding_mend(v, "sallyport keys add %s FILE --from %s", l.domain->name, from);
    }
    return 1;
}
