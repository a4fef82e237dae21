/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Elements of our sets on the wire. An interval is two elements: its first address, which bears the
 * timeout, and the address behind its last, marked as an end. */
#ifndef SP_HOST_NFTSET_H
#define SP_HOST_NFTSET_H

#include "host/nftlink.h"
#include "host/nftrules.h"
#include "model/fwcompile.h"

/* type: NFT_MSG_NEWSETELEM or NFT_MSG_DELSETELEM. Nothing is put for an empty list. An interval that has
 * expired by now is put with the shortest timeout, not left out: somebody may look for it. */
void sp_nftset_put_allow(struct sp_nftlink_batch *b, uint16_t type, enum sp_nftrules_lane lane,
                         const struct sp_fw_compiled *c, int64_t now);
/* Into `ports` or `trial`; timeout_ms 0: for ever. */
void sp_nftset_put_ports(struct sp_nftlink_batch *b, uint16_t type, enum sp_nftrules_set set,
                         const uint16_t *ports, size_t n, uint64_t timeout_ms);
void sp_nftset_put_flush(struct sp_nftlink_batch *b, enum sp_nftrules_set set);

/* Dump one set's elements. */
int sp_nftset_read_ports(struct sp_nft *nft, struct sp_nft_ruleset *ret, struct sp_error *err);
int sp_nftset_read_trial_ports(struct sp_nft *nft, struct sp_nft_trial *ret, struct sp_error *err);
int sp_nftset_read_allow(struct sp_nft *nft, enum sp_nftrules_set set, int64_t now,
                         struct sp_fw_intervals *ret, struct sp_error *err);

/* Is this very interval in the set? 1, 0 or -1 with err. Expiries are compared as by sp_fw_diff(). */
int sp_nftset_has(struct sp_nft *nft, enum sp_nftrules_set set, const struct sp_fw_interval *i, int64_t now,
                  struct sp_error *err);

#endif
