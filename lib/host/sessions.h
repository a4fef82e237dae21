/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whose processes are a login over SSH: every process of the uid whose audit session (proc(5) sessionid,
 * loginuid) was opened by an sshd for that account, or whose ancestor is such an sshd, or that lives in a
 * jail of the account (its PID 1). A daemon of the same uid that no sshd started (PHP-FPM, cron's jobs) is
 * none. What outlived its sshd (tmux) is known by its audit session, which no living process of root's
 * leads and no service of the host's holds: that id stays whatever cgroup a process is moved to. Without
 * audit in the kernel, ancestry and jails are all there is.
 */
#ifndef SP_HOST_SESSIONS_H
#define SP_HOST_SESSIONS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "host/host.h"

struct sp_sessions {
    pid_t *pids;      /* owned; processes of the uid and the sshd processes that serve them */
    uint64_t *starts; /* owned; when each was started, in clock ticks after boot (proc(5)): with the pid it
                         names a process for good */
    size_t n;
    size_t n_logins; /* living sshd connections among them */
    pid_t manager;   /* systemd --user among them, or 0: SIGTERM is what it calls an orderly end */
};

void sp_sessions_clear(struct sp_sessions *s);
int sp_sessions_find(struct sp_host *h, const char *user, uid_t uid, struct sp_sessions *ret,
                     struct sp_error *err);

/* SIGHUP, a short grace, SIGKILL, until a new look finds none; by pidfd, so that no recycled pid is hit.
 * SP_E_BUSY if some live on after deadline_ms. ret_ended: how many processes were ended.
 * systemd --user goes with the last of them, since what it starts anew would be theirs; but where the user
 * lingers (loginctl(1)) it is a daemon that needs no login, and stays.
 * Where root_fd is a test's directory nothing is signalled; ret_ended is how many there are. */
int sp_sessions_end(struct sp_host *h, const char *user, uid_t uid, unsigned deadline_ms, size_t *ret_ended,
                    struct sp_error *err);

/* Root's half of each living connection of the account, and when it began, in seconds since the epoch: the
 * connection's first second. */
struct sp_servers { /* {0} is empty */
    pid_t *pids;    /* owned */
    int64_t *began; /* owned */
    size_t n;
};
void sp_servers_clear(struct sp_servers *s);
int sp_sessions_servers(struct sp_host *h, const char *user, uid_t uid, struct sp_servers *ret,
                        struct sp_error *err);

/* The same as sp_sessions_end(), but for the logins that these n servers serve: their descendants, and what
 * is left of their audit sessions. A jail that they may share goes on. What no living server can answer for
 * (tmux) is ended. */
int sp_sessions_end_but(struct sp_host *h, const char *user, uid_t uid, const pid_t *keep, size_t n,
                        unsigned deadline_ms, size_t *ret_ended, struct sp_error *err);

#endif
