/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The host: the only way to the system. Everything descends from root_fd, so that plan and apply run
 * without root against a directory; what a directory cannot confine (owner, label, programs, processes, the
 * kernel's packet filter, the clock) goes through `ops`, whose fake in the tests records it.
 */
#ifndef SP_HOST_HOST_H
#define SP_HOST_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

struct sp_host;

struct sp_spawn;       /* host/spawn.h */
struct sp_dbcache;     /* host/dbfile.h */
struct sp_later;       /* host/replace.h */
struct sp_asuser_kept; /* host/asuser.h */
struct sp_home_later;  /* host/home.h */
struct sp_labels;      /* host/label.h */

struct sp_host_ops {
    int (*chown)(struct sp_host *, int fd, uid_t uid, gid_t gid);         /* fchown; 0 or -1 errno */
    int (*spawn)(struct sp_host *, struct sp_spawn *, struct sp_error *); /* run a program */
    int64_t (*now)(struct sp_host *);                                     /* seconds since the epoch */
};

struct sp_host {
    int root_fd; /* "/" or, in a test, a directory; owned */
    bool real;   /* false: root_fd is a directory, the fake ops are in place, and no uid is changed */
    const struct sp_host_ops *ops;
    void *ops_data;           /* the fake's; borrowed */
    struct sp_labels *labels; /* what SELinux's policy says of files; owned; host/label.h */
    /* For the length of one transaction, or of many, else NULL: */
    struct sp_dbcache *names;     /* passwd and group as last read; sp_userdb_keep() */
    struct sp_later *later;       /* directories still to be synced; borrowed; sp_sync_dir() */
    struct sp_asuser_kept *users; /* the child that works in homes; sp_asuser_keep() */
    struct sp_home_later *homes;  /* what is to be settled there; sp_home_keep() */
    int left_fd;                  /* 0: none; owned; sp_nft_leave() */
};

/* The real host, rooted at "/". */
int sp_host_open(struct sp_host *ret, struct sp_error *err);
void sp_host_close(struct sp_host *h);

extern const struct sp_host_ops sp_host_real_ops;

#endif
