/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Our table, as data: what is built, and what is compared with the kernel's, is one and the same.
 *
 *     table inet sallyport {
 *         set ports  { type inet_service; }
 *         set allow4 { type ipv4_addr; flags interval, timeout; }
 *         set allow6 { type ipv6_addr; flags interval, timeout; }
 *         set trial  { type inet_service; flags timeout; }
 *         set trial4 { as allow4 }
 *         set trial6 { as allow6 }
 *         counter denied { }
 *         counter trial_ok { }
 *         chain input {
 *             type filter hook input priority filter - 20; policy accept;
 *             tcp dport @ports tcp flags & (fin|syn|rst|ack) == syn jump gate
 *         }
 *         chain gate { iifname "lo" accept; tcp dport @trial goto on_trial; goto committed }
 *         chain committed { ip saddr @allow4 accept; ip6 saddr @allow6 accept; counter name denied drop }
 *         chain on_trial {
 *             ip saddr @trial4 counter name trial_ok accept
 *             ip6 saddr @trial6 counter name trial_ok accept
 *             counter name denied drop
 *         }
 *     }
 *
 * Only SYN is matched, never conntrack's state: a live session outlives every change. The mode open is an
 * empty `committed`; on trial it is `counter name trial_ok accept`. Without a trial `on_trial` is empty. A
 * trial ends when the kernel forgets its ports in `trial`: no process has to be alive for that.
 */
#ifndef SP_HOST_NFTRULES_H
#define SP_HOST_NFTRULES_H

#include "base/buf.h"
#include "host/nft.h"
#include "host/nftlink.h"

#define SP_NFT_TABLE "sallyport"

enum sp_nftrules_set {
    SP_NFTRULES_PORTS,
    SP_NFTRULES_ALLOW4,
    SP_NFTRULES_ALLOW6,
    SP_NFTRULES_TRIAL,
    SP_NFTRULES_TRIAL4,
    SP_NFTRULES_TRIAL6,
    SP_NFTRULES_SETS
};

/* Whose sets of sources: allow4 and allow6, or trial4 and trial6. */
enum sp_nftrules_lane { SP_NFTRULES_COMMITTED, SP_NFTRULES_ON_TRIAL };

struct sp_nftrules_set_spec {
    const char *name;
    uint32_t key_type; /* nft(8)'s own numbers of data types, so that `nft list` can print it */
    uint32_t key_len;
    uint32_t flags;
};

extern const struct sp_nftrules_set_spec sp_nftrules_sets[SP_NFTRULES_SETS];
extern const char *const sp_nftrules_chains[]; /* NULL-terminated; the first is the base chain */

#define SP_NFTRULES_TRIAL_CHAIN "on_trial"
#define SP_NFTRULES_PROVED "trial_ok"   /* the counter */
#define SP_NFTRULES_HOOK_PRIORITY (-20) /* filter - 20 */
#define SP_NFTRULES_USE 12              /* chains, sets and counters in the table, as the kernel counts */

/* Append the messages that replace the whole table, elements apart; the counter of a trial goes on. */
int sp_nftrules_build(struct sp_nftlink_batch *b, const struct sp_nft_ruleset *want, struct sp_error *err);

struct nftnl_rule;

/* One line of text for each expression of a rule; numbers of rules and handles are left out. */
void sp_nftrules_print(const struct nftnl_rule *r, struct sp_buf *out);

/* What sp_nftrules_print() says of all rules of our `chain`. A trial's chain may be ABSENT, too: empty. */
int sp_nftrules_expected(const char *chain, enum sp_nft_body body, struct sp_buf *out,
                         struct sp_error *err);

#endif
