/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One way through for everything: desired account -> plan -> apply -> report. A dry run, domain.get's drift
 * and reconcile are the same plan, looked at in different ways.
 */
#ifndef SP_ENGINE_ENGINE_H
#define SP_ENGINE_ENGINE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "engine/store.h"
#include "host/host.h"
#include "model/account.h"
#include "model/policy.h"
#include "resource/resource.h"

#define SP_LOCK_DEADLINE_MS 10000

struct sp_engine {
    struct sp_host *host;           /* borrowed */
    const struct sp_config *config; /* borrowed */
    uint32_t caller;                /* uid of who asked: SUDO_UID, or our own real uid */
    bool for_panel;                 /* the call came in as JSON, not from the command sallyport */
    const char *request_id;         /* of the call that runs; borrowed */
    const char *metrics_file;       /* instead of the configuration's; NULL: that one; borrowed */
    bool holds;                     /* an account's lock, over more than one step: sp_engine_hold() */
    int64_t doctor_until; /* login.diagnose: when all of a batch has to end, CLOCK_MONOTONIC in ms */
    /* Long work tells how far it is, for people who wait: NULL: nobody does. */
    void (*progress)(size_t done, size_t all, const char *what, void *data);
    void *progress_data;
};

static inline void sp_engine_progress(const struct sp_engine *e, size_t done, size_t all, const char *what)
{
    if (e->progress != NULL)
        e->progress(done, all, what, e->progress_data);
}

/* How a transaction is meant. */
enum sp_run_flags {
    SP_RUN_APPLY = 0,
    SP_RUN_DRY = 1 << 0,      /* plan only: nothing is written, no lock is waited for */
    SP_RUN_THOROUGH = 1 << 1, /* look behind what a request takes for granted */
    SP_RUN_KEEP_TIGHT =
        1 << 2, /* leave what somebody tightened: changes that loosen are reported, not made */
    SP_RUN_WITHDRAWS = 1 << 3,     /* it only takes away: no policy about the person stands against it */
    SP_RUN_KEEP_SESSIONS = 1 << 4, /* those that a key opened which goes */
    SP_RUN_SHOW = 1 << 6,          /* with SP_RUN_DRY: what cannot be looked at is shown as such */
    SP_RUN_LEAVE_HOME = 1 << 5,    /* about the door alone; what is pending is finished all the same */
    SP_RUN_FORGETS = 1 << 7,       /* of an account that is only held (found.h), the record alone goes */
};

struct sp_seen; /* engine/seen.h */

struct sp_run {
    enum sp_run_flags flags;
    bool has_generation;
    uint64_t if_generation;
    /* Change the copy of the desired account; NULL leaves it (reconcile, get). On a first request it is
     * empty but for user and uid. */
    int (*edit)(struct sp_engine *, struct sp_account *desired, const struct sp_user *user, void *data,
                struct sp_error *err);
    void *data;
    struct sp_seen *seen; /* told of an account that is as it should be; NULL: nobody is */
};

struct sp_outcome {
    char user[SP_USER_SIZE];
    uint64_t generation;
    bool changed;
    bool pending; /* true after a failure half way: reconcile or the same request finishes it */
    bool user_missing;
    struct sp_plan plan;   /* what was done, or would be */
    struct sp_plan kept;   /* SP_RUN_KEEP_TIGHT: what was left */
    struct sp_state state; /* as it now is; after a dry run with the desire as it would be */
    struct sp_user passwd; /* as it now is; zero when the user is missing */
};

void sp_outcome_clear(struct sp_outcome *o);

/* One transaction on one account, under its lock: load, edit, check, plan, save the desire, apply by
 * phases, prove, read back, save. Nothing is written when the plan is empty and the desire is the same. */
int sp_engine_run(struct sp_engine *e, const char *user, const struct sp_run *run, struct sp_outcome *ret,
                  struct sp_error *err);

/* The account's lock for a method of several steps; runs within it take none. A dry run holds nothing. */
struct sp_hold {
    struct sp_engine *engine;
    int fd;
    bool keeps; /* the names, until its end */
};
int sp_engine_hold(struct sp_engine *e, const char *user, const struct sp_run *run, struct sp_hold *ret,
                   struct sp_error *err);
void sp_hold_end(struct sp_hold *h);

/* {"changed", "changes", "warnings", "generation", "user"} of an outcome, added to `object`. */
int sp_report_outcome(const struct sp_outcome *o, cJSON *object, struct sp_error *err);
int sp_report_changes(const struct sp_plan *p, cJSON *object, const char *name, struct sp_error *err);

/* One change that is no resource's, put before the others of an answer; it counts as changed. read_back:
 * NULL in a dry run. */
int sp_report_first(cJSON *object, const char *resource, const char *target, const char *from,
                    const char *to, const char *read_back, struct sp_error *err);

/* Read the configuration: built-in defaults, then what sallyport.conf(5) says, a later file over an earlier
 * one. What cannot be read or understood is an error: a line that is lost might have been a refusal. */
int sp_config_load(struct sp_host *h, struct sp_config *ret, struct sp_error *err);

#endif
