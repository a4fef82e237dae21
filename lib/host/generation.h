/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Generations: the /usr and /etc that a set of profiles promises, copied from the host into root's store
 * (layout.h), never hard-linked to the host's inodes, setuid, setgid and xattrs stripped, root-owned. Named
 * by a hash of their manifest; proved (the profiles' own commands run inside) before sets/NAME points to
 * them; collected when no set names them and nobody is in them.
 */
#ifndef SP_HOST_GENERATION_H
#define SP_HOST_GENERATION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "host/host.h"
#include "model/profile.h"

struct sp_generation {
    char set[256]; /* "base+git" */
    char hash[65]; /* directory below gen/ */
    bool built;    /* false: it was current already */
    size_t n_files;
    char missing[512]; /* what the profile promises optionally and the host lacks, names joined by blanks;
                          "" when nothing */
};

/* The name of a set: the profiles' names in alphabetical order, joined by '+'. */
int sp_generation_set_name(const struct sp_profile *const *profiles, size_t n, char ret[256],
                           struct sp_error *err);

enum sp_generation_flags {
    SP_GENERATION_SOURCES = 0,     /* is it as new as the host? */
    SP_GENERATION_STORED = 1 << 0, /* and is all of it still in the store? */
};

/* Is sets/SET there and does every source still have the size, mtime, mode and inode of its manifest?
 * *ret_current says so; *ret is filled as far as known. No writes. `set` is the name that accounts know it
 * by: it need not name what its profiles have come to require since. */
int sp_generation_check(struct sp_host *h, const char *set, const struct sp_profile *const *profiles,
                        size_t n, enum sp_generation_flags flags, bool *ret_current,
                        struct sp_generation *ret, struct sp_error *err);

/* Make it current: build a new generation if the check says so (re-using unchanged files of the one before
 * by hard links inside the store), prove it, fsync, swap the link, collect the unused. Serialised by a lock
 * file of its own. A generation that fails its proof is never made current (SP_E_NOT_IN_FORCE, the text
 * quotes what the proof printed). */
int sp_generation_ensure(struct sp_host *h, const char *set, const struct sp_profile *const *profiles,
                         size_t n, enum sp_generation_flags flags, struct sp_generation *ret,
                         struct sp_error *err);

/* What is wrong with the current generation of a set, one call for each thing; `path` is absolute, "" where
 * no file is meant. 0 goes on. */
enum sp_generation_trouble {
    SP_GENERATION_ABSENT,  /* there is none */
    SP_GENERATION_STALE,   /* a source on the host is not what it was */
    SP_GENERATION_DAMAGED, /* a file of the generation is gone or another */
    SP_GENERATION_BROKEN,  /* a proof failed */
    SP_GENERATION_TROUBLES
};
typedef int (*sp_generation_tell)(void *ctx, enum sp_generation_trouble trouble, const char *path,
                                  const char *text);

/* Look at everything: each source, each file in the store, and run each proof inside it. The answer of a
 * `tell` that was not 0, else 0. */
int sp_generation_inspect(struct sp_host *h, const char *set, const struct sp_profile *const *profiles,
                          size_t n, sp_generation_tell tell, void *ctx, struct sp_generation *ret,
                          struct sp_error *err);

/* The names of the sets that have a generation, sorted; the caller frees. */
struct sp_generation_sets {
    char (*v)[256];
    size_t n;
};
void sp_generation_sets_clear(struct sp_generation_sets *s);
int sp_generation_sets(struct sp_host *h, struct sp_generation_sets *ret, struct sp_error *err);

/* Forget a set: its link goes, and with the next collection what it named. */
int sp_generation_forget(struct sp_host *h, const char *set, struct sp_error *err);

/* Drop generations that no set names, that no living process has mounted (/proc/PID/mountinfo) and that
 * were retired more than a minute ago: a login that has just read the link is not in the mounts yet. */
int sp_generation_collect(struct sp_host *h, struct sp_error *err);

/* dev/ of the store, made when missing. */
int sp_generation_ensure_dev(struct sp_host *h, struct sp_error *err);

#endif
