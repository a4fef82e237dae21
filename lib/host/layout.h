/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The store on disk, and the mount points below a document root. Shared by the resources that make and
 * remove them and by the entry program that mounts on them, so that both agree. libc, base and fsat only.
 *
 *     /var/lib/sallyport/            0711
 *       state/                       0700  one file per account
 *       entry/UID                    0640  root:gid      the entry record
 *       names/UID/{passwd,group}     0755/0644           what the jail's /etc/passwd and /etc/group show
 *       dev/                         0755  null zero full random urandom tty ptmx (real nodes),
 *                                          fd stdin stdout stderr (links), pts/ shm/ (empty)
 *       gen/HASH/{usr,etc}           0755  one generation, never changed once it is named; etc/passwd and
 *                                          etc/group are files (empty ones do): names/UID is mounted there
 *       gen/HASH/shown               0644  what of the host is mounted beside it (shown.h)
 *       sets/base+git -> ../gen/HASH       the current generation of a profile set; one rename swaps it
 */
#ifndef SP_HOST_LAYOUT_H
#define SP_HOST_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/error.h"

#define SP_STORE "/var/lib/sallyport"

/* The id maps of extra logins (host/idmap.h), one file for each, named after the map that it is. */
#define SP_IDMAP_DIR "/run/sallyport/idmap"

struct sp_idmap {
    unsigned disk_uid, disk_gid; /* who owns the files */
    unsigned uid, gid;           /* who sees them as his own */
};
void sp_layout_idmap(const struct sp_idmap *m, char ret[128]);

/* What sshd's drop-in forces on jailed accounts where sshd serves sftp itself: chroot-bash takes this -c
 * for what the client asked for (SSH_ORIGINAL_COMMAND), and any other shell knows no such command. */
#define SP_FORCED_SESSION "sallyport-session"

/* bin lib lib64 sbin usr etc dev proc tmp run; NULL-terminated. */
extern const char *const sp_layout_points[];

/* Every name that must be a mount point below the first root: sp_layout_points and the first component of
 * each of the n absolute `paths` (roots and home), without repeats. Writes at most max names; returns how
 * many there are. Each name is shorter than 256 bytes. */
size_t sp_layout_names(const char *const *paths, size_t n, char (*names)[256], size_t max);

/* What stands at `name` below root_fd itself, links not followed. A file system that is mounted there is
 * not asked: it may never answer. -1 with errno; EXDEV: such a mount. */
int sp_layout_stat(int root_fd, const char *name, struct stat *ret);

/* NULL if `name` below root_fd is an empty plain directory, else what it is instead ("has content of its
 * own"): a static string that reads on after the name. */
const char *sp_layout_unfit(int root_fd, const char *name);

enum sp_layout {
    SP_LAYOUT_ROOT, /* the document root is "/" */
    SP_LAYOUT_PATH, /* "/" is a skeleton; the document root stands at its real path only */
};

/* What the mount points below root_fd allow: ROOT if each is an empty plain directory; PATH else, *ret_why
 * (size 300) naming the first that is something else or, if there is none, the
 * first that is missing. Never fails; in doubt it answers PATH. */
enum sp_layout sp_layout_probe(int root_fd, const char *const *paths, size_t n, char ret_why[300]);

#endif
