/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sshd as the account meets it: the text of our drop-in, and what `sshd -T` says is in force. */
#ifndef SP_RESOURCE_SSHD_H
#define SP_RESOURCE_SSHD_H

#include "base/buf.h"
#include "base/error.h"
#include "host/host.h"
#include "model/policy.h"
#include "model/sshdconf.h"
#include "resource/resource.h"

#define SP_SSHD_DROPIN "/etc/ssh/sshd_config.d/10-sallyport.conf"

/* Who serves sftp: a program that the login shell starts, or sshd itself, beside any shell. */
enum sp_sftp { SP_SFTP_PROGRAM, SP_SFTP_INTERNAL };

/* The drop-in that this configuration stands for. It names groups only, so that no account needs a reload.
 * Only with SP_SFTP_INTERNAL has it a ForceCommand for jailed accounts: that one overrides a key's own
 * command=. `have` is the text that stands: see sshd-exceptions.h. */
int sp_sshd_dropin(const struct sp_ctx *c, enum sp_sftp sftp, const struct sp_buf *have, struct sp_buf *out,
                   struct sp_error *err);

/* Write it and have sshd read it. One that sshd refuses is taken back: SP_E_REJECTED with its words. */
int sp_sshd_write_dropin(const struct sp_ctx *c, struct sp_error *err);

/* Take exceptions out of the drop-in that no account has any more, for a host that has them all by an older
 * version, too. Changes nothing for anybody; while sshd refuses its files it waits. */
int sp_sshd_tidy(struct sp_host *h, const struct sp_config *c, struct sp_error *err);

/* Which of the two this host's sshd is set to. No process where no file of sshd's mentions internal-sftp;
 * else the answer is remembered with the proofs. */
int sp_sshd_sftp(const struct sp_ctx *c, enum sp_sftp *ret, struct sp_error *err);

/* `sshd -T`, for `user` where he is given (-C user=USER): its whole output. SP_E_REJECTED with sshd's own
 * words if it refuses its files. */
int sp_sshd_effective(struct sp_host *h, const struct sp_config *c, const char *user, struct sp_buf *out,
                      struct sp_error *err);

/* The same for one who comes from `address` (NULL: from here): Match blocks may ask for it. */
int sp_sshd_effective_from(struct sp_host *h, const struct sp_config *c, const char *user,
                           const char *address, struct sp_buf *out, struct sp_error *err);

/* What sshd said of one account. */
struct sp_sshd_answer {
    enum sp_sftp sftp;
    bool personal;  /* the answer names users or groups: it is this account's alone */
    bool transient; /* it depends on more than sshd's files: not to be remembered */
};

/* Does this output of `sshd -T -C user=...` give the account what it is to have? SP_E_NOT_IN_FORCE names
 * the setting, what it is, where it is set and the mend. */
int sp_sshd_judge(const struct sp_ctx *c, const char *output, size_t len, struct sp_sshd_answer *ret,
                  struct sp_error *err);

/* The same, asked of sshd itself. Remembered per configuration files and kind of account, since asking
 * costs a process. */
int sp_sshd_prove(const struct sp_ctx *c, struct sp_error *err);

/* Is the answer known? One that depends on more than sshd's files never is. Nothing asked for is known. */
bool sp_sshd_is_proved(const struct sp_ctx *c);

/* Does it let the account prove itself as it is to, and in no other way? */
int sp_sshd_expect_auth(const struct sp_ctx *c, const struct sp_sshdconf *conf, struct sp_error *err);

/* What ssh clients may forward for this account: the value of AllowTcpForwarding. */
const char *sp_sshd_forwarding(const struct sp_ctx *c);

#endif
