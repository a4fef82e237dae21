/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Taking accounts up from a panel as they are found, and forgetting that again. What is written is the
 * record alone: sallyport's own state and index. passwd, groups, homes and sshd are not touched.
 */
#ifndef SP_ENGINE_ADOPTION_H
#define SP_ENGINE_ADOPTION_H

#include <cjson/cJSON.h>

#include "engine/panels.h"

enum sp_adoption_result {
    SP_ADOPTION_TAKEN,
    SP_ADOPTION_KNOWN,  /* sallyport has it already */
    SP_ADOPTION_PASSED, /* the preset says that it is no customer's */
    SP_ADOPTION_FAILED,
};

struct sp_adoption {
    struct sp_engine *engine;
    const struct sp_panel *panel;
    const char *name; /* the preset's */
    const struct sp_userlist *users;
    uint64_t generation; /* of the records to come */
    bool dry;
};

/* One account and all its sites: judge it, and fill `ret` with what would be recorded. `report` gets what
 * the answer tells of it. On FAILED *err says why. -1 only where nothing can go on. */
int sp_adoption_judge(const struct sp_adoption *a, const struct sp_panels_site *sites, size_t n,
                      struct sp_state *ret, cJSON *report, enum sp_adoption_result *ret_result,
                      struct sp_error *err);

/* Records on their way: each under its account's lock, all of them durable together. */
#define SP_ADOPTION_BATCH 128
struct sp_adoption_batch {
    struct sp_state states[SP_ADOPTION_BATCH]; /* owned */
    cJSON *reports[SP_ADOPTION_BATCH];         /* borrowed */
    size_t n;
};
void sp_adoption_batch_clear(struct sp_adoption_batch *b);
/* What could not be recorded is told in its report, by sp_adoption_report(); *ret_failed counts it. */
int sp_adoption_commit(const struct sp_adoption *a, struct sp_adoption_batch *b, size_t *ret_failed,
                       struct sp_error *err);

/* "result", and for FAILED "reason", "error" and "hint". */
int sp_adoption_report(cJSON *report, enum sp_adoption_result result, const struct sp_error *why,
                       struct sp_error *err);

/* Forget what adoption recorded and nobody changed since. `panel` and `names` choose; NULL and 0: all. */
int sp_adoption_undo(struct sp_engine *e, const char *panel, const cJSON *names, enum sp_run_flags flags,
                     cJSON *result, struct sp_error *err);
/* Do the words name the account, or one of its domains? None name all. */
bool sp_adoption_is_named(const cJSON *names, const char *user, const struct sp_account *a);

#endif
