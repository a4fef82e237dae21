/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What runs once sshd has let somebody in: the login shell, or what stands in its place, and the jail. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"
#include "doctor/doctor.h"
#include "host/alive.h"
#include "host/fsat.h"
#include "host/kernel.h"
#include "host/layout.h"
#include "host/tryshell.h"
#include "model/loginshell.h"
#include "resource/sshd.h"

static const char *shell_of(const struct sp_visit *v)
{
    return v->user.shell[0] != '\0' ? v->user.shell : "/bin/sh";
}

/* The command that gives the shell back that sallyport is to have set. */
static int mend_shell(struct sp_visit *v)
{
    const struct sp_account *a = v->login->account;

    if (a == NULL || a->n_domains == 0)
        return sp_finding_mend(v, "usermod -s /bin/bash %s", v->user.name);
    if (a->shell == SP_SHELL_NONE || a->shell == SP_SHELL_UNSET)
        return sp_finding_mend(v, "sallyport shell %s chroot", a->domains[0].name);
    return sp_finding_mend(v, "sallyport reconcile --restore-access");
}

static bool has_chroot(const struct sp_visit *v)
{
    const char *root = sp_sshdconf_get(&v->sshd, "chrootdirectory");

    return root != NULL && strcasecmp(root, "none") != 0;
}

/* allowed_user() of auth.c: no login without a shell that is a program. */
int sp_doctor_shell(struct sp_visit *v, struct sp_error *err)
{
    static const char *const ends[] = {"/bin/false",      "/usr/bin/false", "/bin/true",
                                       "/usr/bin/true",   "/sbin/nologin",  "/usr/sbin/nologin",
                                       "/usr/bin/nologin"};
    struct sp_error why;

    if (!v->has_user || !v->has_sshd)
        return 0;
    if (!has_chroot(v) && sp_shell_check(v->login->host, shell_of(v), &why) < 0) {
        if (sp_finding_add(v, "shell", SP_FINDING_STOPS, err, "%s", why.text) < 0)
            return -1;
        return mend_shell(v);
    }
    for (size_t i = 0; i < SP_COUNT(ends); i++)
        if (sp_streq(shell_of(v), ends[i])) {
            if (sp_finding_add(v, "shell", SP_FINDING_STOPS, err, "the login shell %s ends every login",
                               shell_of(v)) < 0)
                return -1;
            return mend_shell(v);
        }
    return sp_finding_add(v, "shell", SP_FINDING_OK, err, "the login shell is %s", shell_of(v));
}

/* safely_chroot() of session.c: every component is root's, and nobody else writes to it. */
static int check_chroot(struct sp_visit *v, const char *setting, struct sp_error *err)
{
    char path[SP_PATH_SIZE];
    struct stat st;

    if (sp_streq(setting, "%h") || sp_streq(setting, "%h/"))
        setting = v->user.home;
    if (sp_str_copy(path, sizeof(path), setting) != 0 || strchr(path, '%') != NULL)
        return sp_finding_add(v, "session", SP_FINDING_UNKNOWN, err, "sshd locks him into %.200s", setting);
    for (size_t i = 1; i <= strlen(path); i++) {
        char saved = path[i];
        if (saved != '/' && saved != '\0')
            continue;
        path[i] = '\0';
        if (stat(path, &st) != 0 || st.st_uid != 0 || (st.st_mode & 022) != 0 || !S_ISDIR(st.st_mode)) {
            if (sp_finding_add(v, "session", SP_FINDING_STOPS, err,
                               "ChrootDirectory %.200s: %.200s is missing, or not root's alone", setting,
                               path) < 0)
                return -1;
            return sp_finding_mend(v, "take %s out of that Match block; the jail is sallyport's to make",
                                   v->user.name);
        }
        path[i] = saved;
    }
    if (sp_finding_add(v, "session", SP_FINDING_STOPS, err,
                       "sshd locks him into ChrootDirectory %.200s, where his shell is not", setting) < 0)
        return -1;
    return sp_finding_mend(v, "take %s out of that Match block; the jail is sallyport's to make",
                           v->user.name);
}

int sp_doctor_session(struct sp_visit *v, struct sp_error *err)
{
    char mend[SP_MEND_SIZE];
    const char *forced;
    struct stat st;

    if (!v->has_user || !v->has_sshd)
        return 0;
    forced = sp_sshdconf_get(&v->sshd, "forcecommand");
    if (forced != NULL && strstr(forced, "internal-sftp") != NULL) {
        if (sp_finding_add(v, "session", SP_FINDING_STOPS, err,
                           "sshd gives him sftp and nothing else (ForceCommand %.150s)", forced) < 0)
            return -1;
        return sp_finding_mend(v, "take %s out of that Match block", v->user.name);
    }
    if (has_chroot(v))
        return check_chroot(v, sp_sshdconf_get(&v->sshd, "chrootdirectory"), err);
    if (forced != NULL && strcasecmp(forced, "none") != 0 && !sp_streq(forced, SP_FORCED_SESSION))
        return sp_finding_add(v, "session", SP_FINDING_WARNING, err,
                              "sshd runs %.200s in place of what he asks for", forced);
    if (stat(v->user.home, &st) != 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
        return sp_finding_add(v, "session", SP_FINDING_UNKNOWN, err, "the home %.200s: %s", v->user.home,
                              strerror(errno));
    if (stat(v->user.home, &st) != 0 || !S_ISDIR(st.st_mode)) {
        if (sp_finding_add(v, "session", SP_FINDING_WARNING, err,
                           "the home %.200s is missing: the session begins in /", v->user.home) < 0)
            return -1;
        (void)sp_mend_path(v->login->host, &v->user, SP_MEND_HOME, v->user.home, mend);
        return sp_finding_mend(v, "%s", mend);
    }
    return sp_finding_add(v, "session", SP_FINDING_OK, err, "sshd runs the login shell");
}

/* --- what has to answer before anything of it is looked at --- */

int sp_doctor_home(struct sp_visit *v, struct sp_error *err)
{
    const struct sp_account *a = v->login->account;
    size_t n = 0, n_roots = a != NULL ? a->n_domains : 0;
    _cleanup_free_ const char **paths = calloc(n_roots + 1, sizeof(*paths));
    struct sp_error why;

    if (paths == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (!v->has_user)
        return 0;
    paths[n++] = v->user.home;
    for (size_t i = 0; i < n_roots; i++)
        paths[n++] = a->domains[i].document_root;
    if (sp_alive_ask(v->login->host, paths, n, &why) == 0)
        return 0;
    v->hangs = true;
    if (sp_finding_add(v, "home", SP_FINDING_STOPS, err, "%s", why.text) < 0)
        return -1;
    return sp_finding_mend(v, "mount; umount -l the one that is dead");
}

/* --- the shell, run for real --- */

static bool takes_commands(const char *shell)
{
    static const char *const names[] = {"bash", "sh", "dash", "zsh", "ksh", "chroot-bash"};
    const char *name = strrchr(shell, '/');

    for (size_t i = 0; name != NULL && i < SP_COUNT(names); i++)
        if (sp_streq(name + 1, names[i]))
            return true;
    return false;
}

/* What is wrong with the user himself, or with / of his jail, is nothing that reconcile can mend. */
static int mend_account(struct sp_visit *v, const struct sp_account *a)
{
    if (a->n_domains > 0 && a->uid != v->user.uid)
        return sp_doctor_mend_uid(v);
    if (a->n_domains > 0 && a->extra.owner[0] == '\0' && sp_streq(shell_of(v), SP_CHROOT_BASH))
        return sp_doctor_mend_root(v, a->domains[0].document_root);
    return sp_finding_mend(v, "sallyport reconcile");
}

static int blame_kernel(struct sp_visit *v, const char *said, struct sp_error *err)
{
    struct sp_kernel k;

    sp_kernel_look(v->login->host, SP_CHROOT_BASH, &k);
    if (sp_finding_add(v, "jail", SP_FINDING_STOPS, err, "the shell does not start: %.300s", said) < 0)
        return -1;
    if (!k.file_capabilities)
        return sp_finding_mend(v, "setcap cap_sys_admin,cap_sys_chroot=ep " SP_CHROOT_BASH);
    if (!k.mount_namespaces || !k.mount_api)
        return sp_finding_mend(v, "this kernel (%s) allows no jail: see sallyport-security(7)", k.release);
    return v->login->account != NULL ? mend_account(v, v->login->account) : 0;
}

int sp_doctor_jail(struct sp_visit *v, struct sp_error *err)
{
    struct sp_tryshell run = {.deadline_ms = SP_TRYSHELL_DEADLINE_MS};
    struct sp_error why;

    if (!v->has_user || v->user.uid == 0 || !takes_commands(shell_of(v)) ||
        sp_findings_first_stop(v->findings) != NULL)
        return 0;
    if (v->login->shell_ms != 0 && v->login->shell_ms < run.deadline_ms)
        run.deadline_ms = v->login->shell_ms;
    if (sp_tryshell_run(v->login->host, &v->user, &run, &why) < 0)
        return why.code == SP_E_BUSY ? blame_kernel(v, "it did not end in time", err)
                                     : sp_finding_add(v, "jail", SP_FINDING_UNKNOWN, err,
                                                      "the shell could not be tried: %s", why.text);
    if (run.status == 0)
        return sp_finding_add(v, "jail", SP_FINDING_OK, err, "%s was started as %s and ran a command",
                              shell_of(v), v->user.name);
    return blame_kernel(v, run.said[0] != '\0' ? run.said : "it failed and said nothing", err);
}
