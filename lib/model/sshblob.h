/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The bytes of a public key as SSH sends them (RFC 4253 section 6.6, RFC 5656 section 3.1, RFC 8709 section
 * 4, OpenSSH's PROTOCOL.u2f). What sshkey.c is made of.
 */
#ifndef SP_MODEL_SSHBLOB_H
#define SP_MODEL_SSHBLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define SP_SSHBLOB_MAX 4096 /* RSA of 16384 bits needs some 2,080 bytes */

/* Is `type` (of n bytes) a type that a key may have here? Else SP_E_INVALID with reason and mend. */
int sp_sshblob_check_type(const char *type, size_t n, struct sp_error *err);

/* Would sshd take this word for a key type, be it one that is refused here? */
bool sp_sshblob_is_type(const char *word, size_t n);

/* The type inside the blob (borrowed), or NULL. */
const char *sp_sshblob_type(const uint8_t *blob, size_t len, size_t *ret_len);

/* How many bytes a blob that begins so has in all: more than `len` where it goes on, 0 where that cannot be
 * told yet, `len` for types that are refused anyway. */
size_t sp_sshblob_extent(const uint8_t *blob, size_t len);

/* The whole blob, to the last byte, as a key of `type`; *ret_bits is its strength as ssh-keygen prints it.
 */
int sp_sshblob_check(const char *type, const uint8_t *blob, size_t len, unsigned *ret_bits,
                     struct sp_error *err);

#endif
