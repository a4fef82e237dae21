/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/loginlist.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/procnet.h"
#include "host/sessionmarks.h"

#define GRACE_MS 500

void sp_logins_clear(struct sp_logins *l)
{
    for (size_t i = 0; i < l->n; i++)
        sp_sessions_clear(&l->v[i].procs);
    free(l->v);
    *l = (struct sp_logins){0};
}

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for the list of logins");
}

int sp_loginlist_table(struct sp_host *h, struct sp_proctable *ret, struct sp_error *err)
{
    return sp_sessions_table(h, ret, err);
}

/* Root's half of the connection that a process belongs to: up the chain of its parents, or the one of its
 * audit session. The table was read over a time, so a loop is possible: bound it. */
static size_t server_of(const struct sp_proctable *t, const unsigned char *marks, size_t i)
{
    uint32_t session = t->procs[i].session;

    for (size_t steps = 0, at = i; at < t->n && steps < t->n; steps++) {
        if (marks[at] & SP_MARK_SERVER)
            return at;
        if (t->procs[at].is_jail_init) /* the jail that logins share answers for none of them */
            break;
        at = sp_sessions_pid(t, t->procs[at].ppid);
    }
    for (size_t at = 0; session != SP_PROC_UNSET && at < t->n; at++)
        if ((marks[at] & SP_MARK_SERVER) && t->procs[at].session == session)
            return at;
    return t->n;
}

static struct sp_login *add_login(struct sp_logins *l, const char *user, const struct sp_proc *first)
{
    struct sp_login *grown = reallocarray(l->v, l->n + 1, sizeof(*grown)), *one;

    if (grown == NULL)
        return NULL;
    l->v = grown;
    one = &grown[l->n++];
    *one = (struct sp_login){.pid = first->pid, .since = sp_sessions_when(first->start)};
    (void)sp_str_format(one->id, sizeof(one->id), "%d-%" PRIu64, (int)first->pid, first->start);
    (void)sp_str_copy(one->user, sizeof(one->user), user);
    return one;
}

static int add_process(struct sp_login *l, const struct sp_proc *p)
{
    struct sp_sessions *s = &l->procs;
    pid_t *pids = reallocarray(s->pids, s->n + 1, sizeof(*pids));
    uint64_t *starts;

    if (pids == NULL)
        return -1;
    s->pids = pids;
    starts = reallocarray(s->starts, s->n + 1, sizeof(*starts));
    if (starts == NULL)
        return -1;
    s->starts = starts;
    pids[s->n] = p->pid;
    starts[s->n++] = p->start;
    return 0;
}

/* "sshd: USER@pts/0,pts/1"; "notty" and "internal-sftp" are no terminals. */
static void take_terminals(struct sp_login *l, const struct sp_proc *p)
{
    const char *at = strrchr(p->title, '@');
    size_t n = at != NULL ? strcspn(at + 1, " ") : 0;

    if (n > 0 && strncmp(at + 1, "pts/", 4) == 0)
        (void)sp_str_format(l->terminals, sizeof(l->terminals), "%.*s", (int)n, at + 1);
}

static void take_program(struct sp_login *l, const char *name)
{
    for (size_t i = 0; i < l->n_programs; i++)
        if (sp_streq(l->programs[i], name))
            return;
    if (l->n_programs < SP_LOGIN_PROGRAMS)
        (void)sp_str_copy(l->programs[l->n_programs++], sizeof(l->programs[0]), name);
}

static int take(struct sp_login *l, const struct sp_proc *p, struct sp_error *err)
{
    if (add_process(l, p) < 0)
        return no_memory(err);
    if (p->is_sshd) {
        take_terminals(l, p);
        return 0;
    }
    if (p->is_entry)
        return 0;
    l->n_processes++;
    l->n_outside += !p->is_inner;
    take_program(l, p->name);
    return 0;
}

/* The connections first, each with its own. */
static int add_connected(struct sp_host *h, const struct sp_proctable *t, const unsigned char *marks,
                         const char *user, const struct sp_diag_peers *peers, struct sp_logins *ret,
                         struct sp_error *err)
{
    for (size_t i = 0; i < t->n; i++) {
        struct sp_login *l;
        if (!(marks[i] & SP_MARK_SERVER) || !sp_sessions_serves(t, marks, i))
            continue;
        l = add_login(ret, user, &t->procs[i]);
        if (l == NULL)
            return no_memory(err);
        l->connected = true;
        l->has_peer = sp_procnet_peer(h, l->pid, peers, &l->peer);
        for (size_t k = 0; k < t->n; k++)
            if (marks[k] != 0 && !t->procs[k].is_jail_init && t->procs[k].pid != getpid() &&
                server_of(t, marks, k) == i && take(l, &t->procs[k], err) < 0)
                return -1;
    }
    return 0;
}

static bool is_left(const struct sp_proctable *t, const unsigned char *marks, size_t i)
{
    const struct sp_proc *p = &t->procs[i];

    return marks[i] != 0 && !(marks[i] & SP_MARK_SERVER) && !p->is_jail_init && p->pid != getpid() &&
           server_of(t, marks, i) == t->n;
}

/* What is left of one audit session, named after the oldest of them. */
static int add_left(const struct sp_proctable *t, unsigned char *marks, const char *user, size_t first,
                    struct sp_logins *ret, struct sp_error *err)
{
    uint32_t session = t->procs[first].session;
    struct sp_login *l;

    for (size_t i = 0; i < t->n; i++)
        if (is_left(t, marks, i) && t->procs[i].session == session &&
            t->procs[i].start < t->procs[first].start)
            first = i;
    l = add_login(ret, user, &t->procs[first]);
    if (l == NULL)
        return no_memory(err);
    for (size_t i = 0; i < t->n; i++)
        if (is_left(t, marks, i) && t->procs[i].session == session) {
            if (take(l, &t->procs[i], err) < 0)
                return -1;
            marks[i] = 0;
        }
    return 0;
}

static int compare_since(const void *a, const void *b)
{
    const struct sp_login *x = a, *y = b;

    return (x->since > y->since) - (x->since < y->since);
}

/* Without the kernel's list the addresses are not known, and all else is. */
int sp_loginlist_add(struct sp_host *h, const struct sp_proctable *t, const char *user, uid_t uid,
                     struct sp_logins *ret, struct sp_error *err)
{
    _cleanup_(sp_diag_peers_clear) struct sp_diag_peers peers = {0};
    _cleanup_free_ unsigned char *marks = NULL;
    struct sp_error ignored;
    size_t before = ret->n;

    if (sp_sessions_mark(t, user, uid, &marks, err) < 0)
        return -1;
    (void)sp_diag_connections(h, &peers, &ignored);
    if (add_connected(h, t, marks, user, &peers, ret, err) < 0)
        return -1;
    for (size_t i = 0; i < t->n; i++)
        if (is_left(t, marks, i) && add_left(t, marks, user, i, ret, err) < 0)
            return -1;
    if (ret->n > before)
        qsort(ret->v + before, ret->n - before, sizeof(*ret->v), compare_since);
    return 0;
}

static bool holds(const struct sp_sessions *s, pid_t pid, uint64_t start)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->pids[i] == pid && (start == 0 || s->starts[i] == start))
            return true;
    return false;
}

/* Those of the list that live, and what was born of them since: that is added to the list. A pid alone is
 * no parent: it may be somebody else's by now. */
static int still_there(struct sp_host *h, struct sp_login *l, struct sp_sessions *ret, struct sp_error *err)
{
    _cleanup_(sp_proctable_clear) struct sp_proctable t = {0};
    struct sp_login left = {0};

    if (sp_sessions_table(h, &t, err) < 0)
        return -1;
    for (size_t i = 0; i < t.n; i++) {
        const struct sp_proc *p = &t.procs[i];
        bool known = holds(&l->procs, p->pid, p->start);
        size_t parent = sp_sessions_pid(&t, p->ppid);
        if (!known && (p->uid == 0 || p->is_jail_init ||
                       !holds(&l->procs, p->ppid, parent < t.n ? t.procs[parent].start : 0)))
            continue;
        if ((!known && add_process(l, p) < 0) || add_process(&left, p) < 0) {
            sp_sessions_clear(&left.procs);
            return no_memory(err);
        }
    }
    *ret = left.procs;
    return 0;
}

static int take_all(const struct sp_logins *l, struct sp_login *ret, struct sp_error *err)
{
    for (size_t i = 0; i < l->n; i++)
        for (size_t k = 0; k < l->v[i].procs.n; k++) {
            const struct sp_proc p = {.pid = l->v[i].procs.pids[k], .start = l->v[i].procs.starts[k]};
            if (add_process(ret, &p) < 0)
                return no_memory(err);
        }
    return 0;
}

static int64_t now_ms(void)
{
    struct timespec ts = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int end_all(struct sp_host *h, struct sp_login *all, unsigned deadline_ms, struct sp_error *err)
{
    const struct timespec step = {.tv_nsec = 10000000};
    int64_t begin = now_ms();

    sp_sessions_signal(h, &all->procs, SIGHUP);
    for (;;) {
        _cleanup_(sp_sessions_clear) struct sp_sessions left = {0};
        int64_t spent;
        (void)nanosleep(&step, NULL);
        if (still_there(h, all, &left, err) < 0)
            return -1;
        if (left.n == 0)
            return 0;
        spent = now_ms() - begin;
        if (spent >= deadline_ms)
            return sp_fail(err, SP_E_BUSY, 0, "%zu processes did not end within %u ms", left.n,
                           deadline_ms);
        if (spent >= GRACE_MS)
            sp_sessions_signal(h, &left, SIGKILL);
    }
}

int sp_loginlist_end(struct sp_host *h, const struct sp_logins *l, unsigned deadline_ms,
                     struct sp_error *err)
{
    struct sp_login all = {0};
    int rc;

    if (!h->real)
        return 0;
    rc = take_all(l, &all, err);
    if (rc == 0)
        rc = end_all(h, &all, deadline_ms, err);
    sp_sessions_clear(&all.procs);
    return rc;
}
