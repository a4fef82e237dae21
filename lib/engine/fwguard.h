/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Nobody is shut out by accident: who is connected now, or asks, must still be let in after a change. */
#ifndef SP_ENGINE_FWGUARD_H
#define SP_ENGINE_FWGUARD_H

#include "host/host.h"
#include "host/nft.h"

/* SP_E_LOCKOUT, naming the first, if an established peer of a port that `after` guards or the
 * caller's own SSH connection could connect under `before` and no more under `after`. */
int sp_fwguard_check(struct sp_host *h, const struct sp_nft_ruleset *before,
                     const struct sp_nft_ruleset *after, struct sp_error *err);

#endif
