/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/siphash.h"

#include <endian.h>
#include <string.h>

static uint64_t rotate(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static void rounds(uint64_t v[4], int n)
{
    while (n-- > 0) {
        v[0] += v[1];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[0] = rotate(v[0], 32);
        v[2] += v[3];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[2] = rotate(v[2], 32);
    }
}

void sp_siphash_begin(struct sp_siphash *s, const uint64_t key[2])
{
    *s = (struct sp_siphash){
        .v = {key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
              key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)}};
}

static void word(struct sp_siphash *s, uint64_t m)
{
    s->v[3] ^= m;
    rounds(s->v, 2);
    s->v[0] ^= m;
}

void sp_siphash_add(struct sp_siphash *s, const void *bytes, size_t len)
{
    const unsigned char *p = bytes, *end = p + len;

    for (; p < end && s->len % 8 != 0; p++, s->len++) {
        s->tail |= (uint64_t)*p << 8 * (s->len % 8);
        if (s->len % 8 == 7) {
            word(s, s->tail);
            s->tail = 0;
        }
    }
    for (; end - p >= 8; p += 8, s->len += 8) {
        uint64_t m;
        memcpy(&m, p, sizeof(m));
        word(s, le64toh(m));
    }
    for (; p < end; p++, s->len++)
        s->tail |= (uint64_t)*p << 8 * (s->len % 8);
}

uint64_t sp_siphash_end(struct sp_siphash *s)
{
    word(s, s->tail | (uint64_t)s->len << 56);
    s->v[2] ^= 0xff;
    rounds(s->v, 4);
    return s->v[0] ^ s->v[1] ^ s->v[2] ^ s->v[3];
}

uint64_t sp_siphash(const uint64_t key[2], const void *bytes, size_t len)
{
    struct sp_siphash s;

    sp_siphash_begin(&s, key);
    sp_siphash_add(&s, bytes, len);
    return sp_siphash_end(&s);
}
