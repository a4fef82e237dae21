/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Keys found in clean text (model/keytext.h), good ones and bad ones: "TYPE BASE64" wherever it stands,
 * base64 alone, and the armoured blocks of RFC 4716, PKCS#8 and PKCS#1. What is made of them is
 * keyintake.c's.
 */
#ifndef SP_MODEL_KEYSCAN_H
#define SP_MODEL_KEYSCAN_H

#include "model/sshkey.h"

#define SP_KEYSCAN_MAX 8 /* more than people will compare */

struct sp_keyfound {
    struct sp_sshkey key; /* owned; only the fingerprint, where the key is refused; "" where even that is
                             not known */
    bool good;
    bool armoured;       /* a block with BEGIN and END */
    unsigned notes;      /* enum sp_keynote */
    size_t start, end;   /* where it stands: the type's first byte, or BEGIN; behind the last */
    const char *comment; /* borrowed from the text: the block's Comment, or NULL */
    size_t comment_len;
    struct sp_error err; /* why it is refused */
};

struct sp_keyscan {
    struct sp_keyfound v[SP_KEYSCAN_MAX];
    size_t n;
    bool more; /* there were more than these */
};

void sp_keyscan_clear(struct sp_keyscan *s);

/* 0, or -1 for a block that is no key at all (a certificate, PGP) and when memory is short. */
int sp_keyscan_find(const char *text, struct sp_keyscan *ret, struct sp_error *err);

/* The base64 of a key: the characters of one blob, however they were broken over lines. */
struct sp_keychars {
    struct sp_buf text; /* without padding; wiped by sp_keychars_wipe() */
    const char *end;    /* behind it in the text, padding included */
    unsigned notes;
};

void sp_keychars_wipe(struct sp_keychars *c);

/* Read from `p` on until the blob is whole: it says itself how long it is. SP_E_INVALID where it is cut off
 * or goes on behind its end; *ret then holds what there is. */
int sp_keychars_collect(const char *p, struct sp_keychars *ret, struct sp_error *err);

/* A block that begins at `begin` ("BEGIN" behind its dashes); *ret_next is where to read on. 1: a key
 * stands in *ret, be it refused; -1: it is no key. */
int sp_keyarmour_read(const char *text, const char *begin, struct sp_keyfound *ret, const char **ret_next,
                      struct sp_error *err);

/* The whole text is the base64 of such a block that lost its BEGIN and END. */
void sp_keyarmour_bare(const char *text, struct sp_keyfound *ret);

/* Judge the blob and fill `found`: key or reason. `type` as in sp_sshkey_from_blob(). */
int sp_keyfound_judge(struct sp_keyfound *found, const char *type, const uint8_t *blob, size_t len);

#endif
