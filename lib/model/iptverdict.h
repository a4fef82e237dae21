/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an iptables table does with the first packet of an SSH connection, read from what iptables-save(8)
 * prints. For tables of the old kind, which no nft(8) shows, and for those of iptables-nft, whose matches
 * nft -j leaves out. As in model/nftverdict.h a rule that asks for what is not known may match or not.
 */
#ifndef SP_MODEL_IPTVERDICT_H
#define SP_MODEL_IPTVERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "model/nftverdict.h"

/* The chain of `table` ("filter") that the packet enters ("INPUT"); a table that is not there lets it pass.
 * `where`: "chain ufw-user-input, rule 3" or "the policy of chain INPUT". */
enum sp_nftverdict sp_iptverdict_judge(const char *saved, size_t len, const char *table, const char *chain,
                                       const struct sp_nftverdict_packet *p,
                                       char where[SP_NFTVERDICT_WHERE]);

/* Does that chain hold rules, or a policy other than ACCEPT? */
bool sp_iptverdict_in_use(const char *saved, size_t len, const char *table, const char *chain);

/* Is there a chain of that name in the table? */
bool sp_iptverdict_has(const char *saved, size_t len, const char *table, const char *chain);

#endif
