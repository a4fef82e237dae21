/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/gencheck.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"

/* Below this many bytes of manifest, a thousand entries, a second thread costs more than it saves. A line
 * is two paths and numbers; most have less than SHORT_LINE. */
enum {
    CONTENT_MAX = 65536,
    WORTH_A_THREAD = 65536,
    MAX_THREADS = 3,
    WORTH_HOLDING = 2,
    PART = 12288,
    SHORT_LINE = 512,
    LONG_LINE = 2 * PATH_MAX + 256,
};

/* Looks entries up one after the other. Those of one directory follow each other, so it is held: half of
 * the time of a statx(2) by a long path is the walk. But half of the directories have one entry or two. */
struct eye {
    int top;           /* borrowed; where paths begin */
    unsigned looks;    /* into this directory */
    int dir;           /* the directory of the last path; -1: it could not be opened */
    int dir_errno;     /* why; 0 with no directory: nothing was opened yet */
    char at[PATH_MAX]; /* its path */
    size_t at_len;
};

static void eye_clear(struct eye *eye)
{
    sp_cleanup_close(&eye->dir);
}

static void turn_to(struct eye *eye, const char *dir, size_t len)
{
    eye_clear(eye);
    eye->dir = -1;
    eye->dir_errno = 0;
    eye->looks = 0;
    memcpy(eye->at, dir, len);
    eye->at[len] = '\0';
    eye->at_len = len;
}

/* A directory, and what path is called from there. -1 with errno where there is no such directory. */
static int look_into(struct eye *eye, const char *path, const char **ret_name)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash != NULL ? (size_t)(slash - path) : 0;

    if (len >= sizeof(eye->at)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (eye->at_len != len || memcmp(eye->at, path, len) != 0)
        turn_to(eye, path, len);
    if (eye->looks++ < WORTH_HOLDING) {
        *ret_name = path;
        return eye->top;
    }
    if (eye->dir < 0 && eye->dir_errno == 0) {
        eye->dir = openat(eye->top, len > 0 ? eye->at : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        eye->dir_errno = eye->dir < 0 ? errno : 0;
    }
    *ret_name = slash != NULL ? slash + 1 : path;
    errno = eye->dir_errno;
    return eye->dir;
}

static int look(struct eye *eye, const char *path, struct statx *ret)
{
    const char *name;
    int dir = look_into(eye, path, &name);

    return dir >= 0 ? statx(dir, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, ret) : -1;
}

static enum sp_gencheck_finding missing(void)
{
    return errno == ENOENT || errno == ENOTDIR ? SP_GENCHECK_GONE : SP_GENCHECK_CHANGED;
}

static enum sp_gencheck_finding judge_content(struct eye *eye, const struct sp_manifest_entry *e)
{
    _cleanup_(sp_buf_clear) struct sp_buf bytes = {0};
    struct sp_error why;
    /* By its own name and through the links, so that a link that was turned elsewhere shows. */
    _cleanup_close_ int fd =
        sp_fsat_open(eye->top, e->path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, SP_FSAT_FOLLOW, &why);
    char digest[65];
    struct stat st;

    if (fd < 0)
        return why.code == SP_E_NOT_FOUND ? SP_GENCHECK_GONE : SP_GENCHECK_CHANGED;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || sp_buf_read_fd(&bytes, fd, CONTENT_MAX, 0, &why) < 0)
        return SP_GENCHECK_CHANGED;
    sp_manifest_digest(sp_buf_str(&bytes), bytes.len, digest);
    return (st.st_mode & 07777) == e->mode && sp_streq(digest, e->digest) ? SP_GENCHECK_STANDS
                                                                          : SP_GENCHECK_CHANGED;
}

static enum sp_gencheck_finding judge_link(struct eye *eye, const struct sp_manifest_entry *e)
{
    char target[PATH_MAX];
    const char *name;
    int dir = look_into(eye, e->path, &name);
    ssize_t n = dir >= 0 ? readlinkat(dir, name, target, sizeof(target) - 1) : -1;

    if (n < 0)
        return missing();
    target[n] = '\0';
    return sp_streq(target, e->extra) ? SP_GENCHECK_STANDS : SP_GENCHECK_CHANGED;
}

static uint64_t nanoseconds(const struct statx_timestamp *t)
{
    return (uint64_t)t->tv_sec * 1000000000U + t->tv_nsec;
}

static enum sp_gencheck_finding judge_absent(struct eye *eye, const struct sp_manifest_entry *e)
{
    struct statx stx;

    if (look(eye, e->path, &stx) == 0)
        return SP_GENCHECK_CAME;
    return missing() == SP_GENCHECK_GONE ? SP_GENCHECK_STANDS : SP_GENCHECK_CHANGED;
}

/* Is this source what it was? One system call for nearly all of them. */
static enum sp_gencheck_finding judge(struct eye *eye, const struct sp_manifest_entry *e)
{
    struct statx stx;
    bool same;

    if (e->kind == SP_MANIFEST_MADE) /* what it is made of is in the hash of the profiles */
        return SP_GENCHECK_STANDS;
    if (e->kind == SP_MANIFEST_LINK)
        return judge_link(eye, e);
    if (e->kind == SP_MANIFEST_CONTENT)
        return judge_content(eye, e);
    if (e->kind == SP_MANIFEST_ABSENT)
        return judge_absent(eye, e);
    if (look(eye, e->extra != NULL ? e->extra : e->path, &stx) < 0)
        return missing();
    same = nanoseconds(&stx.stx_mtime) == e->mtime && stx.stx_ino == e->ino &&
           (stx.stx_mode & 07777) == e->mode &&
           (e->kind == SP_MANIFEST_DIR ? S_ISDIR(stx.stx_mode)
                                       : S_ISREG(stx.stx_mode) && stx.stx_size == e->size);
    return same ? SP_GENCHECK_STANDS : SP_GENCHECK_CHANGED;
}

bool sp_gencheck_counts(const struct sp_manifest_entry *e)
{
    return (e->kind == SP_MANIFEST_FILE || e->kind == SP_MANIFEST_CONTENT) && sp_manifest_has_dest(e->path);
}

/* The text is cut into parts of one size; each thread takes the next one until there is none. A line
 * belongs to the part that it begins in. Each thread reads its parts by itself: half a megabyte at once
 * would cost a fault for each page. */
struct work {
    int top;
    const struct sp_genstore_text *text;
    uint64_t next; /* where; atomic, as both below */
    bool differs;  /* who finds something ends the others too */
    size_t files;
};

struct worker {
    struct work *work;
    struct eye eye;
    size_t files;
    char text[1 + PART + LONG_LINE]; /* from the byte before the part */
};

static void worker_clear(struct worker *w)
{
    eye_clear(&w->eye);
}

static int look_at(void *ctx, const struct sp_manifest_entry *e)
{
    struct worker *w = ctx;

    w->files += sp_gencheck_counts(e);
    if (__atomic_load_n(&w->work->differs, __ATOMIC_RELAXED))
        return 1;
    return judge(&w->eye, e) != SP_GENCHECK_STANDS;
}

/* At least `want` bytes of the text into the worker's, of which it has `n`, unless it ends before. */
static ssize_t read_more(struct worker *w, size_t n, size_t want, uint64_t from)
{
    while (n < want) {
        ssize_t more = pread(w->work->text->fd, w->text + n, want - n, (off_t)(from + n));

        if (more == 0 || (more < 0 && errno != EINTR))
            return more < 0 ? -1 : (ssize_t)n;
        n += more > 0 ? (size_t)more : 0;
    }
    return (ssize_t)n;
}

/* Every line that begins in these `len` bytes, the last to its end. */
static int check_part(struct worker *w, uint64_t at, size_t len)
{
    size_t have = 0, want = 1 + len + SHORT_LINE;
    char *first, *last = NULL;

    for (; last == NULL && want <= sizeof(w->text); want += LONG_LINE - SHORT_LINE) {
        ssize_t n = read_more(w, have, want, at - 1);

        if (n < 0 || (size_t)n < 1 + len)
            return -1;
        have = (size_t)n;
        last = memchr(w->text + len, '\n', have - len);
    }
    if (last == NULL)
        return -1; /* the last line is cut, or longer than any */
    first = (char *)memchr(w->text, '\n', have) + 1;
    /* Where its directory decides, that one's own entry tells. */
    return first > last
               ? 0
               : sp_manifest_each(first, (size_t)(last + 1 - first), SP_MANIFEST_UNCOVERED, look_at, w);
}

static void *check_parts(void *arg)
{
    struct work *work = arg;
    _cleanup_(worker_clear) struct worker w;
    uint64_t at, end = work->text->end;

    w.work = work;
    w.eye = (struct eye){.top = work->top, .dir = -1};
    w.files = 0;
    while ((at = __atomic_fetch_add(&work->next, PART, __ATOMIC_RELAXED)) < end)
        if (check_part(&w, at, end - at < PART ? end - at : PART) != 0)
            __atomic_store_n(&work->differs, true, __ATOMIC_RELAXED);
    (void)__atomic_fetch_add(&work->files, w.files, __ATOMIC_RELAXED);
    return NULL;
}

static size_t worth_threads(const struct sp_genstore_text *text)
{
    cpu_set_t cpus;
    size_t n;

    if (text->end - text->begin < WORTH_A_THREAD || sched_getaffinity(0, sizeof(cpus), &cpus) != 0)
        return 0;
    n = (size_t)CPU_COUNT(&cpus) - 1; /* this one is the first */
    return n < MAX_THREADS ? n : MAX_THREADS;
}

bool sp_gencheck_current(struct sp_host *h, const struct sp_genstore_text *text, size_t *ret_files)
{
    struct work work = {.top = h->root_fd, .text = text, .next = text->begin};
    pthread_t threads[MAX_THREADS];
    size_t n = 0, most = worth_threads(text);

    while (n < most && pthread_create(&threads[n], NULL, check_parts, &work) == 0)
        n++;
    (void)check_parts(&work);
    while (n > 0)
        (void)pthread_join(threads[--n], NULL);
    *ret_files = work.files;
    return !work.differs;
}

int sp_gencheck_sources(struct sp_host *h, const struct sp_manifest *m, sp_gencheck_visit visit, void *ctx)
{
    _cleanup_(eye_clear) struct eye eye = {.top = h->root_fd, .dir = -1};
    int r = 0;

    for (size_t i = 0; r == 0 && i < m->n; i++) {
        enum sp_gencheck_finding f = judge(&eye, &m->entries[i]);
        if (f != SP_GENCHECK_STANDS)
            r = visit(ctx, &m->entries[i], f);
    }
    return r;
}

static enum sp_gencheck_finding judge_stored(struct sp_host *h, struct eye *eye, const char *path,
                                             const struct sp_manifest_entry *e)
{
    struct statx stx;
    bool same;

    if (look(eye, path, &stx) < 0)
        return missing();
    if (e->kind == SP_MANIFEST_MADE)
        same = S_ISLNK(stx.stx_mode);
    else if (e->kind == SP_MANIFEST_LINK)
        /* on a host without merged /usr a link and its file may share a name */
        same = S_ISLNK(stx.stx_mode) || S_ISREG(stx.stx_mode);
    else if (e->kind == SP_MANIFEST_DIR)
        same = S_ISDIR(stx.stx_mode) && (stx.stx_mode & 07777) == 0755;
    else
        same = S_ISREG(stx.stx_mode) && stx.stx_size == e->size &&
               (stx.stx_mode & 07777) == ((e->mode & 0111) != 0 ? 0755U : 0644U) &&
               (e->mtime == 0 || nanoseconds(&stx.stx_mtime) == e->mtime);
    return same && (!h->real || (stx.stx_uid == 0 && stx.stx_gid == 0)) ? SP_GENCHECK_STANDS
                                                                        : SP_GENCHECK_CHANGED;
}

bool sp_gencheck_stored(struct sp_host *h, int genfd, const char *path, const struct sp_manifest_entry *e)
{
    _cleanup_(eye_clear) struct eye eye = {.top = genfd, .dir = -1};

    return judge_stored(h, &eye, path, e) == SP_GENCHECK_STANDS;
}

int sp_gencheck_store(struct sp_host *h, int genfd, const struct sp_manifest *m, sp_gencheck_visit visit,
                      void *ctx)
{
    _cleanup_(eye_clear) struct eye eye = {.top = genfd, .dir = -1};
    char dest[PATH_MAX];
    int r = 0;

    for (size_t i = 0; r == 0 && i < m->n; i++) {
        const struct sp_manifest_entry *e = &m->entries[i];
        enum sp_gencheck_finding f;

        if (e->kind == SP_MANIFEST_ABSENT || sp_manifest_dest(e->path, dest, sizeof(dest)) < 0)
            continue;
        f = judge_stored(h, &eye, dest, e);
        if (f != SP_GENCHECK_STANDS)
            r = visit(ctx, e, f);
    }
    return r;
}
