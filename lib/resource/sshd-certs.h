/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What sshd is told of certificates, and whether that is in force. */
#ifndef SP_RESOURCE_SSHD_CERTS_H
#define SP_RESOURCE_SSHD_CERTS_H

#include "base/buf.h"
#include "model/sshdconf.h"
#include "resource/resource.h"

/* Append the lines for the drop-in's block of managed accounts; nothing while there is no CA. All three
 * stand within Match, so that neither a stolen CA nor a broken list of revoked ones concerns anybody else:
 * root and the admins have theirs as before. */
int sp_sshd_certs_lines(const struct sp_ctx *c, struct sp_buf *out, struct sp_error *err);

/* Are they what sshd shows for this account? Nothing is asked while there is no CA. */
int sp_sshd_certs_expect(const struct sp_ctx *c, const struct sp_sshdconf *conf, struct sp_error *err);

/* Our lines would push aside what somebody else has set for the same keywords: SP_E_CONFLICT names it. */
int sp_sshd_certs_conflict(const struct sp_ctx *c, struct sp_error *err);

#endif
