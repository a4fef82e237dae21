/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Step 1: nothing that the caller left lying about may reach the steps that follow. */
#include "entry.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"
#include "sys.h"

/* One user in every sense, and not root: a jail that root enters confines nobody. */
static int check_user(struct sp_entry *e, struct sp_error *err)
{
    uid_t r, u, s;
    gid_t rg, g, sg;

    if (getresuid(&r, &u, &s) < 0 || getresgid(&rg, &g, &sg) < 0)
        return sp_fail(err, SP_E_IO, errno, "cannot tell who calls");
    if (r != u || u != s || rg != g || g != sg)
        return sp_fail(err, SP_E_FORBIDDEN, 0, "real, effective and saved ids differ");
    if (r == 0)
        return sp_fail(err, SP_E_FORBIDDEN, 0, "root has no jail");
    e->record.uid = r;
    e->record.gid = g;
    return 0;
}

/* AT_SECURE (getauxval(3)): the kernel saw file capabilities at exec, so ld.so and libc ignored the
 * environment and nobody traces us. Both are missing under no_new_privs, a nosuid mount or a stripped file.
 */
static int check_privilege(struct sp_error *err)
{
    const uint32_t need = CAP_TO_MASK(CAP_SYS_ADMIN) | CAP_TO_MASK(CAP_SYS_CHROOT);
    struct __user_cap_data_struct caps[2] = {0};

    if (getauxval(AT_SECURE) != 0 && sp_sys_capget(caps) == 0 && (caps[0].effective & need) == need)
        return 0;
    sp_fail(err, SP_E_UNSUPPORTED, 0, "has no capabilities here");
    return sp_hint(err, "as root: setcap cap_sys_admin,cap_sys_chroot=ep on it, on a mount without nosuid");
}

/* fd 9 on "/" would be a way out of any chroot, and so would a directory on 0, 1 or 2. */
static int close_fds(struct sp_error *err)
{
    struct stat st;

    if (sp_sys_close_range(3, ~0U) < 0)
        return sp_fail(err, SP_E_UNSUPPORTED, errno, "cannot close the caller's files");
    for (int fd = 0; fd < 3; fd++) {
        int opened = fstat(fd, &st) < 0 ? open("/dev/null", O_RDWR) : fd; /* takes the lowest number */

        if (opened != fd)
            return sp_fail(err, SP_E_IO, errno, "cannot open /dev/null");
        if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode) || (fcntl(fd, F_GETFL) & O_PATH) != 0)
            return sp_fail(err, SP_E_FORBIDDEN, 0, "file descriptor %d is a directory", fd);
    }
    return 0;
}

/* An ignored SIGCHLD would lose the exit status, a blocked SIGTERM would outlive the logout. */
static void reset_signals(void)
{
    sigset_t none;

    for (int sig = 1; sig < NSIG; sig++)
        (void)signal(sig, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Now, since /dev/log is out of sight later. A host without a log daemon is no reason to refuse. */
static void open_log(struct sp_entry *e)
{
    const struct sockaddr_un log = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};

    e->log_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (e->log_fd >= 0 && connect(e->log_fd, (const struct sockaddr *)&log, sizeof(log)) < 0) {
        (void)close(e->log_fd);
        e->log_fd = -1;
    }
}

void sp_log(const struct sp_entry *e, const char *text)
{
    char line[1024];

    /* RFC 3164: authpriv (10) * 8 + info (6). Without a time stamp the daemon puts its own. */
    if (e->log_fd >= 0 &&
        sp_str_format(line, sizeof(line), "<86>chroot-bash[%d]: %s", (int)getpid(), text) == 0)
        (void)send(e->log_fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void sp_report(const struct sp_entry *e, const struct sp_error *err)
{
    char text[900];

    if (sp_str_format(text, sizeof(text), "%s%s%s", err->text, err->hint[0] != '\0' ? "; " : "",
                      err->hint) < 0)
        return;
    (void)dprintf(STDERR_FILENO, "chroot-bash: %s\n", text);
    if (sp_str_format(text, sizeof(text), "uid %u refused: %s", (unsigned)getuid(), err->text) == 0)
        sp_log(e, text);
}

int sp_start(int argc, char **argv, struct sp_entry *e, struct sp_error *err)
{
    (void)prctl(PR_SET_DUMPABLE, 0); /* fs.suid_dumpable may have left it readable */
    if (close_fds(err) < 0)
        return -1;
    reset_signals();
    e->umask = umask(0); /* the skeleton's modes are exact; the shell gets this one back */
    open_log(e);
    if (sp_command_read(argc, argv, e, err) < 0 || check_user(e, err) < 0 || check_privilege(err) < 0)
        return -1;
    return 0;
}
