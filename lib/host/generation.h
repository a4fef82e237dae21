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

/* Is sets/NAME there and does every source still have the size, mtime, mode and inode of its manifest?
 * *ret_current says so; *ret is filled as far as known. No writes. */
int sp_generation_check(struct sp_host *h, const struct sp_profile *const *profiles, size_t n,
                        bool *ret_current, struct sp_generation *ret, struct sp_error *err);

/* Make it current: build a new generation if the check says so (re-using unchanged files of the one before
 * by hard links inside the store), prove it, fsync, swap the link, collect the unused. Serialised by a lock
 * file of its own. A generation that fails its proof is never made current (SP_E_NOT_IN_FORCE, the text
 * quotes what the proof printed). */
int sp_generation_ensure(struct sp_host *h, const struct sp_profile *const *profiles, size_t n,
                         struct sp_generation *ret, struct sp_error *err);

/* Drop generations that no set names, that no living process has mounted (/proc/PID/mountinfo) and that
 * were retired more than a minute ago: a login that has just read the link is not in the mounts yet. */
int sp_generation_collect(struct sp_host *h, struct sp_error *err);

/* dev/ of the store, made when missing. */
int sp_generation_ensure_dev(struct sp_host *h, struct sp_error *err);

#endif
