/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a host's packet filter does with the first packet of an SSH connection, read from
 * `nft -j list ruleset` (libnftables-json(5)). Everybody's base chains on the way in are walked: the packet
 * gets through only if each of them lets it.
 *
 * What a rule asks may be beyond what is known of the packet (an interface, a mark, an xtables match): such
 * a rule may match or not, and both ways are followed. So the answer has a third value, and is never a
 * guess.
 */
#ifndef SP_MODEL_NFTVERDICT_H
#define SP_MODEL_NFTVERDICT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "model/cidr.h"

enum sp_nftverdict { SP_NFT_PASSES, SP_NFT_DROPPED, SP_NFT_CANNOT_TELL };

struct sp_nftverdict_packet {
    const struct sp_cidr *from; /* one address; NULL: not known */
    uint8_t any;                /* 4, 6: from NULL is an address of that family that no rule names */
    uint16_t port;
    bool not_xtables;      /* tables that iptables-nft made are left out: model/iptverdict.h reads them */
    const char *not_table; /* the inet table that is left out: our own is judged elsewhere; or NULL */
};

/* The tables that iptables(8) makes have these names. */
bool sp_nftverdict_is_xtables(const char *family, const char *table);

/* `where` says which rule drops it, or may: "inet filter, chain input, rule handle 5 (comment)", or the
 * policy of a chain; "" where it passes. SP_E_INVALID where the JSON is none of nft's. */
#define SP_NFTVERDICT_WHERE 300
int sp_nftverdict_judge(const cJSON *ruleset, const struct sp_nftverdict_packet *p, enum sp_nftverdict *ret,
                        char where[SP_NFTVERDICT_WHERE], struct sp_error *err);

#endif
