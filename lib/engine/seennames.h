/* SPDX-License-Identifier: GPL-3.0-or-later */
/* passwd(5) and group(5) as a table of sums: what they say of one account, in one look. */
#ifndef SP_ENGINE_SEENNAMES_H
#define SP_ENGINE_SEENNAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/error.h"
#include "host/host.h"

struct sp_seenname {
    const char *name, *home; /* point into the file; not terminated */
    size_t name_len, home_len;
    uint64_t line, groups; /* of his lines, of the groups that list him */
    uint32_t uid, gid;
};

struct sp_seengid {
    uint32_t gid;
    uint64_t sum;
    bool used;
};

struct sp_seennames {
    struct sp_buf passwd, group; /* owned */
    struct stat passwd_st, group_st;
    struct sp_seenname *names; /* owned; a table by hash, with `mask` + 1 places */
    struct sp_seengid *gids;   /* owned; likewise */
    size_t mask;
};

void sp_seennames_clear(struct sp_seennames *n);
int sp_seennames_read(struct sp_host *h, const uint64_t key[2], struct sp_seennames *ret,
                      struct sp_error *err);
/* Which files there are, and whether it was those that were read. */
struct sp_seentimes {
    struct stat passwd, group;
};
bool sp_seennames_now(struct sp_host *h, struct sp_seentimes *ret);
bool sp_seennames_are_of(const struct sp_seennames *n, const struct sp_seentimes *t);
/* Are both files still the ones that were read? */
bool sp_seennames_stand(struct sp_host *h, const struct sp_seennames *n);

/* NULL: there is none. */
const struct sp_seenname *sp_seennames_find(const struct sp_seennames *n, const uint64_t key[2],
                                            const char *user);
/* Name and gid of a group; 0: there is none. */
uint64_t sp_seennames_group(const struct sp_seennames *n, const uint64_t key[2], const char *group);
/* What group(5) calls this gid. */
uint64_t sp_seennames_gid(const struct sp_seennames *n, uint32_t gid);

#endif
