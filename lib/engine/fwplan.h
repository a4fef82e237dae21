/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One change of the SSH port as a value: what is stored, what the kernel has, what both should be. Filled
 * step by step by engine/firewall.c and shown by engine/fwreport.c. */
#ifndef SP_ENGINE_FWPLAN_H
#define SP_ENGINE_FWPLAN_H

#include "engine/firewall.h"
#include "engine/fwbeside.h"
#include "engine/fwseen.h"
#include "engine/fwstore.h"
#include "host/nft.h"

enum sp_fwtrial_state {
    SP_FWTRIAL_NONE,
    SP_FWTRIAL_RUNS,
    SP_FWTRIAL_STARTS, /* by this plan */
    SP_FWTRIAL_ENDS,   /* by this plan: confirmed, or rolled back */
};

struct sp_fwplan {
    struct sp_host *host;
    const struct sp_config *config;
    enum sp_firewall_flags flags;
    int64_t now;
    struct sp_fw_policy old, want;        /* stored; to be stored */
    struct sp_nft_ruleset before, target; /* in the kernel; to be in the kernel */
    struct sp_nft_ruleset after;          /* read back, if kernel_changed */
    struct sp_fw_compiled del, add;       /* from before to target */
    uint64_t sum;                         /* of the state file: model/fwfile.h */
    struct sp_buf stored;                 /* the state file's bytes, where `want` was written */
    struct sp_nft nft;                    /* open from the first look on */
    uint32_t generation;                  /* of the ruleset, when it was read or changed; 0: not known */
    struct sp_fwmark seen;                /* what was remembered, brought up to date */
    bool seen_is_new;                     /* it is to be kept, whatever else is done */
    bool remembered;                      /* `before` was not read: it is as it was left */
    bool acknowledged;                    /* `after` is `target`: see sp_fwplan_apply() */
    bool state_changes, kernel_changes;   /* what is to be done */
    bool kernel_changed;                  /* what was done */
    bool frozen;                          /* the state file is broken: never written */
    bool hands_off;                       /* while unmanaged, the kernel is not even looked at */
    struct sp_fw_pending pending;         /* the policy that is on trial, or is to be */
    enum sp_fwtrial_state trial;
    int64_t confirm_within;    /* seconds; 0: not on trial */
    bool asks_mode;            /* the request names a mode: what others hold back is asked, and opened */
    bool keep_opened;          /* unmanaged: what was opened in others' firewalls stays */
    bool committed_changes;    /* what is to be done in the kernel beside a trial */
    bool rebuild;              /* not by elements alone */
    bool looked;               /* `before` has been read */
    struct sp_fwbeside beside; /* filled where somebody asks for the mode or the state */
    cJSON *warnings;           /* an array in the result; borrowed */
};

void sp_fwplan_clear(struct sp_fwplan *p);

int sp_fwplan_warn(struct sp_fwplan *p, struct sp_error *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The steps before a plan is made: an empty one with result.warnings, the lock (none for a dry run; the
 * caller closes), and what is stored, with a trial that is over settled. */
int sp_fwplan_begin(struct sp_fwplan *p, struct sp_host *h, const struct sp_config *c,
                    enum sp_firewall_flags flags, cJSON *result, struct sp_error *err);
int sp_fwplan_lock(const struct sp_fwplan *p, int *ret_fd, struct sp_error *err);
int sp_fwplan_load(struct sp_fwplan *p, enum sp_fwstore_copy which, struct sp_error *err);

/* p->before alone, once: from the kernel, or from memory where nobody has changed anything since
 * (engine/fwseen.h). */
int sp_fwplan_read(struct sp_fwplan *p, struct sp_error *err);

/* p->before, from the kernel. A host without nf_tables is no failure while the port is not
 * managed. */
int sp_fwplan_look(struct sp_fwplan *p, struct sp_error *err);

enum sp_fwplan_kind {
    SP_FWPLAN_REQUEST, /* somebody asked: what would shut people out is refused */
    SP_FWPLAN_RESTORE, /* the stored policy, as it is */
    SP_FWPLAN_CONFIRM, /* the policy on trial, on the ports on which it was tried */
};

/* p->target, del, add and what changes; refuses what must not be. */
int sp_fwplan_make(struct sp_fwplan *p, enum sp_fwplan_kind kind, struct sp_error *err);

/* State, then kernel, then p->after by reading back. Where `before` was remembered, the kernel is told of
 * which generation it was and makes the change only on that one; when its next one is exactly ours, what it
 * has is what it had and what it acknowledged, and only the elements of a small change are asked for. */
int sp_fwplan_apply(struct sp_fwplan *p, struct sp_error *err);

/* Remember what the kernel has, where it is what is stored. */
void sp_fwplan_note(struct sp_fwplan *p);

enum sp_nft_body sp_fwplan_body(enum sp_fw_mode mode); /* the table that a mode stands for */

/* What the kernel has now. */
const struct sp_nft_ruleset *sp_fwplan_kernel(const struct sp_fwplan *p);
bool sp_fwplan_in_force(const struct sp_fwplan *p);

/* engine/fwreport.c; once: p->stored goes into the answer. */
enum sp_fwreport_kind { SP_FWREPORT_STATE, SP_FWREPORT_CHANGES };
int sp_fwreport(struct sp_fwplan *p, enum sp_fwreport_kind kind, cJSON *result, struct sp_error *err);

#endif
