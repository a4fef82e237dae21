/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/asuser.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "host/child.h"

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

/* Before data, on its way to a child that is kept. */
struct order {
    sp_asuser_work *work;
    struct sp_user user;
    size_t n_gids, len;
};

struct sp_asuser_kept {
    pid_t pid; /* 0: none yet */
    int in, out;
    bool takes_turns, pinned;
    cpu_set_t before; /* the caller's processors, where he is pinned to one */
};

static void clear_ids(struct ids *i)
{
    free(i->gids);
}

/* Locks that the parent holds belong to the open file, which a fork shares: a child that hangs must not
 * keep them. Only these stay, as 3 and so on. */
static int keep_fds(int *const *fds, int n)
{
    for (int i = 0; i < n; i++) {
        *fds[i] = fcntl(*fds[i], F_DUPFD_CLOEXEC, 16);
        if (*fds[i] < 0)
            return -1;
    }
    for (int i = 0; i < n; i++) {
        if (dup3(*fds[i], 3 + i, O_CLOEXEC) < 0)
            return -1;
        *fds[i] = 3 + i;
    }
    return (int)syscall(SYS_close_range, 3U + (unsigned)n, ~0U, 0U);
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

/* Its parent's death is its own, from here on: the change of ids has cleared it. */
static int tie_to(pid_t parent)
{
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent ? 0 : -1;
}

static void do_work(struct sp_host *mine, const struct sp_asuser *a, const struct ids *ids, pid_t parent,
                    struct sp_buf *bytes, struct reply *r)
{
    if (mine->real && become(a->user, ids) != 0)
        (void)sp_fail(&r->err, SP_E_IO, errno, "cannot take on the ids of %s", a->user->name);
    else if (tie_to(parent) != 0)
        (void)sp_fail(&r->err, SP_E_IO, errno, "the parent is gone");
    else
        r->result = a->work(mine, a->user, a->data, bytes, &r->err);
    r->len = bytes->len;
}

/* In one piece, since each write wakes the other end; in two where there is no memory left, to say so. */
static int answer(int out, const struct reply *r, const struct sp_buf *bytes)
{
    _cleanup_(sp_buf_wipe) struct sp_buf all = {0};

    sp_buf_add(&all, r, sizeof(*r));
    sp_buf_add(&all, bytes->data, r->len);
    if (sp_buf_ok(&all))
        return sp_write_all(out, all.data, all.len);
    return sp_write_all(out, r, sizeof(*r)) != 0 ? -1 : sp_write_all(out, bytes->data, r->len);
}

static void begin_child(struct sp_host *mine)
{
    mine->later = NULL; /* what it answers for is durable when it answers */
    mine->users = NULL;
    (void)signal(SIGPIPE, SIG_IGN);
    umask(077);
}

__attribute__((noreturn)) static void child(const struct sp_host *h, const struct sp_asuser *a,
                                            const struct ids *ids, int out, pid_t parent)
{
    struct reply r = {.result = -1};
    struct sp_buf bytes = {0};
    struct sp_host mine = *h;
    int *fds[] = {&mine.root_fd, &out};

    begin_child(&mine);
    if (keep_fds(fds, 2) != 0)
        (void)sp_fail(&r.err, SP_E_IO, errno, "cannot let go of descriptors");
    else
        do_work(&mine, a, ids, parent, &bytes, &r);
    _exit(answer(out, &r, &bytes) == 0 ? 0 : 1);
}

/* Root's again. The saved ids are; with the effective uid the capabilities come back. */
static int come_back(const struct sp_host *h)
{
    if (!h->real)
        return 0;
    return setresuid((uid_t)-1, 0, (uid_t)-1) == 0 && setresgid((gid_t)-1, 0, (gid_t)-1) == 0 &&
                   setgroups(0, NULL) == 0 && geteuid() == 0
               ? 0
               : -1;
}

/* The parent's, whole. 0, or -1: it is gone. */
static int take(int in, void *bytes, size_t len)
{
    for (size_t got = 0; got < len;) {
        ssize_t n = read(in, (char *)bytes + got, len - got);
        if (n == 0 || (n < 0 && errno != EINTR))
            return -1;
        got += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int serve_one(struct sp_host *mine, int in, int out, pid_t parent)
{
    _cleanup_(clear_ids) struct ids ids = {0};
    _cleanup_(sp_buf_wipe) struct sp_buf bytes = {0};
    _cleanup_free_ char *data = NULL;
    struct reply r = {.result = -1};
    struct sp_asuser a = {0};
    struct order o;

    if (take(in, &o, sizeof(o)) != 0)
        return -1;
    ids.n = o.n_gids;
    ids.gids = calloc(o.n_gids + 1, sizeof(*ids.gids));
    data = malloc(o.len + 1);
    if (ids.gids == NULL || data == NULL || take(in, ids.gids, o.n_gids * sizeof(*ids.gids)) != 0 ||
        take(in, data, o.len) != 0)
        return -1;
    a = (struct sp_asuser){.user = &o.user, .work = o.work, .data = data, .len = o.len};
    do_work(mine, &a, &ids, parent, &bytes, &r);
    return come_back(mine) == 0 ? answer(out, &r, &bytes) : -1;
}

__attribute__((noreturn)) static void kept_child(const struct sp_host *h, int in, int out, pid_t parent)
{
    struct sp_host mine = *h;
    int *fds[] = {&mine.root_fd, &in, &out};

    begin_child(&mine);
    if (keep_fds(fds, 3) == 0)
        while (serve_one(&mine, in, out, parent) == 0)
            ;
    _exit(0);
}

static int died(const struct sp_user *u, struct sp_error *err)
{
    return sp_fail(err, SP_E_IO, 0, "the process that works in the home of %s died", u->name);
}

static unsigned deadline(const struct sp_asuser *a)
{
    return a->deadline_ms != 0 ? a->deadline_ms : SP_ASUSER_DEADLINE_MS;
}

static int late(const struct sp_asuser *a, struct sp_error *err)
{
    (void)sp_fail(err, SP_E_BUSY, 0, "the home of %s did not answer within %u ms", a->user->name,
                  deadline(a));
    return sp_hint(err, "is its filesystem alive?");
}

static int hand_over(const struct reply *r, const char *bytes, struct sp_buf *ret, struct sp_error *err)
{
    sp_buf_add(ret, bytes, r->len);
    if (!sp_buf_ok(ret))
        return sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for a file");
    if (r->result != 0)
        *err = r->err;
    return r->result;
}

static int receive(int in, const struct sp_asuser *a, struct sp_buf *ret, struct sp_error *err)
{
    _cleanup_(sp_buf_wipe) struct sp_buf b = {0};
    struct reply r;

    if (sp_buf_read_fd(&b, in, sizeof(r) + a->max, deadline(a), err) != 0)
        return err->code == SP_E_BUSY ? late(a, err) : -1;
    if (b.len < sizeof(r))
        return died(a->user, err);
    memcpy(&r, b.data, sizeof(r));
    if (r.len != b.len - sizeof(r))
        return died(a->user, err);
    return hand_over(&r, b.data + sizeof(r), ret, err);
}

static int run_once(struct sp_host *h, const struct sp_asuser *a, const struct ids *ids, struct sp_buf *ret,
                    struct sp_error *err)
{
    _cleanup_close_ int way = -1;
    pid_t self = getpid(), pid = sp_child_fork(&way, err);
    int result;

    if (pid < 0)
        return -1;
    if (pid == 0)
        child(h, a, ids, way, self);
    result = receive(way, a, ret, err);
    sp_child_leave(pid);
    return result;
}

/* --- the child that is kept --- */

static void pin(struct sp_asuser_kept *k)
{
    int here = sched_getcpu();
    cpu_set_t one;

    if (k->pinned || here < 0 || here >= CPU_SETSIZE ||
        sched_getaffinity(0, sizeof(k->before), &k->before) != 0)
        return;
    CPU_ZERO(&one);
    CPU_SET(here, &one);
    k->pinned = sched_setaffinity(0, sizeof(one), &one) == 0;
}

static void unpin(struct sp_asuser_kept *k)
{
    if (k->pinned)
        (void)sched_setaffinity(0, sizeof(k->before), &k->before);
    k->pinned = false;
}

static void drop_kept(struct sp_asuser_kept *k)
{
    unpin(k);
    if (k->pid == 0)
        return;
    (void)close(k->in);
    (void)close(k->out);
    sp_child_leave(k->pid);
    k->pid = 0;
}

static int start_kept(struct sp_host *h, struct sp_error *err)
{
    _cleanup_close_ int orders = -1, to = -1, way = -1;
    pid_t self = getpid(), pid;
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0)
        return sp_fail(err, SP_E_IO, errno, "cannot make a pipe");
    orders = fds[0];
    to = fds[1];
    if (h->users->takes_turns)
        pin(h->users);
    pid = sp_child_fork(&way, err);
    if (pid < 0)
        return -1;
    if (pid == 0)
        kept_child(h, orders, way, self);
    h->users->pid = pid;
    h->users->in = sp_steal_fd(&way);
    h->users->out = sp_steal_fd(&to);
    return 0;
}

static long long now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Exactly so many bytes, in time. 1: late, -1: the child died. */
static int take_in_time(int in, void *bytes, size_t len, long long until)
{
    for (size_t got = 0; got < len;) {
        struct pollfd p = {.fd = in, .events = POLLIN};
        long long left = until - now_ms();
        ssize_t n;

        if (left <= 0 || poll(&p, 1, (int)left) == 0)
            return 1;
        n = p.revents != 0 ? read(in, (char *)bytes + got, len - got) : 0;
        if (n < 0 && errno != EINTR)
            return -1;
        if (n == 0 && p.revents != 0)
            return -1;
        got += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int order(const struct sp_asuser_kept *k, const struct sp_asuser *a, const struct ids *ids)
{
    const struct order o = {.work = a->work, .user = *a->user, .n_gids = ids->n, .len = a->len};
    _cleanup_(sp_buf_wipe) struct sp_buf all = {0};

    sp_buf_add(&all, &o, sizeof(o));
    sp_buf_add(&all, ids->gids, ids->n * sizeof(*ids->gids));
    sp_buf_add(&all, a->data, a->len);
    return sp_buf_ok(&all) ? sp_write_all(k->out, all.data, all.len) : -1;
}

static int receive_kept(const struct sp_asuser_kept *k, const struct sp_asuser *a, struct reply *r,
                        char **ret_bytes)
{
    long long until = now_ms() + deadline(a);
    int rc = take_in_time(k->in, r, sizeof(*r), until);

    if (rc != 0)
        return rc;
    *ret_bytes = r->len <= a->max ? malloc(r->len + 1) : NULL;
    return *ret_bytes != NULL ? take_in_time(k->in, *ret_bytes, r->len, until) : -1;
}

static int run_kept(struct sp_host *h, const struct sp_asuser *a, const struct ids *ids, struct sp_buf *ret,
                    struct sp_error *err)
{
    _cleanup_free_ char *bytes = NULL;
    struct reply r;
    int rc;

    if (h->users->pid == 0 && start_kept(h, err) != 0)
        return -1;
    rc = order(h->users, a, ids);
    if (rc == 0)
        rc = receive_kept(h->users, a, &r, &bytes);
    if (rc == 0)
        return hand_over(&r, bytes, ret, err);
    drop_kept(h->users);
    return rc > 0 ? late(a, err) : died(a->user, err);
}

void sp_asuser_keep(struct sp_host *h)
{
    if (h->users == NULL) /* without memory each user gets a child of his own */
        h->users = calloc(1, sizeof(*h->users));
}

void sp_asuser_take_turns(struct sp_host *h)
{
    if (h->users != NULL)
        h->users->takes_turns = true;
}

void sp_asuser_forget(struct sp_host *h)
{
    if (h->users == NULL)
        return;
    drop_kept(h->users);
    free(h->users);
    h->users = NULL;
}

int sp_asuser_run(struct sp_host *h, const struct sp_asuser *a, struct sp_buf *ret, struct sp_error *err)
{
    _cleanup_(clear_ids) struct ids ids = {0};

    if (h->real && a->user->uid == 0)
        return sp_fail(err, SP_E_FORBIDDEN, 0, "the keys of uid 0 are not managed here");
    if (h->real && sp_userdb_gids_of(h, a->user, &ids.gids, &ids.n, err) != 0)
        return -1;
    return h->users != NULL && a->len > 0 ? run_kept(h, a, &ids, ret, err) : run_once(h, a, &ids, ret, err);
}
