/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Replace a whole file so that a reader, a crash or a power cut sees the old bytes or the new ones, and so
 * that success survives. */
#ifndef SP_HOST_REPLACE_H
#define SP_HOST_REPLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "host/host.h"

struct sp_replace {
    mode_t mode; /* exact, after any default ACL has been taken off the new file */
    uid_t uid;   /* (uid_t)-1: as the old file, or the caller */
    gid_t gid;
    const char *backup; /* name in the same directory that keeps the old file (passwd-), or NULL */
    bool keep_acl;      /* copy the old file's access ACL; else the new file has none */
    bool relabel;       /* the SELinux label of the policy; else the old file's, if there is one */
};

/* In directory dirfd: unlink NAME.sallyport (a temporary file of a fixed name, left by a crash), create it
 * O_EXCL | O_NOFOLLOW 0600, owner, mode, xattrs, write, copy the old file to the backup (the same way),
 * fsync, close (checked), renameat, fsync the directory. The old file, if any, must be a regular file. On
 * failure the old file stands and the temporary one is gone. */
int sp_replace_at(struct sp_host *h, int dirfd, const char *name, const void *bytes, size_t len,
                  const struct sp_replace *how, struct sp_error *err);

/* The same by path beneath root_fd. */
int sp_replace_path(struct sp_host *h, const char *path, const void *bytes, size_t len,
                    const struct sp_replace *how, struct sp_error *err);

#endif
