/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Step 3: who is this, by getuid() alone; what root wrote down for that uid; which generation; where the
 * document roots are. All of it is read with the user's own rights.
 */
#include "entry.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys.h"

#define SERIAL_DEADLINE_MS 10000

/* From "/" through no link at all: a component that the user swaps for one ends the walk (ELOOP), and a
 * rename under way cannot lead it elsewhere. */
static int walk(const char *path, uint64_t flags, struct sp_error *err)
{
    const struct open_how how = {.flags = flags | O_CLOEXEC,
                                 .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    int fd;

    do
        fd = sp_sys_openat2(AT_FDCWD, path, &how);
    while (fd < 0 && (errno == EAGAIN || errno == EINTR)); /* openat2(2): a rename raced with us */
    if (fd < 0)
        return sp_fail(err, errno == ENOENT ? SP_E_NOT_FOUND : SP_E_UNSAFE_PATH, errno, "%s", path);
    return fd;
}

static struct sp_ident ident(const struct stat *st)
{
    return (struct sp_ident){.dev = st->st_dev, .ino = st->st_ino};
}

/* Root's own, and nobody else may write: what the store promises. */
static int check_roots_own(int fd, const char *path, struct stat *ret, struct sp_error *err)
{
    if (fstat(fd, ret) < 0)
        return sp_fail(err, SP_E_IO, errno, "%s", path);
    if (ret->st_uid != 0 || (ret->st_mode & 022) != 0)
        return sp_fail(err, SP_E_UNSAFE_PATH, 0, "%s is not root's alone to write", path);
    return 0;
}

static int read_record(struct sp_entry *e, struct sp_error *err)
{
    _cleanup_(sp_record_clear) struct sp_record r = {0};
    _cleanup_(sp_buf_clear) struct sp_buf bytes = {0};
    char path[64];
    struct stat st;

    (void)sp_str_format(path, sizeof(path), SP_STORE "/entry/%u", (unsigned)e->record.uid);
    e->record_fd = walk(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, err);
    if (e->record_fd < 0) {
        if (err->os_errno == ENOENT)
            sp_fail(err, SP_E_NOT_FOUND, 0, "this account has no jail");
        return sp_hint(err, "ask the server's administrator for: sallyport status");
    }
    if (check_roots_own(e->record_fd, path, &st, err) < 0)
        return -1;
    if (!S_ISREG(st.st_mode))
        return sp_fail(err, SP_E_UNSAFE_PATH, 0, "%s is no regular file", path);
    if (sp_buf_read_fd(&bytes, e->record_fd, SP_RECORD_MAX_BYTES, 0, err) < 0 ||
        sp_record_parse(sp_buf_str(&bytes), bytes.len, &r, err) < 0)
        return -1;
    /* A record copied to another uid's name is nobody's. */
    if (r.uid != e->record.uid)
        return sp_fail(err, SP_E_STATE, 0, "%s is the record of uid %u", path, (unsigned)r.uid);
    e->record = r;
    r = (struct sp_record){0};
    return 0;
}

/* To the second, however somebody logged in: passwords know no such date. */
static int check_time(const struct sp_entry *e, struct sp_error *err)
{
    if (!sp_login_is_over(e))
        return 0;
    sp_fail(err, SP_E_FORBIDDEN, 0, "the time of this login is over");
    return sp_hint(err, "ask the owner of the site for more");
}

bool sp_login_is_over(const struct sp_entry *e)
{
    return e->record.until != 0 && time(NULL) >= e->record.until;
}

/* sets/NAME -> ../gen/HASH is read, not followed: HASH is then one plain name below gen/. */
static int read_generation(struct sp_entry *e, struct sp_error *err)
{
    char path[sizeof(SP_STORE) + 300], target[128];
    const char *hash;
    ssize_t n;

    (void)sp_str_format(path, sizeof(path), SP_STORE "/sets/%s", e->record.profiles);
    n = readlink(path, target, sizeof(target) - 1);
    if (n < 0)
        return sp_fail(err, SP_E_NOT_FOUND, errno, "the jail's files (%s) are not there",
                       e->record.profiles);
    target[n] = '\0';
    if (!sp_str_prefix(target, "../gen/", &hash) || hash[0] == '\0' ||
        hash[strspn(hash, "0123456789abcdef")] != '\0' ||
        sp_str_copy(e->generation, sizeof(e->generation), hash) < 0)
        return sp_fail(err, SP_E_STATE, 0, "%s does not name a generation", path);
    return 0;
}

static int open_generation(const struct sp_entry *e, const char *name, struct stat *ret,
                           struct sp_error *err)
{
    _cleanup_close_ int fd = -1;
    char path[sizeof(SP_STORE) + 128];

    (void)sp_str_format(path, sizeof(path), SP_STORE "/gen/%s%s%s", e->generation,
                        name[0] != '\0' ? "/" : "", name);
    fd = walk(path, O_PATH | O_DIRECTORY, err);
    if (fd < 0 || check_roots_own(fd, path, ret, err) < 0)
        return -1;
    return sp_steal_fd(&fd);
}

static int look_generation(const struct sp_entry *e, const char *name, struct sp_ident *ret,
                           struct sp_error *err)
{
    struct stat st;
    _cleanup_close_ int fd = open_generation(e, name, &st, err);

    if (fd < 0)
        return -1;
    *ret = ident(&st);
    return 0;
}

static bool is_extra(const struct sp_entry *e)
{
    return e->record.files_uid != 0;
}

/* A document root or a home: a directory that the user or root owns. Its mode is the panel's business. */
static int open_owned(const struct sp_entry *e, const char *path, struct sp_ident *ret,
                      struct sp_error *err)
{
    _cleanup_close_ int fd = walk(path, O_PATH | O_DIRECTORY, err);
    struct stat st;

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0)
        return sp_fail(err, SP_E_IO, errno, "%s", path);
    if (st.st_uid != 0 && st.st_uid != (is_extra(e) ? e->record.files_uid : e->record.uid)) {
        sp_fail(err, SP_E_UNSAFE_PATH, 0, "%s belongs to neither %s nor root", path,
                is_extra(e) ? "its owner of before" : e->record.user);
        return sp_hint(err, "chown it to one of them");
    }
    *ret = ident(&st);
    return sp_steal_fd(&fd);
}

static bool is_beneath(const char *path, const char *parent)
{
    const char *rest;

    return sp_str_prefix(path, parent, &rest) && rest[0] == '/';
}

/* `i` counts the roots, then the home. */
static const char *nth_path(const struct sp_record *r, size_t i)
{
    return i < r->n_roots ? r->roots[i] : r->home;
}

/* What lies beneath another comes into view with it; what stands twice counts once. */
static bool is_covered(const struct sp_record *r, size_t i)
{
    const char *path = nth_path(r, i);

    for (size_t k = 0; k <= r->n_roots; k++)
        if (is_beneath(path, nth_path(r, k)) || (k < i && sp_streq(path, nth_path(r, k))))
            return true;
    return false;
}

/* Only the first root must be there: a panel may have removed another, or the home, a moment ago. */
static int look_places(struct sp_entry *e, struct sp_error *err)
{
    _cleanup_close_ int root = open_owned(e, e->record.roots[0], &e->root, err);

    if (root < 0)
        return -1;
    for (size_t i = 0; i <= e->record.n_roots; i++) {
        struct sp_place place = {.path = nth_path(&e->record, i)};
        struct sp_error ignored;
        _cleanup_close_ int fd = -1;

        if (is_covered(&e->record, i))
            continue;
        fd = open_owned(e, place.path, &place.ident, &ignored);
        if (fd >= 0)
            e->places[e->n_places++] = place;
    }
    return 0;
}

/* One login at a time makes or joins the jail. Anybody of this uid can hold the lock for ever, to his own
 * harm: after the deadline this login gets a jail that nobody joins. */
static void serialise(struct sp_entry *e)
{
    const unsigned deadline_us = SERIAL_DEADLINE_MS * 1000, longest_us = 50000;

    for (unsigned waited = 0, step = 50; waited < deadline_us; waited += step) {
        struct timespec pause;

        e->serial = flock(e->record_fd, LOCK_EX | LOCK_NB) == 0;
        if (e->serial || errno != EWOULDBLOCK)
            return;
        step = step < longest_us ? step * 2 : longest_us;
        pause = (struct timespec){.tv_nsec = (long)step * 1000};
        (void)nanosleep(&pause, NULL);
    }
}

int sp_login_find(struct sp_entry *e, struct sp_error *err)
{
    if (read_record(e, err) < 0 || check_time(e, err) < 0 || read_generation(e, err) < 0 ||
        look_generation(e, "", &e->gen, err) < 0 || look_generation(e, "usr", &e->usr, err) < 0 ||
        look_generation(e, "etc", &e->etc, err) < 0 || look_places(e, err) < 0)
        return -1;
    sp_limits_look(e);
    sp_agent_look(e);
    if (sp_show_read(e, err) < 0)
        return -1;
    serialise(e);
    return 0;
}

int sp_login_open_map(const struct sp_entry *e, struct sp_error *err)
{
    const struct sp_idmap m = {e->record.files_uid, e->record.files_gid, e->record.uid, e->record.gid};
    _cleanup_close_ int fd = -1;
    struct statfs fs;
    char path[128];

    sp_layout_idmap(&m, path);
    fd = walk(path, O_RDONLY | O_NONBLOCK, err);
    if (fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == NSFS_MAGIC)
        return sp_steal_fd(&fd);
    sp_fail(err, SP_E_NOT_FOUND, 0, "the id map of this login is not there");
    return sp_hint(err, "after a boot it is made by: sallyport reconcile");
}

/* Opened again for mounting, which wants an fd of the namespace we are in then. */
static int same(int fd, struct sp_ident a, struct sp_ident b, const char *path, struct sp_error *err)
{
    if (fd < 0 || (a.dev == b.dev && a.ino == b.ino))
        return fd;
    (void)close(fd);
    sp_fail(err, SP_E_UNSAFE_PATH, 0, "%s was replaced during the login", path);
    return sp_hint(err, "log in again");
}

int sp_login_open_place(const struct sp_entry *e, size_t i, struct sp_error *err)
{
    struct sp_ident now = {0};
    int fd = open_owned(e, e->places[i].path, &now, err);

    return same(fd, now, e->places[i].ident, e->places[i].path, err);
}

int sp_login_open_root(const struct sp_entry *e, struct sp_error *err)
{
    struct sp_ident now = {0};
    int fd = open_owned(e, e->record.roots[0], &now, err);

    return same(fd, now, e->root, e->record.roots[0], err);
}

off_t sp_login_lock_offset(const struct sp_entry *e)
{
    return (off_t)(e->gen.ino & (UINT64_MAX >> 2)); /* positive, and one byte more must not overflow */
}
