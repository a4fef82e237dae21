/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What sshd logged, newest last: a log file's end, or the journal by journalctl(1), of which only what
 * root's own sshd wrote is asked for. A line of a file may be forged by whoever can write to /dev/log: it
 * adds to what is known, and takes nothing away.
 */
#ifndef SP_HOST_LOGINLOG_H
#define SP_HOST_LOGINLOG_H

#include <stdint.h>

#include "base/error.h"
#include "host/host.h"

#define SP_LOGINLOG_MAX_BYTES (16U << 20) /* of the file's end, and of the one that was rotated before */

/* Call `visit` for each line (not terminated by NUL). `path`: the file; "" takes the journal where there is
 * one, else /var/log/auth.log or /var/log/secure. since: lines of the journal that are older are left out;
 * 0 takes all. SP_E_NOT_FOUND: there is no such log. */
int sp_loginlog_each(struct sp_host *h, const char *path, int64_t since,
                     void (*visit)(const char *line, size_t len, void *data), void *data,
                     struct sp_error *err);

/* The time of a line as sshdlog.h has it: seconds since the epoch, RFC 3339, or the "Nov 21 03:16:14" of
 * RFC 3164, which knows neither year nor zone: the last such moment of this host's clock. 0: it is none. */
int64_t sp_loginlog_when(struct sp_host *h, const char *at);

#endif
