/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * chroot-bash: the login shell of a jailed account. Installed with the file capabilities cap_sys_admin and
 * cap_sys_chroot, never setuid: it runs as the user, so what it can read, the user can read. It ends with
 * the exit status of the jail's bash, or 125 when there was no jail: it never falls back to anything wider.
 */
#include "entry.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

/* Enter a living jail, or make one; then run the shell in it. The joined jail may end between our look and
 * our fork: then go back out of its namespaces and make one. */
static int enter(struct sp_entry *e, int *ret_status, struct sp_error *err)
{
    _cleanup_(sp_join_clear) struct sp_join back = {.root_fd = -1, .ns = {-1, -1, -1, -1}};
    int joined = sp_join(e, &back, err);

    if (joined < 0)
        return -1;
    if (joined > 0) {
        if (sp_supervise(e, ret_status, err) == 0)
            return 0;
        if (err->code != SP_E_NO_MEMORY || sp_join_undo(e, &back, err) < 0)
            return -1;
    }
    if (sp_build(e, err) < 0)
        return -1;
    return sp_supervise(e, ret_status, err);
}

/* End as the shell ended, so that sshd, cron or a script sees no difference. Only the shell's own process
 * may leave a core file. */
static int end_like(int status)
{
    const struct rlimit none = {0, 0};
    sigset_t set;

    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)signal(WTERMSIG(status), SIG_DFL);
    (void)sigemptyset(&set);
    (void)sigprocmask(SIG_SETMASK, &set, NULL);
    (void)raise(WTERMSIG(status));
    return 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
    struct sp_entry e = {.record_fd = -1, .lock_fd = -1, .init_fd = -1, .log_fd = -1, .agent_fd = -1};
    struct sp_error err = {0};
    int status;

    if (sp_start(argc, argv, &e, &err) < 0 || sp_login_find(&e, &err) < 0 || sp_env_make(&e, &err) < 0 ||
        enter(&e, &status, &err) < 0) {
        sp_report(&e, &err);
        return SP_EXIT_REFUSED;
    }
    return end_like(status);
}
