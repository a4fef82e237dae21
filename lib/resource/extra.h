/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an extra login's jail has that its owner's has not; see model/extra.h. */
#ifndef SP_RESOURCE_EXTRA_H
#define SP_RESOURCE_EXTRA_H

#include "base/error.h"
#include "host/layout.h"
#include "host/record.h"
#include "model/account.h"

/* The homes of extra logins, for sshd alone: SP_STORE/logins/OWNER-UID/NAME. In the jail the document root
 * is the home. Which logins an account has is which names its directory has. */
#define SP_LOGINS_DIR SP_STORE "/logins"
void sp_extra_dir(uint32_t owner_uid, char ret[SP_PATH_SIZE]);
void sp_extra_home(const struct sp_account *a, char ret[SP_PATH_SIZE]);

void sp_extra_map(const struct sp_account *a, struct sp_idmap *ret);

/* The part of the entry record that says whose files they are, and what of them is hidden. */
int sp_extra_record(const struct sp_account *a, struct sp_record *r, struct sp_error *err);

#endif
