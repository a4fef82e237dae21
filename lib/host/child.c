/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

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
