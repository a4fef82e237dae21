/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How many processes. Where systemd made this login a session, the user's slice holds the limit, and counts
 * what is in the slice alone. Elsewhere (no systemd, or a crontab line) the shell gets RLIMIT_NPROC: it
 * counts every process of the uid, but stops only those that came from here.
 */
#include "entry.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

/* cgroups(7): the line of the unified tree begins with "0::". Read before the jail's /proc covers it. */
void sp_limits_look(struct sp_entry *e)
{
    char text[4096], slice[64], *save = NULL;
    _cleanup_close_ int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    (void)sp_str_format(slice, sizeof(slice), "0::/user.slice/user-%u.slice/", (unsigned)e->record.uid);
    text[n > 0 ? n : 0] = '\0';
    for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
        e->in_slice = e->in_slice || sp_str_prefix(line, slice, &(const char *){NULL});
}

/* Of the shell's own process, so that a login still comes in where the account is at its limit: `kill` is
 * part of bash. setrlimit(2): what is lowered without a capability stays lowered. */
int sp_limits_set(const struct sp_entry *e, struct sp_error *err)
{
    struct rlimit limit;

    if (e->in_slice || e->record.processes == 0)
        return 0;
    if (getrlimit(RLIMIT_NPROC, &limit) < 0)
        return sp_fail(err, SP_E_IO, errno, "RLIMIT_NPROC");
    if (limit.rlim_max > e->record.processes)
        limit.rlim_max = e->record.processes;
    if (limit.rlim_cur > limit.rlim_max)
        limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NPROC, &limit) < 0 ? sp_fail(err, SP_E_IO, errno, "RLIMIT_NPROC") : 0;
}
