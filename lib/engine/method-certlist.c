/* SPDX-License-Identifier: GPL-3.0-or-later */
/* certificate.list and certificate.revoke: what was issued, and what of it is taken back. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/certs.h"
#include "engine/methods.h"
#include "resource/certificates.h"

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* Everything that the request names must be so. `user`: of the domain, "" without one. */
static bool is_named(const struct sp_cert_request *r, const char *user, const struct sp_certificate *c)
{
    return (user[0] == '\0' || sp_streq(c->user, user)) && (r->serial == 0 || c->serial == r->serial) &&
           (r->fingerprint[0] == '\0' || sp_streq(c->fingerprint, r->fingerprint)) &&
           (r->key_id[0] == '\0' || sp_streq(c->key_id, r->key_id));
}

SP_METHOD(sp_certificate_list)
{
    _cleanup_(sp_cert_request_clear) struct sp_cert_request r = {0};
    _cleanup_(sp_certlog_clear) struct sp_certlog log = {0};
    char user[SP_USER_SIZE] = "";
    int64_t now = e->host->ops->now(e->host);
    cJSON *array;

    (void)p;
    if (sp_cert_request_decode(SP_CERT_LIST, raw, &r, err) < 0 ||
        (r.domain[0] != '\0' && sp_certs_owner(e, r.domain, user, err) < 0) ||
        sp_certstore_read(e->host, &log, err) < 0)
        return -1;
    array = cJSON_AddArrayToObject(result, "certificates");
    if (array == NULL)
        return no_memory(err);
    for (size_t i = 0; i < log.n; i++)
        if (is_named(&r, user, &log.v[i]) && (r.all || sp_certificate_lives(&log.v[i], now)) &&
            sp_certs_report(&log.v[i], array, err) < 0)
            return -1;
    return 0;
}

static int nothing_such(const struct sp_cert_request *r, struct sp_error *err)
{
    sp_fail(err, SP_E_NOT_FOUND, 0, "no certificate was issued that is such");
    sp_hint(err, "certificate.list with \"all\":true shows what was");
    return sp_field(err, r->serial != 0              ? "serial"
                         : r->key_id[0] != '\0'      ? "key_id"
                         : r->fingerprint[0] != '\0' ? "fingerprint"
                                                     : "domain");
}

static int report(const struct sp_certlog *log, const uint64_t *serials, size_t n,
                  const struct sp_cert_request *r, size_t ended, cJSON *result, struct sp_error *err)
{
    if (!cJSON_AddBoolToObject(result, "changed", n > 0 || ended > 0) ||
        !cJSON_AddArrayToObject(result, "changes") || !cJSON_AddArrayToObject(result, "warnings") ||
        !cJSON_AddNumberToObject(result, "processes_ended", (double)ended))
        return no_memory(err);
    for (size_t i = log->n, left = n; i > 0 && left > 0; i--) {
        const struct sp_certificate *c = &log->v[i - 1];
        char serial[24];
        if (c->serial != serials[left - 1])
            continue;
        left--;
        (void)snprintf(serial, sizeof(serial), "%llu", (unsigned long long)c->serial);
        if (sp_report_first(result, "certificate", serial, c->key_id, "revoked",
                            r->dry_run ? NULL : "revoked", err) < 0)
            return -1;
    }
    return 0;
}

struct chosen {
    uint64_t *opens, *listed; /* owned */
    size_t n_opens, n_listed, known;
};

static void chosen_clear(struct chosen *c)
{
    free(c->opens);
    free(c->listed);
}

/* Which of the named ones open something, and which are on sshd's list already. */
static int choose(struct sp_engine *e, const struct sp_cert_request *r, const char *user,
                  const struct sp_certlog *log, struct chosen *ret, struct sp_error *err)
{
    int64_t now = e->host->ops->now(e->host);

    ret->opens = calloc(log->n + 1, sizeof(*ret->opens));
    ret->listed = calloc(log->n + 1, sizeof(*ret->listed));
    if (ret->opens == NULL || ret->listed == NULL)
        return no_memory(err);
    for (size_t i = 0; i < log->n; i++) {
        const struct sp_certificate *c = &log->v[i];
        if (!is_named(r, user, c))
            continue;
        ret->known++;
        if (sp_certificate_opens(e->host, c, now))
            ret->opens[ret->n_opens++] = c->serial;
        else if (c->valid_to > now)
            ret->listed[ret->n_listed++] = c->serial;
    }
    if (ret->known > 0 || (r->serial == 0 && r->key_id[0] == '\0' && r->fingerprint[0] == '\0'))
        return 0;
    return nothing_such(r, err);
}

/* One that is listed already may have sessions still, where the request that listed it did not come to its
 * end. */
static int carry_out(struct sp_engine *e, const struct sp_cert_request *r, const struct sp_certlog *log,
                     const struct chosen *c, size_t *ret_ended, struct sp_error *err)
{
    const struct sp_revocation opens = {c->opens, c->n_opens, e->caller, r->reason},
                               listed = {c->listed, c->n_listed, e->caller, r->reason};
    size_t more = 0;

    if (c->n_opens > 0 && sp_certificates_revoke(e->host, e->config, &opens, ret_ended, err) < 0)
        return -1;
    if (c->n_listed > 0 && sp_certificates_end(e->host, e->config, log, &listed, &more, err) < 0)
        return -1;
    *ret_ended += more;
    return 0;
}

SP_METHOD(sp_certificate_revoke)
{
    _cleanup_(sp_cert_request_clear) struct sp_cert_request r = {0};
    _cleanup_(sp_certlog_clear) struct sp_certlog log = {0};
    _cleanup_(chosen_clear) struct chosen c = {0};
    char user[SP_USER_SIZE] = "";
    size_t ended = 0;

    (void)p;
    if (sp_cert_request_decode(SP_CERT_REVOKE, raw, &r, err) < 0 ||
        (r.domain[0] != '\0' && sp_certs_owner(e, r.domain, user, err) < 0) ||
        sp_certstore_read(e->host, &log, err) < 0 || choose(e, &r, user, &log, &c, err) < 0 ||
        (!r.dry_run && carry_out(e, &r, &log, &c, &ended, err) < 0))
        return -1;
    return report(&log, c.opens, c.n_opens, &r, ended, result, err);
}
