/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Id maps of extra logins: a user namespace in which the files' owner is the login, and everybody else is
 * himself, but root, who is nobody. Root makes it and owns it, no process lives in it, and it is kept by a
 * bind mount of its nsfs file, as ip-netns(8) keeps a network. chroot-bash gives it to mount_setattr(2):
 * what the login makes on a mount with that map belongs to the owner on disk. A map is gone after a boot.
 */
#ifndef SP_HOST_IDMAP_H
#define SP_HOST_IDMAP_H

#include <stdbool.h>

#include "base/error.h"
#include "host/host.h"
#include "host/layout.h"

int sp_idmap_is_kept(struct sp_host *h, const struct sp_idmap *m, bool *ret, struct sp_error *err);

/* Idempotent. Mounted where pid 1 sees it: a panel's service may have a mount namespace of its own. */
int sp_idmap_keep(struct sp_host *h, const struct sp_idmap *m, struct sp_error *err);
int sp_idmap_drop(struct sp_host *h, const struct sp_idmap *m, struct sp_error *err);

/* Does the filesystem of this directory take a kept map? SP_E_UNSUPPORTED names it and the kernel. */
int sp_idmap_try(struct sp_host *h, const struct sp_idmap *m, const char *path, struct sp_error *err);

#endif
