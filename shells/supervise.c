/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Step 9: three kinds of process.
 *
 *   the supervisor   this one: what sshd, su or cron waits for. No capability; passes signals in and the
 *                    ending out. Outside the PID namespace.
 *   the shell        its child, in the same session and process group, so that the terminal's own signals
 *                    and job control are what they are without us.
 *   PID 1            of a new jail: reaps, holds the lock by which later logins find it, and ends when
 * nothing is left. It outlives the login, so that tmux and nohup do.
 */
#include "entry.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "sys.h"

#define SLOW_POLL_S 5 /* for an end that nobody told PID 1 of: a supervisor killed by SIGKILL */

/* What the supervisor waits for. INT and QUIT come from the terminal to the whole group: the shell has its
 * own; ours is dropped. TSTP, TTIN and TTOU are left alone: they stop us together with the shell, and then
 * the outer shell has its terminal back. */
static const int awaited[] = {SIGCHLD, SIGHUP, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT, SIGINT, SIGQUIT};

static void await(sigset_t *ret)
{
    (void)sigemptyset(ret);
    for (size_t i = 0; i < SP_COUNT(awaited); i++)
        (void)sigaddset(ret, awaited[i]);
}

static bool is_alone(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    return kill(-1, 0) < 0 && errno == ESRCH; /* kill(2): everybody but PID 1 */
}

/* Until nobody is left, or the time of an extra login is over.
 * A login that is coming in holds the flock until it has its child here, so ending under the flock never
 * takes a jail away from under somebody's feet. */
static void guard(const struct sp_entry *e, bool published)
{
    const struct timespec slow = {.tv_sec = SLOW_POLL_S}, soon = {.tv_nsec = 20000000};
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    (void)sigtimedwait(&set, NULL, &slow); /* nobody is here before the first supervisor has forked again */
    for (;;) {
        if (sp_login_is_over(e)) /* and with us everybody: pid_namespaces(7) */
            return;
        if (is_alone()) {
            if (!published || (flock(STDIN_FILENO, LOCK_EX | LOCK_NB) == 0 && is_alone()))
                return;
            (void)flock(STDIN_FILENO, LOCK_UN);
            (void)sigtimedwait(&set, NULL, &soon);
            continue;
        }
        (void)sigtimedwait(&set, NULL, &slow);
    }
}

/* Take the byte that sp_join() asks for. A read lock suffices for that and needs no right to write; it is
 * this process's own and falls with it (fcntl(2)). Any close of the record here would drop it: so this
 * comes last. */
static bool publish(const struct sp_entry *e)
{
    struct flock lock = {
        .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = sp_login_lock_offset(e), .l_len = 1};

    return fcntl(STDIN_FILENO, F_SETLK, &lock) == 0;
}

/* `ps` in the jail shall not show the first login's command line as that of PID 1 for days. */
static void rename_self(char **argv)
{
    static const char name[] = "jail-init";

    (void)prctl(PR_SET_NAME, name);
    for (size_t i = 0; argv[i] != NULL; i++) {
        size_t n = strlen(argv[i]), keep = sizeof(name) - 1;

        memset(argv[i], '\0', n);
        memcpy(argv[i], name, i > 0 ? 0 : n < keep ? n : keep);
    }
}

/* PID 1. All signals are blocked, so nothing from inside ends it; SIGKILL from outside does. It must hold
 * none of the login's files: sshd waits for the end of the last one. */
static void __attribute__((noreturn)) be_init(const struct sp_entry *e, int ready_fd)
{
    struct sp_error err = {0};
    bool published = false;
    sigset_t all;
    int abi;

    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    (void)setsid();
    if (sp_confine(&abi, &err) < 0) {
        sp_report(e, &err);
        _exit(SP_EXIT_REFUSED);
    }
    if (dup2(ready_fd, STDOUT_FILENO) < 0 || (e->lock_fd >= 0 && dup2(e->lock_fd, STDIN_FILENO) < 0) ||
        sp_sys_close_range(2, ~0U) < 0)
        _exit(SP_EXIT_REFUSED);
    if (e->lock_fd >= 0)
        published = publish(e);
    else
        (void)close(STDIN_FILENO);
    /* A later login has to read /proc/PID/ns and root of this process, which a non-dumpable one refuses.
     * There is nothing left in it that the user could not have. */
    rename_self(e->argv);
    (void)prctl(PR_SET_DUMPABLE, 1);
    if (write(STDOUT_FILENO, "i", 1) != 1)
        _exit(SP_EXIT_REFUSED);
    (void)close(STDOUT_FILENO);
    guard(e, published);
    /* Both locks at once: nobody finds us any more, and the next login need not wait for the kernel to take
     * the namespaces down. */
    (void)close(STDIN_FILENO);
    _exit(0);
}

static void log_entry(const struct sp_entry *e, int abi)
{
    char text[512];

    if (sp_str_format(text, sizeof(text), "%s (uid %u) in a %s jail, generation %.12s, landlock %d%s",
                      e->record.user, (unsigned)e->record.uid,
                      e->joined                     ? "living"
                      : e->layout == SP_LAYOUT_ROOT ? "new root-layout"
                                                    : "new path-layout",
                      e->generation, abi, abi == 0 ? " (not in this kernel)" : "") == 0)
        sp_log(e, text);
}

/* Should the supervisor die, hang up like a lost line: a shell then ends its jobs as it does on a lost
 * line, and nohup and tmux stay. Set after the drop, which clears it (prctl(2)). */
static int watch_parent(const int ready[2])
{
    struct pollfd p = {.fd = ready[1]};

    (void)prctl(PR_SET_PDEATHSIG, SIGHUP);
    /* Did it die before? getppid() is 0 either way, but only the supervisor has the pipe's other end. */
    (void)close(ready[0]);
    return poll(&p, 1, 0) > 0 && (p.revents & POLLERR) != 0 ? -1 : 0;
}

static void __attribute__((noreturn))
fail_child(const struct sp_entry *e, const struct sp_error *err, int status)
{
    sp_report(e, err);
    _exit(status);
}

/* Steps 10 to 13 of the shell's own process. */
static void __attribute__((noreturn)) be_shell(struct sp_entry *e, const int ready[2])
{
    char agent[SP_AGENT_TEXT], *argv[] = {e->login ? (char *)"-bash" : (char *)"bash", NULL, NULL, NULL};
    struct sp_error err = {0};
    sigset_t none;
    int abi = 0;

    if (e->command != NULL) {
        argv[1] = (char *)"-c";
        argv[2] = (char *)e->command;
    }
    if (!e->joined && (sp_build_proc(&err) < 0 || write(ready[1], "s", 1) != 1))
        fail_child(e, &err, SP_EXIT_REFUSED);
    if (sp_confine(&abi, &err) < 0 || sp_limits_set(e, &err) < 0)
        fail_child(e, &err, SP_EXIT_REFUSED);
    if (watch_parent(ready) < 0)
        _exit(SP_EXIT_REFUSED);
    log_entry(e, abi);
    (void)!chdir(e->record.home); /* with no right but the user's; a missing home leaves him in "/" */
    (void)umask(e->umask);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    sp_agent_show(e, agent);
    (void)execve("/bin/bash", argv, e->env);
    sp_fail(&err, SP_E_IO, errno, "/bin/bash of the jail");
    fail_child(e, &err, SP_EXIT_NO_SHELL);
}

/* Until PID 1 stands and /proc is there, the flock keeps others from joining. False: one of them failed and
 * has said why. */
static bool wait_ready(int fd)
{
    size_t got = 0;
    char bytes[2];

    while (got < sizeof(bytes)) {
        ssize_t n = read(fd, bytes + got, sizeof(bytes) - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    return true;
}

/* `suspend` of a shell that has a process group of its own: stop likewise, so that who called us sees it.
 */
static void follow_stop(pid_t child)
{
    if (getpgid(child) != getpgrp() && getsid(0) != getpid())
        (void)raise(SIGSTOP);
}

/* True when the child has ended. */
static bool reap(pid_t child, int *ret_status)
{
    pid_t pid;
    int status;

    while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
        if (pid != child)
            continue; /* PID 1 */
        if (WIFSTOPPED(status)) {
            follow_stop(child);
            continue;
        }
        *ret_status = status;
        return true;
    }
    return false;
}

static int wait_for(pid_t child)
{
    sigset_t set;
    int status = 0, sig;

    await(&set);
    while (!reap(child, &status)) {
        sig = sigwaitinfo(&set, NULL);
        if (sig > 0 && sig != SIGCHLD && sig != SIGINT && sig != SIGQUIT)
            (void)kill(child, sig);
    }
    return status;
}

/* ENOMEM: the PID namespace that we joined has lost its PID 1 (pid_namespaces(7)). */
static pid_t forked(pid_t pid, struct sp_error *err)
{
    return pid >= 0 ? pid : sp_fail(err, errno == ENOMEM ? SP_E_NO_MEMORY : SP_E_IO, errno, "fork");
}

static pid_t start_init(const struct sp_entry *e, const int ready[2], struct sp_error *err)
{
    pid_t pid = fork();

    if (pid == 0) {
        (void)close(ready[0]);
        be_init(e, ready[1]);
    }
    return forked(pid, err);
}

/* vfork(2): the child goes straight to exec, so copying our memory for it would be for nothing (0.1 ms). It
 * never returns from be_shell(), and nobody reads afterwards what it changes there. */
static pid_t start_shell(struct sp_entry *e, const int ready[2], struct sp_error *err)
{
    pid_t pid = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork) */

    if (pid == 0)
        be_shell(e, ready); /* NOLINT(clang-analyzer-unix.Vfork) */
    return forked(pid, err);
}

/* A jail of ours that did not come to stand (it may lack its /proc): nobody shall join it. */
static void tear_down(const struct sp_entry *e)
{
    if (!e->joined && e->init_fd >= 0)
        (void)syscall(SYS_pidfd_send_signal, e->init_fd, SIGKILL, NULL, 0);
}

/* Both children of a new jail, or the shell alone in a living one. */
static pid_t start(struct sp_entry *e, const int ready[2], struct sp_error *err)
{
    pid_t init, shell;

    if (!e->joined) {
        init = start_init(e, ready, err);
        if (init < 0)
            return -1;
        e->init_fd = (int)syscall(SYS_pidfd_open, init, 0);
    }
    shell = start_shell(e, ready, err);
    if (shell < 0)
        tear_down(e);
    return shell;
}

int sp_supervise(struct sp_entry *e, int *ret_status, struct sp_error *err)
{
    _cleanup_close_ int read_end = -1, write_end = -1;
    int ready[2];
    sigset_t set, old;
    pid_t child;

    if (pipe2(ready, O_CLOEXEC) < 0)
        return sp_fail(err, SP_E_IO, errno, "pipe");
    read_end = ready[0];
    write_end = ready[1];
    await(&set); /* before the fork: the child may end at once */
    (void)sigprocmask(SIG_BLOCK, &set, &old);
    child = start(e, ready, err);
    if (child < 0) {
        (void)sigprocmask(SIG_SETMASK, &old, NULL);
        return -1;
    }
    sp_cleanup_close(&write_end);
    write_end = -1;
    if (sp_confine_shed(err) < 0) {
        (void)kill(child, SIGKILL);
        tear_down(e);
        return -1;
    }
    /* Ours would keep a pipe open that the shell has closed: who reads it would wait for us. */
    (void)sp_sys_close_range(0, 2);
    if (!e->joined && !wait_ready(read_end)) {
        tear_down(e);
        *ret_status = SP_EXIT_REFUSED << 8;
        return 0;
    }
    (void)flock(e->record_fd, LOCK_UN); /* the next login may come; the children share this opening */
    *ret_status = wait_for(child);
    (void)syscall(SYS_pidfd_send_signal, e->init_fd, SIGCHLD, NULL, 0); /* PID 1: is anybody left? */
    return 0;
}
