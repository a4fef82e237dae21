/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What was mended on a pasted key before it was accepted: bits that travel with the key's value, and one
 * sentence for each when people are to read them. The sentences hold no byte of the pasted text.
 */
#ifndef SP_MODEL_KEYNOTES_H
#define SP_MODEL_KEYNOTES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum sp_keynote {
    SP_KEYNOTE_ENCODING = 1 << 0,  /* UTF-16, or a byte order mark in front */
    SP_KEYNOTE_BLANKS = 1 << 1,    /* no-break spaces and their kin */
    SP_KEYNOTE_INVISIBLE = 1 << 2, /* zero-width characters */
    SP_KEYNOTE_QUOTES = 1 << 3,    /* typographic quotes and dashes */
    SP_KEYNOTE_JOINED = 1 << 4,    /* broken over lines */
    SP_KEYNOTE_TYPE = 1 << 5,      /* the word before the base64 was missing or misspelt */
    SP_KEYNOTE_PADDING = 1 << 6,   /* the '=' at the end was missing */
    SP_KEYNOTE_OPTIONS = 1 << 7,   /* options of authorized_keys stood in front */
    SP_KEYNOTE_CONVERTED = 1 << 8, /* RFC 4716, PKCS#8 or PKCS#1 */
    SP_KEYNOTE_AROUND = 1 << 9,    /* other lines before or behind */
    SP_KEYNOTE_TWICE = 1 << 10,    /* the same key again */
};

struct sp_keynotes {
    unsigned bits;    /* enum sp_keynote */
    unsigned options; /* which options were dropped; sp_keynotes_options() */
};

/* How many bytes at `p` are options as sshd(8), "AUTHORIZED_KEYS FILE FORMAT", has them: NAME or
 * NAME="VALUE", known names only, separated by commas, blanks only within quotes, up to a blank or the end
 * of the line. 0: they are none. Which ones is added to *ret: a bit for each name. */
size_t sp_keynotes_options(const char *p, unsigned *ret);

/* Is this a set of options that makes the line trust a certificate authority? */
bool sp_keynotes_trusts_authority(unsigned options);

/* Append the i-th sentence; false behind the last. */
bool sp_keynotes_sentence(const struct sp_keynotes *n, size_t i, struct sp_buf *out);

#endif
