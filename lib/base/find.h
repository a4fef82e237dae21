/* SPDX-License-Identifier: GPL-3.0-or-later */
/* memmem(3) for passwd and group of a host with ten thousand users, which one request searches dozens of
 * times: glibc's looks at one place at a time, this at 64. */
#ifndef SP_BASE_FIND_H
#define SP_BASE_FIND_H

#include <stddef.h>

/* The first place of the `n` bytes at text; NULL: there is none. */
const char *sp_find(const char *bytes, size_t len, const char *text, size_t n);

#endif
