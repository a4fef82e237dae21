/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "resource/sshd-master.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/proctable.h"

#define RELOAD_DEADLINE_MS 1000

static int read_pid(struct sp_host *h, struct sp_sshd_master *m, uint64_t *ret, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};

    *ret = 0;
    if (sp_fsat_read(h->root_fd, m->pid_file, 64, &text, &m->st, err) < 0)
        return sp_error_is_blind(err) ? -1 : 0;
    if (text.len > 0 && text.data[text.len - 1] == '\n')
        text.data[--text.len] = '\0';
    if (sp_str_to_u64(sp_buf_str(&text), INT32_MAX, ret) < 0 || *ret < 2)
        *ret = 0;
    return 0;
}

/* proc(5): the link of a program whose file was replaced or removed ends so. */
static bool is_program(const char *exe, const char *path)
{
    const char *rest;

    return sp_str_prefix(exe, path, &rest) && (*rest == '\0' || sp_streq(rest, " (deleted)"));
}

int sp_sshd_master(struct sp_host *h, const struct sp_config *c, const struct sp_sshdconf *conf,
                   struct sp_sshd_master *ret, struct sp_error *err)
{
    const char *file = sp_sshdconf_get(conf, "pidfile");
    char link[64], exe[SP_PATH_SIZE];
    uint64_t pid = 0;
    ssize_t n;

    *ret = (struct sp_sshd_master){0};
    if (!h->real || file == NULL || file[0] != '/' ||
        sp_str_copy(ret->pid_file, sizeof(ret->pid_file), file) < 0)
        return 0;
    if (read_pid(h, ret, &pid, err) < 0)
        return -1;
    if (pid == 0)
        return 0;
    (void)sp_str_format(link, sizeof(link), "proc/%llu/exe", (unsigned long long)pid);
    n = readlinkat(h->root_fd, link, exe, sizeof(exe) - 1);
    if (n < 0 && sp_proctable_is_blind(errno))
        return sp_fail(err, SP_E_IO, errno, "cannot tell whether process %llu is sshd",
                       (unsigned long long)pid);
    exe[n > 0 ? n : 0] = '\0';
    if (is_program(exe, c->sshd))
        ret->pid = (pid_t)pid;
    return 0;
}

/* On SIGHUP sshd takes its pid file away, and writes it anew when it listens with the new policy. Until
 * then a login goes by the old one, or is refused: wait for it, but not for an sshd that hangs. */
void sp_sshd_master_reload(struct sp_host *h, const struct sp_sshd_master *m)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    struct stat now;

    if (m->pid == 0 || kill(m->pid, SIGHUP) != 0)
        return;
    for (unsigned i = 0; i < RELOAD_DEADLINE_MS / 2; i++) {
        (void)nanosleep(&pause, NULL);
        if (fstatat(h->root_fd, &m->pid_file[1], &now, AT_SYMLINK_NOFOLLOW) == 0 && now.st_size > 0 &&
            (now.st_ino != m->st.st_ino || now.st_mtim.tv_sec != m->st.st_mtim.tv_sec ||
             now.st_mtim.tv_nsec != m->st.st_mtim.tv_nsec))
            return;
    }
}
