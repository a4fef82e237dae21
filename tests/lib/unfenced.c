/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Linked into the programs that tests/valgrind and tests/sanitizers look on: what looks on makes system
 * calls, and maps memory, that our filters and limits would end it for. Other tests show those. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
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

/* valgrind 3.19 does not know pidfd_open(2): a pipe that closes when the process has ended, to poll. */
static long watch(long pid)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    if (fork() == 0) {
        (void)close(ends[0]);
        for (int fd = 0; fd < 64; fd++)
            if (fd != ends[1])
                (void)close(fd);
        while (runs(pid))
            (void)usleep(2000);
        _exit(0);
    }
    (void)close(ends[1]);
    return ends[0];
}

long __wrap_syscall(long number, ...)
{
    long a[6], said;
    va_list list;

    va_start(list, number);
    for (size_t i = 0; i < 6; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    said = __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    return number == SYS_pidfd_open && said < 0 && errno == ENOSYS ? watch(a[0]) : said;
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
 */
const char *__asan_default_options(void)
{
    return "detect_leaks=0:abort_on_error=0:exitcode=99:strict_string_checks=1:detect_stack_use_after_"
           "return=1";
}

const char *__ubsan_default_options(void)
{
    return "halt_on_error=1:print_stacktrace=1:exitcode=99";
}
