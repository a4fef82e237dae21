/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pam_sallyport(8): PAM's account phase for managed accounts. Suspension, the account's dates and its own
 * sources hold here for whatever somebody proved himself with, and for every service that asks.
 *
 * Rules: root, and who is neither in the group sallyport nor has a record, is none of ours (PAM_IGNORE).
 * For who is, a record that is missing, broken or another uid's is a refusal, and is logged as an error: it
 * shuts out managed accounts, never the admin. Who cannot be told from a managed account, since passwd,
 * group or the record cannot be looked at, is refused, too; root is known by his name.
 */
#include <errno.h>
#include <fcntl.h>
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <security/pam_modutil.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/pamrecord.h"
#include "model/pwfile.h"
#include "model/when.h"

#define GROUP "sallyport"
#define GROUP_FILE "/etc/group" /* where sallyport itself writes its members */
#define GROUP_MAX ((size_t)64 << 20)

/* Root wrote it, and nobody else can. */
static int read_record(const char *user, struct sp_pamrecord *ret, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    _cleanup_close_ int fd = -1;
    char path[256];
    struct stat st;

    if (user[0] == '.' || strchr(user, '/') != NULL ||
        sp_str_format(path, sizeof(path), SP_PAMRECORD_DIR "/%s", user) < 0)
        return sp_fail(err, SP_E_NOT_FOUND, 0, "no name of an account");
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return sp_fail(err, errno == ENOENT ? SP_E_NOT_FOUND : SP_E_IO, errno, "%s", path);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & 022) != 0)
        return sp_fail(err, SP_E_UNSAFE_PATH, 0, "%s is not root's alone to write", path);
    if (sp_buf_read_fd(&text, fd, SP_PAMRECORD_MAX_BYTES, 0, err) < 0)
        return -1;
    return sp_pamrecord_parse(sp_buf_str(&text), text.len, ret, err);
}

/* Why not, for the log and for who asks; told him where the service shows it (pam_error(3)). */
static int refuse(pam_handle_t *pam, int flags, const char *user, const char *host, const char *why,
                  int status)
{
    pam_syslog(pam, LOG_NOTICE, "%s refused from %s: %s", user, host[0] != '\0' ? host : "this host", why);
    if ((flags & PAM_SILENT) == 0)
        (void)pam_error(pam, "No access: %s.", why);
    return status;
}

static int answer(pam_handle_t *pam, int flags, const struct sp_pamrecord *r, const char *host,
                  const struct sp_cidr *from)
{
    char why[160], when[SP_WHEN_SIZE];

    switch (sp_pamrecord_judge(r, time(NULL), from)) {
    case SP_PAM_ADMITTED:
        return PAM_SUCCESS;
    case SP_PAM_SUSPENDED:
        return refuse(pam, flags, r->user, host, "this account is suspended", PAM_PERM_DENIED);
    case SP_PAM_EARLY:
        sp_when_format(r->valid_from, when);
        (void)sp_str_format(why, sizeof(why), "this account begins at %s", when);
        return refuse(pam, flags, r->user, host, why, PAM_ACCT_EXPIRED);
    case SP_PAM_OVER:
        sp_when_format(r->valid_until, when);
        (void)sp_str_format(why, sizeof(why), "this account ended at %s", when);
        return refuse(pam, flags, r->user, host, why, PAM_ACCT_EXPIRED);
    case SP_PAM_ELSEWHERE:
        break;
    }
    return refuse(pam, flags, r->user, host, "not from this address", PAM_PERM_DENIED);
}

/* By the file itself: nsswitch.conf(5) hides one that could not be read behind what is asked next, and so
 * does a user who is not found. 1; 0; -1: nobody knows. */
static int is_listed(const char *user)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    _cleanup_close_ int fd = open(GROUP_FILE, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct sp_grfile_line line;
    struct sp_error err;

    if (fd < 0)
        sp_fail(&err, errno == ENOENT ? SP_E_NOT_FOUND : SP_E_IO, errno, GROUP_FILE);
    if (fd < 0 || sp_buf_read_fd(&text, fd, GROUP_MAX, 0, &err) < 0 ||
        sp_grfile_find(sp_buf_str(&text), text.len, SP_GRFILE_GROUP, GROUP, &line, &err) < 0)
        return sp_error_is_blind(&err) ? -1 : 0;
    return sp_grfile_is_member(sp_buf_str(&text), &line, user) == SP_GRFILE_MEMBER;
}

static int deny(pam_handle_t *pam, int flags, const char *user, const struct sp_error *err)
{
    pam_syslog(pam, LOG_ERR, "%s refused: no record to judge by: %s (sallyport reconcile writes it)", user,
               err->text);
    if ((flags & PAM_SILENT) == 0)
        (void)pam_error(pam, "No access: the account's record cannot be read; ask the administrator.");
    return PAM_PERM_DENIED;
}

/* No record that can be trusted. Of an account that is ours it is a refusal, and of who may be. */
static int without_record(pam_handle_t *pam, int flags, const char *user, const struct sp_error *err)
{
    if (pam_modutil_user_in_group_nam_nam(pam, user, GROUP) != 1 && is_listed(user) == 0)
        return PAM_IGNORE;
    return deny(pam, flags, user, err);
}

/* Sources speak of addresses. A service that names none (cron, su) is of this host; a name instead of an
 * address is nothing to go by. */
static int judge(pam_handle_t *pam, int flags, const struct sp_pamrecord *r)
{
    const void *item = NULL;
    struct sp_cidr from;
    char host[128];

    if (pam_get_item(pam, PAM_RHOST, &item) != PAM_SUCCESS)
        return PAM_SYSTEM_ERR;
    /* Whatever a client may have made of it: an FTP server hands on a name that he chose in his DNS. */
    (void)sp_str_format(host, sizeof(host), "%.127s", item != NULL ? (const char *)item : "");
    sp_str_make_printable(host);
    if (host[0] == '\0' || r->sources.n == 0)
        return answer(pam, flags, r, host, NULL);
    if (sp_pamrecord_address(host, &from))
        return answer(pam, flags, r, host, &from);
    pam_syslog(pam, LOG_ERR, "%s has sources, and the service names the host %s instead of its address",
               r->user, host);
    return refuse(pam, flags, r->user, host, "your address is not known here", PAM_PERM_DENIED);
}

__attribute__((visibility("default"))) int pam_sm_acct_mgmt(pam_handle_t *pam, int flags, int argc,
                                                            const char **argv)
{
    _cleanup_(sp_pamrecord_clear) struct sp_pamrecord r = {0};
    const struct passwd *pw;
    const char *user = NULL;
    struct sp_error err;

    for (int i = 0; i < argc; i++)
        pam_syslog(pam, LOG_ERR, "it takes no arguments: %s", argv[i]);
    if (pam_get_user(pam, &user, NULL) != PAM_SUCCESS || user == NULL)
        return PAM_USER_UNKNOWN;
    pw = pam_modutil_getpwnam(pam, user); /* NULL: there is none, or nobody could look */
    if (pw != NULL ? pw->pw_uid == 0 : sp_streq(user, "root"))
        return PAM_IGNORE;
    if (read_record(user, &r, &err) < 0)
        return without_record(pam, flags, user, &err);
    if (pw == NULL) {
        sp_fail(&err, SP_E_NOT_FOUND, 0, "passwd does not tell whose it is");
        return deny(pam, flags, user, &err);
    }
    if (!sp_streq(r.user, user) || r.uid != pw->pw_uid) {
        sp_fail(&err, SP_E_STATE, 0, "it is of %s with uid %u", r.user, r.uid);
        return without_record(pam, flags, user, &err);
    }
    return judge(pam, flags, &r);
}

/* Named in an auth stack by mistake it neither lets in nor keeps out. */
__attribute__((visibility("default"))) int pam_sm_authenticate(pam_handle_t *pam, int flags, int argc,
                                                               const char **argv)
{
    (void)pam;
    (void)flags;
    (void)argc;
    (void)argv;
    return PAM_IGNORE;
}

__attribute__((visibility("default"))) int pam_sm_setcred(pam_handle_t *pam, int flags, int argc,
                                                          const char **argv)
{
    (void)pam;
    (void)flags;
    (void)argc;
    (void)argv;
    return PAM_IGNORE;
}
