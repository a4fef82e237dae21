/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What this kernel and host allow a jail. */
#ifndef SP_HOST_KERNEL_H
#define SP_HOST_KERNEL_H

#include <stdbool.h>

#include "host/host.h"

struct sp_kernel {
    char release[65];
    int landlock_abi; /* 0: none */
    bool mount_api;   /* open_tree(2), mount_setattr(2): Linux 5.12 */
    bool mount_namespaces, pid_namespaces;
    bool file_capabilities; /* chroot-bash has those it needs */
};

void sp_kernel_look(struct sp_host *h, const char *chroot_bash, struct sp_kernel *ret);

#endif
