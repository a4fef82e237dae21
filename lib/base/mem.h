/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Ownership by scope. Every local that owns something carries a cleanup attribute and is initialised where
 * it is declared; hand-over is sp_steal_ptr() or sp_steal_fd().
 *
 *     _cleanup_free_ char *s = NULL;
 *     _cleanup_close_ int fd = -1;
 */
#ifndef SP_BASE_MEM_H
#define SP_BASE_MEM_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

static inline void sp_cleanup_free(void *p)
{
    int saved = errno;
    free(*(void **)p);
    errno = saved;
}

/* errno survives, so that a failing function may read it after its locals are gone. */
static inline void sp_cleanup_close(const int *fd)
{
    int saved = errno;
    if (*fd >= 0)
        (void)close(*fd);
    errno = saved;
}

static inline void sp_cleanup_closedir(DIR *const *dir)
{
    int saved = errno;
    if (*dir != NULL)
        (void)closedir(*dir);
    errno = saved;
}

#define _cleanup_free_ _cleanup_(sp_cleanup_free)
#define _cleanup_close_ _cleanup_(sp_cleanup_close)
#define _cleanup_closedir_ _cleanup_(sp_cleanup_closedir)

static inline int sp_steal_fd(int *fd)
{
    int stolen = *fd;
    *fd = -1;
    return stolen;
}

#define sp_steal_ptr(p)                                                                                    \
    ({                                                                                                     \
        __typeof__(p) stolen_ = (p);                                                                       \
        (p) = NULL;                                                                                        \
        stolen_;                                                                                           \
    })

#define SP_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
