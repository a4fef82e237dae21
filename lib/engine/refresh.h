/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The generations of all sets of profiles that this host has, made as new as its programs: one build for
 * each set, whatever the number of accounts that share it. One that cannot be built or fails its proof
 * leaves the one before in force, and stops no other.
 */
#ifndef SP_ENGINE_REFRESH_H
#define SP_ENGINE_REFRESH_H

#include <cjson/cJSON.h>

#include "engine/engine.h"
#include "resource/profiles.h"

enum sp_refresh_flags {
    SP_REFRESH_APPLY = 0,
    SP_REFRESH_DRY = 1 << 0,    /* say what would be built */
    SP_REFRESH_STORED = 1 << 1, /* look for damage in the store too */
    SP_REFRESH_YIELD =
        1 << 2, /* build nothing while a package manager is at work: its trigger asks again */
};

/* {"changed", "failed", "sets", "warnings"} into `object`. */
int sp_refresh_sets(struct sp_engine *e, enum sp_refresh_flags flags, cJSON *object, struct sp_error *err);

/* One set, which need not be there yet: {"set", "changed", "generation", "files", "missing"}. */
int sp_refresh_one(struct sp_engine *e, const char *set, enum sp_refresh_flags flags, cJSON *object,
                   struct sp_error *err);

/* What several triggers ask for at once is done once. Notes the wish, and waits until no package manager is
 * at work. *ret_lock is held while the caller refreshes; -1 when another process waits or works already and
 * will see the wish. */
int sp_refresh_begin(struct sp_engine *e, int *ret_lock, struct sp_error *err);
/* Lets go of the lock. True when a wish came meanwhile: begin again. */
bool sp_refresh_end(struct sp_engine *e, int lock);

/* The sets that have a generation and those that accounts ask for, sorted. */
struct sp_set_in_use {
    char name[256];
    int accounts; /* -1: they were not asked */
};
struct sp_sets_in_use {
    struct sp_set_in_use *v; /* owned */
    size_t n;
    bool is_partial; /* an account's state could not be read: it may use any */
};
void sp_sets_in_use_clear(struct sp_sets_in_use *s);
/* Every account's state is read; with SP_SETS_BUILT none is, and only what has a generation is listed. */
enum sp_sets_which { SP_SETS_ALL, SP_SETS_BUILT };
int sp_sets_in_use(struct sp_engine *e, enum sp_sets_which which, struct sp_sets_in_use *ret,
                   struct sp_error *err);

/* "a b" as an array; nothing for "". */
int sp_refresh_words(cJSON *object, const char *name, const char *words, struct sp_error *err);

#endif
