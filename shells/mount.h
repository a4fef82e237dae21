/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Mounting by file descriptor: the few moves that build.c is made of. All return an fd the caller owns. */
#ifndef SP_SHELLS_MOUNT_H
#define SP_SHELLS_MOUNT_H

#include <sys/types.h>

#include "base/error.h"
#include "sys.h"

#define SP_MOUNT_QUIET (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

/* O_PATH, below dirfd: over mounts (we made them) but through no link. */
int sp_mount_open(int dirfd, const char *path, struct sp_error *err);

/* The same for root's own store, whose relative links (usr/sbin -> bin) hold, but not out of dirfd. */
int sp_mount_open_source(int dirfd, const char *path, struct sp_error *err);

/* The directory or file behind `from` as a mount of its own that is in no tree yet. `how` is 0 or
 * AT_RECURSIVE. */
int sp_mount_clone(int from, unsigned how, const struct sp_mount_attr *attr, struct sp_error *err);

/* The same, upon what is behind `to`. The flags are set before it is in the tree, so that no device node or
 * setuid bit of it ever counts. */
int sp_mount_attach(int from, int to, unsigned how, const struct sp_mount_attr *attr, struct sp_error *err);

int sp_mount_move(int mount, int to, struct sp_error *err);

int sp_mount_tmpfs(const char *size, const char *inodes, int to, struct sp_error *err);

/* 0 or -1; an existing one is fine. The second makes every directory on the way to an absolute path. */
int sp_mount_make_way(int dirfd, const char *path, struct sp_error *err);
int sp_mount_make_dir(int dirfd, const char *name, mode_t mode, struct sp_error *err);

#endif
