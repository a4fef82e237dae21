/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/find.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define LANE 16  /* every x86-64 and every aarch64 compares so many bytes at once */
#define BLOCK 64 /* places looked at before the first "is one among them?" */
#define TAIL 4   /* bytes of the text that are compared: names of accounts differ at their end */
#define LONG 13  /* from here on glibc's steps are as wide */

typedef unsigned char lane __attribute__((vector_size(LANE)));

static inline lane load(const char *p)
{
    lane v;

    memcpy(&v, p, sizeof(v));
    return v;
}

/* Might one of the BLOCK places at p be where the TAIL bytes begin? Reads BLOCK + TAIL - 1 bytes. */
static inline bool may_begin(const char *p, const lane tail[TAIL])
{
    lane hits = {0};
    uint64_t halves[2];

    for (size_t i = 0; i < BLOCK; i += LANE)
        hits |= (lane)((load(p + i) == tail[0]) & (load(p + i + 1) == tail[1]) &
                       (load(p + i + 2) == tail[2]) & (load(p + i + 3) == tail[3]));
    memcpy(halves, &hits, sizeof(halves));
    return (halves[0] | halves[1]) != 0;
}

const char *sp_find(const char *bytes, size_t len, const char *text, size_t n)
{
    lane tail[TAIL];
    size_t at = 0;

    if (n < TAIL || n >= LONG || len < n)
        return memmem(bytes, len, text, n);
    for (size_t i = 0; i < TAIL; i++)
        tail[i] = (lane){0} + (unsigned char)text[n - TAIL + i];
    for (; len - at >= BLOCK + n - 1; at += BLOCK) {
        const char *hit =
            may_begin(bytes + at + n - TAIL, tail) ? memmem(bytes + at, BLOCK + n - 1, text, n) : NULL;
        if (hit != NULL)
            return hit;
    }
    return memmem(bytes + at, len - at, text, n);
}
