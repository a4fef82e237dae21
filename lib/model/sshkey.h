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
#define SP_MD5_SIZE 52         /* "MD5:" and 16 hex pairs with colons between */
#define SP_LABEL_SIZE 129
#define SP_SSHKEY_TYPE_SIZE 48

struct sp_sshkey {
    char type[SP_SSHKEY_TYPE_SIZE]; /* "ssh-ed25519", as inside the blob */
    unsigned bits;
    char fingerprint[SP_FINGERPRINT_SIZE]; /* as ssh-keygen -lf prints it */
    uint8_t *blob;                         /* owned */
    size_t blob_len;
};

void sp_sshkey_clear(struct sp_sshkey *k);
int sp_sshkey_copy(struct sp_sshkey *dst, const struct sp_sshkey *src, struct sp_error *err);

/* Exactly one key in OpenSSH form, "TYPE BASE64 [COMMENT]"; blanks and line ends around it are allowed.
 * Options before the key, a second line, private keys, certificates, NUL and control bytes, weak keys (RSA
 * below 2048 or above 16384 bits, even modulus, e < 3 or even, ROCA, DSA) and a type unlike the blob's are
 * refused, each with its reason and mend; no byte of the text reaches *err. ret_comment (SP_LABEL_SIZE, may
 * be NULL) gets the comment cut to what a label may hold. Not checked: that an ECDSA point lies on its
 * curve (sshd ignores such a key). */
int sp_sshkey_parse(const char *text, size_t len, struct sp_sshkey *ret, char *ret_comment,
                    struct sp_error *err);

/* A key from its blob, judged like one that was parsed. `type` is what stood before it; NULL takes the one
 * inside. */
int sp_sshkey_from_blob(const char *type, const uint8_t *blob, size_t len, struct sp_sshkey *ret,
                        struct sp_error *err);

/* What a label may hold of this text, which need not be clean: whole characters, cut to SP_LABEL_SIZE. */
void sp_sshkey_label(const char *text, size_t len, char ret[SP_LABEL_SIZE]);

/* The same judgement on a value, for writers that were handed one. */
int sp_sshkey_check(const struct sp_sshkey *k, struct sp_error *err);

/* What sshd would find at the beginning of `text`, weak and refused types too: the type inside the blob,
 * and the fingerprint. -1 if there is no key, -2 if memory ended. One line
 * without NUL. */
int sp_sshkey_peek(const char *text, size_t len, char ret_type[SP_SSHKEY_TYPE_SIZE],
                   char ret_fingerprint[SP_FINGERPRINT_SIZE]);

/* -1 only if memory is short. */
int sp_sshkey_fingerprint(const uint8_t *blob, size_t len, char ret[SP_FINGERPRINT_SIZE]);

/* As `ssh-keygen -E md5` prints it, for eyes that compare with an old note: "MD5:" and 16 hex pairs. */
void sp_sshkey_md5(const uint8_t *blob, size_t len, char ret[SP_MD5_SIZE]);

/* "SHA256:" + 43 base64 characters, exactly; 0 or -1 with err. */
int sp_fingerprint_check(const char *text, struct sp_error *err);

/* Append "TYPE BASE64". */
void sp_sshkey_format(const struct sp_sshkey *k, struct sp_buf *out);

#endif
