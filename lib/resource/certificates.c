/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The account's certificates: one is worth no more than the key it was made for, so it goes when the key
 * goes; and the principal that opens the account goes with the account. Issuing is no resource: nothing of
 * it stays on the host but the principal.
 */
#include "resource/certificates.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "resource/certstore.h"
#include "resource/logins.h"
#include "resource/resource.h"

enum { PRINCIPAL, REVOKE };

static bool is_among(uint64_t serial, const struct sp_revocation *r)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->serials[i] == serial)
            return true;
    return false;
}

static bool opened_by(const struct sp_sshdlog *l, void *data)
{
    return l->is_certificate && is_among(l->serial, data);
}

/* Each account once. */
static int end_sessions(struct sp_host *h, const struct sp_config *config, const struct sp_certlog *log,
                        const struct sp_revocation *r, size_t *ret_ended, struct sp_error *err)
{
    for (size_t i = 0; i < log->n; i++) {
        const struct sp_certificate *c = &log->v[i];
        bool done = !is_among(c->serial, r);
        struct sp_user now;
        size_t ended = 0;
        for (size_t k = 0; !done && k < i; k++)
            done = is_among(log->v[k].serial, r) && sp_streq(log->v[k].user, c->user);
        if (done || sp_userdb_get(h, c->user, &now, err) < 0 || now.uid != c->uid)
            continue;
        if (sp_logins_end(h, config, c->user, c->uid, opened_by, (void *)r, &ended, err) < 0)
            return -1;
        *ret_ended += ended;
    }
    return 0;
}

int sp_certificates_revoke(struct sp_host *h, const struct sp_config *config, const struct sp_revocation *r,
                           size_t *ret_ended, struct sp_error *err)
{
    _cleanup_(sp_certlog_clear) struct sp_certlog log = {0};
    _cleanup_(sp_buf_clear) struct sp_buf lines = {0};
    _cleanup_close_ int lock = sp_certstore_lock(h, err);
    int64_t now = h->ops->now(h);
    uint64_t next = 0;

    *ret_ended = 0;
    if (lock < 0 || sp_certstore_next(h, &next, err) < 0)
        return -1;
    for (size_t i = 0; i < r->n; i++)
        if (sp_certlog_revoke(next++, r->serials[i], now, r->caller, r->reason, &lines, err) < 0)
            return -1;
    if (sp_certstore_append(h, &lines, err) < 0 || sp_certstore_read(h, &log, err) < 0 ||
        sp_certstore_krl(h, &log, now, NULL, err) < 0)
        return -1;
    return end_sessions(h, config, &log, r, ret_ended, err);
}

static bool is_registered(const struct sp_account *a, const char *fingerprint)
{
    for (size_t i = 0; i < a->n_domains; i++)
        if (sp_key_list_find(&a->domains[i].keys, fingerprint) != NULL)
            return true;
    return false;
}

static int plan_revocations(const struct sp_ctx *c, const char *principal, struct sp_plan *p,
                            struct sp_error *err)
{
    _cleanup_(sp_certlog_clear) struct sp_certlog log = {0};

    if (sp_certstore_read(c->host, &log, err) < 0)
        return -1;
    for (size_t i = 0; i < log.n; i++) {
        const struct sp_certificate *one = &log.v[i];
        struct sp_change *change;
        if (!sp_streq(one->principal, principal) ||
            !sp_certificate_lives(one, c->host->ops->now(c->host)) ||
            is_registered(c->desired, one->fingerprint))
            continue;
        change = sp_plan_add(p, &sp_resource_certificates, SP_NARROW, SP_TIGHTENS, REVOKE, err);
        if (change == NULL)
            return -1;
        (void)sp_str_format(change->target, sizeof(change->target), "%llu",
                            (unsigned long long)one->serial);
        (void)sp_str_format(change->from, sizeof(change->from), "%s", one->key_id);
        (void)sp_str_copy(change->to, sizeof(change->to), "revoked");
    }
    return 0;
}

/* Accounts that never had a certificate pay for one look at a name. */
static int certificates_plan(const struct sp_ctx *c, struct sp_plan *p, struct sp_error *err)
{
    char principal[SP_SSHCERT_PRINCIPAL_SIZE];
    struct sp_change *change;

    if (sp_principal_read(c->host, c->desired->user, principal, err) < 0)
        return -1;
    if (principal[0] == '\0')
        return 0;
    if (!sp_ctx_absent(c) && c->user != NULL)
        return plan_revocations(c, principal, p, err);
    change = sp_plan_add(p, &sp_resource_certificates, SP_NARROW, SP_TIGHTENS, PRINCIPAL, err);
    if (change == NULL)
        return -1;
    (void)sp_str_format(change->target, sizeof(change->target), SP_PRINCIPALS_DIR "/%s", c->desired->user);
    return sp_str_copy(change->from, sizeof(change->from), "certificates open the account");
}

static int certificates_apply(const struct sp_ctx *c, const struct sp_plan *p, enum sp_phase phase,
                              struct sp_error *err)
{
    _cleanup_free_ uint64_t *serials = calloc(p->n + 1, sizeof(*serials));
    struct sp_revocation r = {serials, 0, 0, "its key was taken away"};
    size_t ended = 0;

    if (serials == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    for (size_t i = 0; i < p->n; i++) {
        const struct sp_change *change = &p->v[i];
        if (change->resource != &sp_resource_certificates || change->phase != phase)
            continue;
        if (change->what == PRINCIPAL && sp_principal_remove(c->host, c->desired->user, err) < 0)
            return -1;
        if (change->what == REVOKE && sp_str_to_u64(change->target, UINT64_MAX, &serials[r.n]) == 0)
            r.n++;
    }
    return r.n > 0 ? sp_certificates_revoke(c->host, c->config, &r, &ended, err) : 0;
}

static int certificates_read_back(const struct sp_ctx *c, struct sp_change *change, struct sp_error *err)
{
    _cleanup_(sp_certlog_clear) struct sp_certlog log = {0};
    char principal[SP_SSHCERT_PRINCIPAL_SIZE];
    uint64_t serial = 0;

    if (change->what == PRINCIPAL) {
        if (sp_principal_read(c->host, c->desired->user, principal, err) < 0)
            return -1;
        return sp_str_copy(change->read_back, sizeof(change->read_back), principal);
    }
    if (sp_certstore_read(c->host, &log, err) < 0)
        return -1;
    (void)sp_str_to_u64(change->target, UINT64_MAX, &serial);
    for (size_t i = 0; i < log.n; i++)
        if (log.v[i].serial == serial)
            (void)sp_str_copy(change->read_back, sizeof(change->read_back),
                              log.v[i].revoked_at != 0 ? "revoked" : log.v[i].key_id);
    return 0;
}

const struct sp_resource sp_resource_certificates = {"certificates", certificates_plan, certificates_apply,
                                                     certificates_read_back, NULL};
