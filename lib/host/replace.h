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
    const char *backup;       /* name in the same directory that keeps the old bytes (passwd-), or NULL */
    const struct sp_buf *old; /* these: what its caller has read, and holds the lock of */
    bool keep_acl;            /* copy the old file's access ACL; else the new file has none */
    bool relabel;             /* the SELinux label of the policy; else the old file's, if there is one */
};

/* New files on their way: written under NAME.sallyport, a fixed name, so that what a crash left goes away
 * at the next write. */
#define SP_STAGE_MAX 8
struct sp_staged {
    int dirfd, fd; /* owned */
    char temp[256], name[256];
};
struct sp_stage { /* {0} is empty */
    struct sp_staged v[SP_STAGE_MAX];
    size_t n;
};

/* Unlink what was not committed. */
void sp_stage_clear(struct sp_stage *s);

/* In directory dirfd: unlink NAME.sallyport, create it O_EXCL | O_NOFOLLOW 0600, owner, mode, xattrs,
 * write; the old bytes go to the backup in the same way. The old file, if any, must be a regular
 * file. Nothing is in force before the commit. */
int sp_stage_add(struct sp_host *h, struct sp_stage *s, int dirfd, const char *name, const void *bytes,
                 size_t len, const struct sp_replace *how, struct sp_error *err);

/* fsync all, close (checked); sync the directories that were put off (sp_sync_dir()); rename all, in the
 * order in which they were added; sync their directories, each once. On failure a file is the old one or
 * the new one. */
int sp_stage_commit(struct sp_host *h, struct sp_stage *s, struct sp_error *err);

/* One file, staged and committed. On failure the old file stands and the temporary one is gone. */
int sp_replace_at(struct sp_host *h, int dirfd, const char *name, const void *bytes, size_t len,
                  const struct sp_replace *how, struct sp_error *err);

/* The same by path beneath root_fd. */
int sp_replace_path(struct sp_host *h, const char *path, const void *bytes, size_t len,
                    const struct sp_replace *how, struct sp_error *err);

/* What a kill leaves behind bears the file's name and this. */
#define SP_REPLACE_SUFFIX ".sallyport"

/* Sync what was put off (sp_sync_dir()); remove a file, and what a killed replacement of it left; fsync the
 * directory. A missing one is success. */
int sp_replace_remove(struct sp_host *h, int dirfd, const char *name, struct sp_error *err);

/* Remove a directory of ours by path beneath root_fd, as sp_fsat_remove_empty() does, for good. */
int sp_replace_remove_empty(struct sp_host *h, const char *path, struct sp_error *err);

/* Directories whose entries have changed and are not durable yet. A transaction has one of these in
 * h->later: a directory's fsync then waits until just before the next rename or removal, whose own fsync
 * has mostly carried it to the disk already. So neither can be durable before one that was made earlier. */
#define SP_LATER_MAX 16
struct sp_later { /* {0} is empty */
    int fds[SP_LATER_MAX];
    size_t n;
};

/* Make the directory's entries durable: now, or later where h->later is set. */
int sp_sync_dir(struct sp_host *h, int dirfd, struct sp_error *err);

/* Make durable what was put off. Nothing is left in h->later, whatever the result. */
int sp_sync_now(struct sp_host *h, struct sp_error *err);

#endif
