/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/home.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/acl.h"
#include "host/fsat.h"
#include "host/homework.h"
#include "host/label.h"
#include "host/replace.h"

#define DEADLINE_MS 2000
#define END_MS 100

/* What the child sends before the bytes of the file. Both ends are one program. */
struct reply {
    int result;
    struct sp_error err;
    struct sp_homework_result found;
    size_t len;
};

struct ids {
    gid_t *gids;
    size_t n;
};

static void clear_ids(struct ids *i)
{
    free(i->gids);
}

void sp_home_keys_clear(struct sp_home_keys *k)
{
    sp_buf_clear(&k->bytes);
    *k = (struct sp_home_keys){0};
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

__attribute__((noreturn)) static void child(struct sp_host *h, const struct sp_homework *w,
                                            const struct ids *ids, int out, pid_t parent)
{
    struct reply r = {.result = -1};
    struct sp_buf bytes = {0};
    struct sp_host mine = *h;

    mine.later = NULL; /* what it answers for is durable when it answers */
    (void)signal(SIGPIPE, SIG_IGN);
    umask(077);
    if (keep_two(&mine.root_fd, &out) != 0)
        (void)sp_fail(&r.err, SP_E_IO, errno, "cannot let go of descriptors");
    else if (h->real && become(w->user, ids) != 0)
        (void)sp_fail(&r.err, SP_E_IO, errno, "cannot take on the ids of %s", w->user->name);
    else if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 ||
             getppid() != parent) /* after the ids: they clear it */
        (void)sp_fail(&r.err, SP_E_IO, errno, "the parent is gone");
    else if (w->bytes != NULL)
        r.result = sp_homework_write(&mine, w, &r.found, &r.err);
    else
        r.result = sp_homework_read(&mine, w, &r.found, &bytes, &r.err);
    r.len = r.result == 0 ? bytes.len : 0;
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

static int receive(int in, const struct sp_user *u, struct reply *r, struct sp_buf *ret,
                   struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};

    if (sp_buf_read_fd(&b, in, sizeof(*r) + SP_AUTHORIZED_KEYS_MAX, DEADLINE_MS, err) != 0) {
        if (err->code != SP_E_BUSY)
            return -1;
        (void)sp_fail(err, SP_E_BUSY, 0, "the home of %s did not answer within %d ms", u->name,
                      DEADLINE_MS);
        return sp_hint(err, "is its filesystem alive?");
    }
    if (b.len < sizeof(*r))
        return sp_fail(err, SP_E_IO, 0, "the process that works in the home of %s died", u->name);
    memcpy(r, b.data, sizeof(*r));
    if (r->len != b.len - sizeof(*r))
        return sp_fail(err, SP_E_IO, 0, "the process that works in the home of %s died", u->name);
    if (r->result != 0) {
        *err = r->err;
        return -1;
    }
    if (ret != NULL)
        sp_buf_add(ret, b.data + sizeof(*r), r->len);
    return ret == NULL || sp_buf_ok(ret) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for a file");
}

static int run(struct sp_host *h, const struct sp_homework *w, struct reply *r, struct sp_buf *ret,
               struct sp_error *err)
{
    _cleanup_(clear_ids) struct ids ids = {0};
    _cleanup_close_ int in = -1, out = -1;
    pid_t self = getpid(), pid;
    int fds[2], result;

    if (h->real && w->user->uid == 0)
        return sp_fail(err, SP_E_FORBIDDEN, 0, "the keys of uid 0 are not managed here");
    if (h->real && sp_userdb_gids_of(h, w->user, &ids.gids, &ids.n, err) != 0)
        return -1;
    if (pipe2(fds, O_CLOEXEC) != 0)
        return sp_fail(err, SP_E_IO, errno, "cannot make a pipe");
    in = fds[0];
    out = fds[1];
    pid = fork();
    if (pid < 0)
        return sp_fail(err, SP_E_IO, errno, "cannot fork");
    if (pid == 0)
        child(h, w, &ids, out, self);
    (void)close(sp_steal_fd(&out));
    result = receive(in, w->user, r, ret, err);
    end_child(pid);
    return result;
}

int sp_home_read(struct sp_host *h, const struct sp_user *u, const char *relative, struct sp_home_keys *ret,
                 struct sp_error *err)
{
    const struct sp_homework w = {.user = u, .relative = relative};
    struct reply r = {0};

    if (run(h, &w, &r, &ret->bytes, err) != 0)
        return -1;
    ret->exists = r.found.exists;
    ret->mode = r.found.mode;
    ret->wide = r.found.wide;
    ret->refused = r.found.refused;
    return 0;
}

/* A new directory in a home where root alone can write: made under another name and given away before it
 * gets its own, so that a crash leaves no directory that the user cannot enter. */
static int give_dir(struct sp_host *h, int home, const char *dir, const struct sp_user *u,
                    struct sp_error *err)
{
    _cleanup_close_ int fd = -1;
    char temp[256 + sizeof(".sallyport")];

    if (sp_str_format(temp, sizeof(temp), "%s.sallyport", dir) != 0)
        return sp_fail(err, SP_E_INVALID, 0, "the name %s is too long", dir);
    (void)unlinkat(home, temp, AT_REMOVEDIR);
    if (mkdirat(home, temp, 0700) != 0)
        return sp_fail(err, SP_E_IO, errno, "cannot make %s in %s", dir, u->home);
    fd = sp_fsat_open_dir(home, temp, SP_FSAT_NO_XDEV, err);
    if (fd < 0 || sp_acl_strip(fd, err) != 0 || (h->real && sp_label_set_at(fd, home, dir, err) != 0))
        return -1;
    if (fchmod(fd, 0700) != 0 || h->ops->chown(h, fd, u->uid, u->gid) != 0 || fsync(fd) != 0 ||
        renameat2(home, temp, home, dir, RENAME_NOREPLACE) != 0 || fsync(home) != 0) {
        int saved = errno;
        (void)unlinkat(home, temp, AT_REMOVEDIR);
        return sp_fail(err, SP_E_IO, saved, "cannot make %s in %s", dir, u->home);
    }
    return 0;
}

/* The child found the home to be root's alone; the check is made again on the descriptor that is used. */
static int make_dir_as_root(struct sp_host *h, const struct sp_user *u, const char *relative,
                            struct sp_error *err)
{
    _cleanup_close_ int home = sp_fsat_open_dir(h->root_fd, u->home, SP_FSAT_NONE, err);
    const char *name;
    char dir[256];
    struct stat st;

    if (home < 0 || sp_homework_dir(relative, dir, &name, err) != 0)
        return -1;
    if (fstat(home, &st) != 0)
        return sp_fail(err, SP_E_IO, errno, "fstat of %s failed", u->home);
    if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0 || dir[0] == '\0' ||
        strchr(dir, '/') != NULL)
        return sp_fail(err, SP_E_UNSAFE_PATH, 0, "%s changed while it was looked at", u->home);
    return give_dir(h, home, dir, u, err);
}

static int too_long(struct sp_error *err)
{
    (void)sp_fail(err, SP_E_INVALID, 0, "authorized_keys would have more than %u bytes",
                  SP_AUTHORIZED_KEYS_MAX);
    return sp_hint(err, "remove keys that nobody uses");
}

int sp_home_write(struct sp_host *h, const struct sp_user *u, const char *relative, const void *bytes,
                  size_t len, struct sp_error *err)
{
    const struct sp_homework w = {
        .user = u, .relative = relative, .bytes = len != 0 ? bytes : "", .len = len};
    struct reply r = {0};

    if (len > SP_AUTHORIZED_KEYS_MAX)
        return too_long(err);
    /* The child knows nothing of what was put off: a new key is not durable before what was narrowed. */
    if (sp_sync_now(h, err) != 0)
        return -1;
    if (run(h, &w, &r, NULL, err) == 0)
        return 0;
    if (!r.found.needs_root || make_dir_as_root(h, u, relative, err) != 0)
        return -1;
    return run(h, &w, &r, NULL, err);
}
