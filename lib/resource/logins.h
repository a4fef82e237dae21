/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Running logins by what opened them, as sshd's log tells it. */
#ifndef SP_RESOURCE_LOGINS_H
#define SP_RESOURCE_LOGINS_H

#include <stdbool.h>
#include <sys/types.h>

#include "host/host.h"
#include "model/policy.h"
#include "model/sshdlog.h"

/* Asked with a line that says how a login was accepted. */
typedef bool sp_login_test(const struct sp_sshdlog *, void *data);

/* How many of the account's logins `meant` says yes to, or no line is found of; see below. */
int sp_logins_count(struct sp_host *h, const struct sp_config *config, const char *user, uid_t uid,
                    sp_login_test *meant, void *data, size_t *ret, struct sp_error *err);

/* End the account's logins that `meant` says yes to, asked with the lines that say how each was accepted.
 * A login of which no line is found is ended too: what must not go on is not left to a log that was rotated
 * or flooded. *ret_ended: processes. */
int sp_logins_end(struct sp_host *h, const struct sp_config *config, const char *user, uid_t uid,
                  sp_login_test *meant, void *data, size_t *ret_ended, struct sp_error *err);

/* The same, but a login of which no line is found goes on: where every account is asked about, a log that
 * is missing must not end them all. *ret_unknown: how many connections those are. */
int sp_logins_end_known(struct sp_host *h, const struct sp_config *config, const char *user, uid_t uid,
                        sp_login_test *meant, void *data, size_t *ret_unknown, struct sp_error *err);

#endif
