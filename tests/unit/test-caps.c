/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/capability.h>

#include "host/caps.h"

/* Each check runs in a child that first makes itself a hostile place; its exit status is the verdict. */
static int in_child(void (*spoil)(void), int (*judge)(void))
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        spoil();
        if (sp_process_sanitise() != 0)
            _exit(100);
        _exit(judge());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void spoil_fds(void)
{
    (void)dup2(1, 77);
    (void)close(0);
    (void)close(1);
    (void)close(2);
}

static int judge_fds(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            return 1;
    return fcntl(77, F_GETFD) < 0 && open("/dev/null", O_RDONLY) == 3 ? 0 : 2;
}

static void closed_descriptors_are_opened_and_others_closed(void **state)
{
    (void)state;
    assert_int_equal(in_child(spoil_fds, judge_fds), 0);
}

static void spoil_rest(void)
{
    const struct itimerval soon = {.it_value = {.tv_usec = 300000}};
    struct rlimit tiny;
    sigset_t all;

    sigfillset(&all);
    /* The soft limit alone: not every test machine lets root raise a hard one. */
    (void)getrlimit(RLIMIT_FSIZE, &tiny);
    tiny.rlim_cur = 200;
    (void)setrlimit(RLIMIT_FSIZE, &tiny);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    (void)signal(SIGCHLD, SIG_IGN);
    (void)setitimer(ITIMER_REAL, &soon, NULL);
    (void)setenv("LD_PRELOAD", "/tmp/x.so", 1);
    (void)setenv("PATH", ".", 1);
    umask(0);
    if (chdir("/tmp") != 0)
        _exit(101);
}

static int judge_rest(void)
{
    struct rlimit l;
    sigset_t now;
    char cwd[16];

    (void)usleep(400000); /* the timer of before would have killed us */
    if (getrlimit(RLIMIT_FSIZE, &l) != 0 || l.rlim_cur != l.rlim_max)
        return 1;
    if (getrlimit(RLIMIT_CORE, &l) != 0 || l.rlim_cur != 0)
        return 2;
    if (getenv("LD_PRELOAD") != NULL || strcmp(getenv("PATH"), "/usr/sbin:/usr/bin:/sbin:/bin") != 0)
        return 3;
    if (umask(0) != 077 || getcwd(cwd, sizeof(cwd)) == NULL || strcmp(cwd, "/") != 0)
        return 4;
    if (sigprocmask(SIG_SETMASK, NULL, &now) != 0 || sigismember(&now, SIGTERM))
        return 5;
    if (signal(SIGCHLD, SIG_DFL) != SIG_DFL || signal(SIGPIPE, SIG_IGN) != SIG_IGN)
        return 6;
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : 7;
}

static void limits_signals_environment_and_timers_are_our_own(void **state)
{
    (void)state;
    assert_int_equal(in_child(spoil_rest, judge_rest), 0);
}

static void nothing(void)
{
}

static int judge_caps(void)
{
    return prctl(PR_CAPBSET_READ, CAP_SYS_RESOURCE, 0, 0, 0) == 0 &&
                   prctl(PR_CAPBSET_READ, CAP_SYS_MODULE, 0, 0, 0) == 0 &&
                   setpriority(PRIO_PROCESS, 0, -5) != 0
               ? 0
               : 1;
}

static void capabilities_without_a_use_are_gone(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(in_child(nothing, judge_caps), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_descriptors_are_opened_and_others_closed),
        cmocka_unit_test(limits_signals_environment_and_timers_are_our_own),
        cmocka_unit_test(capabilities_without_a_use_are_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
