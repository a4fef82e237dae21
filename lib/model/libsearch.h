/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where the dynamic loader looks for a library, and in which order: ld.so(8), without LD_LIBRARY_PATH. */
#ifndef SP_MODEL_LIBSEARCH_H
#define SP_MODEL_LIBSEARCH_H

#include "model/elf.h"
#include "model/ldcache.h"

/* Called with an absolute path. 1: that is the library, 0: go on, -1: stop with that failure. */
typedef int (*sp_libsearch_try)(void *ctx, const char *path);

/* A colon-separated search path with $ORIGIN put in ("/usr/lib/x"), without what the loader of a jail
 * cannot use: relative directories, other $ tokens. Appends ":more" unless that is NULL or "". The caller
 * frees; NULL when out of memory. */
char *sp_libsearch_expand(const char *list, const char *origin, const char *more);

/* Try the places of soname for an object with the expanded search paths rpath (with those of the objects
 * that loaded it) and runpath, each may be NULL. cache may be NULL. 1 when a try answered 1, 0 when none
 * did, -1 as soon as one did. Behind a hit in the cache its variants for other processors are tried too. */
int sp_libsearch_each(const struct sp_ldcache *cache, const struct sp_elf *elf, const char *rpath,
                      const char *runpath, const char *soname, sp_libsearch_try try, void *ctx);

#endif
