/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What sshd logged, newest last: a log file's end, or the journal by journalctl(1), of which only what
 * root's own sshd wrote is asked for. A line of a file may be forged by whoever can write to /dev/log: who
 * acts on one asks first whether it fits what the kernel tells of the process that it names.
 */
#ifndef SP_HOST_LOGINLOG_H
#define SP_HOST_LOGINLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "host/host.h"

#define SP_LOGINLOG_MAX_BYTES (16U << 20) /* of the file's end, and of the one that was rotated before */

/* Call `visit` for each line (not terminated by NUL); line is NULL where lines before are not shown.
 * `path`: the file; "" takes the journal where there is one, else /var/log/auth.log or /var/log/secure.
 * since: lines of the journal that are older are left out; 0 takes all. SP_E_NOT_FOUND: there is no such
 * log. */
int sp_loginlog_each(struct sp_host *h, const char *path, int64_t since,
                     void (*visit)(const char *line, size_t len, void *data), void *data,
                     struct sp_error *err);

/* Is it the journal that tells, in which nobody can write in sshd's name? */
bool sp_loginlog_is_journal(struct sp_host *h, const char *path);

/* The time of a line as sshdlog.h has it: seconds since the epoch, RFC 3339, or the "Nov 21 03:16:14" of
 * RFC 3164, which knows neither year nor zone: the last such moment of this host's clock. 0: it is none. */
int64_t sp_loginlog_when(struct sp_host *h, const char *at);

/* Can a login whose connection began then have been let in at that time? LoginGraceTime of sshd_config(5)
 * is 120 s; and two clocks are read. */
#define SP_LOGINLOG_GRACE_S 180
#define SP_LOGINLOG_SLACK_S 3
static inline bool sp_loginlog_fits(int64_t began, int64_t at)
{
    return at >= began - SP_LOGINLOG_SLACK_S && at <= began + SP_LOGINLOG_GRACE_S;
}

#endif
