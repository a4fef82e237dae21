/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * killat [-s SIGNAL | -e ERRNO] [-w OUT,IN] [-l FILE] N PROGRAM [ARG...]: runs PROGRAM and ends it, with
 * its children, by SIGKILL in front of its Nth system call, counted over all its processes. A child that
 * becomes another program is let go, and waited for: such are swept at their start and their end. N 0 kills
 * never. The last line on stderr is "calls=COUNT killed=0|1"; exit status: PROGRAM's, or 137. COUNT ends
 * where N was met.
 *
 * -s  SIGNAL is sent instead, to PROGRAM alone, and it goes on as it likes.
 * -e  the Nth call is not made and answers ERRNO instead (not x, p); killed=1 says that it was reached.
 * -l  what each call is goes to FILE, a letter each: m changes something, u takes a name away, f makes a
 *     descriptor, x must not fail (it does not return), p is the loader's or the C library's (memory,
 *     identity), . is any other.
 * -w  waits in front of each call that changes something: "NUMBER PID\n" goes to descriptor OUT, and
 *     it goes on when a byte comes from descriptor IN; a ! says that this one is N.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <elf.h> /* NT_PRSTATUS */

enum { MAX_TRACEES = 64 };

#define OPTIONS                                                                                            \
    (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |              \
     PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)

struct sweep {
    pid_t first, pids[MAX_TRACEES], failing;
    int n, status;
    long calls, kill_at;
    int started, killed;
    int error, signal;
    int tell, hear; /* -w; 0: it does not wait */
    FILE *list;
};

static const struct {
    long nr;
    char letter;
} letters[] = {
    {SYS_write, 'm'},
    {SYS_writev, 'm'},
    {SYS_pwrite64, 'm'},
    {SYS_sendmsg, 'm'},
    {SYS_sendto, 'm'},
    {SYS_fsync, 'm'},
    {SYS_fdatasync, 'm'},
    {SYS_syncfs, 'm'},
    {SYS_sync_file_range, 'm'},
    {SYS_ftruncate, 'm'},
    {SYS_fallocate, 'm'},
    {SYS_copy_file_range, 'm'},
    {SYS_unlinkat, 'u'},
    {SYS_renameat2, 'm'},
    {SYS_renameat, 'm'},
    {SYS_mkdirat, 'm'},
    {SYS_linkat, 'm'},
    {SYS_symlinkat, 'm'},
    {SYS_fchmod, 'm'},
    {SYS_fchmodat, 'm'},
    {SYS_fchown, 'm'},
    {SYS_fchownat, 'm'},
    {SYS_fsetxattr, 'm'},
    {SYS_fremovexattr, 'm'},
    {SYS_setxattr, 'm'},
    {SYS_mknodat, 'm'},
    {SYS_utimensat, 'm'},
    {SYS_mount, 'm'},
    {SYS_umount2, 'm'},
    {SYS_move_mount, 'm'},
    {SYS_mount_setattr, 'm'},
    {SYS_kill, 'm'},
    {SYS_pidfd_send_signal, 'm'},
#ifdef SYS_unlink
    {SYS_unlink, 'u'},
    {SYS_rmdir, 'u'},
    {SYS_dup2, 'f'},
    {SYS_rename, 'm'},
    {SYS_mkdir, 'm'},
    {SYS_open, 'f'},
    {SYS_link, 'm'},
    {SYS_symlink, 'm'},
    {SYS_chmod, 'm'},
    {SYS_fork, 'f'},
    {SYS_vfork, 'f'},
    {SYS_arch_prctl, 'p'},
#endif
    {SYS_openat, 'f'},
    {SYS_openat2, 'f'},
    {SYS_dup, 'f'},
    {SYS_dup3, 'f'},
    {SYS_pipe2, 'f'},
    {SYS_socket, 'f'},
    {SYS_socketpair, 'f'},
    {SYS_memfd_create, 'f'},
    {SYS_pidfd_open, 'f'},
    {SYS_clone, 'f'},
    {SYS_clone3, 'f'},
    {SYS_open_tree, 'f'},
    {SYS_fsopen, 'f'},
    {SYS_fsmount, 'f'},
    {SYS_fcntl, 'f'},
    {SYS_brk, 'p'},
    {SYS_umask, 'p'}, /* umask(2) always succeeds */
    {SYS_mmap, 'p'},
    {SYS_munmap, 'p'},
    {SYS_mprotect, 'p'},
    {SYS_getpid, 'p'},
    {SYS_getuid, 'p'},
    {SYS_geteuid, 'p'},
    {SYS_getgid, 'p'},
    {SYS_getegid, 'p'},
    {SYS_gettid, 'p'},
    {SYS_set_tid_address, 'p'},
    {SYS_set_robust_list, 'p'},
    {SYS_rseq, 'p'},
    {SYS_exit, 'x'},
    {SYS_exit_group, 'x'},
    {SYS_rt_sigreturn, 'x'},
    {SYS_restart_syscall, 'x'},
};

static char letter_of(long nr)
{
    for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
        if (letters[i].nr == nr)
            return letters[i].letter;
    return '.';
}

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

/* What was to be met is met: from there on nobody counts, and the rest runs at its own pace. */
static void go_on(const struct sweep *s, pid_t pid, int sig)
{
    (void)ptrace(s->killed != 0 && s->failing == 0 ? PTRACE_CONT : PTRACE_SYSCALL, pid, NULL,
                 (void *)(long)sig);
}

/* At the entry: the call becomes one that does not exist. At its exit: what it answers. */
static void set_call(pid_t pid, int leaving, long result)
{
    struct user_regs_struct regs;
    struct iovec io = {&regs, sizeof(regs)};

    if (ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &io) != 0)
        return;
#if defined(__x86_64__)
    if (leaving)
        regs.rax = (unsigned long long)result;
    else
        regs.orig_rax = (unsigned long long)-1;
#elif defined(__aarch64__)
    int none = -1;
    struct iovec number = {&none, sizeof(none)};

    if (leaving)
        regs.regs[0] = (unsigned long long)result;
    else
        (void)ptrace(PTRACE_SETREGSET, pid, (void *)NT_ARM_SYSTEM_CALL, &number);
#else
#error "say which registers hold a system call's number and result"
#endif
    (void)ptrace(PTRACE_SETREGSET, pid, (void *)NT_PRSTATUS, &io);
}

/* The call that was to be met. */
static void meet(struct sweep *s, pid_t pid, long nr)
{
    if (s->error == 0 && s->signal == 0) {
        kill_all(s);
        return;
    }
    s->killed = 2;
    if (s->error != 0) {
        s->failing = pid;
        (void)fprintf(stderr, "failed: system call %ld\n", nr);
        /* The descriptor is gone whatever close(2) answers; the child that is killed is one's own. */
        if (nr != SYS_close && nr != SYS_kill)
            set_call(pid, 0, 0);
    } else
        (void)kill(s->first, s->signal);
    go_on(s, pid, 0);
}

/* Whoever looks on does so now: the one that is stopped is the only one that could change something. */
static int is_chosen(const struct sweep *s, pid_t pid)
{
    char go = '.';

    if (dprintf(s->tell, "%ld %d\n", s->calls, (int)pid) > 0)
        while (read(s->hear, &go, 1) < 0 && errno == EINTR)
            ;
    return go == '!';
}

static void on_call(struct sweep *s, pid_t pid)
{
    struct __ptrace_syscall_info info = {0};
    char letter;

    /* The kernel says itself whether this stop is an entry (ptrace(2), since Linux 5.3). */
    if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) > 0 &&
        info.op == PTRACE_SYSCALL_INFO_ENTRY && s->started) {
        letter = letter_of((long)info.entry.nr);
        if (s->list != NULL)
            (void)fputc(letter, s->list);
        if ((++s->calls == s->kill_at && (s->error == 0 || (letter != 'x' && letter != 'p'))) ||
            (s->tell != 0 && s->killed == 0 && (letter == 'm' || letter == 'u') && is_chosen(s, pid))) {
            meet(s, pid, (long)info.entry.nr);
            return;
        }
    } else if (s->failing == pid && info.op == PTRACE_SYSCALL_INFO_EXIT) {
        s->failing = 0;
        set_call(pid, 1, -(long)s->error);
    }
    go_on(s, pid, 0);
}

static void on_stop(struct sweep *s, pid_t pid, int status)
{
    int sig = WSTOPSIG(status), event = status >> 16;

    if (sig == (SIGTRAP | 0x80))
        on_call(s, pid);
    else if (event == PTRACE_EVENT_EXEC) {
        if (pid != s->first) {
            forget(s, pid);
            (void)ptrace(PTRACE_DETACH, pid, NULL, NULL);
            return;
        }
        s->started = 1;
        go_on(s, pid, 0);
    } else
        go_on(s, pid, event != 0 || sig == SIGSTOP || sig == SIGTRAP ? 0 : sig);
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
            if (s->killed == 1)
                (void)kill(pid, SIGKILL);
            else
                on_stop(s, pid, status);
            continue;
        }
        forget(s, pid);
        if (pid == s->first)
            s->status = status;
    }
    if (s->killed == 1)
        return 128 + SIGKILL;
    return WIFEXITED(s->status) ? WEXITSTATUS(s->status) : 128 + WTERMSIG(s->status);
}

/* Nothing of it reaches PROGRAM. */
static int set_wait(struct sweep *s, const char *arg)
{
    char *end = NULL;

    s->tell = (int)strtol(arg, &end, 10);
    s->hear = *end == ',' ? (int)strtol(end + 1, NULL, 10) : -1;
    return fcntl(s->tell, F_SETFD, FD_CLOEXEC) == 0 && fcntl(s->hear, F_SETFD, FD_CLOEXEC) == 0 ? 0 : -1;
}

static int options(struct sweep *s, int argc, char **argv)
{
    int c;

    while ((c = getopt(argc, argv, "+e:l:s:w:")) != -1) {
        if (c == 'e')
            s->error = (int)strtol(optarg, NULL, 10);
        else if (c == 's')
            s->signal = (int)strtol(optarg, NULL, 10);
        else if (c == 'w') {
            if (set_wait(s, optarg) != 0)
                return -1;
        } else if (c != 'l' || (s->list = fopen(optarg, "we")) == NULL)
            return -1;
    }
    if (argc - optind < 2)
        return -1;
    s->kill_at = strtol(argv[optind], NULL, 10);
    return 0;
}

/* On one processor a stop is a switch; between two it is a message. */
static void stay_here(void)
{
    cpu_set_t one;
    int here = sched_getcpu();

    CPU_ZERO(&one);
    CPU_SET(here >= 0 ? (size_t)here : 0, &one);
    (void)sched_setaffinity(0, sizeof(one), &one);
}

int main(int argc, char **argv)
{
    struct sweep s = {0};
    int result, status;

    if (options(&s, argc, argv) != 0)
        return 2;
    /* What PROGRAM leaves running is waited for too. */
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    stay_here();
    s.first = fork();
    if (s.first < 0)
        return 2;
    if (s.first == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0 || raise(SIGSTOP) != 0)
            _exit(2);
        (void)execv(argv[optind + 1], argv + optind + 1);
        _exit(2);
    }
    if (waitpid(s.first, &status, __WALL) != s.first || !WIFSTOPPED(status) ||
        ptrace(PTRACE_SETOPTIONS, s.first, NULL, (void *)(long)OPTIONS) != 0)
        return 2;
    remember(&s, s.first);
    go_on(&s, s.first, 0);
    result = follow(&s);
    if (s.list != NULL)
        (void)fclose(s.list);
    (void)fprintf(stderr, "calls=%ld killed=%d\n", s.calls, s.killed != 0);
    return result;
}
