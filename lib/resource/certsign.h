/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A certificate signed: in process where the CA's key is a plain ed25519 file, by ssh-keygen where it is
 * not, or is in an agent. */
#ifndef SP_RESOURCE_CERTSIGN_H
#define SP_RESOURCE_CERTSIGN_H

#include "host/host.h"
#include "model/policy.h"
#include "model/sshcert.h"
#include "resource/certstore.h"

/* Append the line of KEY-cert.pub, without comment or newline. Wants the store's lock. */
int sp_certsign(struct sp_host *h, const struct sp_config *config, const struct sp_ca *ca,
                const struct sp_sshcert *cert, struct sp_buf *out, struct sp_error *err);

#endif
