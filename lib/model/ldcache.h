/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * /etc/ld.so.cache as ldconfig(8) of glibc writes it: "glibc-ld.so.cache1.1", alone or behind the table of
 * the old format (glibc's sysdeps/generic/dl-cache.h).
 */
#ifndef SP_MODEL_LDCACHE_H
#define SP_MODEL_LDCACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct sp_ldcache_lib {
    const char *soname; /* borrowed from the bytes */
    const char *path;
    uint32_t flags;
    uint64_t hwcap; /* not 0: a variant for some processors, glibc-hwcaps */
    size_t order;   /* place in the file: the loader takes the first */
};

struct sp_ldcache {
    struct sp_ldcache_lib *libs; /* owned, sorted by soname, then by order */
    size_t n_libs;
};

#define SP_LDCACHE_ANY 0U /* whatever the machine */

void sp_ldcache_clear(struct sp_ldcache *c);

/* *ret borrows the bytes for its lifetime. SP_E_INVALID for anything but a well-formed cache. */
int sp_ldcache_parse(const void *bytes, size_t len, struct sp_ldcache *ret, struct sp_error *err);

/* The flags the loader of that machine looks for, or SP_LDCACHE_ANY for a machine not known here. */
uint32_t sp_ldcache_flags(uint16_t machine, bool is64);

/* The path the loader takes for soname, and behind it the variants it may prefer on some processors. Writes
 * at most max; returns how many. */
size_t sp_ldcache_find(const struct sp_ldcache *c, const char *soname, uint32_t flags, const char **paths,
                       size_t max);

#endif
