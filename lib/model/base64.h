/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Base64 (RFC 4648 section 4), canonical only: padded, no blanks, no bits left over. */
#ifndef SP_MODEL_BASE64_H
#define SP_MODEL_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Room for what `len` characters can hold. */
#define SP_BASE64_DECODED(len) ((len) / 4 * 3)

/* Decode into `out` (SP_BASE64_DECODED(len) bytes); 0, or -1 if the text is not canonical base64. */
int sp_base64_decode(const char *text, size_t len, uint8_t *out, size_t *ret_len);

/* Is it a character of base64, but for the padding? */
bool sp_base64_is_char(char c);

/* Decode what can be decoded of characters that may go on, up to the first that is none of base64: whole
 * bytes only, at most len / 4 * 3 + 2. Returns how many. */
size_t sp_base64_decode_some(const char *text, size_t len, uint8_t *out);

/* Append the padded text. */
void sp_base64_encode(const uint8_t *bytes, size_t len, struct sp_buf *out);

#endif
