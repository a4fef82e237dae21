/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A policy of the SSH port on trial. The file firewall.pending comes first, then one transaction that puts
 * the policy before the committed one for so many seconds: after them the kernel forgets it, whoever lives.
 * To confirm it takes the token and a new connection that the trial let in: the session that asks proves
 * nothing, since no session is ever cut.
 *
 * Confirming: the file says so; one transaction takes the trial's ports out and commits its policy, which
 * the kernel refuses as a whole where it has forgotten them; then the state file; then the pending one
 * goes. Who comes after a crash: a trial that the kernel still has runs; one that it has committed is
 * stored; any other is over, and so is one of another boot.
 */
#ifndef SP_ENGINE_FWTRIAL_H
#define SP_ENGINE_FWTRIAL_H

#include "engine/fwplan.h"

/* p->pending and p->trial, as file and kernel have them; what is over is cleared away (a dry run only looks
 * past it). p->old is then the policy that is committed. */
int sp_fwtrial_settle(struct sp_fwplan *p, struct sp_error *err);

/* What is asked while a trial runs: SP_E_CONFLICT. */
int sp_fwtrial_refuse(const struct sp_fwplan *p, struct sp_error *err);

/* Turn a plan that has been made into one that puts its policy on trial. No change: no trial. */
int sp_fwtrial_start(struct sp_fwplan *p, struct sp_error *err);

/* p->target with the trial that runs: with it too, what domains bring meanwhile is let in. */
int sp_fwtrial_keep(struct sp_fwplan *p, struct sp_error *err);

/* Does the kernel's trial, or what is left of one, differ from the target's? */
int sp_fwtrial_differs(const struct sp_fwplan *p, bool *ret, struct sp_error *err);

/* result.pending, where one runs. */
int sp_fwtrial_report(const struct sp_fwplan *p, cJSON *result, struct sp_error *err);

/* "restricted, 2 sources, until 2027-01-01T00:00:00Z"; "" where there is none. */
void sp_fwtrial_describe(const struct sp_fwplan *p, struct sp_buf *out);

#endif
