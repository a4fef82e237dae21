/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Locks, always taken in this order, all with deadlines (SP_E_BUSY): the account's, the domains' index, the
 * firewall's, that of sshd's drop-in, then lckpwdf(3) for milliseconds. A lock file is never unlinked: a
 * lock on a name that was replaced excludes nobody.
 */
#ifndef SP_HOST_LOCK_H
#define SP_HOST_LOCK_H

#include "base/error.h"
#include "host/host.h"

/* Open file description lock (F_OFD_SETLK, exclusive) on `path` beneath root_fd, made 0600 when missing.
 * Returns the fd that holds it (close it to let go) or -1. err names the holder's pid where the kernel
 * tells it. */
int sp_lock_take(struct sp_host *h, const char *path, unsigned deadline_ms, struct sp_error *err);

/* lckpwdf(3)'s own lock (a POSIX record lock on /etc/.pwd.lock, which excludes shadow's tools), taken
 * without its SIGALRM. Returns the fd or -1. Below a root_fd that is not "/" it locks that tree's
 * etc/.pwd.lock. Also refuses (SP_E_BUSY, naming the file) while a living process holds shadow's
 * /etc/passwd.lock; a stale one of a dead pid is ignored, as shadow does. */
int sp_lock_passwd(struct sp_host *h, unsigned deadline_ms, struct sp_error *err);

#endif
