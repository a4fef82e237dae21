/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Work in places that a user owns, done as the user: a child with his effective uid, gid and supplementary
 * groups (real and saved root, so that he cannot signal it), under a deadline, holding no lock of anybody
 * else's.
 */
#ifndef SP_HOST_ASUSER_H
#define SP_HOST_ASUSER_H

#include "base/buf.h"
#include "base/error.h"
#include "host/host.h"
#include "host/userdb.h"

#define SP_ASUSER_DEADLINE_MS 2000

/* What the child does for user `u`: bytes into `out`, 0 or -1 with err. It has the host's root_fd and no
 * other descriptor of the caller's. */
typedef int sp_asuser_work(struct sp_host *h, const struct sp_user *u, const void *data, struct sp_buf *out,
                           struct sp_error *err);

struct sp_asuser {
    const struct sp_user *user;
    sp_asuser_work *work;
    const void *data;
    size_t len;           /* of data; 0: it has pointers in it, and wants a child of its own */
    size_t max;           /* at most so many bytes come back */
    unsigned deadline_ms; /* 0: SP_ASUSER_DEADLINE_MS */
};

/* Run it in such a child; what it says comes back in *ret (which must be empty), also when the work failed.
 * SP_E_BUSY where it does not end in time; SP_E_FORBIDDEN for uid 0. On a host that is a directory no uid
 * is changed. */
int sp_asuser_run(struct sp_host *h, const struct sp_asuser *a, struct sp_buf *ret, struct sp_error *err);

/* Until sp_asuser_forget() one child serves many users, one after the other: a process for each is most of
 * what a look into ten thousand homes costs. Between two it has root's ids again, as its real and saved
 * ones are; one that is late is ended, and the next user gets another. */
struct sp_asuser_kept; /* asuser.c */
void sp_asuser_keep(struct sp_host *h);
void sp_asuser_forget(struct sp_host *h);
/* From its first user on, until then, child and caller stay on one processor: of two that wait for each
 * other thousands of times one is always idle, and to wake another processor takes longer than their work.
 * The caller's threads are not touched, but those that he starts meanwhile. */
void sp_asuser_take_turns(struct sp_host *h);

#endif
