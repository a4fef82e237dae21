/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A forked process of our own and the pipe by which it answers. Programs of others: spawn.h. */
#ifndef SP_HOST_CHILD_H
#define SP_HOST_CHILD_H

#include <sys/types.h>

#include "base/error.h"

/* fork(2). 0 in the child and the pid in the parent; *ret_fd is the child's end to write to, the parent's
 * to read from, which ends when the child does. -1: there is neither. */
pid_t sp_child_fork(int *ret_fd, struct sp_error *err);

/* SIGKILL, and wait for its end. */
void sp_child_end(pid_t pid);

/* The same for one that has answered, or that is late: a child that hangs in the kernel (a dead file
 * server) cannot be reaped now, and is left to init. */
void sp_child_leave(pid_t pid);

#endif
