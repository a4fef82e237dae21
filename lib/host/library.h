/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A shared library that is loaded when it is wanted, so that start-up does not wait for it. */
#ifndef SP_HOST_LIBRARY_H
#define SP_HOST_LIBRARY_H

#include "base/error.h"

/* The first of `names` (NULL at the end) that this host has: for dlclose(3). NULL: SP_E_UNSUPPORTED where
 * it has none of them, SP_E_IO or SP_E_NO_MEMORY where one is there and cannot be loaded. flags:
 * dlopen(3)'s. */
void *sp_library_open(const char *const *names, int flags, struct sp_error *err);

#endif
