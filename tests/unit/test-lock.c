/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "base/mem.h"
#include "host/lock.h"
#include "temp.h"

static int etc_open(void **state)
{
    if (temp_open(state) != 0)
        return -1;
    return mkdirat(((struct temp_host *)*state)->h.root_fd, "etc", 0755);
}

static void a_lock_excludes_until_its_descriptor_is_closed(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;
    int fd = sp_lock_take(&t->h, "/etc/l", 1000, &err);

    assert_true(fd >= 0);
    assert_int_equal(temp_mode(t, "etc/l"), 0600);
    assert_int_equal(sp_lock_take(&t->h, "/etc/l", 50, &err), -1);
    assert_int_equal(err.code, SP_E_BUSY);
    (void)close(fd);
    fd = sp_lock_take(&t->h, "/etc/l", 0, &err);
    assert_true(fd >= 0);
    (void)close(fd);
}

/* As lckpwdf(3) does it: a POSIX record lock. The child holds it until it is killed. */
static pid_t hold_record_lock(struct temp_host *t)
{
    int ready[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        int fd = openat(t->h.root_fd, "etc/.pwd.lock", O_WRONLY | O_CREAT, 0600);
        if (fcntl(fd, F_SETLK, &l) == 0)
            (void)!write(ready[1], "", 1);
        (void)sleep(60);
        _exit(0);
    }
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    return pid;
}

static void the_lock_of_shadows_tools_is_waited_for_and_its_holder_named(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;
    pid_t pid = hold_record_lock(t);
    char name[32];

    assert_int_equal(sp_lock_passwd(&t->h, 50, &err), -1);
    assert_int_equal(err.code, SP_E_BUSY);
    (void)snprintf(name, sizeof(name), "process %ld", (long)pid);
    assert_non_null(strstr(err.text, name));
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    _cleanup_close_ int fd = sp_lock_passwd(&t->h, 1000, &err);
    assert_true(fd >= 0);
}

static void our_lock_excludes_lckpwdf(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;
    _cleanup_close_ int fd = sp_lock_passwd(&t->h, 1000, &err);
    int status = 0;
    pid_t pid = fork();

    assert_true(fd >= 0);
    if (pid == 0) {
        struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        int other = openat(t->h.root_fd, "etc/.pwd.lock", O_WRONLY);
        _exit(fcntl(other, F_SETLK, &l) == 0 ? 1 : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void a_lock_file_of_a_living_process_is_busy_and_a_stale_one_is_not(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;
    char pid[16];
    pid_t dead = fork();

    if (dead == 0)
        _exit(0);
    (void)waitpid(dead, NULL, 0);
    (void)snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    temp_put(t, "etc/passwd.lock", pid, 0600);
    assert_int_equal(sp_lock_passwd(&t->h, 50, &err), -1);
    assert_int_equal(err.code, SP_E_BUSY);
    assert_non_null(strstr(err.text, "/etc/passwd.lock"));
    (void)snprintf(pid, sizeof(pid), "%ld", (long)dead);
    temp_put(t, "etc/passwd.lock", pid, 0600);
    _cleanup_close_ int fd = sp_lock_passwd(&t->h, 50, &err);
    assert_true(fd >= 0);
    assert_true(sp_fsat_exists(t->h.root_fd, "etc/passwd.lock"));
}

static void a_link_or_a_fifo_is_no_lock(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;

    assert_int_equal(symlinkat("/tmp/elsewhere", t->h.root_fd, "etc/l"), 0);
    assert_int_equal(mkfifoat(t->h.root_fd, "etc/f", 0600), 0);
    assert_int_equal(sp_lock_take(&t->h, "/etc/l", 50, &err), -1);
    assert_int_equal(err.code, SP_E_UNSAFE_PATH);
    assert_int_equal(sp_lock_take(&t->h, "/etc/f", 50, &err), -1);
    assert_int_equal(err.code, SP_E_UNSAFE_PATH);
}

#define T(f) cmocka_unit_test_setup_teardown(f, etc_open, temp_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_lock_excludes_until_its_descriptor_is_closed),
        T(the_lock_of_shadows_tools_is_waited_for_and_its_holder_named),
        T(our_lock_excludes_lckpwdf),
        T(a_lock_file_of_a_living_process_is_busy_and_a_stale_one_is_not),
        T(a_link_or_a_fifo_is_no_lock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
