/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Many new small files of root's in one directory, durable together: one sync of the filesystem instead of
 * two for each. Either all of a commit survive a power cut or what is missing was never there: a name is
 * given only when its bytes are on the disk, and no name that stands is taken. */
#ifndef SP_HOST_BULK_H
#define SP_HOST_BULK_H

#include <stddef.h>

#include "base/error.h"
#include "host/host.h"

#define SP_BULK_MAX 256

struct sp_bulk { /* {.dirfd = -1} is empty */
    int dirfd;   /* owned */
    char names[SP_BULK_MAX][64];
    size_t n;
};

/* What was not committed goes. */
void sp_bulk_clear(struct sp_bulk *b);
int sp_bulk_open(struct sp_host *h, const char *dir, struct sp_bulk *ret, struct sp_error *err);
/* Mode 0600, under a name that counts for nothing. */
int sp_bulk_add(struct sp_bulk *b, const char *name, const void *bytes, size_t len, struct sp_error *err);
/* One that is there by now is SP_E_CONFLICT; those before it are committed. */
int sp_bulk_commit(struct sp_bulk *b, struct sp_error *err);

#endif
