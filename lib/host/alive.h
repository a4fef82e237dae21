/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Does a directory that a customer owns answer at all? A file system of a network's or of a program's
 * (FUSE) may never do so, and who waits for one cannot be helped any more. So a process that can be left
 * behind goes first - on hosts that have such a file system mounted; elsewhere nobody is asked.
 */
#ifndef SP_HOST_ALIVE_H
#define SP_HOST_ALIVE_H

#include <stddef.h>

#include "base/error.h"
#include "host/host.h"

#define SP_ALIVE_MS 2000

/* Directories, as they are named, links and all. One that is missing or may not be looked at answers, too.
 * SP_E_BUSY names the first that does not within SP_ALIVE_MS. */
int sp_alive_ask(struct sp_host *h, const char *const *paths, size_t n, struct sp_error *err);

#endif
