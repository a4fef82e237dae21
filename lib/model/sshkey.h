/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One SSH public key: text -> checked value -> canonical text. Pasted text is never stored: the blob (RFC
 * 4253 section 6.6, RFC 5656, RFC 8709, PROTOCOL.u2f) is decoded, checked for its exact length and written
 * anew.
 */
#ifndef SP_MODEL_SSHKEY_H
#define SP_MODEL_SSHKEY_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

#define SP_FINGERPRINT_SIZE 64 /* "SHA256:" and 43 characters of base64 */
#define SP_LABEL_SIZE 129

struct sp_sshkey {
    char type[48]; /* "ssh-ed25519", as inside the blob */
    unsigned bits;
    char fingerprint[SP_FINGERPRINT_SIZE]; /* as ssh-keygen -lf prints it */
    uint8_t *blob;                         /* owned */
    size_t blob_len;
};

void sp_sshkey_clear(struct sp_sshkey *k);
int sp_sshkey_copy(struct sp_sshkey *dst, const struct sp_sshkey *src, struct sp_error *err);

/* Exactly one key in OpenSSH form, "TYPE BASE64 [COMMENT]", surrounding blanks allowed. Options before the
 * key, a second line, private keys, certificates, NUL and control bytes, weak keys (RSA below 2048 or above
 * 16384 bits, even modulus, e < 3, DSA) and a type unlike the blob's are refused, each with its reason and
 * mend; a private key's bytes never reach *err. ret_comment (SP_LABEL_SIZE, may be NULL) gets the comment
 * cut to printable UTF-8. */
int sp_sshkey_parse(const char *text, size_t len, struct sp_sshkey *ret, char *ret_comment,
                    struct sp_error *err);

/* "SHA256:" + 43 base64 characters, exactly; 0 or -1 with err. */
int sp_fingerprint_check(const char *text, struct sp_error *err);

/* Append "TYPE BASE64". */
void sp_sshkey_format(const struct sp_sshkey *k, struct sp_buf *out);

#endif
