/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Source addresses as CIDR blocks (RFC 4632, RFC 4291), strictly: what nft and sshd accept by accident is
 * refused. */
#ifndef SP_MODEL_CIDR_H
#define SP_MODEL_CIDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define SP_CIDR_SIZE 64

struct sp_cidr {
    uint8_t family;   /* 4 or 6 */
    uint8_t prefix;   /* 1..32, 1..128 */
    uint8_t addr[16]; /* network byte order; IPv4 uses the first four, the rest is zero */
};

struct sp_cidr_list {
    struct sp_cidr *v; /* owned */
    size_t n;
};

void sp_cidr_list_clear(struct sp_cidr_list *l);
int sp_cidr_list_add(struct sp_cidr_list *l, const struct sp_cidr *c,
                     struct sp_error *err); /* an exact duplicate is a no-op */
/* Overwrites *dst, which must be empty before. */
int sp_cidr_list_copy(struct sp_cidr_list *dst, const struct sp_cidr_list *src, struct sp_error *err);

/* One address or block. Refused with reason and mend: /0, host bits set (the hint has the masked form),
 * leading zeros, hex, short IPv4, host names, ranges, wildcards, zone ids, v4-mapped IPv6 (the hint has the
 * v4 form), multicast, 240/4, unspecified, loopback, bare fe80::/10. On failure *ret is untouched. */
int sp_cidr_parse(const char *text, struct sp_cidr *ret, struct sp_error *err);

/* Any address or block, those too that are nobody's source: what rules of others name. Bits behind the
 * prefix are cleared. -1 where it is none; then *ret is untouched. */
int sp_cidr_read(const char *text, struct sp_cidr *ret);

/* sp_cidr_parse()'s judgement on a value, for writers that were handed one. */
int sp_cidr_check(const struct sp_cidr *c, struct sp_error *err);

/* Canonical text (RFC 5952); /32 and /128 are left out. */
void sp_cidr_format(const struct sp_cidr *c, char out[SP_CIDR_SIZE]);

bool sp_cidr_equal(const struct sp_cidr *a, const struct sp_cidr *b);
bool sp_cidr_contains(const struct sp_cidr *outer, const struct sp_cidr *inner);

/* What lies in both lists, as blocks. An empty *result* means "nowhere"; an empty *input* means
 * "everywhere" and yields the other list. *ret must be empty before. */
int sp_cidr_list_intersect(const struct sp_cidr_list *a, const struct sp_cidr_list *b,
                           struct sp_cidr_list *ret, struct sp_error *err);

#endif
