/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A transaction in flight: what apply.c, flightplan.c and flightsave.c share, and nobody else needs. */
#ifndef SP_ENGINE_FLIGHT_H
#define SP_ENGINE_FLIGHT_H

#include "engine/engine.h"
#include "host/replace.h"

struct sp_flight {
    struct sp_engine *engine;
    const struct sp_run *run;
    struct sp_outcome *out;
    struct sp_account desired; /* after the edit */
    struct sp_account before;  /* all that may be in force: applied, and what a crash left half done */
    struct sp_ctx ctx;
    bool stranger;    /* the name has another uid now than when it was given access */
    bool edited;      /* desired differs from what the state held */
    bool keeps;       /* the names are kept for this transaction alone */
    bool keeps_child; /* so is the process that works in the home */
    bool hangs;       /* the home or a document root does not answer */
    struct sp_error why_hangs;
    struct sp_later later;
};

/* What was asked of sallyport so far: of an account that is only held, nothing. What takes access away is
 * not held up by roots. */
const struct sp_account *sp_flight_asked_before(const struct sp_flight *f);

/* f->out->plan, in the order in which it will run. */
int sp_flight_plan(struct sp_flight *f, struct sp_error *err);
/* Carried out by phases, each read back; proved before anything widens. */
int sp_flight_apply(struct sp_flight *f, struct sp_error *err);
int sp_flight_prove(struct sp_flight *f, struct sp_error *err);

/* Must the desire be written down before, and what was done after? */
bool sp_flight_needs_record(const struct sp_flight *f);
int sp_flight_save_desire(struct sp_flight *f, struct sp_error *err);
int sp_flight_save_done(struct sp_flight *f, struct sp_error *err);

#endif
