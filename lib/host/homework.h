/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What home.c's child does with the user's effective ids. Every path is walked from the home by descriptor,
 * without links and without leaving its mount. */
#ifndef SP_HOST_HOMEWORK_H
#define SP_HOST_HOMEWORK_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"
#include "host/host.h"
#include "host/userdb.h"

struct sp_homework {
    const struct sp_user *user;
    const char *relative;
    const void *bytes; /* to be written; NULL when reading */
    size_t len;
    bool as_sshd; /* sp_homework_shrink() */
};

struct sp_homework_result {
    bool exists;
    bool wide;       /* what belongs to the user can be written by others */
    bool refused;    /* the home belongs to root and others write to it: not ours to mend */
    bool needs_root; /* the home is root's and nobody else can write to it: root must make the directory */
    mode_t mode;
};

int sp_homework_read(struct sp_host *h, const struct sp_homework *w, struct sp_homework_result *ret,
                     struct sp_buf *ret_bytes, struct sp_error *err);
int sp_homework_write(struct sp_host *h, const struct sp_homework *w, struct sp_homework_result *ret,
                      struct sp_error *err);

/* Replace a file that sshd would open, wherever the user's links lead it: with his rights, no more. It must
 * be there, and must not grow. */
int sp_homework_shrink(struct sp_host *h, const struct sp_homework *w, struct sp_error *err);

/* The directory of `relative` ("" is the home itself) into dir. */
int sp_homework_dir(const char *relative, char dir[256], const char **ret_name, struct sp_error *err);

#endif
