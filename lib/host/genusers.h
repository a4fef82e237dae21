/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which generations are mounted in a living process's namespace. Asked of the kernel, not of the jails: a
 * lock on the generation could be taken by any local user, to keep it for ever or to hide the others' use.
 */
#ifndef SP_HOST_GENUSERS_H
#define SP_HOST_GENUSERS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

struct sp_genusers {
    bool loaded;
    struct sp_buf hashes; /* one after the other, each 64 digits */
};

void sp_genusers_clear(struct sp_genusers *u);

/* Read /proc/PID/mountinfo once for every mount namespace; a second call does nothing. */
int sp_genusers_load(struct sp_genusers *u, struct sp_error *err);
bool sp_genusers_has(const struct sp_genusers *u, const char *hash);

#endif
