/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an account's plan depends on, as names to look at: while each of them is the same inode with the
 * same rights, owner and (where content matters) time of change, a plan that was empty is empty still.
 * engine/seen.h keeps it from one reconcile to the next.
 *
 * A line is a kind and a path:
 *     B/dir     the names that follow are below it; it is root's own, and others see to its rights
 *     Fname     a file: any change counts
 *     Dname     a directory: its inode, rights and owner count, not what is in it
 *     Sname     the same behind links
 *     T/dir     a directory; the names that follow, to the end, are below it, and are as they were while
 *               its own time of change is
 * One that is missing counts as missing.
 */
#ifndef SP_RESOURCE_WATCH_H
#define SP_RESOURCE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "resource/resource.h"

struct sp_watch {
    struct sp_buf list; /* owned */
    int64_t until;      /* then time itself changes the plan; 0: never */
    bool quiet;         /* it is empty while the user has no process */
};

void sp_watch_clear(struct sp_watch *w);
void sp_watch_add(struct sp_watch *w, char kind, const char *path);

/* What of the host every account's plan depends on. */
int sp_watch_host(struct sp_host *h, const struct sp_config *config, struct sp_buf *out,
                  struct sp_error *err);

/* After an empty plan; what single resources add (sp_resource.watch) comes behind it. *ret_can: false where
 * it depends on more than names. */
int sp_watch_account(const struct sp_ctx *c, struct sp_watch *ret, bool *ret_can, struct sp_error *err);

#endif
