/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/fsat.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

#define CHUNK 65536
#define COMPONENT 256 /* NAME_MAX and the NUL */

/* A path must name something beneath dirfd: ".." never does. "" and "/" are dirfd itself. */
static const char *relative(const char *path)
{
    while (*path == '/')
        path++;
    return *path != '\0' ? path : ".";
}

static bool has_dotdot(const char *path)
{
    for (const char *p = path; (p = strstr(p, "..")) != NULL; p += 2)
        if ((p == path || p[-1] == '/') && (p[2] == '/' || p[2] == '\0'))
            return true;
    return false;
}

/* The next component of *path into name; false at the end. *path is NULL for a component that is too long.
 */
static bool next_component(const char **path, char name[COMPONENT])
{
    const char *p = *path;
    size_t n;

    for (;;) {
        while (*p == '/')
            p++;
        n = strcspn(p, "/");
        if (n != 1 || *p != '.')
            break;
        p += n;
    }
    if (n == 0)
        return false;
    if (n >= COMPONENT) {
        *path = NULL;
        return false;
    }
    memcpy(name, p, n);
    name[n] = '\0';
    *path = p + n;
    return true;
}

static int mount_id(int fd, uint64_t *ret)
{
    struct statx stx;

    if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) != 0)
        return -1;
    *ret = stx.stx_mnt_id;
    return 0;
}

static int check_mount(int fd, uint64_t want)
{
    uint64_t id;

    if (mount_id(fd, &id) != 0)
        return -1;
    if (id == want)
        return 0;
    errno = EXDEV;
    return -1;
}

/* open(2): O_PATH with O_NOFOLLOW opens the link itself, which only a caller who says O_NOFOLLOW wants. */
static int open_last(int at, const char *name, int flags, mode_t mode)
{
    _cleanup_close_ int fd = openat(at, name, flags | O_NOFOLLOW | O_CLOEXEC, mode);
    struct stat st;

    if (fd < 0 || (flags & (O_PATH | O_NOFOLLOW)) != O_PATH)
        return sp_steal_fd(&fd);
    if (fstat(fd, &st) != 0)
        return -1;
    if (!S_ISLNK(st.st_mode))
        return sp_steal_fd(&fd);
    errno = ELOOP;
    return -1;
}

/* Without openat2(2) (before 5.6, or a filter that does not know it): one component at a time, none of them
 * a link. It follows none either, so SP_FSAT_FOLLOW then refuses links. */
static int open_by_steps(int dirfd, const char *path, int flags, mode_t mode, enum sp_fsat_flags how)
{
    _cleanup_close_ int at = fcntl(dirfd, F_DUPFD_CLOEXEC, 3);
    char name[COMPONENT];
    uint64_t id = 0;

    if (at < 0 || ((how & SP_FSAT_NO_XDEV) && mount_id(dirfd, &id) != 0))
        return -1;
    while (next_component(&path, name)) {
        const char *rest = path;
        char more[COMPONENT];
        bool last = !next_component(&rest, more) && rest != NULL;
        int fd = last ? open_last(at, name, flags, mode)
                      : openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            return -1;
        (void)close(at);
        at = fd;
        if ((how & SP_FSAT_NO_XDEV) && check_mount(fd, id) != 0)
            return -1;
        if (last)
            return sp_steal_fd(&at);
    }
    if (path == NULL) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return openat(at, ".", flags | O_CLOEXEC, mode);
}

static int open_raw(int dirfd, const char *path, int flags, mode_t mode, enum sp_fsat_flags how)
{
    struct open_how oh = {
        .flags = (uint64_t)(flags | O_CLOEXEC),
        .mode = (flags & (O_CREAT | __O_TMPFILE)) ? mode & 07777 : 0,
        .resolve = RESOLVE_NO_MAGICLINKS |
                   ((how & SP_FSAT_FOLLOW) ? RESOLVE_IN_ROOT : RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS) |
                   ((how & SP_FSAT_NO_XDEV) ? RESOLVE_NO_XDEV : 0),
    };
    long fd = -1;

    /* EAGAIN: something was renamed during a walk that had to look back (openat2(2)). */
    for (int i = 0; i < 64; i++) {
        fd = syscall(SYS_openat2, dirfd, path, &oh, sizeof(oh));
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
            break;
    }
    if (fd < 0 && errno == ENOSYS)
        return open_by_steps(dirfd, path, flags, mode, how);
    return (int)fd;
}

/* What stands in the way is named with its mend; anything else is the system's own word. */
static int refuse(const char *path, int errnum, struct sp_error *err)
{
    static const struct {
        int errnum;
        const char *what, *mend;
    } ways[] = {
        {ELOOP, "a symbolic link is in the way", "name the place that the link points to"},
        {EXDEV, "a mount, or a way out of the directory, is in the way",
         "unmount it, or name another place"},
        {ENOTDIR, "a part of the path is no directory", "move what stands there out of the way"},
        {ENXIO, "it is no regular file", "remove the socket or FIFO"}, /* open(2) of a socket */
        {ENODEV, "it is no regular file", "remove the device"},
    };

    if (errnum == ENOENT)
        return sp_fail(err, SP_E_NOT_FOUND, 0, "%s does not exist", path);
    for (size_t i = 0; i < SP_COUNT(ways); i++)
        if (ways[i].errnum == errnum) {
            (void)sp_fail(err, SP_E_UNSAFE_PATH, 0, "%s: %s", path, ways[i].what);
            return sp_hint(err, "%s", ways[i].mend);
        }
    return sp_fail(err, errnum == ENOMEM ? SP_E_NO_MEMORY : SP_E_IO, errnum, "cannot open %s", path);
}

int sp_fsat_open(int dirfd, const char *path, int open_flags, mode_t mode, enum sp_fsat_flags flags,
                 struct sp_error *err)
{
    int fd;

    if (has_dotdot(path))
        return sp_fail(err, SP_E_UNSAFE_PATH, 0, "%s: \"..\" is not allowed here", path);
    fd = open_raw(dirfd, relative(path), open_flags, mode, flags);
    return fd >= 0 ? fd : refuse(path, errno, err);
}

int sp_fsat_open_dir(int dirfd, const char *path, enum sp_fsat_flags flags, struct sp_error *err)
{
    return sp_fsat_open(dirfd, path, O_RDONLY | O_DIRECTORY, 0, flags, err);
}

/* A new directory of ours is in our hands before its mode is widened. Whoever can write to the parent may
 * have put another one in its place: then it has another owner, or something in it already. */
static int settle_new_dir(int parent, int fd, const char *path, mode_t mode, struct sp_error *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return sp_fail(err, SP_E_IO, errno, "fstat of %s failed", path);
    if (st.st_uid != geteuid())
        return sp_fail(err, SP_E_UNSAFE_PATH, 0, "%s was replaced while it was being made", path);
    if (fchmod(fd, mode) != 0 || fsync(fd) != 0 || fsync(parent) != 0)
        return sp_fail(err, SP_E_IO, errno, "cannot finish the directory %s", path);
    return 0;
}

static bool is_empty(int fd)
{
    int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = again >= 0 ? fdopendir(again) : NULL;
    const struct dirent *e;
    struct sp_error ignored;
    bool found = false;
    int rc = 0;

    if (dir == NULL) {
        if (again >= 0)
            (void)close(again);
        return false;
    }
    while (!found && (rc = sp_fsat_next(dir, "it", &e, &ignored)) > 0)
        found = strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    (void)closedir(dir);
    return !found && rc == 0;
}

/* Whoever made it may have been killed before he gave it its mode: then it is ours, closed, and empty. */
static bool is_half_made(int fd, mode_t mode)
{
    struct stat st;

    return (mode & 077) != 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
           (st.st_mode & 07777) == (mode & 0700) && is_empty(fd);
}

int sp_fsat_make_dirs(int dirfd, const char *path, mode_t mode, struct sp_error *err)
{
    _cleanup_close_ int at = sp_fsat_open_dir(dirfd, ".", SP_FSAT_NONE, err);
    const char *rest = path;
    char name[COMPONENT];

    if (at < 0)
        return -1;
    if (has_dotdot(path))
        return sp_fail(err, SP_E_UNSAFE_PATH, 0, "%s: \"..\" is not allowed here", path);
    while (next_component(&rest, name)) {
        int made = mkdirat(at, name, mode & 0700);
        int fd;

        if (made != 0 && errno != EEXIST)
            return sp_fail(err, SP_E_IO, errno, "cannot make the directory %s", path);
        fd = sp_fsat_open_dir(at, name, SP_FSAT_NONE, err);
        if (fd < 0)
            return -1;
        if ((made == 0 || is_half_made(fd, mode)) && settle_new_dir(at, fd, path, mode, err) != 0) {
            (void)close(fd);
            return -1;
        }
        (void)close(at);
        at = fd;
    }
    if (rest == NULL)
        return sp_fail(err, SP_E_INVALID, 0, "a part of %s is longer than 255 bytes", path);
    return sp_steal_fd(&at);
}

static int not_regular(const char *path, struct sp_error *err)
{
    (void)sp_fail(err, SP_E_UNSAFE_PATH, 0, "%s is no regular file", path);
    return sp_hint(err, "remove the directory, FIFO or device of that name");
}

int sp_fsat_read_fd(int fd, const char *path, size_t max, struct sp_buf *out, struct stat *ret_st,
                    struct sp_error *err)
{
    struct stat st;
    size_t size;

    if (fstat(fd, &st) != 0)
        return sp_fail(err, SP_E_IO, errno, "fstat of %s failed", path);
    if (!S_ISREG(st.st_mode))
        return not_regular(path, err);
    if (ret_st != NULL)
        *ret_st = st;
    size = (uint64_t)st.st_size;
    /* Said at once for a huge sparse file; a file of /proc has size 0 and is counted as it comes. */
    for (size_t got = 0; size <= max;) {
        size_t most = size > 0 && got <= size ? size - got + 1 : CHUNK;
        /* Not more than could be taken: /proc/sys zeroes memory of the length that is asked for. */
        ssize_t n = sp_buf_read(out, fd, most > max - got ? max - got + 1 : most);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return sp_fail(err, sp_buf_ok(out) ? SP_E_IO : SP_E_NO_MEMORY, errno, "cannot read %s", path);
        got += (size_t)n;
        if (got > max)
            break;
        if (n == 0)
            return 0;
    }
    (void)sp_fail(err, SP_E_INVALID, 0, "%s has more than %zu bytes", path, max);
    return sp_hint(err, "is it what its name says? make it smaller, or remove it");
}

int sp_fsat_read(int dirfd, const char *path, size_t max, struct sp_buf *out, struct stat *ret_st,
                 struct sp_error *err)
{
    _cleanup_close_ int fd =
        sp_fsat_open(dirfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, SP_FSAT_NONE, err);

    return fd < 0 ? -1 : sp_fsat_read_fd(fd, path, max, out, ret_st, err);
}

int sp_fsat_look(int dirfd, const char *path, struct sp_error *err)
{
    _cleanup_close_ int fd = sp_fsat_open(dirfd, path, O_PATH, 0, SP_FSAT_NONE, err);

    return fd >= 0 ? 1 : sp_error_is_blind(err) ? -1 : 0;
}

bool sp_fsat_is_missing(int dirfd, const char *path)
{
    _cleanup_close_ int fd = -1;

    if (has_dotdot(path))
        return true;
    fd = open_raw(dirfd, relative(path), O_PATH, 0, SP_FSAT_NONE);
    return fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == EXDEV);
}

DIR *sp_fsat_list(int dirfd, const char *path, enum sp_fsat_flags flags, struct sp_error *err)
{
    _cleanup_close_ int fd = sp_fsat_open_dir(dirfd, path, flags, err);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (dir != NULL)
        (void)sp_steal_fd(&fd); /* dir's */
    else if (fd >= 0)
        (void)sp_fail(err, SP_E_IO, errno, "%s", path);
    return dir;
}

int sp_fsat_next(DIR *dir, const char *path, const struct dirent **ret, struct sp_error *err)
{
    errno = 0;
    *ret = readdir(dir);
    if (*ret != NULL)
        return 1;
    return errno == 0 ? 0 : sp_fail(err, SP_E_IO, errno, "cannot read %s", path);
}

bool sp_fsat_exists(int dirfd, const char *path)
{
    _cleanup_close_ int fd =
        has_dotdot(path) ? -1 : open_raw(dirfd, relative(path), O_PATH, 0, SP_FSAT_NONE);

    return fd >= 0;
}
