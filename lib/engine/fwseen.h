/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the kernel had when we last looked, so that it need not be read again: reading ten thousand elements
 * takes longer than all else together. The kernel numbers the changes of a ruleset, by whomever; while that
 * number, the boot, the network namespace, the state file and the configuration are the same, the table is
 * as it was then, but for what has timed out since. It is a memory and no more: without it, or where
 * anything is unlike, the kernel is read; and every half day all the same.
 *
 *     /var/lib/sallyport/firewall.seen   0600; one line, its last word a sum of it. Not waited for: after a
 *                                        power cut it is another boot's, or torn.
 */
#ifndef SP_ENGINE_FWSEEN_H
#define SP_ENGINE_FWSEEN_H

#include "host/nft.h"
#include "model/fwmark.h"
#include "model/policy.h"

/* All zeros where there is none that can be read. */
void sp_fwseen_load(struct sp_host *h, struct sp_fwmark *ret);

/* Under the firewall's lock. A failure costs the next caller a look. */
void sp_fwseen_save(struct sp_host *h, const struct sp_fwmark *s);

/* The members that can be told now: host, config, clock. */
void sp_fwseen_now(struct sp_host *h, const struct sp_config *c, const struct sp_nft *nft, int64_t now,
                   struct sp_fwmark *ret);

#endif
