/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * LD_PRELOAD=failmalloc.so FAILMALLOC=FILE PROGRAM: the Nth allocation fails, counted over PROGRAM and the
 * children that it forks. FILE holds two native longs: N (0: none), and how many there were, which is
 * written into it. A program that a child becomes has no such environment and is left alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* What glibc's own malloc is called beside "malloc". */
void *__libc_malloc(size_t size);             // NOLINT(bugprone-reserved-identifier)
void *__libc_calloc(size_t n, size_t size);   // NOLINT(bugprone-reserved-identifier)
void *__libc_realloc(void *old, size_t size); // NOLINT(bugprone-reserved-identifier)

struct shared {
    long fail_at;
    atomic_long calls;
};

static struct shared *shared;

__attribute__((constructor)) static void attach(void)
{
    const char *path = getenv("FAILMALLOC");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *map =
        fd >= 0 ? mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;

    if (map == MAP_FAILED)
        _exit(125);
    (void)close(fd);
    shared = map;
}

static int fails(void)
{
    if (shared == NULL || atomic_fetch_add(&shared->calls, 1) + 1 != shared->fail_at)
        return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t nmemb, size_t size)
{
    return fails() ? NULL : __libc_calloc(nmemb, size);
}

void *realloc(void *ptr, size_t size)
{
    return fails() ? NULL : __libc_realloc(ptr, size);
}
