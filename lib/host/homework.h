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

enum sp_homework_what {
    SP_HOMEWORK_READ,
    SP_HOMEWORK_WRITE,
    SP_HOMEWORK_SHRINK,
    SP_HOMEWORK_NARROW,
    SP_HOMEWORK_SETTLE
};

struct sp_homework {
    const struct sp_user *user;
    const char *relative;
    enum sp_homework_what what;
    const void *bytes; /* to be written */
    size_t len;
};

struct sp_homework_result {
    bool exists;
    bool wide;       /* what belongs to the user can be written by others */
    bool refused;    /* the home belongs to root and others write to it: not ours to mend */
    bool needs_root; /* the home is root's and nobody else can write to it: root must make the directory */
    bool needs_rewrite; /* others may hold it open for writing, or it is not a file that can be narrowed */
    mode_t mode;
    dev_t dev;
};

int sp_homework_read(struct sp_host *h, const struct sp_homework *w, struct sp_homework_result *ret,
                     struct sp_buf *ret_bytes, struct sp_error *err);
int sp_homework_write(struct sp_host *h, const struct sp_homework *w, struct sp_homework_result *ret,
                      struct sp_error *err);

/* The file becomes its owner's alone, and stays the one that it is: only where others could write neither
 * to it nor to the directories on its way (else ret->needs_rewrite, and nothing has changed). Not durable
 * before a sp_homework_settle() of its file system. */
int sp_homework_narrow(struct sp_host *h, const struct sp_homework *w, struct sp_homework_result *ret,
                       struct sp_error *err);
int sp_homework_settle(struct sp_host *h, const struct sp_homework *w, struct sp_error *err);

/* Replace a file that sshd would open, wherever the user's links lead it: with his rights, no more. It must
 * be there, and must not grow. */
int sp_homework_shrink(struct sp_host *h, const struct sp_homework *w, struct sp_error *err);

/* The directory of `relative` ("" is the home itself) into dir. */
int sp_homework_dir(const char *relative, char dir[256], const char **ret_name, struct sp_error *err);

#endif
