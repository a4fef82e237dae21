/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/sessions.h"
#include "temp.h"
#include <cmocka.h>

/* A /proc of files: pid, parent, uid, program, title, audit session, login uid, NSpid, cgroup, user
 * namespace. */
struct fake {
    int pid, ppid, uid;
    const char *exe, *title, *session, *loginuid, *nspid, *cgroup, *userns;
};

#define NONE "4294967295"
#define SSHD "/usr/sbin/sshd"
#define PLAIN "0::/"
#define OURS "user:[1]"

static void put_proc(struct temp_host *t, const struct fake *f)
{
    char path[64], text[512];
    struct sp_error err;

    (void)snprintf(path, sizeof(path), "proc/%d", f->pid);
    _cleanup_close_ int dir = sp_fsat_make_dirs(t->h.root_fd, path, 0755, &err);
    assert_true(dir >= 0);
    assert_int_equal(symlinkat(f->exe, dir, "exe"), 0);
    (void)snprintf(path, sizeof(path), "proc/%d/status", f->pid);
    (void)snprintf(text, sizeof(text),
                   "Name:\tx\nState:\tS (sleeping)\nPPid:\t%d\nUid:\t%d\t%d\t%d\t%d\nNSpid:\t%s\n", f->ppid,
                   f->uid, f->uid, f->uid, f->uid, f->nspid != NULL ? f->nspid : "7");
    temp_put(t, path, text, 0644);
    const char *const files[][2] = {{"cmdline", f->title},
                                    {"sessionid", f->session},
                                    {"loginuid", f->loginuid},
                                    {"cgroup", f->cgroup != NULL ? f->cgroup : PLAIN}};
    _cleanup_close_ int ns = sp_fsat_make_dirs(dir, "ns", 0755, &err);
    assert_int_equal(symlinkat(f->userns != NULL ? f->userns : OURS, ns, "user"), 0);
    for (size_t i = 0; i < SP_COUNT(files); i++) {
        (void)snprintf(path, sizeof(path), "proc/%d/%s", f->pid, files[i][0]);
        if (files[i][1] != NULL)
            temp_put(t, path, files[i][1], 0644);
    }
}

static struct sp_sessions find(struct temp_host *t, const struct fake *f, size_t n)
{
    struct sp_sessions s = {0};
    struct sp_error err;
    _cleanup_close_ int ns = sp_fsat_make_dirs(t->h.root_fd, "proc/self/ns", 0755, &err);

    assert_int_equal(symlinkat(OURS, ns, "user"), 0);
    for (size_t i = 0; i < n; i++)
        put_proc(t, &f[i]);
    assert_int_equal(sp_sessions_find(&t->h, "example", 1001, &s, &err), 0);
    return s;
}

static void let_linger(struct temp_host *t)
{
    temp_put_deep(t, "var/lib/systemd/linger/example", "");
}

static bool has(const struct sp_sessions *s, pid_t pid)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->pids[i] == pid)
            return true;
    return false;
}

static void a_login_is_its_sshd_and_all_below_and_in_its_session(void **state)
{
    static const struct fake procs[] = {
        {1, 0, 0, "/sbin/init", NULL, NONE, NONE, NULL, NULL},
        {50, 1, 0, SSHD, "sshd: /usr/sbin/sshd -D [listener]", NONE, NONE, NULL, NULL},
        {60, 50, 0, SSHD " (deleted)", "sshd: example [priv]", "5", "1001", NULL, NULL},
        {61, 60, 1001, SSHD, "sshd: example@pts/0", "5", "1001", NULL, NULL},
        {62, 61, 1001, "/bin/bash", NULL, "5", "1001", NULL, NULL},
        {63, 1, 1001, "/usr/bin/nohup", NULL, "5", "1001", NULL, NULL},
        {70, 50, 0, SSHD, "sshd: example2 [priv]", "6", "1002", NULL, NULL},
        {71, 70, 1002, "/bin/bash", NULL, "6", "1002", NULL, NULL},
        {80, 50, 0, "/usr/lib/openssh/sshd-session", "sshd-session: example [priv]", NONE, NONE, NULL,
         NULL},
        {81, 80, 105, SSHD, "sshd: example [net]", NONE, NONE, NULL, NULL},
    };
    _cleanup_(sp_sessions_clear) struct sp_sessions s = find(*state, procs, SP_COUNT(procs));

    assert_int_equal(s.n, 5);
    assert_int_equal(s.n_logins, 1);
    assert_true(has(&s, 60) && has(&s, 61) && has(&s, 62) && has(&s, 63) && has(&s, 80));
}

static void daemons_and_cron_jobs_of_the_same_uid_are_left_alone(void **state)
{
    static const struct fake procs[] = {
        {10, 1, 0, "/usr/sbin/php-fpm8.2", NULL, NONE, NONE, NULL, NULL},
        {11, 10, 1001, "/usr/sbin/php-fpm8.2", NULL, NONE, NONE, NULL, NULL},
        {20, 1, 0, "/usr/sbin/cron", NULL, "8", "1001", NULL, NULL},
        {21, 20, 1001, "/bin/sh", NULL, "8", "1001", NULL, NULL},
        {30, 1, 1001, "/usr/bin/worker", NULL, "9", "1001", NULL, "0::/system.slice/cron.service\n"},
        {40, 1, 1001, "/usr/lib/systemd/systemd", NULL, "3", "1001", NULL,
         "0::/user.slice/user-1001.slice/user@1001.service/init.scope\n"},
        {45, 1, 0, SSHD, "sshd: /usr/sbin/sshd [listener] 0 of 10-100 startups", "4", "1001", NULL, NULL},
        {46, 1, 0, "/bin/bash", NULL, "7", "1001", NULL, NULL},
    };
    let_linger(*state);
    _cleanup_(sp_sessions_clear) struct sp_sessions s = find(*state, procs, SP_COUNT(procs));

    assert_int_equal(s.n, 0);
}

static void what_outlived_its_sshd_is_found(void **state)
{
    static const struct fake procs[] = {
        {30, 1, 1001, "/usr/bin/tmux", NULL, "9", "1001", NULL,
         "0::/user.slice/user-1001.slice/session-9.scope\n"},
        {31, 1, 1001, "/usr/bin/tmux", NULL, "10", "1001", NULL, "0::/system.slice/ssh.service\n"},
        {32, 1, 1001, "/usr/bin/tmux", NULL, "11", "0", NULL, NULL}, /* root's su */
    };
    _cleanup_(sp_sessions_clear) struct sp_sessions s = find(*state, procs, SP_COUNT(procs));

    assert_int_equal(s.n, 2);
    assert_int_equal(s.n_logins, 0);
}

#define MANAGER "0::/user.slice/user-1001.slice/user@1001.service/init.scope\n"
#define SYSTEMD "/usr/lib/systemd/systemd"

/* systemd-run --user --scope, then a write to cgroup.procs: a login's process goes where its user likes. */
static void moving_into_the_users_manager_hides_nobody(void **state)
{
    static const struct fake procs[] = {
        {30, 1, 1001, "/usr/bin/tmux", NULL, "9", "1001", NULL, MANAGER},
        {31, 1, 1001, "/usr/bin/tmux", NULL, "9", "1001", NULL,
         "0::/user.slice/user-1001.slice/user@1001.service/app.slice/run-u1.scope\n"},
        {32, 1, 1001, "/usr/bin/tmux", NULL, "9", "1001", NULL,
         "0::/user.slice/user-1001.slice/user@1001.service/system.slice/cron.service\n"},
        {40, 1, 1001, SYSTEMD, NULL, "3", "1001", NULL, MANAGER},
        {41, 40, 1001, SYSTEMD, NULL, "3", "1001", NULL, MANAGER}, /* (sd-pam) */
    };
    _cleanup_(sp_sessions_clear) struct sp_sessions s = find(*state, procs, SP_COUNT(procs));

    assert_int_equal(s.n, 4);
    assert_true(has(&s, 30) && has(&s, 31) && has(&s, 32) && has(&s, 40));
    assert_int_equal(s.manager, 40);
}

static void who_lingers_keeps_his_manager_and_nothing_else_there(void **state)
{
    static const struct fake procs[] = {
        {30, 1, 1001, "/usr/bin/tmux", NULL, "9", "1001", NULL, MANAGER},
        {40, 1, 1001, SYSTEMD, NULL, "3", "1001", NULL, MANAGER},
    };
    let_linger(*state);
    _cleanup_(sp_sessions_clear) struct sp_sessions s = find(*state, procs, SP_COUNT(procs));

    assert_int_equal(s.n, 1);
    assert_true(has(&s, 30) && s.manager == 0);
}

static void the_manager_stays_while_another_name_of_the_uid_is_in(void **state)
{
    static const struct fake procs[] = {
        {40, 1, 1001, SYSTEMD, NULL, "3", "1001", NULL, MANAGER},
        {70, 50, 0, SSHD, "sshd: other [priv]", "6", "1001", NULL, NULL},
        {71, 70, 1001, "/bin/bash", NULL, "6", "1001", NULL, NULL},
    };
    _cleanup_(sp_sessions_clear) struct sp_sessions s = find(*state, procs, SP_COUNT(procs));

    assert_int_equal(s.n, 0);
}

static void a_jail_goes_with_its_first_process(void **state)
{
    static const struct fake procs[] = {
        {90, 1, 1001, "/usr/libexec/sallyport/chroot-bash", NULL, NONE, NONE, "90\t1", NULL},
        {91, 90, 1001, "/usr/bin/tmux", NULL, NONE, NONE, "91\t2", NULL},
        {92, 1, 1001, "/usr/bin/other", NULL, NONE, NONE, "92\t1", NULL},
        {93, 1, 1001, "/usr/libexec/sallyport/chroot-bash", NULL, NONE, NONE, "93", NULL},
        {94, 1, 1001, "/home/example/chroot-bash", NULL, NONE, NONE, "94\t1", NULL, "user:[2]"},
    };
    _cleanup_(sp_sessions_clear) struct sp_sessions s = find(*state, procs, SP_COUNT(procs));

    assert_int_equal(s.n, 2);
    assert_true(has(&s, 90) && has(&s, 91));
}

static void without_audit_ancestry_is_enough(void **state)
{
    static const struct fake procs[] = {
        {60, 1, 0, SSHD, "sshd: example [priv]", NULL, NULL, NULL, NULL},
        {61, 60, 1001, SSHD, "sshd: example@notty", NULL, NULL, NULL, NULL},
        {62, 61, 0, "/usr/bin/sudo", NULL, NULL, NULL, NULL, NULL},
        {63, 62, 1001, "/bin/bash", NULL, NULL, NULL, NULL, NULL},
        {64, 1, 1001, "/usr/sbin/php-fpm8.2", NULL, NULL, NULL, NULL, NULL},
    };
    _cleanup_(sp_sessions_clear) struct sp_sessions s = find(*state, procs, SP_COUNT(procs));

    assert_int_equal(s.n, 3);
    assert_int_equal(s.n_logins, 1);
    assert_false(has(&s, 64));
}

#define T(f) cmocka_unit_test_setup_teardown(f, temp_open, temp_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_login_is_its_sshd_and_all_below_and_in_its_session),
        T(daemons_and_cron_jobs_of_the_same_uid_are_left_alone),
        T(what_outlived_its_sshd_is_found),
        T(moving_into_the_users_manager_hides_nobody),
        T(who_lingers_keeps_his_manager_and_nothing_else_there),
        T(the_manager_stays_while_another_name_of_the_uid_is_in),
        T(a_jail_goes_with_its_first_process),
        T(without_audit_ancestry_is_enough),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
