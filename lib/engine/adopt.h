/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A system user got another name (usermod -l): same uid, same home, and an account that we know by the old
 * name. Nothing of that is taken over unasked, since a name is who a request speaks of.
 */
#ifndef SP_ENGINE_ADOPT_H
#define SP_ENGINE_ADOPT_H

#include <cjson/cJSON.h>

#include "engine/engine.h"

enum sp_adopted {
    SP_ADOPTED_NOTHING, /* the account has that name */
    SP_ADOPTED_WOULD,   /* a dry run */
    SP_ADOPTED_DONE,    /* its state is the new name's, and pending: a run has to follow */
};

/* Make the account `old` that of `new`. SP_E_NOT_FOUND: no such user; SP_E_CONFLICT: `new` has another uid
 * or an account of his own, `old` is still there, or the generation is another. Crashed half way, the same
 * call finishes it. */
int sp_adopt(struct sp_engine *e, const char *old, const char *new, const struct sp_run *run,
             enum sp_adopted *ret, struct sp_error *err);

/* The change, put before the others of an answer; and the whole answer of a dry run. */
int sp_adopt_report(const char *old, const char *new, cJSON *result, struct sp_error *err);
int sp_adopt_report_dry(struct sp_engine *e, const char *old, const char *new, cJSON *result,
                        struct sp_error *err);

#endif
