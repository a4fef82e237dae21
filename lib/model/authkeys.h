/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * authorized_keys (sshd(8), "AUTHORIZED_KEYS FILE FORMAT") as bytes in, bytes out. Lines that are not ours
 * are kept byte for byte; a line is ours when its key's fingerprint is one that the panel named.
 */
#ifndef SP_MODEL_AUTHKEYS_H
#define SP_MODEL_AUTHKEYS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "model/cidr.h"
#include "model/keynotes.h"
#include "model/keyrules.h"
#include "model/sshkey.h"

#define SP_KEY_ADDED_BY_SIZE 64

struct sp_key {
    struct sp_sshkey key;
    char label[SP_LABEL_SIZE];           /* printable UTF-8, may be "" */
    struct sp_cidr_list from;            /* empty: from anywhere */
    int64_t expires_at;                  /* 0: never */
    struct sp_keyrules rules;            /* what it may do less than the account */
    int64_t added_at;                    /* 0: before it was noted */
    char added_by[SP_KEY_ADDED_BY_SIZE]; /* the caller's user name; "" when unknown */
    struct sp_keynotes notes;            /* what intake mended on it; nothing on a stored key */
};

struct sp_key_list {
    struct sp_key *v; /* owned */
    size_t n;
};

void sp_key_clear(struct sp_key *k);
/* Overwrites *dst, which must be empty before. */
int sp_key_copy(struct sp_key *dst, const struct sp_key *src, struct sp_error *err);
void sp_key_list_clear(struct sp_key_list *l);
int sp_key_list_add(struct sp_key_list *l, const struct sp_key *k,
                    struct sp_error *err); /* copies; replaces the same fingerprint */
const struct sp_key *sp_key_list_find(const struct sp_key_list *l, const char *fingerprint);

/* Append one line, newline included: [from="..."][,expiry-time="YYYYMMDDHHMMSSZ"]
 * [,RULES of keyrules.h] TYPE BASE64 LABEL. The
 * writer checks label, blocks and key again: no value can add a line or an option.
 *
 * The 'Z' (UTC) is known to sshd from 9.1 on (tried with 9.2 of Debian 12; Ubuntu 24.04 has 9.6). The 8.9
 * of Ubuntu 22.04 and the 8.7 of EL9 read local time only and refuse a whole line with a 'Z': the key is
 * then shut out at once, never let in too long. On such a host an expiry has to be left to reconcile. */
int sp_authkeys_line(const struct sp_key *k, struct sp_buf *out, struct sp_error *err);

/* One line of a file as sshd would read it. */
struct sp_authkeys_entry {
    const char *line; /* borrowed: the raw line without its newline */
    size_t line_len;
    size_t line_number;                    /* from 1 */
    char fingerprint[SP_FINGERPRINT_SIZE]; /* "" for blank lines, comments and lines that hold no key we can
                                              read */
    char type[48];
    bool unread; /* memory ended: nobody knows what the line holds */
};

/* Call `visit` for each line. Stops at its first non-zero answer and returns it. */
int sp_authkeys_each(const char *bytes, size_t len, int (*visit)(const struct sp_authkeys_entry *, void *),
                     void *data);

/* The new file: every line of `old` whose fingerprint is in neither list is kept byte for byte (a missing
 * final newline is completed before anything is added); lines of `want` are written in order in place of
 * the first line with the same fingerprint, further ones with that fingerprint go, missing ones are
 * appended; lines whose fingerprint is in `drop` (an array of n_drop fingerprints) go, unless it is in
 * `want` too. If nothing differs, *out equals old. err->field is "[i].from[0]" of the key of `want` at
 * fault. */
int sp_authkeys_edit(const char *old, size_t old_len, const struct sp_key_list *want,
                     const char *const *drop, size_t n_drop, struct sp_buf *out, struct sp_error *err);

#endif
