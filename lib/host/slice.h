/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where limits of an account are held: the slice in which systemd's PAM module puts all sessions of one
 * user, user-UID.slice. The site's own PHP is a service and stands elsewhere.
 *
 * Why there: to move a process, one must be able to write cgroup.procs of the common ancestor of where it
 * comes from and where it goes to (cgroups(7), "delegation"), and for a login that is the root of the tree.
 * clone3(2) with CLONE_INTO_CGROUP asks for the same. So only root can put a login where it is held; and at
 * that moment root is pam_systemd, whose tree it is.
 */
#ifndef SP_HOST_SLICE_H
#define SP_HOST_SLICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "host/host.h"
#include "model/limits.h"
#include "model/name.h"

/* Does this host hold what a slice says? If not, *why is the reason, to follow "since ". */
bool sp_slice_usable(struct sp_host *h, const char **ret_why);

/* /etc/systemd/system/user-UID.slice.d, the directory of our drop-in; SP_SLICE_FILE is its name there. */
void sp_slice_dir(uint32_t uid, char out[SP_PATH_SIZE]);
#define SP_SLICE_FILE "50-sallyport.conf"

/* Are there sessions of this uid now? Then a new drop-in does not count by itself. */
bool sp_slice_lives(struct sp_host *h, uint32_t uid);
/* Give the living slice its limits at once. systemd is asked; it alone writes to its tree. */
int sp_slice_set(struct sp_host *h, uint32_t uid, const struct sp_limits *l, struct sp_error *err);
/* What the kernel holds for the living slice; 0 for no limit. */
void sp_slice_read(struct sp_host *h, uint32_t uid, struct sp_limits *ret);

#endif
