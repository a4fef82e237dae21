/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A look that fails for a reason of the host's own (no memory, no descriptors, EIO) is no word on what it
 * was a look at: nothing is taken for gone, or for free, or for shut on the strength of it. The two ways to
 * have looks fail. */
#ifndef SP_TESTS_BLIND_H
#define SP_TESTS_BLIND_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "temp.h"

#define T(f) cmocka_unit_test_setup_teardown(f, temp_open, temp_close)

enum { NOTHING_FAILS = -1, UNBLINDED = 250 };

/* From here on this system call answers so. */
static bool blind(int call, int os_errno)
{
    struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
                                 BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1),
                                 BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)os_errno),
                                 BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const struct sock_fprog filter = {SP_COUNT(code), code};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

/* What a process answers in which one system call fails always. */
__attribute__((unused)) static int with_failing(int call, int os_errno, int (*answer)(struct temp_host *),
                                                struct temp_host *t)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(call == NOTHING_FAILS || blind(call, os_errno) ? answer(t) : UNBLINDED);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_not_equal(WEXITSTATUS(status), UNBLINDED);
    return WEXITSTATUS(status);
}

/* The other way: of the opens that descend (openat2(2), by way of syscall(2)) one alone fails. */
static unsigned failing; /* 0: none */

typedef long call(long, ...);

long syscall(long number, ...)
{
    call *real = (call *)dlsym(RTLD_NEXT, "syscall");
    long a[6];
    va_list ap;

    va_start(ap, number);
    for (size_t i = 0; i < SP_COUNT(a); i++)
        a[i] = va_arg(ap, long);
    va_end(ap);
    if (number == SYS_openat2 && failing > 0 && --failing == 0) {
        errno = EIO;
        return -1;
    }
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* Each of them in turn, until there is none left to fail. What `attempt` answers then must not be `wrong`.
 */
__attribute__((unused)) static void with_each_failing(struct temp_host *t,
                                                      int (*attempt)(struct temp_host *), int wrong)
{
    unsigned left = 0;

    for (unsigned n = 1; left == 0; n++) {
        int answer;
        assert_true(n < 1000);
        failing = n;
        answer = attempt(t);
        left = failing;
        failing = 0;
        if (left == 0)
            assert_int_not_equal(answer, wrong);
    }
}

#endif
