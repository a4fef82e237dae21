/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

#define END_MS 100

pid_t sp_child_fork(int *ret_fd, struct sp_error *err)
{
    _cleanup_close_ int in = -1, out = -1;
    int fds[2];
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) != 0)
        return sp_fail(err, SP_E_IO, errno, "cannot make a pipe");
    in = fds[0];
    out = fds[1];
    pid = fork();
    if (pid < 0)
        return sp_fail(err, SP_E_IO, errno, "cannot fork");
    *ret_fd = pid == 0 ? sp_steal_fd(&out) : sp_steal_fd(&in);
    return pid;
}

void sp_child_end(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

void sp_child_leave(pid_t pid)
{
    struct pollfd p = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
    const struct timespec ms = {.tv_nsec = 1000000};

    (void)kill(pid, SIGKILL);
    if (p.fd >= 0) {
        (void)poll(&p, 1, END_MS);
        (void)close(p.fd);
    }
    for (int i = 0; i < END_MS; i++) {
        pid_t r = waitpid(pid, NULL, WNOHANG);
        if (r == pid || (r < 0 && errno != EINTR) || p.fd >= 0)
            return;
        (void)nanosleep(&ms, NULL);
    }
}
