/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The SSH port beside the firewalls of others. A drop by any of them is final, whatever ours says: where
 * the port shall let somebody in, they are asked, and those that have a way of their own are asked to open
 * it. What was opened so is remembered in firewall.opened, before it is done, and taken back when sallyport
 * lets go of the port.
 */
#ifndef SP_ENGINE_FWBESIDE_H
#define SP_ENGINE_FWBESIDE_H

#include <cjson/cJSON.h>

#include "host/nft.h"
#include "model/fwpolicy.h"
#include "resource/fwopen.h"

#define SP_FWBESIDE_MAX 16

struct sp_fwbeside_change {
    struct sp_fwopen what;
    bool opens, done;
};

struct sp_fwbeside {
    bool looked;
    struct sp_firewalls others;
    struct sp_firewall_block blocks[SP_FWBESIDE_MAX];
    size_t n_blocks, n_general; /* the first of them stop those whom the policy lets in; then the caller */
    struct sp_fwbeside_change changes[SP_FWBESIDE_MAX];
    size_t n_changes;
};

struct sp_fwplan; /* engine/fwplan.h */

void sp_fwbeside_clear(struct sp_fwbeside *b);

/* Who else is there, and who of them stops those whom the policy lets in, or the caller. */
int sp_fwbeside_look(struct sp_fwplan *p, struct sp_error *err);

/* Open what stops the port, where that can be done (a dry run: say so), and look again. */
int sp_fwbeside_open(struct sp_fwplan *p, struct sp_error *err);

/* Take back what was opened. SP_E_LOCKOUT where somebody is connected who came in that way perhaps, unless
 * the plan is forced. */
int sp_fwbeside_check_take_back(struct sp_fwplan *p, struct sp_error *err);
int sp_fwbeside_take_back(struct sp_fwplan *p, struct sp_error *err);
int sp_fwbeside_forget(struct sp_fwplan *p, struct sp_error *err);

/* Somebody certainly stops what the policy lets in. */
bool sp_fwbeside_is_blocked(const struct sp_fwbeside *b);

/* result.blocked_by and result.firewalls; nothing where nobody looked. */
int sp_fwbeside_report(const struct sp_fwbeside *b, cJSON *result, struct sp_error *err);

/* result.firewalls alone: names, and for those that only say that they run, a state. */
int sp_fwbeside_report_firewalls(const struct sp_firewalls *f, cJSON *result, struct sp_error *err);

#endif
