/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ssh -A, for an account that may have it inside. sshd's socket lies in the host's /tmp, out of sight. A
 * process beside the shell holds a name of it alone (O_PATH), which opens nothing and is no directory, and
 * programs connect through its /proc/PID/fd. Not the shell itself: `bash -c ssh` becomes ssh, which closes
 * what it does not know. It ends with the shell, as sshd's socket does.
 */
#include "entry.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "base/str.h"
#include "sys.h"

/* With the user's own rights, and his: a variable can name anything. */
void sp_agent_look(struct sp_entry *e)
{
    const struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
                                 .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    const char *path = getenv("SSH_AUTH_SOCK");
    struct stat st;

    e->agent_fd = -1;
    if (e->record.agent == 0 || path == NULL || path[0] != '/')
        return;
    e->agent_fd = sp_sys_openat2(AT_FDCWD, path, &how);
    if (e->agent_fd >= 0 &&
        (fstat(e->agent_fd, &st) < 0 || !S_ISSOCK(st.st_mode) || st.st_uid != e->record.uid)) {
        (void)close(e->agent_fd);
        e->agent_fd = -1;
    }
}

/* Nothing of the login's files is kept, so that a pipe ends when the shell closes it. As in PID 1 there is
 * nothing in this memory that the user could not have. */
static void __attribute__((noreturn)) hold(int fd, pid_t shell)
{
    sigset_t all;

    (void)prctl(PR_SET_NAME, "agent-socket");
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, NULL);
    (void)prctl(PR_SET_DUMPABLE, 1);
    if (getppid() != shell || dup2(fd, 0) < 0 || sp_sys_close_range(1, ~0U) < 0)
        _exit(0);
    for (;;)
        (void)pause();
}

/* By the shell's own process, confined already: Landlock lets a process look only into those of its own
 * login. `text` is kept until exec. */
void sp_agent_show(struct sp_entry *e, char text[SP_AGENT_TEXT])
{
    pid_t shell = getpid(), holder;
    int ready[2];
    size_t n = 0;
    char byte;

    while (e->env[n] != NULL)
        n++;
    if (e->agent_fd < 0 || n + 1 >= SP_ENV_MAX || pipe2(ready, O_CLOEXEC) < 0)
        return;
    holder = fork();
    if (holder == 0)
        hold(e->agent_fd, shell);
    (void)close(ready[1]);
    (void)!read(ready[0], &byte, 1); /* ends when it has closed its files: then its /proc can be used */
    (void)close(ready[0]);
    if (holder > 0 && sp_str_format(text, SP_AGENT_TEXT, "SSH_AUTH_SOCK=/proc/%d/fd/0", (int)holder) == 0)
        e->env[n] = text;
}
