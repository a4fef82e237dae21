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

/* What the child does: bytes into `out`, 0 or -1 with err. It has the host's root_fd and no other
 * descriptor of the caller's. */
typedef int sp_asuser_work(struct sp_host *h, const void *data, struct sp_buf *out, struct sp_error *err);

/* Run `work` in such a child; at most `max` bytes come back in *ret (which must be empty), also when the
 * work failed. SP_E_BUSY where it does not end in time; SP_E_FORBIDDEN for uid 0. On a host that is a
 * directory no uid is changed. */
int sp_asuser_run(struct sp_host *h, const struct sp_user *u, sp_asuser_work *work, const void *data,
                  size_t max, struct sp_buf *ret, struct sp_error *err);

#endif
