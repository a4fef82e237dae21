/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What rules that others wrote ask of a packet, answered with what is known of it: sp_nftverdict_judge()
 * and sp_iptverdict_judge() walk by these answers. */
#ifndef SP_MODEL_NFTMATCH_H
#define SP_MODEL_NFTMATCH_H

#include <cjson/cJSON.h>

#include "model/nftverdict.h"

enum sp_truth { SP_NO, SP_YES, SP_MAYBE };

enum sp_truth sp_truth_not(enum sp_truth t);
enum sp_truth sp_truth_or(enum sp_truth a, enum sp_truth b);

/* "192.0.2.0/24", any address or block at all. */
enum sp_truth sp_packet_is_from(const struct sp_nftverdict_packet *p, const char *block);

struct sp_nftmatch {
    const cJSON *items; /* the array "nftables" */
    const struct sp_nftverdict_packet *packet;
    const char *family, *table; /* where sets and maps are looked up */
};

/* The statement "match". */
enum sp_truth sp_nftmatch_holds(const struct sp_nftmatch *m, const cJSON *match);

/* Does a statement that is no verdict let the packet on to the next one? A limit does, and what holds one
 * (sets, meters), as to the first packet that is seen. SP_MAYBE for what is not known here. */
enum sp_truth sp_nftmatch_passes(const cJSON *statement);

/* The pairs [value, verdict] of a verdict map, and whether one of them is the packet's. NULL where the map
 * is not there. */
const cJSON *sp_nftmatch_pairs(const struct sp_nftmatch *m, const cJSON *vmap);
enum sp_truth sp_nftmatch_pair(const struct sp_nftmatch *m, const cJSON *vmap, const cJSON *pair);

#endif
