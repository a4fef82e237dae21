/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SipHash-2-4 (Aumasson, Bernstein: SipHash, a fast short-input PRF, 2012): a sum that nobody can aim at
 * who does not know the key. Fed in pieces. */
#ifndef SP_MODEL_SIPHASH_H
#define SP_MODEL_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct sp_siphash {
    uint64_t v[4], tail;
    size_t len;
};

void sp_siphash_begin(struct sp_siphash *s, const uint64_t key[2]);
void sp_siphash_add(struct sp_siphash *s, const void *bytes, size_t len);
uint64_t sp_siphash_end(struct sp_siphash *s);

uint64_t sp_siphash(const uint64_t key[2], const void *bytes, size_t len);

#endif
