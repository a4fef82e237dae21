/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/homework.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/acl.h"
#include "host/closedpath.h"
#include "host/fsat.h"
#include "host/home.h"
#include "host/label.h"
#include "host/replace.h"

#define WRITE_BITS (S_IWGRP | S_IWOTH)

int sp_homework_dir(const char *relative, char dir[256], const char **ret_name, struct sp_error *err)
{
    const char *slash = strrchr(relative, '/');
    size_t n = slash != NULL ? (size_t)(slash - relative) : 0;

    *ret_name = slash != NULL ? slash + 1 : relative;
    if (relative[0] == '/' || n >= 256 || **ret_name == '\0')
        return sp_fail(err, SP_E_INVALID, 0, "%s is no path of a file below a home", relative);
    memcpy(dir, relative, n);
    dir[n] = '\0';
    return 0;
}

/* What is not the user's and not root's is somebody's trick or somebody's mistake; sshd refuses it too. */
static int check_owner(int fd, const struct sp_user *u, const char *what, struct stat *st,
                       struct sp_error *err)
{
    if (fstat(fd, st) != 0)
        return sp_fail(err, SP_E_IO, errno, "fstat of %s failed", what);
    if (st->st_uid == u->uid || st->st_uid == 0)
        return 0;
    (void)sp_fail(err, SP_E_UNSAFE_PATH, 0, "%s belongs to uid %lu, not to %s", what,
                  (unsigned long)st->st_uid, u->name);
    return sp_hint(err, "chown it to %s", u->name);
}

/* A home of root's may be searched and not read: O_PATH is enough to walk through it. */
static int open_home(struct sp_host *h, const struct sp_user *u, struct stat *st, struct sp_error *err)
{
    _cleanup_close_ int fd = sp_fsat_open_dir(h->root_fd, u->home, SP_FSAT_NONE, err);

    if (fd < 0 && err->os_errno == EACCES)
        fd = sp_fsat_open(h->root_fd, u->home, O_PATH | O_DIRECTORY, 0, SP_FSAT_NONE, err);
    if (fd < 0 && err->code == SP_E_NOT_FOUND)
        return sp_hint(err, "make the home of %s first, owned by that user", u->name);
    if (fd < 0 || check_owner(fd, u, u->home, st, err) != 0)
        return -1;
    return sp_steal_fd(&fd);
}

/* Would sshd's StrictModes mind, or could an ACL let others in? */
static int see_wide(int fd, bool *wide, struct sp_error *err)
{
    bool opens = false;
    struct stat st;

    if (sp_acl_opens(fd, SP_ACL_WRITE, &opens, err) != 0) {
        if (err->os_errno != EBADF)
            return -1;
        /* O_PATH: the mode bits hold the ACL's mask, which is what sshd looks at. */
        opens = fstat(fd, &st) != 0 || (st.st_mode & WRITE_BITS) != 0;
    }
    *wide = *wide || opens;
    return 0;
}

/* What stands in the way is named by its whole path: who reads it does not know in whose home we were. */
static int deny_access(int fd, const char *path, const struct sp_user *u, struct sp_error *err)
{
    const struct sp_error was = *err;
    const char *what = fd < 0 ? strstr(was.text, ": ") : NULL;

    if (fd < 0 && was.os_errno == EACCES) {
        (void)sp_fail(err, SP_E_UNSAFE_PATH, 0, "%s may not read %s/%s", u->name, u->home, path);
        return sp_hint(err, "chown it to %s: sshd reads it as that user", u->name);
    }
    if (what == NULL || was.code != SP_E_UNSAFE_PATH)
        return fd;
    (void)sp_fail(err, SP_E_UNSAFE_PATH, 0, "%s/%s%s", u->home, path, what);
    return sp_hint(err,
                   "nothing is followed there: move it away, and it is made anew; or set key_store = root");
}

int sp_homework_read(struct sp_host *h, const struct sp_homework *w, struct sp_homework_result *ret,
                     struct sp_buf *ret_bytes, struct sp_error *err)
{
    const char *name;
    char dir[256];
    struct stat st;
    _cleanup_close_ int home = open_home(h, w->user, &st, err), at = -1, fd = -1;

    if (home < 0 || sp_homework_dir(w->relative, dir, &name, err) != 0 ||
        see_wide(home, st.st_uid == w->user->uid ? &ret->wide : &ret->refused, err) != 0)
        return -1;
    at = deny_access(sp_fsat_open_dir(home, dir, SP_FSAT_NO_XDEV, err), dir, w->user, err);
    if (at < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    if (check_owner(at, w->user, dir, &st, err) != 0 || see_wide(at, &ret->wide, err) != 0)
        return -1;
    fd = deny_access(sp_fsat_open(at, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, SP_FSAT_NO_XDEV, err),
                     w->relative, w->user, err);
    if (fd < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    if (check_owner(fd, w->user, w->relative, &st, err) != 0 ||
        sp_fsat_read_fd(fd, w->relative, SP_AUTHORIZED_KEYS_MAX, ret_bytes, &st, err) != 0 ||
        see_wide(fd, &ret->wide, err) != 0)
        return -1;
    ret->exists = true;
    ret->mode = st.st_mode & 07777;
    return 0;
}

/* Where only root can write to the home, root can be asked: nobody can move things under its hands. */
static int ask_root(const struct stat *home, struct sp_homework_result *ret)
{
    ret->needs_root = home->st_uid == 0 && (home->st_mode & WRITE_BITS) == 0;
    return -1;
}

static int make_dir(struct sp_host *h, int home, const struct stat *home_st, const char *dir,
                    struct sp_homework_result *ret, struct sp_error *err)
{
    _cleanup_close_ int fd = -1;

    if (strchr(dir, '/') != NULL)
        return sp_fail(err, SP_E_NOT_FOUND, 0, "%s does not exist", dir);
    if (mkdirat(home, dir, 0700) != 0 && errno != EEXIST) {
        (void)sp_fail(err, SP_E_IO, errno, "cannot make %s in the home", dir);
        return err->os_errno == EACCES || err->os_errno == EPERM ? ask_root(home_st, ret) : -1;
    }
    fd = sp_fsat_open_dir(home, dir, SP_FSAT_NO_XDEV, err);
    if (fd < 0)
        return -1;
    /* It has inherited the home's default ACL, for itself and for all that comes into it. */
    if (sp_acl_strip(fd, err) != 0)
        return -1;
    if (fchmod(fd, 0700) != 0)
        return sp_fail(err, SP_E_IO, errno, "cannot finish %s in the home", dir);
    if (h->real && sp_label_set_at(&h->labels, fd, home, dir, err) != 0)
        return -1;
    return sp_steal_fd(&fd);
}

/* Take others' write permission from a directory of the user's. An ACL that gives it goes as a whole, since
 * its mask would otherwise stay behind as the group's permission. */
static int narrow_dir(int fd, const struct stat *st, const char *what, struct sp_error *err)
{
    bool opens = false, acl = false;
    mode_t mode = st->st_mode & 07777;

    if (sp_acl_opens(fd, SP_ACL_WRITE, &opens, err) != 0 || sp_acl_has(fd, &acl, err) != 0)
        return -1;
    if (!opens)
        return 0;
    if (acl && sp_acl_strip(fd, err) != 0)
        return -1;
    if (fchmod(fd, acl ? mode & ~(mode_t)077 : mode & ~(mode_t)WRITE_BITS) != 0)
        return sp_fail(err, SP_E_IO, errno, "cannot take others' write permission from %s", what);
    return 0;
}

/* The home's ACL is the panel's (it lets the web server in): only the write bit of its mask is taken. */
static int narrow_home(int fd, const struct sp_user *u, const struct stat *st, struct sp_error *err)
{
    if (st->st_uid != u->uid || (st->st_mode & WRITE_BITS) == 0)
        return 0;
    if (fchmod(fd, st->st_mode & 07777 & ~(mode_t)WRITE_BITS) != 0)
        return sp_fail(err, SP_E_IO, errno, "cannot take others' write permission from %s", u->home);
    return 0;
}

/* At the full limit of a quota group btrfs overwrites nothing either, but a mode can be changed. sshd reads
 * no file that others may write (StrictModes); nobody reaches it, since .ssh is the user's alone; and the
 * next write finds that mode and mends it. */
static int shut_file(int fd, const struct sp_homework *w, int errnum, struct sp_error *err)
{
    if (fchmod(fd, 0602) != 0 || fsync(fd) != 0)
        return sp_fail(err, SP_E_IO, errnum, "cannot rewrite %s in place", w->relative);
    (void)sp_fail(err, SP_E_IO, errnum, "%s could not be rewritten: it lets nobody in by mode 0602",
                  w->relative);
    return sp_hint(err, "make room in the file system or the quota of %s, and send it again",
                   w->user->name);
}

/* His own file, which he may have closed to himself. */
static int open_to_write(int at, const char *name, const struct sp_homework *w, struct sp_error *err)
{
    const int flags = O_NONBLOCK | O_NOCTTY;
    _cleanup_close_ int fd = sp_fsat_open(at, name, O_WRONLY | flags, 0, SP_FSAT_NO_XDEV, err),
                        read_fd = -1;
    struct stat st;

    if (fd >= 0 || err->os_errno != EACCES)
        return sp_steal_fd(&fd);
    read_fd = sp_fsat_open(at, name, O_RDONLY | flags, 0, SP_FSAT_NO_XDEV, err);
    if (read_fd < 0)
        return -1;
    if (fstat(read_fd, &st) != 0 || st.st_uid != w->user->uid || !S_ISREG(st.st_mode) ||
        fchmod(read_fd, 0600) != 0)
        return sp_fail(err, SP_E_IO, EACCES, "%s may not write to %s", w->user->name, w->relative);
    return sp_fsat_open(at, name, O_WRONLY | flags, 0, SP_FSAT_NO_XDEV, err);
}

/* A full disk or quota has no room for a second file, but access must be taken away all the same. The rest
 * is blanked before it is cut off: half of an old line may be a key without the options that bound it. */
static int shrink_in_place(int at, const char *name, const struct sp_homework *w, struct sp_error *err)
{
    _cleanup_close_ int fd = open_to_write(at, name, w, err);
    _cleanup_free_ char *all = NULL;
    bool acl = false;
    struct stat st;
    size_t size;

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) != 0)
        return sp_fail(err, SP_E_IO, errno, "fstat of %s failed", w->relative);
    size = (size_t)st.st_size;
    if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || st.st_uid != w->user->uid ||
        size > SP_AUTHORIZED_KEYS_MAX || w->len > size)
        return sp_fail(err, SP_E_IO, ENOSPC, "%s cannot be replaced, nor rewritten in place", w->relative);
    all = malloc(size + 1);
    if (all == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for %s", w->relative);
    memset(all, '\n', size);
    memcpy(all, w->bytes, w->len);
    /* Nothing is asked of a full file system that need not be: btrfs wants room even to take off what is
     * not there. */
    if (sp_acl_has(fd, &acl, err) != 0 || (acl && sp_acl_strip(fd, err) != 0))
        return -1;
    if (((st.st_mode & 07777) != 0600 && fchmod(fd, 0600) != 0) || sp_write_all(fd, all, size) != 0 ||
        ftruncate(fd, (off_t)w->len) != 0 || fsync(fd) != 0)
        return shut_file(fd, w, errno, err);
    return 0;
}

/* No room for a second file, or a directory that its owner has closed to himself. */
static int replace_or_shrink(struct sp_host *h, int at, const char *name, const struct sp_homework *w,
                             const struct sp_replace *how, struct sp_error *err)
{
    if (sp_replace_at(h, at, name, w->bytes, w->len, how, err) == 0)
        return 0;
    return err->os_errno == ENOSPC || err->os_errno == EDQUOT || err->os_errno == EACCES
               ? shrink_in_place(at, name, w, err)
               : -1;
}

/* Ask the filesystem what it made of it. */
static int prove(struct sp_host *h, int at, const char *name, const struct sp_homework *w,
                 struct sp_error *err)
{
    _cleanup_close_ int fd =
        sp_fsat_open(at, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, SP_FSAT_NO_XDEV, err);
    bool opens = true;
    struct stat st;

    if (fd < 0 || sp_acl_opens(fd, SP_ACL_READ | SP_ACL_WRITE | SP_ACL_EXECUTE, &opens, err) != 0)
        return -1;
    if (fstat(fd, &st) != 0)
        return sp_fail(err, SP_E_IO, errno, "fstat of %s failed", w->relative);
    if (opens || (st.st_mode & 07777) != 0600 || (h->real && st.st_uid != w->user->uid) ||
        st.st_size != (off_t)w->len)
        return sp_fail(err, SP_E_NOT_IN_FORCE, 0, "%s did not become what was written", w->relative);
    return 0;
}

int sp_homework_write(struct sp_host *h, const struct sp_homework *w, struct sp_homework_result *ret,
                      struct sp_error *err)
{
    const struct sp_replace how = {.mode = 0600, .uid = w->user->uid, .gid = w->user->gid, .relabel = true};
    const char *name;
    char dir[256];
    struct stat home_st, st;
    _cleanup_close_ int home = open_home(h, w->user, &home_st, err), at = -1;
    bool made;

    if (home < 0 || sp_homework_dir(w->relative, dir, &name, err) != 0)
        return -1;
    at = deny_access(sp_fsat_open_dir(home, dir, SP_FSAT_NO_XDEV, err), dir, w->user, err);
    made = at < 0 && err->code == SP_E_NOT_FOUND;
    if (made)
        at = make_dir(h, home, &home_st, dir, ret, err);
    if (at < 0 || check_owner(at, w->user, dir, &st, err) != 0)
        return -1;
    if (h->real && st.st_uid != w->user->uid) {
        (void)sp_fail(err, SP_E_UNSAFE_PATH, 0, "%s/%s belongs to root", w->user->home, dir);
        return sp_hint(err, "chown it to %s", w->user->name);
    }
    if (narrow_dir(at, &st, dir, err) != 0 || narrow_home(home, w->user, &home_st, err) != 0)
        return -1;
    if (replace_or_shrink(h, at, name, w, &how, err) != 0)
        return -1;
    /* The new directory itself is synced with the file in it. A home that is open by O_PATH is root's. */
    if (made && fsync(home) != 0 && errno != EBADF)
        return sp_fail(err, SP_E_IO, errno, "fsync of %s failed", w->user->home);
    return prove(h, at, name, w, err);
}

/* A file of the user's own with one name and without others' right to write: whoever holds it open can do
 * no more than read what he could have read before. */
static int narrow_file(int at, const char *name, const struct sp_homework *w,
                       struct sp_homework_result *ret, struct sp_error *err)
{
    _cleanup_close_ int fd =
        sp_fsat_open(at, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, SP_FSAT_NO_XDEV, err);
    bool writable = false, opens = true;
    struct stat st;

    if (fd < 0 || sp_acl_opens(fd, SP_ACL_WRITE, &writable, err) != 0)
        return -1;
    if (fstat(fd, &st) != 0)
        return sp_fail(err, SP_E_IO, errno, "fstat of %s failed", w->relative);
    ret->dev = st.st_dev;
    ret->needs_rewrite = writable || !S_ISREG(st.st_mode) || st.st_nlink != 1 || st.st_uid != w->user->uid;
    if (ret->needs_rewrite)
        return 0;
    if (sp_acl_strip(fd, err) != 0)
        return -1;
    if (fchmod(fd, 0600) != 0)
        return sp_fail(err, SP_E_IO, errno, "cannot narrow %s", w->relative);
    if (sp_acl_opens(fd, SP_ACL_READ | SP_ACL_WRITE | SP_ACL_EXECUTE, &opens, err) != 0)
        return -1;
    return opens ? sp_fail(err, SP_E_NOT_IN_FORCE, 0, "%s did not become its owner's alone", w->relative)
                 : 0;
}

int sp_homework_narrow(struct sp_host *h, const struct sp_homework *w, struct sp_homework_result *ret,
                       struct sp_error *err)
{
    const char *name;
    char dir[256];
    struct stat home_st, st;
    _cleanup_close_ int home = open_home(h, w->user, &home_st, err), at = -1;

    if (home < 0 || sp_homework_dir(w->relative, dir, &name, err) != 0)
        return -1;
    at = deny_access(sp_fsat_open_dir(home, dir, SP_FSAT_NO_XDEV, err), dir, w->user, err);
    if (at < 0 || check_owner(at, w->user, dir, &st, err) != 0)
        return -1;
    /* A directory that others write to may hold anything by now; what is on another file system than the
     * file would not be settled with it. */
    ret->needs_rewrite = st.st_uid != w->user->uid || (st.st_mode & WRITE_BITS) != 0 ||
                         (home_st.st_mode & WRITE_BITS) != 0 || home_st.st_dev != st.st_dev;
    return ret->needs_rewrite ? 0 : narrow_file(at, name, w, ret, err);
}

int sp_homework_settle(struct sp_host *h, const struct sp_homework *w, struct sp_error *err)
{
    struct stat st;
    _cleanup_close_ int home = open_home(h, w->user, &st, err);

    if (home < 0)
        return -1;
    return syncfs(home) == 0 ? 0 : sp_fail(err, SP_E_IO, errno, "syncfs of %s failed", w->user->home);
}

/* realpath(3) and the descriptor must agree on the file: then its directory is where a new one belongs. */
static int open_parent(const char *path, const struct stat *st, char real[PATH_MAX], const char **ret_name)
{
    _cleanup_close_ int at = -1;
    struct stat now;
    char *slash;

    if (realpath(path, real) == NULL || (slash = strrchr(real, '/')) == NULL)
        return -1;
    *slash = '\0';
    *ret_name = slash + 1;
    at = open(real[0] != '\0' ? real : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at < 0 || fstatat(at, *ret_name, &now, AT_SYMLINK_NOFOLLOW) != 0 || now.st_ino != st->st_ino ||
        now.st_dev != st->st_dev)
        return -1;
    return sp_steal_fd(&at);
}

static int shrink(struct sp_host *h, const struct sp_homework *w, const char *path, struct sp_error *err)
{
    _cleanup_close_ int fd = -1, at = -1;
    char real[PATH_MAX];
    const char *name = NULL;
    struct stat st;

    fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        return sp_fail(err, SP_E_IO, errno, "cannot open %s", w->relative);
    if (!S_ISREG(st.st_mode))
        return sp_fail(err, SP_E_UNSAFE_PATH, 0, "%s is no regular file", w->relative);
    at = open_parent(path, &st, real, &name);
    if (at < 0)
        return sp_fail(err, SP_E_UNSAFE_PATH, 0, "%s changed while it was looked at", w->relative);
    return replace_or_shrink(
        h, at, name, w,
        &(struct sp_replace){
            .mode = st.st_mode & 0755, .uid = w->user->uid, .gid = w->user->gid, .relabel = true},
        err);
}

int sp_homework_shrink(struct sp_host *h, const struct sp_homework *w, struct sp_error *err)
{
    struct sp_closedpath sealed = {.n = 0};
    char path[PATH_MAX];
    int rc;

    if (sp_str_format(path, sizeof(path), "%s/%s", w->user->home, w->relative) != 0)
        return sp_fail(err, SP_E_INVALID, 0, "the path of %s is too long", w->relative);
    sp_closedpath_open(path, &sealed);
    rc = shrink(h, w, path, err);
    sp_closedpath_close(&sealed);
    return rc;
}
