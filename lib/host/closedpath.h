/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a user closed to himself on the way to a file (chmod 0 of .ssh): it opens nothing while it is
 * closed, and he opens it again when nobody looks. For a child with the user's effective ids
 * (host/asuser.h): it can do no more than he could.
 */
#ifndef SP_HOST_CLOSEDPATH_H
#define SP_HOST_CLOSEDPATH_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SP_CLOSEDPATH_MAX 16

struct sp_closedpath {
    char path[PATH_MAX];
    struct {
        size_t len; /* of the path up to there */
        mode_t mode;
    } v[SP_CLOSEDPATH_MAX];
    size_t n;
};

/* Give the owner his rights on each of his own that lacks them, from / to the file; links are followed. */
void sp_closedpath_open(const char *path, struct sp_closedpath *ret);

/* As it was. */
void sp_closedpath_close(struct sp_closedpath *s);

/* Is it somebody else who keeps the user from this file, so that he cannot change it himself? */
bool sp_closedpath_by_others(const char *path);

#endif
