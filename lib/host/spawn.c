/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

enum { OUT, ERR, STATUS, N_PIPES };

struct pipes {
    int rd[N_PIPES], wr[N_PIPES];
    int in;
};

void sp_spawn_clear(struct sp_spawn *s)
{
    sp_buf_clear(&s->out);
    sp_buf_clear(&s->err_out);
}

int sp_spawn_run(struct sp_host *h, struct sp_spawn *s, struct sp_error *err)
{
    if (s->argv == NULL || s->argv[0] == NULL || s->argv[0][0] != '/')
        return sp_fail(err, SP_E_INTERNAL, 0, "a program must be named by its absolute path");
    return h->ops->spawn(h, s, err);
}

static void close_pipes(struct pipes *p)
{
    for (int i = 0; i < N_PIPES; i++) {
        sp_cleanup_close(&p->rd[i]);
        sp_cleanup_close(&p->wr[i]);
    }
    sp_cleanup_close(&p->in);
}

static int open_pipes(struct pipes *p, const struct sp_spawn *s)
{
    for (int i = 0; i < N_PIPES; i++) {
        int fds[2];
        if (pipe2(fds, O_CLOEXEC) != 0)
            return -1;
        p->rd[i] = fds[0];
        p->wr[i] = fds[1];
        if (fcntl(fds[0], F_SETFL, O_NONBLOCK) != 0)
            return -1;
    }
    if (s->input == NULL)
        p->in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    else
        p->in = memfd_create("input", MFD_CLOEXEC);
    if (p->in < 0)
        return -1;
    if (s->input != NULL &&
        (sp_write_all(p->in, s->input, s->input_len) != 0 || lseek(p->in, 0, SEEK_SET) != 0))
        return -1;
    return 0;
}

/* A descriptor out of the way of 0..2, which dup2 is about to overwrite. */
static int lift(int fd)
{
    return fd > 2 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* Between fork and exec: nothing that takes a lock or allocates (signal-safety(7)). */
__attribute__((noreturn)) static void become(const struct sp_spawn *s, const struct pipes *p)
{
    char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", lang[] = "LANG=C";
    char *environment[] = {path, lang, NULL};
    int in = lift(p->in), out = lift(p->wr[OUT]), errfd = lift(p->wr[ERR]), status = lift(p->wr[STATUS]);
    sigset_t none;
    int saved;

    for (int sig = 1; sig < NSIG; sig++)
        (void)signal(sig, SIG_DFL);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    /* A session of its own: a program that runs as a user must not reach root's terminal (TIOCSTI). */
    if (setsid() > 0 && chdir("/") == 0 && dup2(in, 0) == 0 && dup2(out, 1) == 1 && dup2(errfd, 2) == 2 &&
        (status == 3 || dup3(status, 3, O_CLOEXEC) == 3)) {
        status = 3;
        (void)syscall(SYS_close_range, 4U, ~0U, 0U);
        (void)execve(s->argv[0], (char *const *)(uintptr_t)s->argv, environment);
    }
    saved = errno;
    (void)!write(status, &saved, sizeof(saved));
    _exit(127);
}

static long long now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Take what is there now. False at the end of the stream. */
static bool take(int fd, struct sp_buf *b, size_t max)
{
    char chunk[16384];
    ssize_t n;

    while ((n = read(fd, chunk, sizeof(chunk))) > 0) {
        size_t room = b->len < max ? max - b->len : 0;
        sp_buf_add(b, chunk, (size_t)n < room ? (size_t)n : room);
    }
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Until the child has ended. A grandchild may keep the pipes open for ever: then what was written until now
 * is the output. 0 ended, -1 too late. */
static int collect(struct sp_spawn *s, struct pipes *p, int pidfd)
{
    struct pollfd fds[3] = {{p->rd[OUT], POLLIN, 0}, {p->rd[ERR], POLLIN, 0}, {pidfd, POLLIN, 0}};
    struct sp_buf *bufs[2] = {&s->out, &s->err_out};
    long long until = now_ms() + s->deadline_ms;

    for (;;) {
        long long left = s->deadline_ms != 0 ? until - now_ms() : 1000;
        if (left <= 0)
            return -1;
        (void)poll(fds, 3, (int)left);
        for (int i = 0; i < 2; i++)
            if (fds[i].fd >= 0 && !take(fds[i].fd, bufs[i], s->max_output))
                fds[i].fd = -1;
        if (fds[2].revents != 0) {
            /* Once more: the last words may have come between the reads and the end. */
            for (int i = 0; i < 2; i++)
                if (fds[i].fd >= 0)
                    (void)take(fds[i].fd, bufs[i], s->max_output);
            return 0;
        }
    }
}

static int reap(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int sp_spawn_real(struct sp_host *h, struct sp_spawn *s, struct sp_error *err)
{
    _cleanup_(close_pipes) struct pipes p = {{-1, -1, -1}, {-1, -1, -1}, -1};
    _cleanup_close_ int pidfd = -1;
    int exec_errno = 0, late;
    pid_t pid;

    (void)h;
    if (open_pipes(&p, s) != 0)
        return sp_fail(err, SP_E_IO, errno, "cannot make the pipes for %s", s->argv[0]);
    pid = fork();
    if (pid < 0)
        return sp_fail(err, SP_E_IO, errno, "cannot fork for %s", s->argv[0]);
    if (pid == 0)
        become(s, &p);
    for (int i = 0; i < N_PIPES; i++) {
        sp_cleanup_close(&p.wr[i]);
        p.wr[i] = -1;
    }
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    late = pidfd < 0 ? -1 : collect(s, &p, pidfd);
    if (late != 0) {
        (void)kill(-pid, SIGKILL);
        (void)kill(pid, SIGKILL); /* not even come to its setsid() */
    }
    s->status = reap(pid);
    if (read(p.rd[STATUS], &exec_errno, sizeof(exec_errno)) == (ssize_t)sizeof(exec_errno))
        return sp_fail(err, SP_E_IO, exec_errno, "cannot start %s", s->argv[0]);
    if (pidfd < 0)
        return sp_fail(err, SP_E_IO, 0, "cannot watch %s", s->argv[0]);
    if (late != 0)
        return sp_fail(err, SP_E_BUSY, 0, "%s did not end within %u ms", s->argv[0], s->deadline_ms);
    if (!sp_buf_ok(&s->out) || !sp_buf_ok(&s->err_out))
        return sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for what %s printed", s->argv[0]);
    return 0;
}
