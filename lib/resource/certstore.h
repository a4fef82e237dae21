/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The certificate authority on disk, and what it has issued:
 *
 *     /var/lib/sallyport/ca/        0700
 *       N, N.pub                    0600  the CAs; the one with the highest number signs, all are trusted.
 *                                         Without a file N its key is held by an agent (ca_agent)
 *       trusted                     0644  TrustedUserCAKeys: made of all N.pub
 *       issued                      0600  model/certlog.h
 *       revoked                     0644  RevokedKeys: made of `issued` by ssh-keygen
 *       revoked.sum                 0600  what `revoked` must be: its hash, and that of what it was made of
 *     /var/lib/sallyport/principals/USER  0640 root:gid  the one principal that opens the account
 *
 * sshd refuses everybody whom a broken or missing list of revoked keys is for, plain keys included. So it
 * is made beside, tested by ssh-keygen, and moved there; our drop-in names it for managed accounts alone.
 */
#ifndef SP_RESOURCE_CERTSTORE_H
#define SP_RESOURCE_CERTSTORE_H

#include <stdbool.h>

#include "host/host.h"
#include "host/layout.h"
#include "host/userdb.h"
#include "model/certlog.h"
#include "model/sshkey.h"

#define SP_CA_DIR SP_STORE "/ca"
#define SP_CA_TRUSTED SP_CA_DIR "/trusted"
#define SP_CA_ISSUED SP_CA_DIR "/issued"
#define SP_CA_REVOKED SP_CA_DIR "/revoked"
#define SP_PRINCIPALS_DIR SP_STORE "/principals"
#define SP_CA_MAX 8
#define SP_SSH_KEYGEN "/usr/bin/ssh-keygen"

struct sp_ca {
    unsigned number;
    struct sp_sshkey key; /* owned */
    bool in_agent;
};

struct sp_cas {
    struct sp_ca v[SP_CA_MAX]; /* by number; the last one signs */
    size_t n;
};

void sp_cas_clear(struct sp_cas *c);
/* No directory is no CA. */
int sp_cas_read(struct sp_host *h, struct sp_cas *ret, struct sp_error *err);
/* Is there one, as far as sshd's drop-in is concerned? One look at a name, as sp_fsat_look(). Where nobody
 * can look the first is -1, the second true. */
int sp_cas_look(struct sp_host *h, struct sp_error *err);
bool sp_cas_exist(struct sp_host *h);

/* Taken behind the account's lock. Returns the fd or -1. */
int sp_certstore_lock(struct sp_host *h, struct sp_error *err);

/* Everything below wants the lock. */

/* Write `trusted` where it is not what the CAs make it. *ret_changed may be NULL. */
int sp_cas_trust(struct sp_host *h, const struct sp_cas *c, bool *ret_changed, struct sp_error *err);

/* All that was issued; a missing file is nothing. */
int sp_certstore_read(struct sp_host *h, struct sp_certlog *ret, struct sp_error *err);

/* The number of the next line; then lines are appended, durably. What a crash cut is taken off first. */
int sp_certstore_next(struct sp_host *h, uint64_t *ret, struct sp_error *err);
int sp_certstore_append(struct sp_host *h, const struct sp_buf *lines, struct sp_error *err);

/* Is the list of revoked ones what was written? The fast question: no process, no look at `issued`. */
bool sp_certstore_krl_stands(struct sp_host *h);

/* Does it turn this certificate away? A request that was cut off may have noted no more than that it shall.
 */
bool sp_certstore_krl_lists(struct sp_host *h, uint64_t serial);

/* Make it anew where it is not what `log` makes it at `now`. */
int sp_certstore_krl(struct sp_host *h, const struct sp_certlog *log, int64_t now, bool *ret_changed,
                     struct sp_error *err);

/* The account's principal; "" where it has none. Made where there is none: 128 random bits, so that a
 * certificate of an account that was removed opens nothing when the name is given access again. */
int sp_principal_read(struct sp_host *h, const char *user, char ret[SP_SSHCERT_PRINCIPAL_SIZE],
                      struct sp_error *err);
int sp_principal_make(struct sp_host *h, const struct sp_user *user, char ret[SP_SSHCERT_PRINCIPAL_SIZE],
                      struct sp_error *err);
/* Is its file what sp_principal_make() made: root's, for his group to read, this account's and nothing
 * more? */
bool sp_principal_is_right(struct sp_host *h, const struct sp_user *user);
/* The same principal with the rights it had; another one, which no certificate is for, where somebody
 * changed it. */
int sp_principal_mend(struct sp_host *h, const struct sp_user *user, struct sp_error *err);
int sp_principal_remove(struct sp_host *h, const char *user, struct sp_error *err);

#endif
