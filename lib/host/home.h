/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ~/.ssh/authorized_keys, read and written as the user: a child with the user's effective uid, gid and
 * supplementary groups (real and saved root, so that he cannot signal it), under a deadline, holding no
 * lock of anybody else's. A home that root owns (a document root, an sftp chroot) is no obstacle: root
 * makes .ssh there on the held fd and gives it to the user.
 */
#ifndef SP_HOST_HOME_H
#define SP_HOST_HOME_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"
#include "host/host.h"
#include "host/userdb.h"

#define SP_AUTHORIZED_KEYS_MAX (1U << 20)

struct sp_home_keys {
    struct sp_buf bytes; /* the file, empty when it is missing */
    bool exists;
    mode_t mode;  /* permission bits */
    bool wide;    /* sshd's StrictModes would refuse: home, .ssh or the file can be written by others, or an
                     ACL opens them; sp_home_write() mends it */
    bool refused; /* likewise, but the home is root's: the panel has to mend it */
};

void sp_home_keys_clear(struct sp_home_keys *k);

/* relative: path below the home, normally ".ssh/authorized_keys". SP_E_NOT_FOUND only for a missing home; a
 * missing file is an empty one. FIFO, device, socket, link, mount, directory of that name, a file that is
 * neither the user's nor root's, or that the user may not read: SP_E_UNSAFE_PATH within 2 s. A filesystem
 * that does not answer in that time is SP_E_BUSY. uid 0 is SP_E_FORBIDDEN. */
int sp_home_read(struct sp_host *h, const struct sp_user *u, const char *relative, struct sp_home_keys *ret,
                 struct sp_error *err);

/* Replace (never edit in place: a hard link stays what it was) with mode 0600, no ACL, label from the
 * policy; .ssh is made 0700 when missing. group and other write permission of home and .ssh is taken away
 * where they are the user's own, since sshd refuses them (an ACL of .ssh goes too, if it lets others
 * write); a home of root's stays as it is, and sp_home_read() says `wide`. Nothing else of the home
 * changes. fsync of file and directory. Taking bytes away succeeds at full quota (the file is then
 * rewritten in place after a check that it has one link). */
int sp_home_write(struct sp_host *h, const struct sp_user *u, const char *relative, const void *bytes,
                  size_t len, struct sp_error *err);

/* The same for a file that is there and from which something is taken, found as sshd finds it
 * (strictmodes.h): the user's links and mounts are followed, with his rights. What lies behind them is his
 * own doing, and a key must not stay in force because of them. */
int sp_home_shrink(struct sp_host *h, const struct sp_user *u, const char *relative, const void *bytes,
                   size_t len, struct sp_error *err);

/* Homes by the thousand: until sp_home_forget() one process works in them (asuser.h). */
struct sp_home_later; /* home.c */
void sp_home_keep(struct sp_host *h);
void sp_home_forget(struct sp_host *h);

/* Between the two: a file that others may read, and nothing worse, becomes 0600 as it is. *ret_done false:
 * that is not enough, and nothing has been done; sp_home_write() it. It is durable after the next
 * sp_home_settle(), which syncs each file system of such homes once. */
int sp_home_narrow(struct sp_host *h, const struct sp_user *u, const char *relative, bool *ret_done,
                   struct sp_error *err);
int sp_home_settle(struct sp_host *h, struct sp_error *err);

#endif
