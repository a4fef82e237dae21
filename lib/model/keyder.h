/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Public keys as PKIX and PKCS#1 write them in DER (RFC 5280 section 4.1, RFC 8017 appendix A.1.1, RFC
 * 5480, RFC 8410): what `openssl pkey -pubout` and `ssh-keygen -e -m PKCS8` give.
 */
#ifndef SP_MODEL_KEYDER_H
#define SP_MODEL_KEYDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

/* Append to *blob what SSH makes of the key (see sshblob.h); its numbers are judged there. `characters` is
 * how much base64 the DER came from, for the sentence about a key that is cut off. A private key is refused
 * as such, whatever was written above it. */
int sp_keyder_read(const uint8_t *der, size_t len, size_t characters, struct sp_buf *blob,
                   struct sp_error *err);

/* Do the bytes begin like a private key: PKCS#1, SEC 1 or PKCS#8, encrypted or not? */
bool sp_keyder_is_private(const uint8_t *der, size_t len);

#endif
