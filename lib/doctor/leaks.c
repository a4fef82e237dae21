/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What runs or reaches out beside the jail. None of it stops a login: these are warnings, for jailed
 * accounts alone. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "doctor/doctor.h"
#include "host/fsat.h"
#include "host/layout.h"
#include "host/proctable.h"
#include "resource/sshd.h"

static int warn(struct sp_visit *v, struct sp_error *err, const char *text, const char *mend)
{
    if (sp_finding_add(v, "leaks", SP_FINDING_WARNING, err, "%s", text) < 0)
        return -1;
    return sp_finding_mend(v, "%s", mend);
}

static int sftp_beside(struct sp_visit *v, struct sp_error *err)
{
    const char *sftp = sp_sshdconf_subsystem(&v->sshd, "sftp");

    if (sftp == NULL || strstr(sftp, "internal-sftp") == NULL ||
        sp_streq(sp_sshdconf_get(&v->sshd, "forcecommand"), SP_FORCED_SESSION))
        return 0;
    return warn(v, err, "sshd serves sftp itself (internal-sftp), outside the jail",
                "set `Subsystem sftp /usr/lib/openssh/sftp-server`, then reload sshd");
}

static int unseen(struct sp_visit *v, const struct sp_error *why, struct sp_error *err)
{
    return sp_error_is_blind(why) ? sp_finding_unseen(v, "leaks", why, err) : 0;
}

static int rc_beside(struct sp_visit *v, struct sp_error *err)
{
    struct sp_error why;
    int has = sp_visit_has(v, "/etc/ssh/sshrc", &why);

    if (has <= 0)
        return has < 0 ? unseen(v, &why, err) : 0;
    return warn(v, err, "sshd runs /etc/ssh/sshrc for him outside the jail", "rm /etc/ssh/sshrc");
}

/* pam_env(8): what the user writes there is set before any program of his starts. */
static int environment(struct sp_visit *v, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    struct sp_error why;

    if (!sp_visit_sshd_is(v, "permituserenvironment", "no") &&
        warn(v, err, "PermitUserEnvironment lets him set variables for what sshd starts",
             "set PermitUserEnvironment no, then reload sshd") < 0)
        return -1;
    if (sp_fsat_read(v->login->host->root_fd, "/etc/pam.d/sshd", 65536, &b, NULL, &why) < 0)
        return unseen(v, &why, err);
    for (const char *l = sp_buf_str(&b); *l != '\0'; l += strcspn(l, "\n"), l += *l == '\n') {
        const char *at = strstr(l, "user_readenv=1");
        if (*l != '#' && at != NULL && (size_t)(at - l) < strcspn(l, "\n"))
            return warn(v, err,
                        "PAM reads his ~/.pam_environment (user_readenv=1): the jail drops it, other "
                        "services do not",
                        "take user_readenv=1 out of /etc/pam.d/sshd");
    }
    return 0;
}

static int streams(struct sp_visit *v, struct sp_error *err)
{
    if (sp_sshdconf_get(&v->sshd, "allowstreamlocalforwarding") == NULL ||
        sp_visit_sshd_is(v, "allowstreamlocalforwarding", "no"))
        return 0;
    return warn(v, err, "sshd forwards to unix sockets of the host for him",
                "sallyport reconcile (it writes AllowStreamLocalForwarding no)");
}

/* crontab(5): SHELL= decides what a line is run with. */
static int jobs(struct sp_visit *v, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    struct sp_error why;
    char path[SP_PATH_SIZE], text[300];

    if (sp_str_format(path, sizeof(path), "/var/spool/cron/crontabs/%s", v->user.name) != 0)
        return 0;
    if (sp_fsat_read(v->login->host->root_fd, path, 1U << 20, &b, NULL, &why) < 0)
        return unseen(v, &why, err);
    if (b.len == 0 || strstr(sp_buf_str(&b), "SHELL=" SP_CHROOT_BASH) != NULL)
        return 0;
    (void)snprintf(text, sizeof(text), "his crontab runs outside the jail");
    return warn(v, err, text,
                "put SHELL=" SP_CHROOT_BASH " at its top (crontab -e), or name him in cron.deny");
}

static int units(struct sp_visit *v, struct sp_error *err)
{
    char path[SP_PATH_SIZE], mend[200];
    struct sp_error why;
    int has;

    if (sp_str_format(path, sizeof(path), "/var/lib/systemd/linger/%s", v->user.name) != 0)
        return 0;
    has = sp_visit_has(v, path, &why);
    if (has <= 0)
        return has < 0 ? unseen(v, &why, err) : 0;
    (void)snprintf(mend, sizeof(mend), "loginctl disable-linger %s", v->user.name);
    return warn(v, err, "systemd runs his user units outside the jail (linger)", mend);
}

static bool is_outside(const struct sp_visit *v, pid_t pid)
{
    char path[64], his[64] = "", ours[64] = "";
    ssize_t n, m;

    (void)snprintf(path, sizeof(path), "proc/%d/ns/pid", pid);
    n = readlinkat(v->login->host->root_fd, path, his, sizeof(his) - 1);
    m = readlinkat(v->login->host->root_fd, "proc/self/ns/pid", ours, sizeof(ours) - 1);
    return n > 0 && m > 0 && sp_streq(his, ours);
}

/* sshd's own half of a session, and the supervisor of a jailed one, are ours. */
static int processes(struct sp_visit *v, struct sp_error *err)
{
    _cleanup_(sp_proctable_clear) struct sp_proctable t = {0};
    struct sp_error why;
    char text[200];
    size_t n = 0;

    if (sp_proctable_read(v->login->host, v->user.uid, &t, &why) < 0)
        return unseen(v, &why, err);
    for (size_t i = 0; i < t.n; i++) {
        const struct sp_proc *p = &t.procs[i];
        char path[64], exe[SP_PATH_SIZE] = "";
        if (p->uid != v->user.uid || p->is_sshd || p->is_jail_init || !is_outside(v, p->pid))
            continue;
        (void)snprintf(path, sizeof(path), "proc/%d/exe", p->pid);
        if (readlinkat(v->login->host->root_fd, path, exe, sizeof(exe) - 1) > 0 &&
            sp_streq(exe, SP_CHROOT_BASH))
            continue;
        n++;
    }
    if (n == 0)
        return 0;
    (void)snprintf(text, sizeof(text), "%zu of his processes run outside the jail (the site's PHP, say)",
                   n);
    return warn(v, err, text, "sallyport-security(7): a jail confines the session, not the user");
}

int sp_doctor_leaks(struct sp_visit *v, struct sp_error *err)
{
    static sp_doctor_layer *const all[] = {sftp_beside, rc_beside, environment, streams,
                                           jobs,        units,     processes};
    size_t before = v->findings->n;

    if (!v->has_user || !v->has_sshd || !sp_streq(v->user.shell, SP_CHROOT_BASH))
        return 0;
    for (size_t i = 0; i < SP_COUNT(all); i++)
        if (all[i](v, err) < 0)
            return -1;
    return v->findings->n > before
               ? 0
               : sp_finding_add(v, "leaks", SP_FINDING_OK, err, "nothing of his was found beside the jail");
}
