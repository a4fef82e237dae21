/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What stands in SSH's bytes one after the other (RFC 4251 section 5). */
#ifndef SP_MODEL_SSHWIRE_H
#define SP_MODEL_SSHWIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is still unread; borrowed. */
struct sp_sshwire {
    const uint8_t *p;
    size_t left;
};

struct sp_sshwire_bytes {
    const uint8_t *p;
    size_t len;
};

/* uint32, which is not taken; there are four bytes. */
static inline size_t sp_sshwire_u32(const uint8_t *p)
{
    return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

/* string: a length of four bytes, then as many. False where it is cut off; nothing is taken then. */
static inline bool sp_sshwire_take(struct sp_sshwire *c, struct sp_sshwire_bytes *ret)
{
    size_t n;

    if (c->left < 4)
        return false;
    n = sp_sshwire_u32(c->p);
    if (n > c->left - 4)
        return false;
    *ret = (struct sp_sshwire_bytes){c->p + 4, n};
    c->p += 4 + n;
    c->left -= 4 + n;
    return true;
}

#endif
