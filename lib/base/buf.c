/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/buf.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CHUNK 16384
#define BIG ((size_t)65536)

void sp_buf_clear(struct sp_buf *b)
{
    free(b->data);
    *b = (struct sp_buf){0};
}

void sp_buf_wipe(struct sp_buf *b)
{
    if (b->data != NULL)
        explicit_bzero(b->data, b->size);
    sp_buf_clear(b);
}

bool sp_buf_ok(const struct sp_buf *b)
{
    return !b->failed;
}

const char *sp_buf_str(const struct sp_buf *b)
{
    return b->data != NULL ? b->data : "";
}

char *sp_buf_steal(struct sp_buf *b)
{
    char *data;

    sp_buf_add(b, "", 0);
    if (b->failed)
        return NULL;
    data = b->data;
    *b = (struct sp_buf){0};
    return data;
}

/* Room for `more` bytes and the NUL. The old block is wiped on growth: it may hold a secret. */
static bool reserve(struct sp_buf *b, size_t more)
{
    size_t want = b->size != 0 ? b->size : 256;
    char *data;

    if (b->failed || more > ((size_t)-1) / 4 || b->len > ((size_t)-1) / 4)
        goto fail;
    while (want < b->len + more + 1)
        want *= 2;
    if (b->size == 0 && want > BIG) /* whoever asks for that much at once knows how much it will be */
        want = b->len + more + 1;
    if (want == b->size)
        return true;
    data = malloc(want);
    if (data == NULL)
        goto fail;
    if (b->data != NULL) {
        memcpy(data, b->data, b->len + 1);
        explicit_bzero(b->data, b->size);
        free(b->data);
    }
    b->data = data;
    b->size = want;
    return true;
fail:
    b->failed = true;
    return false;
}

void sp_buf_reserve(struct sp_buf *b, size_t more)
{
    if (reserve(b, more))
        b->data[b->len] = '\0';
}

ssize_t sp_buf_read(struct sp_buf *b, int fd, size_t max)
{
    ssize_t n;

    if (!reserve(b, max)) {
        errno = ENOMEM;
        return -1;
    }
    n = read(fd, b->data + b->len, max);
    b->len += n > 0 ? (size_t)n : 0;
    b->data[b->len] = '\0';
    return n;
}

void sp_buf_add(struct sp_buf *b, const void *bytes, size_t len)
{
    /* Most often there is room. */
    if ((b->failed || b->size - b->len <= len) && !reserve(b, len))
        return;
    if (len > 0)
        memcpy(b->data + b->len, bytes, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void sp_buf_add_utf8(struct sp_buf *b, uint32_t c)
{
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    char s[4];

    for (size_t i = n; i-- > 1; c >>= 6)
        s[i] = (char)(0x80 | (c & 0x3f));
    s[0] = (char)(lead[n] | c);
    sp_buf_add(b, s, n);
}

/* Into the room that there is; a second time where that was too small. */
void sp_buf_printf(struct sp_buf *b, const char *fmt, ...)
{
    size_t room = b->size - b->len;
    va_list ap, again;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(b->data != NULL ? b->data + b->len : NULL, b->data != NULL ? room : 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        b->failed = true;
    else if ((size_t)n >= room && reserve(b, (size_t)n))
        (void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
    if (b->failed && b->data != NULL)
        b->data[b->len] = '\0';
    else if (n >= 0)
        b->len += (size_t)n;
    va_end(again);
}

static long long now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Wait until fd is readable. 1 readable (or at its end), 0 too late, -1 errno. */
static int wait_readable(int fd, long long until)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    for (;;) {
        long long left = until == 0 ? -1 : until - now_ms();
        int n;

        if (until != 0 && left <= 0)
            return 0;
        n = poll(&p, 1, (int)left);
        if (n >= 0 || errno != EINTR)
            return n;
    }
}

int sp_buf_read_fd(struct sp_buf *b, int fd, size_t max, unsigned deadline_ms, struct sp_error *err)
{
    long long until = deadline_ms != 0 ? now_ms() + deadline_ms : 0;
    ssize_t n;

    do {
        int ready = wait_readable(fd, until);
        if (ready == 0)
            return sp_fail(err, SP_E_BUSY, 0, "the input did not end within %u ms", deadline_ms);
        n = ready < 0 ? -1 : sp_buf_read(b, fd, CHUNK);
        if (b->len > max)
            return sp_fail(err, SP_E_INVALID, 0, "more than %zu bytes", max);
    } while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
    if (b->failed)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    return n == 0 ? 0 : sp_fail(err, SP_E_IO, errno, "reading failed");
}

int sp_write_all(int fd, const void *bytes, size_t len)
{
    const char *p = bytes;

    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}
