/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sources -> disjoint intervals, as a set of the kernel wants them. Where blocks overlap, the latest expiry
 * of those that cover an address counts, and none if one of them is permanent. Doing that here rather than
 * by the kernel's auto-merge keeps comments, owners and removal right (10/8 permanent and 10.1/16 for an
 * hour: removing 10.1/16 leaves 10/8 whole).
 */
#ifndef SP_MODEL_FWCOMPILE_H
#define SP_MODEL_FWCOMPILE_H

#include "model/fwpolicy.h"

/* An address as a number; IPv4 uses the low 32 bits. */
__extension__ typedef unsigned __int128 sp_fw_address;

struct sp_fw_interval {
    sp_fw_address first, last; /* both included */
    int64_t expires_at;        /* 0: never */
};

struct sp_fw_intervals {
    struct sp_fw_interval *v; /* owned; ascending and disjoint */
    size_t n, size;
};

struct sp_fw_compiled {
    struct sp_fw_intervals v4, v6;
};

/* More than this far ahead counts as never: the kernel refuses a timeout of some centuries. */
#define SP_FW_FAR ((int64_t)100 * 365 * 86400)

void sp_fw_intervals_clear(struct sp_fw_intervals *l);
void sp_fw_compiled_clear(struct sp_fw_compiled *c);
int sp_fw_intervals_add(struct sp_fw_intervals *l, const struct sp_fw_interval *i, struct sp_error *err);

/* What may pass in this mode at `now`: the entries that have not expired and always_allow in `restricted`,
 * always_allow alone in `closed`, nothing (for nothing is held back) else. *ret must be empty before. */
int sp_fw_compile(const struct sp_fw_policy *p, const struct sp_cidr_list *always_allow, int64_t now,
                  struct sp_fw_compiled *ret, struct sp_error *err);

/* True if every address of the block lies in some interval. ret_expires_at (may be NULL): the earliest
 * expiry among them, 0 for never. */
bool sp_fw_covers(const struct sp_fw_compiled *c, const struct sp_cidr *block, int64_t *ret_expires_at);

/* The same for who asks about many, in their order: {0}, then as the last answer left it. */
struct sp_fw_place {
    size_t v4, v6;
};
bool sp_fw_covers_next(const struct sp_fw_compiled *c, const struct sp_cidr *block,
                       struct sp_fw_place *place, int64_t *ret_expires_at);

/* True if something that passes under `have` passes under `want` no more, or not as long. */
bool sp_fw_narrows(const struct sp_fw_compiled *have, const struct sp_fw_compiled *want);

/* What to take out of `have` and to put in to make it `want`. Expiries that differ by at most SP_FW_SLACK
 * seconds are one: the kernel counts from the moment of loading. Both results must be empty before. */
#define SP_FW_SLACK 5
int sp_fw_diff(const struct sp_fw_compiled *have, const struct sp_fw_compiled *want,
               struct sp_fw_compiled *ret_del, struct sp_fw_compiled *ret_add, struct sp_error *err);

sp_fw_address sp_fw_address_load(const uint8_t *bytes, size_t len); /* network byte order */
void sp_fw_address_store(sp_fw_address a, uint8_t *bytes, size_t len);

#endif
