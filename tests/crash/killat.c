/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * killat N PROGRAM [ARG...]: runs PROGRAM and ends it, with its children, by SIGKILL in front of its Nth
 * system call, counted over all its processes. A child that becomes another program is let go: such are
 * swept at their start and their end. N 0 kills never. The last line on stderr is "calls=COUNT killed=0|1";
 * exit status: PROGRAM's, or 137.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_TRACEES = 64 };

#define OPTIONS                                                                                            \
    (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |              \
     PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)

struct sweep {
    pid_t first, pids[MAX_TRACEES];
    int n, status;
    long calls, kill_at;
    int started, killed;
};

static void forget(struct sweep *s, pid_t pid)
{
    for (int i = 0; i < s->n; i++)
        if (s->pids[i] == pid)
            s->pids[i] = s->pids[--s->n];
}

static void remember(struct sweep *s, pid_t pid)
{
    forget(s, pid);
    if (s->n < MAX_TRACEES)
        s->pids[s->n++] = pid;
}

static void kill_all(struct sweep *s)
{
    s->killed = 1;
    for (int i = 0; i < s->n; i++)
        (void)kill(s->pids[i], SIGKILL);
}

static void go_on(pid_t pid, int sig)
{
    (void)ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(long)sig);
}

/* The kernel says itself whether this stop is an entry (ptrace(2), since Linux 5.3). */
static int is_entry(pid_t pid)
{
    struct __ptrace_syscall_info info = {0};

    return ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) > 0 &&
           info.op == PTRACE_SYSCALL_INFO_ENTRY;
}

static void on_stop(struct sweep *s, pid_t pid, int status)
{
    int sig = WSTOPSIG(status), event = status >> 16;

    if (sig == (SIGTRAP | 0x80)) {
        if (is_entry(pid) && s->started && ++s->calls == s->kill_at)
            kill_all(s);
        else
            go_on(pid, 0);
    } else if (event == PTRACE_EVENT_EXEC) {
        if (pid != s->first) {
            forget(s, pid);
            (void)ptrace(PTRACE_DETACH, pid, NULL, NULL);
            return;
        }
        s->started = 1;
        go_on(pid, 0);
    } else
        go_on(pid, event != 0 || sig == SIGSTOP || sig == SIGTRAP ? 0 : sig);
}

static int follow(struct sweep *s)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
        if (pid < 0)
            continue;
        if (WIFSTOPPED(status)) {
            remember(s, pid);
            if (s->killed)
                (void)kill(pid, SIGKILL);
            else
                on_stop(s, pid, status);
            continue;
        }
        forget(s, pid);
        if (pid == s->first)
            s->status = status;
    }
    if (s->killed)
        return 128 + SIGKILL;
    return WIFEXITED(s->status) ? WEXITSTATUS(s->status) : 128 + WTERMSIG(s->status);
}

int main(int argc, char **argv)
{
    struct sweep s = {.kill_at = argc > 2 ? strtol(argv[1], NULL, 10) : 0};
    int result, status;

    if (argc < 3)
        return 2;
    s.first = fork();
    if (s.first < 0)
        return 2;
    if (s.first == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0 || raise(SIGSTOP) != 0)
            _exit(2);
        (void)execv(argv[2], argv + 2);
        _exit(2);
    }
    if (waitpid(s.first, &status, __WALL) != s.first || !WIFSTOPPED(status) ||
        ptrace(PTRACE_SETOPTIONS, s.first, NULL, (void *)(long)OPTIONS) != 0)
        return 2;
    remember(&s, s.first);
    go_on(s.first, 0);
    result = follow(&s);
    (void)fprintf(stderr, "calls=%ld killed=%d\n", s.calls, s.killed);
    return result;
}
