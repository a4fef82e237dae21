/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A growable byte buffer with a sticky failure: after one malloc failure every later append is a no-op and
 * sp_buf_ok() answers false, so that a writer checks once, at the end.
 *
 *     _cleanup_(sp_buf_clear) struct sp_buf b = {0};
 */
#ifndef SP_BASE_BUF_H
#define SP_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "base/error.h"

struct sp_buf {
    char *data; /* owned; NUL-terminated whenever it is not NULL */
    size_t len; /* without that NUL */
    size_t size;
    bool failed;
};

void sp_buf_clear(struct sp_buf *b); /* frees; the buffer may be used again */
void sp_buf_wipe(struct sp_buf *b);  /* explicit_bzero, then clear: for secrets */
bool sp_buf_ok(const struct sp_buf *b);
const char *sp_buf_str(const struct sp_buf *b); /* "" when empty; borrowed */
char *sp_buf_steal(struct sp_buf *b); /* caller frees; NULL if failed; "" is allocated when empty */

void sp_buf_reserve(struct sp_buf *b, size_t more); /* room for that many, where the caller knows */
/* One read(2) of at most `max` bytes to its end: what read returned. */
ssize_t sp_buf_read(struct sp_buf *b, int fd, size_t max);
void sp_buf_add(struct sp_buf *b, const void *bytes, size_t len);
void sp_buf_add_utf8(struct sp_buf *b, uint32_t c); /* a code point, RFC 3629; the caller knows it is one */
/* Here, where the length of a literal is known. */
static inline void sp_buf_puts(struct sp_buf *b, const char *s)
{
    sp_buf_add(b, s, strlen(s));
}
void sp_buf_printf(struct sp_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Read fd to its end. More than `max` bytes is SP_E_INVALID, a read error SP_E_IO; *b is then unchanged or
 * partly filled and the caller discards it. deadline_ms: 0 waits for ever, else the whole read must end
 * within that many milliseconds (SP_E_BUSY when it does not). */
int sp_buf_read_fd(struct sp_buf *b, int fd, size_t max, unsigned deadline_ms, struct sp_error *err);

/* write(2) until all is out; 0 or -1 with errno. EINTR is retried. */
int sp_write_all(int fd, const void *bytes, size_t len);

#endif
