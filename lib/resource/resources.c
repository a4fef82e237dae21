/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "resource/resource.h"

/* Forwards to build and widen: the jail, its keys, the login shell, and the gate last. Backwards to narrow:
 * the gate is shut first, then the shell becomes stricter, keys go, and only when nothing new can come in
 * are sessions ended and mount points taken away. A user of ours goes when all that is his is gone. */
const struct sp_resource *const sp_resources[] = {
    &sp_resource_store,      &sp_resource_generation, &sp_resource_policy,
    &sp_resource_groups,     &sp_resource_limits,     &sp_resource_jail,
    &sp_resource_points,     &sp_resource_sessions,   &sp_resource_certificates,
    &sp_resource_key_logins, &sp_resource_keys,       &sp_resource_keys_elsewhere,
    &sp_resource_shell,      &sp_resource_access,     &sp_resource_sudo,
    &sp_resource_gate,       &sp_resource_user,       NULL,
};
