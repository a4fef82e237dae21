/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/seencheck.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/seen.h"
#include "host/child.h"
#include "host/fsat.h"
#include "host/layout.h"
#include "model/siphash.h"

enum { WORKERS = 2, HANGS_MS = 2000, LOOK_MS = 100 };

/* A walk over the names of one account. */
struct walk {
    const struct sp_seencheck *check;
    enum sp_seencheck_how how;
    struct sp_siphash sum;
    struct sp_seenrecord *record;
    int base;
    bool beneath; /* a document root: what is mounted there may never answer */
    bool settled;
};

static void mix(struct walk *w, const struct stat *st, char kind)
{
    uint64_t facts[9] = {st->st_dev, st->st_ino, st->st_mode, st->st_uid, st->st_gid};
    size_t n = 5;

    if (kind == 'F') {
        facts[n++] = (uint64_t)st->st_size;
        facts[n++] = (uint64_t)st->st_ctim.tv_sec;
        facts[n++] = (uint64_t)st->st_ctim.tv_nsec;
    } else
        facts[n++] = sp_seennames_gid(&w->check->names, st->st_gid);
    if (w->how == SP_SEENCHECK_SETTLED && st->st_ctim.tv_sec >= w->check->begun - 1)
        w->settled = false;
    sp_siphash_add(&w->sum, facts, n * sizeof(*facts));
}

static void mix_missing(struct walk *w)
{
    uint64_t fact = (uint64_t)errno;

    sp_siphash_add(&w->sum, &fact, sizeof(fact));
}

static void set_base(struct walk *w, const char *path)
{
    if (w->base >= 0)
        (void)close(w->base);
    w->base = openat(w->check->host->root_fd, path + (path[0] == '/'),
                     O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static void look(struct walk *w, char kind, const char *path)
{
    bool absolute = path[0] == '/';
    struct stat st;
    int rc = w->beneath && !absolute ? sp_layout_stat(w->base, path, &st)
                                     : fstatat(absolute ? w->check->host->root_fd : w->base,
                                               path + absolute, &st, kind == 'S' ? 0 : AT_SYMLINK_NOFOLLOW);

    if (rc == 0)
        mix(w, &st, kind);
    else
        mix_missing(w);
}

static void walk(struct walk *w, const char *list, size_t len);

/* What is below is looked at only where the directory's own time has changed. */
static void look_below(struct walk *w, const char *path, const char *list, size_t len)
{
    struct sp_seenrecord *r = w->record;
    struct walk below = {.check = w->check, .how = w->how, .base = -1, .beneath = true, .settled = true};
    uint64_t sum = r->below;
    struct stat st = {0};

    if (fstatat(w->check->host->root_fd, path + 1, &st, AT_SYMLINK_NOFOLLOW) == 0)
        mix(w, &st, 'D');
    else {
        mix_missing(w);
        st = (struct stat){0};
    }
    if (w->how == SP_SEENCHECK_SETTLED || st.st_ctim.tv_sec != r->changed[0] ||
        st.st_ctim.tv_nsec != r->changed[1]) {
        sp_siphash_begin(&below.sum, w->check->key);
        set_base(&below, path);
        walk(&below, list, len);
        sum = sp_siphash_end(&below.sum);
        w->settled &= below.settled;
    }
    if (w->how == SP_SEENCHECK_SETTLED) {
        r->changed[0] = st.st_ctim.tv_sec;
        r->changed[1] = st.st_ctim.tv_nsec;
        r->below = sum;
    }
    sp_siphash_add(&w->sum, &sum, sizeof(sum));
}

static void walk(struct walk *w, const char *list, size_t len)
{
    const char *end = list + len;
    char path[SP_PATH_SIZE];

    sp_siphash_add(&w->sum, list, len);
    while (list < end) {
        const char *newline = memchr(list, '\n', (size_t)(end - list));
        size_t n = newline != NULL ? (size_t)(newline - list) : 0;

        if (n < 2 || n > sizeof(path))
            break;
        memcpy(path, list + 1, n - 1);
        path[n - 1] = '\0';
        if (list[0] == 'T') {
            look_below(w, path, newline + 1, (size_t)(end - newline - 1));
            break;
        }
        if (list[0] != 'B')
            look(w, list[0], path);
        else if (sp_streq(path, SP_STORE) && w->check->store >= 0)
            w->base = w->check->store;
        list = newline + 1;
    }
    if (w->base >= 0 && w->base != w->check->store)
        (void)close(w->base);
    w->base = -1;
}

bool sp_seencheck_sum(const struct sp_seencheck *c, const char *user, struct sp_seenrecord *r,
                      enum sp_seencheck_how how, uint64_t *ret)
{
    const struct sp_seenname *name = sp_seennames_find(&c->names, c->key, user);
    struct walk w = {.check = c, .how = how, .record = r, .base = -1, .settled = true};
    uint64_t facts[6];

    if (name == NULL)
        return false;
    facts[0] = c->host_sum;
    facts[1] = name->line;
    facts[2] = name->groups;
    facts[3] = sp_seennames_gid(&c->names, name->gid);
    facts[4] = (uint64_t)r->until;
    facts[5] = r->quiet;
    sp_siphash_begin(&w.sum, c->key);
    sp_siphash_add(&w.sum, facts, sizeof(facts));
    walk(&w, r->list, r->len);
    *ret = sp_siphash_end(&w.sum);
    return w.settled;
}

static void sum_host(struct sp_seencheck *c)
{
    struct walk w = {.check = c, .base = -1, .settled = true};
    static const char *const groups[] = {"sallyport",        "sallyport-chroot",    "sallyport-none",
                                         "sallyport-both",   "sallyport-noforward", "sallyport-forward",
                                         "sallyport-keyonly"};

    sp_siphash_begin(&w.sum, c->key);
    for (size_t i = 0; i < SP_COUNT(groups); i++) {
        uint64_t sum = sp_seennames_group(&c->names, c->key, groups[i]);
        sp_siphash_add(&w.sum, &sum, sizeof(sum));
    }
    walk(&w, sp_buf_str(&c->host_list), c->host_list.len);
    c->host_sum = sp_siphash_end(&w.sum);
}

/* Who has a process, as /proc tells: the owner of each directory there. Without /proc everybody may. */
static void find_active(struct sp_seencheck *c)
{
    int fd = openat(c->host->root_fd, "proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *proc = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *e;

    while (proc != NULL && (e = readdir(proc)) != NULL) {
        struct stat st;
        uint32_t *grown;

        if (e->d_name[0] < '1' || e->d_name[0] > '9' ||
            fstatat(dirfd(proc), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
            (c->n_active > 0 && c->active[c->n_active - 1] == st.st_uid))
            continue;
        grown = reallocarray(c->active, c->n_active + 1, sizeof(*grown));
        if (grown == NULL) {
            c->n_active = 0;
            break;
        }
        c->active = grown;
        c->active[c->n_active++] = st.st_uid;
    }
    if (proc != NULL)
        (void)closedir(proc);
    else if (fd >= 0)
        (void)close(fd);
}

static bool is_active(const struct sp_seencheck *c, size_t i)
{
    const struct sp_seenname *name = sp_seennames_find(&c->names, c->key, c->users[i]);
    bool found = name == NULL || c->n_active == 0;

    for (size_t k = 0; !found && k < c->n_active; k++)
        found = c->active[k] == name->uid;
    return found;
}

/* What is about to be looked at in full is touched here first: where that hangs, it hangs in a process that
 * can be left behind. */
static void touch(const struct sp_seencheck *c, const char *path)
{
    struct sp_error ignored;
    _cleanup_close_ int fd = sp_fsat_open_dir(c->host->root_fd, path, SP_FSAT_NONE, &ignored);
    struct stat st;

    if (fd >= 0) {
        (void)fstat(fd, &st);
        (void)fstatat(fd, "usr", &st, AT_SYMLINK_NOFOLLOW);
    }
}

static void touch_all(const struct sp_seencheck *c, size_t i)
{
    const struct sp_seenname *name = sp_seennames_find(&c->names, c->key, c->users[i]);
    _cleanup_(sp_state_clear) struct sp_state s = {0};
    struct sp_error ignored;
    char home[SP_PATH_SIZE];
    struct stat st;

    if (name != NULL && name->home_len > 1 && name->home_len < sizeof(home)) {
        memcpy(home, name->home, name->home_len);
        home[name->home_len] = '\0';
        (void)fstatat(c->host->root_fd, home + 1, &st, 0); /* as it is, links and all */
        touch(c, home);
    }
    if (sp_store_load(c->host, c->users[i], &s, &ignored) < 0)
        return;
    for (size_t d = 0; d < s.desired.n_domains; d++)
        touch(c, s.desired.domains[d].document_root);
}

static unsigned char judge(const struct sp_seencheck *c, size_t i, int64_t now)
{
    struct sp_seenrecord *r = &c->records[i];
    uint64_t sum = 0;

    if (r->list == NULL || now >= r->until ||
        !sp_seencheck_sum(c, c->users[i], r, SP_SEENCHECK_ANY, &sum) || sum != r->sum ||
        (r->quiet && is_active(c, i))) {
        touch_all(c, i);
        return SP_SEEN_LOOK;
    }
    return SP_SEEN_CLEAN;
}

/* One process's part: accounts [at, end). Where it is stands where the parent can see it. */
struct part {
    size_t at, end;
    pid_t pid;
    int alive; /* its end of the pipe closes when it ends */
    size_t seen_at;
    unsigned waited_ms;
};

static int start(const struct sp_seencheck *c, struct part *p, volatile size_t *at, struct sp_error *err)
{
    pid_t parent = getpid();

    *at = p->at;
    p->seen_at = p->at;
    p->waited_ms = 0;
    p->pid = sp_child_fork(&p->alive, err);
    if (p->pid == 0) {
        int64_t now = c->host->ops->now(c->host);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
            _exit(1);
        for (; *at < p->end; ++*at)
            c->verdicts[*at] = judge(c, *at, now);
        _exit(0);
    }
    return p->pid < 0 ? -1 : 0;
}

static void stop(struct part *p)
{
    if (p->alive >= 0)
        (void)close(p->alive);
    p->alive = -1;
    if (p->pid > 0) {
        (void)kill(p->pid, SIGKILL);
        (void)waitpid(p->pid, NULL, p->at < p->end ? WNOHANG : 0); /* one that hangs is init's */
    }
    p->pid = -1;
}

/* It ended, or it has not moved on for too long: then the account it is at hangs, and another process goes
 * on behind it. */
static int follow(const struct sp_seencheck *c, struct part *p, volatile size_t *at, bool ended,
                  struct sp_error *err)
{
    p->waited_ms = *at == p->seen_at ? p->waited_ms + LOOK_MS : 0;
    p->seen_at = *at;
    if (!ended && p->waited_ms < HANGS_MS)
        return 0;
    p->at = *at;
    stop(p);
    if (p->at >= p->end)
        return 0;
    c->verdicts[p->at++] = ended ? SP_SEEN_LOOK : SP_SEEN_HANGS;
    return p->at < p->end ? start(c, p, at, err) : 0;
}

static int wait_for(const struct sp_seencheck *c, struct part parts[WORKERS], volatile size_t *at,
                    struct sp_error *err)
{
    for (;;) {
        struct pollfd fds[WORKERS];
        int running = 0;

        for (int i = 0; i < WORKERS; i++) {
            fds[i] = (struct pollfd){.fd = parts[i].alive, .events = POLLIN};
            running += parts[i].alive >= 0;
        }
        if (running == 0)
            return 0;
        (void)poll(fds, WORKERS, LOOK_MS);
        for (int i = 0; i < WORKERS; i++)
            if (parts[i].alive >= 0 && follow(c, &parts[i], &at[i], fds[i].revents != 0, err) < 0)
                return -1;
    }
}

int sp_seencheck_run(struct sp_seencheck *c, struct sp_error *err)
{
    struct part parts[WORKERS];
    size_t size = c->n + WORKERS * sizeof(size_t) + 64;
    volatile size_t *at;
    void *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int rc = 0;

    if (shared == MAP_FAILED)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    at = shared;
    c->verdicts = (unsigned char *)shared + WORKERS * sizeof(size_t);
    c->store = openat(c->host->root_fd, &SP_STORE[1], O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    sum_host(c);
    find_active(c);
    for (int i = 0; i < WORKERS; i++)
        parts[i] = (struct part){.at = c->n * (size_t)i / WORKERS,
                                 .end = c->n * (size_t)(i + 1) / WORKERS,
                                 .pid = -1,
                                 .alive = -1};
    for (int i = 0; rc == 0 && i < WORKERS; i++)
        if (parts[i].at < parts[i].end)
            rc = start(c, &parts[i], &at[i], err);
    if (rc == 0)
        rc = wait_for(c, parts, at, err);
    for (int i = 0; i < WORKERS; i++)
        stop(&parts[i]);
    return rc;
}

void sp_seencheck_clear(struct sp_seencheck *c)
{
    if (c->verdicts != NULL)
        (void)munmap(c->verdicts - WORKERS * sizeof(size_t), c->n + WORKERS * sizeof(size_t) + 64);
    if (c->store >= 0)
        (void)close(c->store);
    sp_buf_clear(&c->host_list);
    sp_seennames_clear(&c->names);
    free(c->records);
    free(c->active);
    *c = (struct sp_seencheck){0};
}
