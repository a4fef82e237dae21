/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One change of the SSH port as a value: what is stored, what the kernel has, what both should be. Filled
 * step by step by engine/firewall.c and shown by engine/fwreport.c. */
#ifndef SP_ENGINE_FWPLAN_H
#define SP_ENGINE_FWPLAN_H

#include "engine/firewall.h"
#include "host/nft.h"

struct sp_fwplan {
    struct sp_host *host;
    const struct sp_config *config;
    enum sp_firewall_flags flags;
    int64_t now;
    struct sp_fw_policy old, want;        /* stored; to be stored */
    struct sp_nft_ruleset before, target; /* in the kernel; to be in the kernel */
    struct sp_nft_ruleset after;          /* read back, if kernel_changed */
    struct sp_fw_compiled del, add;       /* from before to target */
    struct sp_fw_policy stored;           /* read back; filled only where it changed */
    bool state_changes, kernel_changes;   /* what is to be done */
    bool kernel_changed;                  /* what was done */
    bool frozen;                          /* the state file is broken: never written */
    bool hands_off;                       /* while unmanaged, the kernel is not even looked at */
    struct sp_buf blockers;               /* one a line */
    cJSON *warnings;                      /* an array in the result; borrowed */
};

void sp_fwplan_clear(struct sp_fwplan *p);

int sp_fwplan_warn(struct sp_fwplan *p, struct sp_error *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* p->before and p->blockers, from the kernel. A host without nf_tables is no failure while the port is not
 * managed. */
int sp_fwplan_look(struct sp_fwplan *p, struct sp_error *err);

enum sp_fwplan_kind {
    SP_FWPLAN_REQUEST, /* somebody asked: what would shut people out is refused */
    SP_FWPLAN_RESTORE, /* the stored policy, as it is */
};

/* p->target, del, add and what changes; refuses what must not be. */
int sp_fwplan_make(struct sp_fwplan *p, enum sp_fwplan_kind kind, struct sp_error *err);

/* State, then kernel, then p->after and p->stored by reading back. */
int sp_fwplan_apply(struct sp_fwplan *p, struct sp_error *err);

/* What the kernel has now. */
const struct sp_nft_ruleset *sp_fwplan_kernel(const struct sp_fwplan *p);
bool sp_fwplan_in_force(const struct sp_fwplan *p);

/* engine/fwreport.c */
enum sp_fwreport_kind { SP_FWREPORT_STATE, SP_FWREPORT_CHANGES };
int sp_fwreport(const struct sp_fwplan *p, enum sp_fwreport_kind kind, cJSON *result, struct sp_error *err);

#endif
