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
    if (!cJSON_AddBoolToObject(result, "changed", n > 0) || !cJSON_AddArrayToObject(result, "changes") ||
        !cJSON_AddArrayToObject(result, "warnings") ||
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

SP_METHOD(sp_certificate_revoke)
{
    _cleanup_(sp_cert_request_clear) struct sp_cert_request r = {0};
    _cleanup_(sp_certlog_clear) struct sp_certlog log = {0};
    _cleanup_free_ uint64_t *serials = NULL;
    char user[SP_USER_SIZE] = "";
    size_t n = 0, known = 0, ended = 0;

    (void)p;
    if (sp_cert_request_decode(SP_CERT_REVOKE, raw, &r, err) < 0 ||
        (r.domain[0] != '\0' && sp_certs_owner(e, r.domain, user, err) < 0) ||
        sp_certstore_read(e->host, &log, err) < 0)
        return -1;
    serials = calloc(log.n + 1, sizeof(*serials));
    if (serials == NULL)
        return no_memory(err);
    for (size_t i = 0; i < log.n; i++) {
        if (!is_named(&r, user, &log.v[i]))
            continue;
        known++;
        if (sp_certificate_opens(e->host, &log.v[i], e->host->ops->now(e->host)))
            serials[n++] = log.v[i].serial;
    }
    if (known == 0 && (r.serial != 0 || r.key_id[0] != '\0' || r.fingerprint[0] != '\0'))
        return nothing_such(&r, err);
    if (n > 0 && !r.dry_run) {
        const struct sp_revocation what = {serials, n, e->caller, r.reason};
        if (sp_certificates_revoke(e->host, e->config, &what, &ended, err) < 0)
            return -1;
    }
    return report(&log, serials, n, &r, ended, result, err);
}
