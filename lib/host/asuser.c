/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/asuser.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "host/child.h"

#define END_MS 100

/* What the child sends before its bytes. Both ends are one program. */
struct reply {
    int result;
    struct sp_error err;
    size_t len;
};

struct ids {
    gid_t *gids;
    size_t n;
};

struct job {
    struct sp_host *host;
    const struct sp_user *user;
    sp_asuser_work *work;
    const void *data;
};

static void clear_ids(struct ids *i)
{
    free(i->gids);
}

/* Locks that the parent holds belong to the open file, which a fork shares: a child that hangs must not
 * keep them. Only root_fd and the pipe stay, as 3 and 4. */
static int keep_two(int *root, int *out)
{
    int a = fcntl(*root, F_DUPFD_CLOEXEC, 16), b = fcntl(*out, F_DUPFD_CLOEXEC, 16);

    if (a < 0 || b < 0 || dup3(a, 3, O_CLOEXEC) < 0 || dup3(b, 4, O_CLOEXEC) < 0)
        return -1;
    *root = 3;
    *out = 4;
    return (int)syscall(SYS_close_range, 5U, ~0U, 0U);
}

/* Effective ids only. kill(2) looks at the target's real and saved uid, ptrace(2) at all of them: both stay
 * root's, so the user can neither stop nor read this process (CVE-2020-16126). */
static int become(const struct sp_user *u, const struct ids *ids)
{
    if (setgroups(ids->n, ids->gids) != 0 || setresgid((gid_t)-1, u->gid, (gid_t)-1) != 0 ||
        setresuid((uid_t)-1, u->uid, (uid_t)-1) != 0)
        return -1;
    return geteuid() == u->uid && getegid() == u->gid ? 0 : -1;
}

__attribute__((noreturn)) static void child(const struct job *j, const struct ids *ids, int out,
                                            pid_t parent)
{
    struct reply r = {.result = -1};
    struct sp_buf bytes = {0};
    struct sp_host mine = *j->host;

    mine.later = NULL; /* what it answers for is durable when it answers */
    (void)signal(SIGPIPE, SIG_IGN);
    umask(077);
    if (keep_two(&mine.root_fd, &out) != 0)
        (void)sp_fail(&r.err, SP_E_IO, errno, "cannot let go of descriptors");
    else if (mine.real && become(j->user, ids) != 0)
        (void)sp_fail(&r.err, SP_E_IO, errno, "cannot take on the ids of %s", j->user->name);
    else if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 ||
             getppid() != parent) /* after the ids: they clear it */
        (void)sp_fail(&r.err, SP_E_IO, errno, "the parent is gone");
    else
        r.result = j->work(&mine, j->data, &bytes, &r.err);
    r.len = bytes.len;
    if (sp_write_all(out, &r, sizeof(r)) != 0 || sp_write_all(out, bytes.data, r.len) != 0)
        _exit(1);
    _exit(0);
}

/* It has answered or it is late. A child that hangs in the kernel (a dead file server) cannot be reaped
 * now: it is left to init. */
static void end_child(pid_t pid)
{
    struct pollfd p = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
    const struct timespec ms = {.tv_nsec = 1000000};

    (void)kill(pid, SIGKILL);
    if (p.fd >= 0) {
        (void)poll(&p, 1, END_MS);
        (void)close(p.fd);
    }
    for (int i = 0; i < END_MS; i++) {
        pid_t r = waitpid(pid, NULL, WNOHANG);
        if (r == pid || (r < 0 && errno != EINTR) || p.fd >= 0)
            return;
        (void)nanosleep(&ms, NULL);
    }
}

static int died(const struct sp_user *u, struct sp_error *err)
{
    return sp_fail(err, SP_E_IO, 0, "the process that works in the home of %s died", u->name);
}

static int receive(int in, const struct job *j, size_t max, struct sp_buf *ret, struct sp_error *err)
{
    _cleanup_(sp_buf_wipe) struct sp_buf b = {0};
    struct reply r;

    if (sp_buf_read_fd(&b, in, sizeof(r) + max, SP_ASUSER_DEADLINE_MS, err) != 0) {
        if (err->code != SP_E_BUSY)
            return -1;
        (void)sp_fail(err, SP_E_BUSY, 0, "the home of %s did not answer within %d ms", j->user->name,
                      SP_ASUSER_DEADLINE_MS);
        return sp_hint(err, "is its filesystem alive?");
    }
    if (b.len < sizeof(r))
        return died(j->user, err);
    memcpy(&r, b.data, sizeof(r));
    if (r.len != b.len - sizeof(r))
        return died(j->user, err);
    sp_buf_add(ret, b.data + sizeof(r), r.len);
    if (!sp_buf_ok(ret))
        return sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for a file");
    if (r.result != 0)
        *err = r.err;
    return r.result;
}

int sp_asuser_run(struct sp_host *h, const struct sp_user *u, sp_asuser_work *work, const void *data,
                  size_t max, struct sp_buf *ret, struct sp_error *err)
{
    const struct job j = {h, u, work, data};
    _cleanup_(clear_ids) struct ids ids = {0};
    _cleanup_close_ int way = -1;
    pid_t self = getpid(), pid;
    int result;

    if (h->real && u->uid == 0)
        return sp_fail(err, SP_E_FORBIDDEN, 0, "the keys of uid 0 are not managed here");
    if (h->real && sp_userdb_gids_of(h, u, &ids.gids, &ids.n, err) != 0)
        return -1;
    pid = sp_child_fork(&way, err);
    if (pid < 0)
        return -1;
    if (pid == 0)
        child(&j, &ids, way, self);
    result = receive(way, &j, max, ret, err);
    end_child(pid);
    return result;
}
