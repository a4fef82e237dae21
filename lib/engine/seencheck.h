/* SPDX-License-Identifier: GPL-3.0-or-later */
/* seen.h's eyes: the names of each account looked at, two processes at a time. */
#ifndef SP_ENGINE_SEENCHECK_H
#define SP_ENGINE_SEENCHECK_H

#include "engine/seennames.h"
#include "model/name.h"

struct sp_seenrecord {
    const char *list; /* borrowed; NULL: there is no record */
    size_t len;
    uint64_t sum;
    int64_t until;
    bool quiet;
    int64_t changed[2]; /* the directory of the kind T: its time of change */
    uint64_t below;     /* and the sum over the names below it */
};

struct sp_seencheck {
    struct sp_host *host;              /* borrowed */
    const char (*users)[SP_USER_SIZE]; /* borrowed */
    size_t n;
    uint64_t key[2];
    struct sp_buf host_list; /* owned: sp_watch_host() */
    uint64_t host_sum;
    int store; /* owned: the base of most names; -1: none */
    struct sp_seennames names;
    struct sp_seenrecord *records; /* owned; one for each user */
    uint32_t *active;              /* owned: uids that have a process; none: not known */
    size_t n_active;
    unsigned char *verdicts; /* mapped; enum sp_seen_verdict */
    int64_t begun;           /* what has changed since, or just before, is not relied upon */
};

int sp_seencheck_run(struct sp_seencheck *c, struct sp_error *err);
void sp_seencheck_clear(struct sp_seencheck *c);

/* SETTLED: r->changed and r->below are found too; false where something has changed within the last second
 * before c->begun, or since. */
enum sp_seencheck_how { SP_SEENCHECK_ANY, SP_SEENCHECK_SETTLED };
bool sp_seencheck_sum(const struct sp_seencheck *c, const char *user, struct sp_seenrecord *r,
                      enum sp_seencheck_how how, uint64_t *ret);

#endif
