/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See blind.h: a doctor who cannot look does not say that all is well, nor that something is missing. */
#include "blind.h"

#include "doctor/doctor.h"
#include "host/spawn.h"
#include "model/loginshell.h"

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJJYT+ssYYmKoEv/ksDA4uupkwk2oBc70MuLLsXo1iZB anna@laptop"

enum { WELL, UNKNOWN, STOPPED, FAILED };

/* What one layer says of a jailed account, with these settings of sshd's. */
static int ask(struct temp_host *t, sp_doctor_layer *layer, const char *settings, const char *key)
{
    static const struct sp_config config = {.key_store = SP_KEY_STORE_HOME};
    _cleanup_(sp_findings_clear) struct sp_findings found = {0};
    struct sp_sshkey with = {0};
    const struct sp_login login = {
        .host = &t->h, .config = &config, .user = "site", .key = key != NULL ? &with : NULL};
    struct sp_visit v = {
        .login = &login,
        .findings = &found,
        .user = {.name = "site", .uid = 1000, .gid = 1000, .home = "/home/site", .shell = SP_CHROOT_BASH},
        .has_user = true,
        .has_sshd = true};
    struct sp_error err;
    int rc = WELL;

    if ((key != NULL && sp_sshkey_parse(key, strlen(key), &with, NULL, &err) < 0) ||
        sp_sshdconf_parse(settings, strlen(settings), &v.sshd, &err) < 0 || layer(&v, &err) < 0)
        rc = FAILED;
    for (size_t i = 0; i < found.n && rc != FAILED; i++)
        if (found.v[i].state == SP_FINDING_UNKNOWN)
            rc = UNKNOWN;
    if (rc == WELL && sp_findings_first_stop(&found) != NULL)
        rc = STOPPED;
    sp_sshdconf_clear(&v.sshd);
    sp_sshkey_clear(&with);
    return rc;
}

static int ask_leaks(struct temp_host *t)
{
    return ask(t, sp_doctor_leaks, "permituserenvironment no\nallowstreamlocalforwarding no\n", NULL);
}

static void what_nobody_could_look_at_may_leak(void **state)
{
    struct temp_host *t = *state;

    assert_int_equal(mkdirat(t->h.root_fd, "proc", 0755), 0);
    assert_int_equal(ask_leaks(t), WELL);
    with_each_failing(t, ask_leaks, WELL);
}

static int ask_wrappers(struct temp_host *t)
{
    return ask(t, sp_doctor_wrappers, "port 22\n", NULL);
}

static void hosts_deny_that_nobody_can_read_may_name_sshd(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;
    _cleanup_close_ int fd = sp_fsat_make_dirs(t->h.root_fd, "etc", 0755, &err);

    assert_true(fd >= 0);
    assert_int_equal(ask_wrappers(t), WELL);
    with_each_failing(t, ask_wrappers, WELL);
    temp_put(t, "etc/hosts.deny", "ALL: ALL\n", 0644);
    assert_int_equal(ask_wrappers(t), STOPPED);
    with_each_failing(t, ask_wrappers, WELL);
    temp_put(t, "etc/hosts.allow", "ALL: ALL\n", 0644);
    assert_int_equal(ask_wrappers(t), WELL);
    with_each_failing(t, ask_wrappers, STOPPED);
}

static int ask_account(struct temp_host *t)
{
    return ask(t, sp_doctor_account, "usepam no\n", NULL);
}

static void nologin_that_nobody_can_look_for_may_be_there(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;
    _cleanup_close_ int fd = sp_fsat_make_dirs(t->h.root_fd, "etc", 0755, &err);

    assert_true(fd >= 0);
    temp_put(t, "etc/shadow", "site:$6$x:1::::::\n", 0600);
    assert_int_equal(ask_account(t), WELL);
    with_each_failing(t, ask_account, WELL);
}

static int status; /* of ssh-keygen; -1: it cannot be started */

static int spawn_keygen(struct sp_host *h, struct sp_spawn *s, struct sp_error *err)
{
    (void)h;
    s->status = status;
    return status < 0 ? sp_fail(err, SP_E_IO, EAGAIN, "cannot fork") : 0;
}

static int ask_key(struct temp_host *t)
{
    return ask(
        t, sp_doctor_key,
        "pubkeyauthentication yes\nstrictmodes no\nauthorizedkeysfile none\nrevokedkeys /etc/revoked\n",
        KEY);
}

static void a_revocation_list_that_nobody_can_ask_is_neither_missing_nor_empty(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;
    _cleanup_close_ int fd = sp_fsat_make_dirs(t->h.root_fd, "etc", 0755, &err);

    assert_true(fd >= 0);
    t->ops.spawn = spawn_keygen;
    temp_put(t, "etc/revoked", "", 0644);
    status = -1;
    assert_int_equal(ask_key(t), UNKNOWN);
    status = 0;
    assert_int_equal(with_failing(SYS_openat2, EIO, ask_key, t), UNKNOWN);
}

static int ask_methods(struct temp_host *t)
{
    return ask(t, sp_doctor_methods,
               "passwordauthentication yes\nauthenticationmethods publickey,password\n", KEY);
}

static void a_password_that_nobody_can_look_up_may_be_right(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;
    _cleanup_close_ int fd = sp_fsat_make_dirs(t->h.root_fd, "etc", 0755, &err);

    assert_true(fd >= 0);
    temp_put(t, "etc/shadow", "site:$6$x:1::::::\n", 0600);
    assert_int_equal(ask_methods(t), STOPPED); /* the key is not asked for here */
    with_each_failing(t, ask_methods, STOPPED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_nobody_could_look_at_may_leak),
        T(hosts_deny_that_nobody_can_read_may_name_sshd),
        T(nologin_that_nobody_can_look_for_may_be_there),
        T(a_revocation_list_that_nobody_can_ask_is_neither_missing_nor_empty),
        T(a_password_that_nobody_can_look_up_may_be_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
