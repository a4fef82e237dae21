/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The names that /etc/passwd and /etc/group show in a jail. */
#ifndef SP_RESOURCE_JAIL_NAMES_H
#define SP_RESOURCE_JAIL_NAMES_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "resource/resource.h"

/* Only this account, root and nobody: a customer cannot read the names of the others. */
int sp_jail_passwd(const struct sp_ctx *c, struct sp_buf *out, struct sp_error *err);

/* Its groups, the policy's, and those that own what it was given. With SP_JAIL_LOOK the system's groups
 * that own something right below its document roots follow: a look at a few hundred names for each. */
enum sp_jail_look { SP_JAIL_NO_LOOK, SP_JAIL_LOOK };
int sp_jail_group(const struct sp_ctx *c, enum sp_jail_look look, struct sp_buf *out, struct sp_error *err);

/* Does `have` say all that is wanted, and nothing that is wrong? The name of a system's group that has
 * nothing below the roots any more does no harm: who deletes a directory has not changed his account. */
int sp_jail_group_stands(const struct sp_ctx *c, enum sp_jail_look look, const struct sp_buf *have,
                         bool *ret, struct sp_error *err);

#endif
