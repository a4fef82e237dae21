/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Filters of system calls (seccomp(2)), written out in the kernel's own language: no library is needed. */
#ifndef SP_HOST_SECCOMP_H
#define SP_HOST_SECCOMP_H

#include <stddef.h>

/* These, and memory that is not executable; whatever else is called ends the process. At most 32 numbers.
 * 0, or -1 with errno. no_new_privs must be set. */
int sp_seccomp_only(const unsigned *numbers, size_t n);

/* What no operation and nothing that an operation starts has a use for fails with EPERM, for this process
 * and all it starts; sockets of other families than unix, netlink and inet with EAFNOSUPPORT. */
int sp_seccomp_helper(void);

#endif
