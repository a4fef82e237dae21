/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Intake: what a person pasted where a key was asked for. Whatever form it has, one good public key comes
 * out of it, or a sentence that helps. The text itself is never kept: the key is its blob, decoded, judged
 * and written anew; every copy made here is wiped; no byte of the text reaches an error or a warning.
 *
 * Accepted: OpenSSH's line, broken over lines, indented, with any line ends; base64 alone; the same in
 * UTF-16 or with typographic blanks, quotes and dashes; behind options, which are dropped; RFC 4716, PKCS#8
 * and PKCS#1. Refused, each with its own reason: private keys in any form, certificates, keys cut off, two
 * keys, weak keys (sshkey.h), and whatever is no key.
 */
#ifndef SP_MODEL_KEYINTAKE_H
#define SP_MODEL_KEYINTAKE_H

#include "model/keynotes.h"
#include "model/sshkey.h"

struct sp_keyintake {
    struct sp_sshkey key;      /* owned */
    char label[SP_LABEL_SIZE]; /* the comment, as far as a label may hold it */
    struct sp_keynotes notes;  /* what was mended */
};

void sp_keyintake_clear(struct sp_keyintake *k);

/* `bytes` may hold anything. 0, or -1 with SP_E_INVALID, reason and mend; *ret is untouched then. */
int sp_keyintake_read(const char *bytes, size_t len, struct sp_keyintake *ret, struct sp_error *err);

#endif
