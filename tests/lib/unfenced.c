/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Linked into the programs that tests/valgrind and tests/sanitizers look on: what looks on makes system
 * calls, and maps memory, that our filters and limits would end it for. Other tests show those. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

struct sock_filter;

int __wrap_sp_bpf_install(struct sock_filter *program, size_t n);
int __wrap_sp_sealed_enter(void);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
void __sanitizer_on_print(const char *text);

int __wrap_sp_bpf_install(struct sock_filter *program, size_t n)
{
    (void)program;
    (void)n;
    return 0;
}

int __wrap_sp_sealed_enter(void)
{
    return 0;
}

static int runs(long pid)
{
    char path[64], line[512];
    ssize_t n;
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd >= 0 ? read(fd, line, sizeof(line) - 1) : 0;
    if (fd >= 0)
        (void)close(fd);
    line[n > 0 ? n : 0] = '\0';
    return n > 0 && strstr(line, ") Z") == NULL;
}

/* Whose end each such pipe is waiting for: pidfd_send_signal(2). */
static long watched[1024];

/* valgrind 3.19 does not know pidfd_open(2): a pipe that closes when the process has ended, to poll. */
static long watch(long pid)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    if (fork() == 0) {
        struct pollfd reader = {.fd = ends[1]};
        (void)close(ends[0]);
        for (int fd = 0; fd < 64; fd++)
            if (fd != ends[1])
                (void)close(fd);
        while (runs(pid) && poll(&reader, 1, 2) == 0) /* POLLERR: nobody waits any more */
            ;
        _exit(0);
    }
    (void)close(ends[1]);
    if (ends[0] < 1024)
        watched[ends[0]] = pid;
    return ends[0];
}

/* valgrind 3.19 does not know openat2(2) either. What lib/host/fsat.c does then follows no link, and /bin
 * is one: here links are followed beneath the root, by somebody who need not fear that they change
 * meanwhile. */
static long follow(int root, const char *path, const struct open_how *how)
{
    char done[2 * PATH_MAX] = "", rest[2 * PATH_MAX], next[2 * PATH_MAX], link[PATH_MAX],
                  more[2 * PATH_MAX];
    int links = 0;

    (void)snprintf(rest, sizeof(rest), "%s", path);
    for (char *p = rest; *p != '\0';) {
        size_t n = strcspn(p, "/");
        bool last = p[n + strspn(p + n, "/")] == '\0';
        ssize_t len = -1;

        if (n == 2 && strncmp(p, "..", 2) == 0) {
            char *slash = strrchr(done, '/');
            *(slash != NULL ? slash : done) = '\0';
        } else if (n > 0 && (n > 1 || *p != '.')) {
            (void)snprintf(next, sizeof(next), "%s%s%.*s", done, done[0] != '\0' ? "/" : "", (int)n, p);
            if (!last || (how->flags & O_NOFOLLOW) == 0)
                len = readlinkat(root, next, link, sizeof(link) - 1);
            if (len < 0)
                memcpy(done, next, sizeof(done));
        }
        p += n + strspn(p + n, "/");
        if (len < 0)
            continue;
        if (++links > 40) {
            errno = ELOOP;
            return -1;
        }
        link[len] = '\0';
        if (link[0] == '/')
            done[0] = '\0';
        (void)snprintf(more, sizeof(more), "%s/%s", link, p);
        memcpy(rest, more, sizeof(rest));
        p = rest;
    }
    return openat(root, done[0] != '\0' ? done : ".", (int)how->flags, (mode_t)how->mode);
}

/* What is unknown to valgrind, where it can be had otherwise. */
static long instead(long number, const long *a)
{
    const struct open_how *how = (const struct open_how *)a[2];

    if (number == SYS_pidfd_open)
        return watch(a[0]);
    if (number == SYS_pidfd_send_signal && a[0] >= 0 && a[0] < 1024 && watched[a[0]] > 0)
        return kill((pid_t)watched[a[0]], (int)a[1]);
    if (number == SYS_openat2 && getenv("SALLYPORT_UNIT_TEST") == NULL && how != NULL &&
        (how->resolve & (RESOLVE_IN_ROOT | RESOLVE_NO_XDEV)) == RESOLVE_IN_ROOT)
        return follow((int)a[0], (const char *)a[1], how);
    errno = ENOSYS;
    return -1;
}

/* Landlock's ABI 6 can shut the host's abstract sockets to a jail: the collector's is one. */
struct ruleset {
    uint64_t fs, net, scoped;
};

long __wrap_syscall(long number, ...)
{
    struct ruleset open;
    long a[6], said;
    va_list list;

    va_start(list, number);
    for (size_t i = 0; i < 6; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_landlock_create_ruleset && a[0] != 0 && a[1] == (long)sizeof(open)) {
        memcpy(&open, (const void *)a[0], sizeof(open));
        open.scoped = 0;
        a[0] = (long)&open;
    }
    said = __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    return said < 0 && errno == ENOSYS ? instead(number, a) : said;
}

/* What a sanitizer prints goes to the collector of tests/lib/watched-inside.py too, whose socket is in no
 * file system: a report from inside a jail, from a child that closed all its files, with stderr thrown away
 * by the caller, arrives like any other. */
void __sanitizer_on_print(const char *text)
{
    static const char name[] = "\0sallyport-watched";
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int saved = errno, fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memcpy(to.sun_path, name, sizeof(name) - 1);
    (void)sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&to,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof(name) - 1));
    (void)close(fd);
    errno = saved;
}

/* A login's environment never comes as far as the shell, nor a caller's to the helper's children. Leaks
 * want ptrace(2), which nobody has behind his change of rights: the unit tests and valgrind look for them.
 * libfaketime stands before the sanitizer in some tests, and takes nothing of what that replaces. */
const char *__asan_default_options(void)
{
    return "detect_leaks=0:abort_on_error=0:exitcode=99:strict_string_checks=1:"
           "detect_stack_use_after_return=1:verify_asan_link_order=0";
}

const char *__ubsan_default_options(void)
{
    return "halt_on_error=1:print_stacktrace=1:exitcode=99";
}
