/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * passwd(5) or group(5) as a table, for whoever asks a file thousands of times: what pwline.h finds by
 * going through the bytes is found at once. It points into the bytes, which must stay. Where a file has
 * something that the two could see differently (a name twice, a malformed line, blanks before a member) the
 * table says that it is not sure, and the bytes are gone through.
 */
#ifndef SP_MODEL_PWINDEX_H
#define SP_MODEL_PWINDEX_H

#include "model/pwfile.h"
#include "model/pwline.h"

struct sp_pwindex_line;   /* pwindex.c */
struct sp_pwindex_member; /* pwindex.c */

struct sp_pwindex { /* {0} is empty */
    const char *bytes;
    struct sp_pwindex_line *lines;     /* owned; in the file's order */
    struct sp_pwindex_member *members; /* owned */
    uint32_t *names, *gids, *users;    /* owned: tables by hash, of mask + 1 places */
    size_t n, n_members, mask;
};

enum sp_pwindex_kind { SP_PWINDEX_PASSWD, SP_PWINDEX_GROUP };

void sp_pwindex_clear(struct sp_pwindex *x);
/* 0; -1 without memory, or where the table would be of no use: *ret is empty then. */
int sp_pwindex_build(const char *bytes, size_t len, enum sp_pwindex_kind kind, struct sp_pwindex *ret);

enum sp_pwindex_answer { SP_PWINDEX_NO, SP_PWINDEX_YES, SP_PWINDEX_UNSURE };

/* The line of that name. */
enum sp_pwindex_answer sp_pwindex_find(const struct sp_pwindex *x, const char *name, struct sp_pwline *ret);

/* A line of group(5), as sp_grfile_find() has it. */
enum sp_pwindex_answer sp_pwindex_group(const struct sp_pwindex *x, const char *name,
                                        struct sp_grfile_line *ret);
/* Is `user` in the member list of that line? */
bool sp_pwindex_is_member(const struct sp_pwindex *x, const struct sp_grfile_line *line, const char *user);

/* The next line, from offset `from` on, of a group that lists `user` or has this gid; user NULL: that has
 * the gid. */
bool sp_pwindex_next(const struct sp_pwindex *x, const char *user, uint32_t gid, size_t from,
                     struct sp_pwline *ret);

#endif
