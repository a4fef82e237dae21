/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where an account's keys are, for those who list them. */
#ifndef SP_RESOURCE_KEYS_H
#define SP_RESOURCE_KEYS_H

#include "base/error.h"
#include "host/home.h"
#include "host/layout.h"
#include "resource/resource.h"

#define SP_KEYS_HOME_FILE ".ssh/authorized_keys"
#define SP_KEYS_ROOT_DIR SP_STORE "/keys" /* one file per user name: AuthorizedKeysFile .../%u */

/* The file as it is now. SP_E_NOT_FOUND only when the home is missing. */
int sp_keys_read(const struct sp_ctx *c, struct sp_home_keys *ret, struct sp_error *err);

/* The further file below the home that sshd reads: by its default, or by our drop-in. NULL: none. */
const char *sp_keys_other_file(const struct sp_ctx *c);

/* A key that was in force, and stands where key_store was before, moves: bringing it over loosens nothing.
 */
void sp_keys_see_moves(const struct sp_ctx *c, const struct sp_resource *keys, struct sp_plan *p);

/* Each key that is left out, and why. */
typedef void sp_key_skipped(const struct sp_domain *, const struct sp_key *, const char *why, void *data);

/* What the file is to hold: sp_account_effective_keys() without those whose forced command sshd would
 * override. */
int sp_keys_wanted(const struct sp_ctx *c, struct sp_key_list *ret, sp_key_skipped *skipped, void *data,
                   struct sp_error *err);
/* SP_E_NOT_IN_FORCE for a key whose command would be overridden. */
int sp_keys_check_command(const struct sp_ctx *c, const struct sp_key *k, struct sp_error *err);

bool sp_keys_is_named(const struct sp_account *a, const char *fingerprint);
/* A key that stood there when the account was adopted, and was taken away by its fingerprint. */
bool sp_keys_is_dropped(const struct sp_ctx *c, const char *fingerprint);
int sp_keys_root_file(const struct sp_ctx *c, char out[SP_PATH_SIZE]);

/* SP_E_BUSY, where c->hangs. */
int sp_keys_out_of_reach(const struct sp_ctx *c, struct sp_error *err);

#endif
