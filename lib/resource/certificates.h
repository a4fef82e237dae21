/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Certificates that were issued, taken back. */
#ifndef SP_RESOURCE_CERTIFICATES_H
#define SP_RESOURCE_CERTIFICATES_H

#include "host/host.h"
#include "model/certlog.h"
#include "model/policy.h"

struct sp_revocation {
    const uint64_t *serials; /* borrowed */
    size_t n;
    uint32_t caller;
    const char *reason;
};

/* Revoke them all: noted durably, in force at once for new logins, and the sessions that they opened are
 * ended. Serials of several accounts may be mixed; one that is revoked already is revoked again.
 * *ret_ended: processes. Takes the lock of the store. */
int sp_certificates_revoke(struct sp_host *h, const struct sp_config *config, const struct sp_revocation *r,
                           size_t *ret_ended, struct sp_error *err);

/* What a revocation that was cut off, or that failed behind the list, left over: the sessions that these
 * opened are ended, and nothing is noted. An account that fails keeps no other's; the first failure is
 * told. */
int sp_certificates_end(struct sp_host *h, const struct sp_config *config, const struct sp_certlog *log,
                        const struct sp_revocation *r, size_t *ret_ended, struct sp_error *err);
/* The same for all that a CA signed, by its fingerprint. */
int sp_certificates_end_of_ca(struct sp_host *h, const struct sp_config *config, const char *fingerprint,
                              struct sp_error *err);

/* Does it open anything at `now`? */
static inline bool sp_certificate_lives(const struct sp_certificate *c, int64_t now)
{
    return c->revoked_at == 0 && c->valid_to > now;
}

/* That, or it was revoked and sshd's list does not have it yet. */
bool sp_certificate_opens(struct sp_host *h, const struct sp_certificate *c, int64_t now);

#endif
