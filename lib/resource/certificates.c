/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The account's certificates: one is worth no more than the key it was made for, so it goes when the key
 * goes, or no longer allows as much as the certificate does; and the principal that opens the account goes
 * with the account. Issuing is no resource: nothing of it stays on the host but the principal.
 */
#include "resource/certificates.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "resource/certstore.h"
#include "resource/logins.h"
#include "resource/resource.h"

enum { PRINCIPAL, REVOKE, NARROW, RIGHTS };

bool sp_certificate_opens(struct sp_host *h, const struct sp_certificate *c, int64_t now)
{
    return sp_certificate_lives(c, now) ||
           (c->revoked_at != 0 && c->valid_to > now && !sp_certstore_krl_lists(h, c->serial));
}

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

static bool is_meant(const struct sp_certificate *c, const struct sp_revocation *r)
{
    return r == NULL || is_among(c->serial, r);
}

/* Who is gone has no sessions. A passwd that cannot be read tells of nobody that he is gone. */
static int end_account(struct sp_host *h, const struct sp_config *config, const struct sp_certificate *c,
                       sp_login_test *opened, void *data, size_t *ret_ended, struct sp_error *err)
{
    struct sp_user now;
    size_t ended = 0;

    if (sp_userdb_get(h, c->user, &now, err) < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    if (now.uid != c->uid)
        return 0;
    if (sp_logins_end(h, config, c->user, c->uid, opened, data, &ended, err) < 0)
        return -1;
    *ret_ended += ended;
    return 0;
}

/* Each account once; one that fails keeps no other's sessions. */
static int end_sessions(struct sp_host *h, const struct sp_config *config, const struct sp_certlog *log,
                        const struct sp_revocation *r, sp_login_test *opened, void *data, size_t *ret_ended,
                        struct sp_error *err)
{
    struct sp_error why;
    int rc = 0;

    for (size_t i = 0; i < log->n; i++) {
        const struct sp_certificate *c = &log->v[i];
        bool done = !is_meant(c, r);
        for (size_t k = 0; !done && k < i; k++)
            done = is_meant(&log->v[k], r) && sp_streq(log->v[k].user, c->user) && log->v[k].uid == c->uid;
        if (done || end_account(h, config, c, opened, data, ret_ended, &why) == 0)
            continue;
        if (rc == 0)
            *err = why;
        rc = -1;
    }
    return rc;
}

int sp_certificates_end(struct sp_host *h, const struct sp_config *config, const struct sp_certlog *log,
                        const struct sp_revocation *r, size_t *ret_ended, struct sp_error *err)
{
    *ret_ended = 0;
    return end_sessions(h, config, log, r, opened_by, (void *)(uintptr_t)r, ret_ended, err);
}

static bool signed_by(const struct sp_sshdlog *l, void *data)
{
    return l->is_certificate && sp_streq(l->ca, data);
}

int sp_certificates_end_of_ca(struct sp_host *h, const struct sp_config *config, const char *fingerprint,
                              struct sp_error *err)
{
    _cleanup_(sp_certlog_clear) struct sp_certlog log = {0};
    size_t ended = 0;

    if (sp_certstore_read(h, &log, err) < 0)
        return -1;
    return end_sessions(h, config, &log, NULL, signed_by, (void *)(uintptr_t)fingerprint, &ended, err);
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
    return sp_certificates_end(h, config, &log, r, ret_ended, err);
}

/* Every block of the text lies within one of the key's. What cannot be read lies nowhere. */
static bool lie_within(char *sources, const struct sp_cidr_list *from)
{
    struct sp_error ignored;
    const char *one;

    while ((one = strsep(&sources, ",")) != NULL) {
        struct sp_cidr block;
        size_t i = 0;
        if (sp_cidr_parse(one, &block, &ignored) < 0)
            return false;
        while (i < from->n && !sp_cidr_contains(&from->v[i], &block))
            i++;
        if (i == from->n)
            return false;
    }
    return true;
}

static bool same_sources(const struct sp_key *a, const struct sp_key *b)
{
    bool same = b != NULL && a->from.n == b->from.n;

    for (size_t i = 0; same && i < a->from.n; i++)
        same = sp_cidr_equal(&a->from.v[i], &b->from.v[i]);
    return same;
}

/* sshd asks nobody about the key once it has the certificate: what the key may no longer do, the
 * certificate still could. `was`: the key as it is in force. Of a long list the log has only the beginning:
 * it was within the key's when it was issued, so it is for as long as those stay the same. */
static bool is_wider(const struct sp_certificate *c, const struct sp_key *key, const struct sp_key *was)
{
    char sources[SP_CERTLOG_SOURCES_SIZE];

    if (key->expires_at != 0 && c->valid_to > key->expires_at)
        return true;
    if (!sp_keyrules_is_plain(&key->rules)) /* a key with rules gets none: this one is of before */
        return true;
    if (key->from.n == 0)
        return false;
    (void)sp_str_copy(sources, sizeof(sources), c->sources);
    if (strstr(sources, "...") != NULL)
        return !same_sources(key, was);
    return sources[0] == '\0' || !lie_within(sources, &key->from);
}

static int add_revocation(const struct sp_certificate *one, int what, struct sp_plan *p,
                          struct sp_error *err)
{
    struct sp_change *change = sp_plan_add(p, &sp_resource_certificates, SP_NARROW, SP_TIGHTENS, what, err);

    if (change == NULL)
        return -1;
    (void)sp_str_format(change->target, sizeof(change->target), "%llu", (unsigned long long)one->serial);
    (void)sp_str_format(change->from, sizeof(change->from), "%s", one->key_id);
    return sp_str_copy(change->to, sizeof(change->to), "revoked");
}

/* It is on sshd's list, and the request that put it there may have been cut off before its sessions were
 * ended: so it is while what is in force (`was`) is not yet what is wanted (`key`). */
static int is_cut_off(const struct sp_ctx *c, const struct sp_certificate *one, const struct sp_key *key,
                      const struct sp_key *was, bool *ret, struct sp_error *err)
{
    const struct sp_revocation r = {&one->serial, 1, 0, ""};
    size_t logins = 0;

    *ret = false;
    if (was == NULL || is_wider(one, was, was) || (key != NULL && !is_wider(one, key, was)))
        return 0;
    if (sp_logins_count(c->host, c->config, c->user->name, c->user->uid, opened_by, (void *)(uintptr_t)&r,
                        &logins, err) < 0)
        return -1;
    *ret = logins > 0;
    return 0;
}

/* Is it to be taken back for what becomes of its key? */
static int is_due(const struct sp_ctx *c, const struct sp_certificate *one, const struct sp_key *key,
                  const struct sp_key *was, bool *ret, struct sp_error *err)
{
    int64_t now = c->host->ops->now(c->host);

    *ret = false;
    if (one->valid_to <= now)
        return 0;
    if (one->revoked_at != 0 && sp_certstore_krl_lists(c->host, one->serial))
        return is_cut_off(c, one, key, was, ret, err);
    *ret = one->revoked_at != 0 || key == NULL || is_wider(one, key, was);
    return 0;
}

static int plan_revocations(const struct sp_ctx *c, const char *principal, struct sp_plan *p,
                            struct sp_error *err)
{
    _cleanup_(sp_certlog_clear) struct sp_certlog log = {0};
    _cleanup_(sp_key_list_clear) struct sp_key_list want = {0}, have = {0};
    int64_t now = c->host->ops->now(c->host);

    if (sp_certstore_read(c->host, &log, err) < 0 ||
        sp_account_effective_keys(c->desired, now, &want, NULL, NULL, err) < 0 ||
        sp_account_effective_keys(c->applied, now, &have, NULL, NULL, err) < 0)
        return -1;
    for (size_t i = 0; i < log.n; i++) {
        const struct sp_certificate *one = &log.v[i];
        const struct sp_key *key = sp_key_list_find(&want, one->fingerprint);
        bool due = false;
        if (!sp_streq(one->principal, principal))
            continue;
        if (is_due(c, one, key, sp_key_list_find(&have, one->fingerprint), &due, err) < 0 ||
            (due && add_revocation(one, key == NULL ? REVOKE : NARROW, p, err) < 0))
            return -1;
    }
    return 0;
}

static const char loose[] = "others may write, or it is changed", his_own[] = "the account's own";

/* Who can write to it decides whose certificates open the account. */
static int plan_rights(const struct sp_ctx *c, struct sp_plan *p, struct sp_error *err)
{
    struct sp_change *change;

    if (!c->thorough || sp_principal_is_right(c->host, c->user))
        return 0;
    change = sp_plan_add(p, &sp_resource_certificates, SP_NARROW, SP_TIGHTENS, RIGHTS, err);
    if (change == NULL)
        return -1;
    (void)sp_str_format(change->target, sizeof(change->target), SP_PRINCIPALS_DIR "/%s", c->desired->user);
    (void)sp_str_copy(change->from, sizeof(change->from), loose);
    return sp_str_copy(change->to, sizeof(change->to), his_own);
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
        return plan_rights(c, p, err) < 0 ? -1 : plan_revocations(c, principal, p, err);
    change = sp_plan_add(p, &sp_resource_certificates, SP_NARROW, SP_TIGHTENS, PRINCIPAL, err);
    if (change == NULL)
        return -1;
    (void)sp_str_format(change->target, sizeof(change->target), SP_PRINCIPALS_DIR "/%s", c->desired->user);
    return sp_str_copy(change->from, sizeof(change->from), "certificates open the account");
}

/* All that are planned for one reason. */
static int revoke_planned(const struct sp_ctx *c, const struct sp_plan *p, enum sp_phase phase, int what,
                          const char *reason, struct sp_error *err)
{
    _cleanup_free_ uint64_t *serials = calloc(p->n + 1, sizeof(*serials));
    struct sp_revocation r = {serials, 0, 0, reason};
    size_t ended = 0;

    if (serials == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    for (size_t i = 0; i < p->n; i++) {
        const struct sp_change *change = &p->v[i];
        if (change->resource == &sp_resource_certificates && change->phase == phase &&
            change->what == what && sp_str_to_u64(change->target, UINT64_MAX, &serials[r.n]) == 0)
            r.n++;
    }
    return r.n > 0 ? sp_certificates_revoke(c->host, c->config, &r, &ended, err) : 0;
}

static int certificates_apply(const struct sp_ctx *c, const struct sp_plan *p, enum sp_phase phase,
                              struct sp_error *err)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct sp_change *change = &p->v[i];
        if (change->resource != &sp_resource_certificates || change->phase != phase)
            continue;
        if ((change->what == PRINCIPAL && sp_principal_remove(c->host, c->desired->user, err) < 0) ||
            (change->what == RIGHTS && sp_principal_mend(c->host, c->user, err) < 0))
            return -1;
    }
    if (revoke_planned(c, p, phase, REVOKE, "its key was taken away", err) < 0)
        return -1;
    return revoke_planned(c, p, phase, NARROW, "its key is good for less now", err);
}

static int certificates_read_back(const struct sp_ctx *c, struct sp_change *change, struct sp_error *err)
{
    _cleanup_(sp_certlog_clear) struct sp_certlog log = {0};
    char principal[SP_SSHCERT_PRINCIPAL_SIZE];
    uint64_t serial = 0;

    if (change->what == RIGHTS)
        return sp_str_copy(change->read_back, sizeof(change->read_back),
                           sp_principal_is_right(c->host, c->user) ? his_own : loose);
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
                              log.v[i].revoked_at != 0 && sp_certstore_krl_lists(c->host, serial)
                                  ? "revoked"
                                  : log.v[i].key_id);
    return 0;
}

const struct sp_resource sp_resource_certificates = {"certificates", certificates_plan, certificates_apply,
                                                     certificates_read_back, NULL};
