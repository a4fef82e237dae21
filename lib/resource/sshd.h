/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sshd as the account meets it: the text of our drop-in, and what `sshd -T` says is in force. */
#ifndef SP_RESOURCE_SSHD_H
#define SP_RESOURCE_SSHD_H

#include "base/buf.h"
#include "base/error.h"
#include "host/host.h"
#include "model/policy.h"
#include "resource/resource.h"

#define SP_SSHD_DROPIN "/etc/ssh/sshd_config.d/10-sallyport.conf"

/* The drop-in that this configuration stands for. It names groups only, so that no account needs a reload.
 */
int sp_sshd_dropin(const struct sp_config *c, struct sp_buf *out, struct sp_error *err);

/* `sshd -T`, for `user` where he is given (-C user=USER): its whole output. SP_E_REJECTED with sshd's own
 * words if it refuses its files. */
int sp_sshd_effective(struct sp_host *h, const struct sp_config *c, const char *user, struct sp_buf *out,
                      struct sp_error *err);

/* Is what the account needs in force? SP_E_NOT_IN_FORCE names the setting, what it is and what it should
 * be. Remembered per configuration files and kind of account, since asking costs a process. */
int sp_sshd_prove(const struct sp_ctx *c, struct sp_error *err);

#endif
