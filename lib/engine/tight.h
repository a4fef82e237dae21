/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What somebody shut stays shut: reconcile, and a request that only takes away, leave the changes that
 * loosen. What a transaction meant to open is written down with its desire, so that finishing it after a
 * crash or a failure opens that, and nothing that somebody shut meanwhile.
 */
#ifndef SP_ENGINE_TIGHT_H
#define SP_ENGINE_TIGHT_H

#include "engine/engine.h"

/* Move what the run must leave from o->plan to o->kept. */
int sp_tight_keep(const struct sp_run *run, const struct sp_account *desired, struct sp_outcome *o,
                  struct sp_error *err);

/* Is it because of a membership that was left as somebody tightened it that sshd gives the account less? */
bool sp_tight_explains(const struct sp_outcome *o, const struct sp_error *why);

/* The plan's openings, as the state keeps them; owned by the caller. */
int sp_tight_note(const struct sp_plan *p, cJSON **ret, struct sp_error *err);

/* A key that has to go, and cannot be taken away, is kept out by the gate: it is shut until the request is
 * finished, which is what opens it then. `err` is why; how it stands with the door is added to it. */
void sp_tight_shut(const struct sp_ctx *c, struct sp_error *err);

/* Was it so? */
bool sp_tight_is_own_shut(const struct sp_state *s, const char *user);

#endif
