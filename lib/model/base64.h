/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Base64 (RFC 4648 section 4), canonical only: padded, no blanks, no bits left over. */
#ifndef SP_MODEL_BASE64_H
#define SP_MODEL_BASE64_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Room for what `len` characters can hold. */
#define SP_BASE64_DECODED(len) ((len) / 4 * 3)

/* Decode into `out` (SP_BASE64_DECODED(len) bytes); 0, or -1 if the text is not canonical base64. */
int sp_base64_decode(const char *text, size_t len, uint8_t *out, size_t *ret_len);

/* Append the padded text. */
void sp_base64_encode(const uint8_t *bytes, size_t len, struct sp_buf *out);

#endif
