/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/alive.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "host/child.h"
#include "host/fsat.h"

#define MOUNTS_MAX ((size_t)1 << 20)

/* proc_pid_mountinfo(5): the type stands behind the separator " - ". Those that somebody else answers for.
 */
static const char *const elsewhere[] = {"9p",   "afs",   "autofs",   "beegfs", "ceph",   "cifs",
                                        "coda", "fuse",  "gfs2",     "gpfs",   "lustre", "ncpfs",
                                        "nfs",  "ocfs2", "orangefs", "smb"};

static bool is_elsewhere(const char *type)
{
    const char *rest;

    if (sp_str_prefix(type, "fusectl", &rest) || sp_str_prefix(type, "nfsd ", &rest))
        return false;
    for (size_t i = 0; i < SP_COUNT(elsewhere); i++)
        if (sp_str_prefix(type, elsewhere[i], &rest))
            return true;
    return false;
}

/* A list that cannot be read may have one. Without /proc there is no telling: nobody is asked. */
static bool may_hang(struct sp_host *h)
{
    _cleanup_(sp_buf_clear) struct sp_buf mounts = {0};
    struct sp_error err;
    char path[64]; /* not "self", which is a link */

    (void)sp_str_format(path, sizeof(path), "proc/%ld/mountinfo", (long)getpid());
    if (sp_fsat_read(h->root_fd, path, MOUNTS_MAX, &mounts, NULL, &err) < 0)
        return err.code != SP_E_NOT_FOUND;
    for (const char *at = sp_buf_str(&mounts); (at = strstr(at, " - ")) != NULL; at += 3)
        if (is_elsewhere(at + 3))
            return true;
    return false;
}

/* What is done with such a directory begins so. */
static void touch(struct sp_host *h, const char *path)
{
    struct sp_error ignored;
    struct stat st;
    int fd;

    (void)fstatat(h->root_fd, path + (path[0] == '/'), &st, 0);
    fd = sp_fsat_open_dir(h->root_fd, path, SP_FSAT_NONE, &ignored);
    if (fd >= 0)
        (void)fstatat(fd, "usr", &st, AT_SYMLINK_NOFOLLOW);
}

/* A byte for each that answered. It holds no lock for longer than its parent does: it is ended with it. */
__attribute__((noreturn)) static void child(struct sp_host *h, const char *const *paths, size_t n, int out,
                                            pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(1);
    for (size_t i = 0; i < n; i++) {
        touch(h, paths[i]);
        if (sp_write_all(out, ".", 1) != 0)
            break;
    }
    _exit(0);
}

static long long now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* How many have answered in time, each in its own. */
static size_t count(int in, size_t n)
{
    long long until = now_ms() + SP_ALIVE_MS;
    size_t got = 0;

    while (got < n) {
        struct pollfd p = {.fd = in, .events = POLLIN};
        long long left = until - now_ms();
        char bytes[64];
        ssize_t k;

        if (left <= 0 || poll(&p, 1, (int)left) == 0)
            return got;
        if (p.revents == 0)
            continue;
        k = read(in, bytes, n - got < sizeof(bytes) ? n - got : sizeof(bytes));
        if (k <= 0) /* it could not even begin: nothing is known of them, and nothing is held up */
            return n;
        got += (size_t)k;
        until = now_ms() + SP_ALIVE_MS;
    }
    return got;
}

int sp_alive_ask(struct sp_host *h, const char *const *paths, size_t n, struct sp_error *err)
{
    _cleanup_close_ int in = -1;
    pid_t self = getpid(), pid;
    size_t answered;

    if (!h->real || n == 0 || !may_hang(h))
        return 0;
    pid = sp_child_fork(&in, err);
    if (pid < 0)
        return -1;
    if (pid == 0)
        child(h, paths, n, in, self);
    answered = count(in, n);
    sp_child_leave(pid);
    if (answered == n)
        return 0;
    sp_fail(err, SP_E_BUSY, 0, "%.300s did not answer within %d s", paths[answered], SP_ALIVE_MS / 1000);
    sp_str_make_printable(err->text);
    return sp_hint(err, "is its file system alive? `mount` names it; umount -l takes it away");
}
