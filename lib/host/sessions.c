/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/sessions.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/proctable.h"
#include "host/sessionmarks.h"

#define GRACE_MS 500
#define SECOND_NS 1000000000LL

void sp_sessions_clear(struct sp_sessions *s)
{
    free(s->pids);
    free(s->starts);
    *s = (struct sp_sessions){0};
}

static bool is_of(const struct sp_proc *p, uid_t uid)
{
    return p->uid == uid || p->euid == uid;
}

/* root's half of a connection: "sshd: USER [priv]", or "sshd-session: ..." since 9.8. The listener, which
 * may have inherited an admin's login uid, has no such title. A second name of the same uid is somebody
 * else, and so is "USER@REALM", which is how a directory names its people. */
static bool is_server_of(const struct sp_proc *p, const char *user)
{
    const char *rest;

    if (p->uid != 0 || !p->is_sshd)
        return false;
    if (!sp_str_prefix(p->title, "sshd: ", &rest) && !sp_str_prefix(p->title, "sshd-session: ", &rest))
        return false;
    return sp_str_prefix(rest, user, &rest) && *rest == ' ';
}

/* Does another process of root's than sshd live in this audit session (cron, login, su)? It leads it. */
static bool is_led_by_root(const struct sp_proctable *t, uint32_t session)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->procs[i].uid == 0 && !t->procs[i].is_sshd && t->procs[i].session == session)
            return true;
    return false;
}

static bool is_session_of_server(const struct sp_proctable *t, const unsigned char *marks, uint32_t session)
{
    for (size_t i = 0; i < t->n; i++)
        if ((marks[i] & SP_MARK_SERVER) && t->procs[i].session == session)
            return true;
    return false;
}

/* Is there an sshd at all in this session, whoever it serves? Then it is that one's, not a leftover. */
static bool has_server(const struct sp_proctable *t, uint32_t session)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->procs[i].uid == 0 && t->procs[i].is_sshd && t->procs[i].session == session)
            return true;
    return false;
}

static bool is_ours(const struct sp_proctable *t, const unsigned char *marks, const struct sp_proc *p,
                    uid_t uid)
{
    if (!is_of(p, uid))
        return false;
    if (p->is_jail_init)
        return true;
    /* A session id is only ever set by a login; daemons from boot have none. Without audit all have none.
     */
    if (p->session == SP_PROC_UNSET)
        return false;
    if (is_session_of_server(t, marks, p->session))
        return true;
    return p->loginuid == uid && !p->is_served && !p->is_manager && !has_server(t, p->session) &&
           !is_led_by_root(t, p->session);
}

static int compare_pids(const void *a, const void *b)
{
    const struct sp_proc *x = a, *y = b;

    return (x->pid > y->pid) - (x->pid < y->pid);
}

size_t sp_sessions_pid(const struct sp_proctable *t, pid_t pid)
{
    struct sp_proc key = {.pid = pid};
    struct sp_proc *p = bsearch(&key, t->procs, t->n, sizeof(key), compare_pids);

    return p != NULL ? (size_t)(p - t->procs) : t->n;
}

/* Up the chain of parents. The table is a snapshot taken over time, so a loop is possible: bound it. */
static bool descends(const struct sp_proctable *t, const unsigned char *marks, size_t i)
{
    for (size_t steps = 0; steps < t->n; steps++) {
        i = sp_sessions_pid(t, t->procs[i].ppid);
        if (i == t->n)
            return false;
        if (marks[i] & (SP_MARK_OURS | SP_MARK_SERVER))
            return true;
    }
    return false;
}

static void mark_all(const struct sp_proctable *t, const char *user, uid_t uid, unsigned char *marks)
{
    for (size_t i = 0; i < t->n; i++)
        if (is_server_of(&t->procs[i], user))
            marks[i] = SP_MARK_SERVER;
    for (size_t i = 0; i < t->n; i++)
        if (!(marks[i] & SP_MARK_SERVER) && is_ours(t, marks, &t->procs[i], uid))
            marks[i] |= SP_MARK_OURS;
    for (size_t i = 0; i < t->n; i++)
        if (!marks[i] && is_of(&t->procs[i], uid) && descends(t, marks, i))
            marks[i] |= SP_MARK_BELOW;
}

/* The logins of the account that are not meant. */
struct spared {
    const pid_t *servers;
    size_t n;
};

static bool is_spared(const struct sp_proctable *t, const struct sp_proc *p, const struct spared *s)
{
    for (size_t k = 0; k < s->n; k++) {
        size_t server = sp_sessions_pid(t, s->servers[k]);
        if (p->pid == s->servers[k] ||
            (server < t->n && p->session != SP_PROC_UNSET && t->procs[server].session == p->session))
            return true;
    }
    return s->n > 0 && p->is_jail_init;
}

/* It, or one of its ancestors. */
static bool is_below_spared(const struct sp_proctable *t, size_t i, const struct spared *s)
{
    for (size_t steps = 0; i < t->n && steps < t->n; steps++) {
        if (is_spared(t, &t->procs[i], s))
            return true;
        i = sp_sessions_pid(t, t->procs[i].ppid);
        if (i < t->n && t->procs[i].is_jail_init) /* the jail that it shares answers for nobody */
            return false;
    }
    return false;
}

static void spare(const struct sp_proctable *t, const struct spared *s, unsigned char *marks)
{
    for (size_t i = 0; s->n > 0 && i < t->n; i++)
        if (marks[i] != 0 && is_below_spared(t, i, s))
            marks[i] |= SP_MARK_SPARED;
}

/* An sshd that still asks for a password serves nobody yet: it is ended, but it is no login. */
bool sp_sessions_serves(const struct sp_proctable *t, const unsigned char *marks, size_t server)
{
    for (size_t i = 0; i < t->n; i++)
        if (marks[i] != 0 && t->procs[i].ppid == t->procs[server].pid)
            return true;
    return false;
}

static int pick(const struct sp_proctable *t, const unsigned char *marks, struct sp_sessions *ret,
                struct sp_error *err)
{
    ret->pids = calloc(t->n + 1, sizeof(*ret->pids));
    ret->starts = calloc(t->n + 1, sizeof(*ret->starts));
    if (ret->pids == NULL || ret->starts == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for the list of sessions");
    for (size_t i = 0; i < t->n; i++) {
        if (marks[i] == 0 || (marks[i] & SP_MARK_SPARED) || t->procs[i].pid == getpid())
            continue;
        ret->pids[ret->n] = t->procs[i].pid;
        ret->starts[ret->n++] = t->procs[i].start;
        ret->n_logins += (marks[i] & SP_MARK_SERVER) && sp_sessions_serves(t, marks, i);
        if (t->procs[i].is_manager && t->procs[i].ppid == 1)
            ret->manager = t->procs[i].pid;
    }
    return 0;
}

static void sort(struct sp_proctable *t)
{
    if (t->n > 0)
        qsort(t->procs, t->n, sizeof(*t->procs), compare_pids);
}

int sp_sessions_table(struct sp_host *h, struct sp_proctable *ret, struct sp_error *err)
{
    if (sp_proctable_read(h, SP_PROC_EVERYBODY, ret, err) < 0)
        return -1;
    sort(ret);
    return 0;
}

int sp_sessions_mark(const struct sp_proctable *t, const char *user, uid_t uid, unsigned char **ret,
                     struct sp_error *err)
{
    unsigned char *marks;

    if (uid == 0)
        return sp_fail(err, SP_E_FORBIDDEN, 0, "the sessions of uid 0 are not ended here");
    marks = calloc(t->n + 1, 1);
    if (marks == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for the list of sessions");
    mark_all(t, user, uid, marks);
    *ret = marks;
    return 0;
}

static int look(struct sp_host *h, const char *user, uid_t uid, struct sp_proctable *t,
                unsigned char **ret_marks, struct sp_error *err)
{
    if (sp_proctable_read(h, uid, t, err) != 0)
        return -1;
    sort(t);
    return sp_sessions_mark(t, user, uid, ret_marks, err);
}

/* loginctl(1): his manager runs without a login. 1; 0; -1: nobody knows. */
static int lingers(struct sp_host *h, const char *user, struct sp_error *err)
{
    char path[160];

    if (sp_str_format(path, sizeof(path), "/var/lib/systemd/linger/%s", user) < 0)
        return 0;
    return sp_fsat_look(h->root_fd, path, err);
}

/* Somebody else who has the same uid, and whom another sshd serves. */
static bool is_anothers(const struct sp_proctable *t, const unsigned char *marks, size_t i, uid_t uid)
{
    return marks[i] == 0 && is_of(&t->procs[i], uid) && t->procs[i].session != SP_PROC_UNSET &&
           has_server(t, t->procs[i].session);
}

/* The first login started it, and it would start anew what is ended (Restart=always). */
static void mark_manager(const struct sp_proctable *t, uid_t uid, unsigned char *marks)
{
    for (size_t i = 0; i < t->n; i++)
        if (is_anothers(t, marks, i, uid))
            return;
    for (size_t i = 0; i < t->n; i++)
        if (t->procs[i].is_manager && t->procs[i].ppid == 1 && is_of(&t->procs[i], uid))
            marks[i] |= SP_MARK_OURS;
}

static int find_but(struct sp_host *h, const char *user, uid_t uid, const struct spared *s,
                    struct sp_sessions *ret, struct sp_error *err)
{
    _cleanup_(sp_proctable_clear) struct sp_proctable t = {0};
    _cleanup_free_ unsigned char *marks = NULL;
    int stays;

    if (look(h, user, uid, &t, &marks, err) < 0)
        return -1;
    spare(&t, s, marks);
    stays = s->n == 0 ? lingers(h, user, err) : 1;
    if (stays < 0)
        return -1;
    if (!stays)
        mark_manager(&t, uid, marks);
    return pick(&t, marks, ret, err);
}

int sp_sessions_find(struct sp_host *h, const char *user, uid_t uid, struct sp_sessions *ret,
                     struct sp_error *err)
{
    const struct spared nobody = {0};

    return find_but(h, user, uid, &nobody, ret, err);
}

static int64_t clock_ns(clockid_t which)
{
    struct timespec at = {0};

    (void)clock_gettime(which, &at);
    return at.tv_sec * SECOND_NS + at.tv_nsec;
}

/* proc_pid_stat(5) counts from the boot; a clock that was set since makes it a guess. Whole seconds of the
 * two clocks, which do not begin together, would say one second now and another later. */
int64_t sp_sessions_when(uint64_t ticks)
{
    long hertz = sysconf(_SC_CLK_TCK);
    int64_t boot = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME);

    return (boot + (int64_t)ticks * (SECOND_NS / (hertz > 0 ? hertz : 100))) / SECOND_NS;
}

void sp_servers_clear(struct sp_servers *s)
{
    free(s->pids);
    free(s->began);
    *s = (struct sp_servers){0};
}

int sp_sessions_servers(struct sp_host *h, const char *user, uid_t uid, struct sp_servers *ret,
                        struct sp_error *err)
{
    _cleanup_(sp_proctable_clear) struct sp_proctable t = {0};
    _cleanup_free_ unsigned char *marks = NULL;

    if (look(h, user, uid, &t, &marks, err) < 0)
        return -1;
    ret->pids = calloc(t.n + 1, sizeof(*ret->pids));
    ret->began = calloc(t.n + 1, sizeof(*ret->began));
    if (ret->pids == NULL || ret->began == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for the list of sessions");
    for (size_t i = 0; i < t.n; i++) {
        if (!(marks[i] & SP_MARK_SERVER))
            continue;
        ret->began[ret->n] = sp_sessions_when(t.procs[i].start);
        ret->pids[ret->n++] = t.procs[i].pid;
    }
    return 0;
}

static long long now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* proc_pid_stat(5) again, behind a pidfd: the same start means the same process, and the pidfd holds it. */
static bool is_same(struct sp_host *h, pid_t pid, uint64_t start)
{
    return sp_proctable_start(h, pid) == start;
}

void sp_sessions_signal(struct sp_host *h, const struct sp_sessions *s, int sig)
{
    for (size_t i = 0; i < s->n; i++) {
        _cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, s->pids[i], 0);
        if (pidfd >= 0 && is_same(h, s->pids[i], s->starts[i]))
            (void)syscall(SYS_pidfd_send_signal, pidfd,
                          sig == SIGHUP && s->pids[i] == s->manager ? SIGTERM : sig, NULL, 0);
    }
}

static size_t count_new(const struct sp_sessions *now, const struct sp_sessions *before)
{
    size_t n = 0;

    for (size_t i = 0; i < now->n; i++) {
        size_t j = 0;
        while (j < before->n && (before->pids[j] != now->pids[i] || before->starts[j] != now->starts[i]))
            j++;
        n += j == before->n;
    }
    return n;
}

static int end_but(struct sp_host *h, const char *user, uid_t uid, const struct spared *s,
                   unsigned deadline_ms, size_t *ret_ended, struct sp_error *err)
{
    const struct timespec step = {.tv_nsec = 10000000};
    long long begin = now_ms();
    _cleanup_(sp_sessions_clear) struct sp_sessions first = {0};

    if (find_but(h, user, uid, s, &first, err) != 0)
        return -1;
    *ret_ended = first.n;
    if (!h->real || first.n == 0)
        return 0;
    sp_sessions_signal(h, &first, SIGHUP);
    for (;;) {
        _cleanup_(sp_sessions_clear) struct sp_sessions left = {0};
        long long spent;
        (void)nanosleep(&step, NULL);
        if (find_but(h, user, uid, s, &left, err) != 0)
            return -1;
        if (left.n == 0)
            return 0;
        spent = now_ms() - begin;
        if (spent >= deadline_ms)
            return sp_fail(err, SP_E_BUSY, 0, "%zu processes of %s's logins did not end within %u ms",
                           left.n, user, deadline_ms);
        /* What is born after the first look is not asked, only ended: it could go on for ever. */
        if (spent >= GRACE_MS || spent >= deadline_ms / 2)
            sp_sessions_signal(h, &left, SIGKILL);
        *ret_ended = first.n + count_new(&left, &first);
    }
}

int sp_sessions_end(struct sp_host *h, const char *user, uid_t uid, unsigned deadline_ms, size_t *ret_ended,
                    struct sp_error *err)
{
    const struct spared nobody = {0};

    return end_but(h, user, uid, &nobody, deadline_ms, ret_ended, err);
}

int sp_sessions_end_but(struct sp_host *h, const char *user, uid_t uid, const pid_t *keep, size_t n,
                        unsigned deadline_ms, size_t *ret_ended, struct sp_error *err)
{
    const struct spared s = {keep, n};

    return end_but(h, user, uid, &s, deadline_ms, ret_ended, err);
}
