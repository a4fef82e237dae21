/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Keys that open every managed account, or those of one group of the host's: installed once, in files of
 * root's that sshd reads beside each account's own; never copied to a customer.
 *
 *     /var/lib/sallyport/global/    0711
 *       state                       0600  the keys as JSON, with their labels
 *       all                         0640  root:sallyport
 *       group-NAME                  0640  root:NAME: sshd reads it as the user, and only a member can
 */
#ifndef SP_RESOURCE_GLOBALKEYS_H
#define SP_RESOURCE_GLOBALKEYS_H

#include "host/host.h"
#include "model/account.h"
#include "model/sshdconf.h"
#include "resource/resource.h"

#define SP_GLOBAL_DIR SP_STORE "/global"
#define SP_GLOBAL_GROUPS_MAX 16

struct sp_global_class {
    char group[SP_USER_SIZE]; /* "": every managed account */
    struct sp_key_list keys;
};

struct sp_globals {
    struct sp_global_class v[SP_GLOBAL_GROUPS_MAX];
    size_t n;
};

void sp_globals_clear(struct sp_globals *g);
int sp_globals_lock(struct sp_host *h, struct sp_error *err);
int sp_globals_read(struct sp_host *h, struct sp_globals *ret, struct sp_error *err);
/* The state, durably. Wants the lock, as the next one does. */
int sp_globals_save(struct sp_host *h, const struct sp_globals *g, struct sp_error *err);

/* Make the files what the state says: expired keys out, owner and mode right, files of groups without keys
 * gone. SP_GLOBALS_LOOK only says whether one would change. */
enum sp_globals_how { SP_GLOBALS_LOOK, SP_GLOBALS_MEND };
int sp_globals_write(struct sp_host *h, const struct sp_globals *g, enum sp_globals_how how,
                     bool *ret_changed, struct sp_error *err);

/* Append AuthorizedKeysFile for the drop-in: `own` is what it would be without global keys, "" for what the
 * host has. Nothing while there are no global keys and no own value. */
int sp_globals_lines(const struct sp_ctx *c, const char *own, struct sp_buf *out, struct sp_error *err);
/* Are they what sshd shows for this account? */
int sp_globals_expect(const struct sp_ctx *c, const struct sp_sshdconf *conf, struct sp_error *err);
/* Our line would push aside what a Match block of somebody else's says: SP_E_CONFLICT names it. */
int sp_globals_conflict(const struct sp_ctx *c, struct sp_error *err);

#endif
