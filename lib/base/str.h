/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Strings: comparison without strcmp's sign traps, bounded copies that say when they did not fit. */
#ifndef SP_BASE_STR_H
#define SP_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline bool sp_streq(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* True if s begins with prefix; *ret_rest (may be NULL) then points behind it. */
bool sp_str_prefix(const char *s, const char *prefix, const char **ret_rest);

/* Copy src into dst of `size` bytes, always terminated (size > 0). 0, or -1 if it did not fit (dst is then
 * ""). */
int sp_str_copy(char *dst, size_t size, const char *src);

/* snprintf that treats truncation as failure: 0, or -1 with dst "". */
int sp_str_format(char *dst, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* src as one word of a command that people copy into a shell: as it is where it holds nothing special, else
 * in quotes; on one line in any case ($'...', which bash, ksh and zsh read). 0, or -1 if it did not fit
 * (dst is then ""): half a word is another word. */
int sp_str_quote(char *dst, size_t size, const char *src);

/* Decimal digits only: no sign, no blank, no leading zero but "0" itself, no more than max. 0 or -1. */
int sp_str_to_u64(const char *s, uint64_t max, uint64_t *ret);

/* Length of the UTF-8 sequence at s (RFC 3629, no overlong forms, no surrogates), or 0 if it is malformed.
 * len > 0. */
size_t sp_str_utf8(const char *s, size_t len);

/* True if s holds no control byte (below 0x20, 0x7f) and is well-formed UTF-8. */
bool sp_str_is_clean(const char *s, size_t len);

/* How many bytes at s (1 or more are left) are a character that hides something in clean UTF-8: a C1
 * control (U+0080..009F, where U+009B is CSI), the line and paragraph separators, a bidirectional override.
 * 0: none. */
size_t sp_str_hides(const char *s, size_t len);

/* Every control byte, every byte that is no UTF-8 and everything that hides something becomes '?'. Control
 * characters would let a text forge a log line, drive a terminal or turn a line around; a sequence that was
 * cut would make the whole answer no UTF-8. */
void sp_str_make_printable(char *s);

/* strlen(3) without the line ends at the end of what a program said. */
size_t sp_str_said_length(const char *s);

/* An absolute path, part by part: its length up to the end of the next component ("/a" of "/a/b" for 0, all
 * of it for 2); 0 behind the last one. */
size_t sp_str_next_part(const char *path, size_t len);

#endif
