/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a jail shows of the host beside its generation, as root listed it there (host/shown.h): trees, and
 * the directories of servers' sockets. All of it read-only, and reached with the user's own rights.
 *
 * A server that starts again makes a new socket in its directory, which is seen at once. Where its
 * directory is made anew, too (RuntimeDirectory= of systemd.exec(5)), or where it first starts now, the
 * next login brings it into the living jail, for all its sessions.
 */
#include "entry.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "mount.h"

/* A jail that lacks what it is to show would lack it for all who join it: one whose list cannot be read at
 * this moment is not made. A list that is none shows nothing. */
int sp_show_read(struct sp_entry *e, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf bytes = {0};
    _cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), at = -1, fd = -1;
    char path[sizeof(SP_STORE) + 128];
    struct stat st;

    (void)sp_str_format(path, sizeof(path), SP_STORE "/gen/%s", e->generation);
    at = root < 0 ? sp_fail(err, SP_E_IO, errno, "/") : sp_mount_open(root, path, err);
    if (at < 0)
        return -1;
    fd = openat(at, SP_SHOWN_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : sp_fail(err, SP_E_IO, errno, "opening what the jail shows");
    if (fstat(fd, &st) < 0 || st.st_uid != 0 || !S_ISREG(st.st_mode) || (st.st_mode & 022) != 0)
        return 0;
    if (sp_buf_read_fd(&bytes, fd, SP_SHOWN_MAX_BYTES, 0, err) < 0 ||
        sp_shown_parse(sp_buf_str(&bytes), bytes.len, &e->shown, err) < 0)
        return err->code == SP_E_IO || err->code == SP_E_NO_MEMORY ? -1 : 0;
    return 0;
}

/* In the namespace that we are in. Below /run a server's directory is there for its socket; elsewhere it
 * may hold the server's data, so there has to be a socket. */
static int open_shown(const struct sp_shown_item *item)
{
    _cleanup_close_ int root = -1, fd = -1;
    char dir[SP_RECORD_PATH];
    struct sp_error ignored;
    struct stat st;

    if (item->kind == SP_SHOWN_DENIED)
        return -1;
    sp_shown_dir(item, dir);
    root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    fd = root < 0 ? -1 : sp_mount_open(root, dir, &ignored);
    if (fd < 0 || fstat(fd, &st) < 0 ||
        !(S_ISDIR(st.st_mode) || (S_ISREG(st.st_mode) && item->kind == SP_SHOWN_TREE)))
        return -1;
    if (item->kind == SP_SHOWN_SOCKET && st.st_uid == 0) /* a server of root's obeys its callers, as root */
        return -1;
    if (item->kind == SP_SHOWN_SOCKET && !sp_str_prefix(dir, "/run/", NULL) &&
        (fstatat(fd, strrchr(item->path, '/') + 1, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISSOCK(st.st_mode)))
        return -1;
    return sp_steal_fd(&fd);
}

/* A single file (a php.ini) is mounted upon a file. */
static bool is_file(const struct sp_shown_item *item)
{
    _cleanup_close_ int fd = open_shown(item);
    struct stat st;

    return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static void make_point(int dirfd, const struct sp_shown_item *item)
{
    bool file = is_file(item);
    char path[SP_RECORD_PATH];
    struct sp_error ignored;
    char *slash;

    sp_shown_dir(item, path);
    slash = strrchr(path, '/');
    if (file)
        *slash = '\0';
    if (sp_mount_make_way(dirfd, path, &ignored) < 0 || !file)
        return;
    *slash = '/';
    (void)mknodat(dirfd, path + 1, S_IFREG | 0444, 0);
}

void sp_show_ways(const struct sp_entry *e, int skeleton, int scratch)
{
    for (size_t i = 0; i < e->shown.n; i++) {
        const struct sp_shown_item *item = &e->shown.v[i];

        if (item->kind != SP_SHOWN_DENIED)
            make_point(sp_str_prefix(item->path, "/run/", NULL) ? scratch : skeleton, item);
    }
}

/* Slave: a mount of the host's that was cloned outside of the jail would pass on what is mounted here. */
static const struct sp_mount_attr *attr_of(const struct sp_shown_item *item)
{
    static const struct sp_mount_attr tree = {.set = SP_MOUNT_QUIET | MOUNT_ATTR_RDONLY,
                                              .propagation = SP_MS_SLAVE};
    static const struct sp_mount_attr socket = {
        .set = SP_MOUNT_QUIET | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC, .propagation = SP_MS_SLAVE};

    return item->kind == SP_SHOWN_SOCKET ? &socket : &tree;
}

static int open_target(int jail, const struct sp_shown_item *item)
{
    char dir[SP_RECORD_PATH];
    struct sp_error ignored;

    sp_shown_dir(item, dir);
    return sp_mount_open(jail, dir, &ignored);
}

void sp_show_mount(const struct sp_entry *e, int jail)
{
    for (size_t i = 0; i < e->shown.n; i++) {
        const struct sp_shown_item *item = &e->shown.v[i];
        _cleanup_close_ int source = open_shown(item);
        _cleanup_close_ int target = source < 0 ? -1 : open_target(jail, item);
        struct sp_error ignored;
        _cleanup_close_ int mount = -1;

        if (target >= 0)
            mount = sp_mount_attach(source, target, 0, attr_of(item), &ignored);
    }
}

void sp_show_clear(struct sp_show_news *news)
{
    for (size_t i = 0; i < news->n; i++) {
        sp_cleanup_close(&news->v[i].mount);
        sp_cleanup_close(&news->v[i].target);
        sp_cleanup_close(&news->v[i].parent);
    }
    news->n = 0;
}

enum standing { SAME, OTHER, GONE };

/* GONE: what is mounted there has been removed from the host. Nothing can be mounted upon it. */
static enum standing compare(int source, int target)
{
    struct stat x, y;

    if (fstat(source, &x) < 0 || fstat(target, &y) < 0)
        return SAME;
    return x.st_dev == y.st_dev && x.st_ino == y.st_ino ? SAME : y.st_nlink == 0 ? GONE : OTHER;
}

static int open_parent(int jail, const struct sp_shown_item *item, char ret_name[256])
{
    char dir[SP_RECORD_PATH];
    struct sp_error ignored;
    char *slash;

    sp_shown_dir(item, dir);
    slash = strrchr(dir, '/');
    *slash = '\0';
    (void)sp_str_copy(ret_name, 256, slash + 1);
    return sp_mount_open(jail, dir, &ignored);
}

/* Source and target are found now, by the paths of either side, not after setns(2). The user may have put
 * something of his own at the target, in the jail's /run, which is his: it is covered. */
void sp_show_look(const struct sp_entry *e, int jail, struct sp_show_news *ret)
{
    for (size_t i = 0; i < e->shown.n && ret->n < SP_SHOWN_MAX; i++) {
        const struct sp_shown_item *item = &e->shown.v[i];
        _cleanup_close_ int source = open_shown(item);
        _cleanup_close_ int target = source < 0 ? -1 : open_target(jail, item);
        enum standing standing = target < 0 ? SAME : compare(source, target);
        struct sp_error ignored;
        int mount;

        if (standing == SAME)
            continue;
        mount = sp_mount_clone(source, 0, attr_of(item), &ignored);
        if (mount < 0)
            continue;
        ret->v[ret->n].mount = mount;
        ret->v[ret->n].target = sp_steal_fd(&target);
        ret->v[ret->n].parent = standing == GONE ? open_parent(jail, item, ret->v[ret->n].name) : -1;
        ret->n++;
    }
}

/* The old mount goes, and the new one comes upon the directory that was beneath it: one name, in a
 * directory that is held. */
static void replace(int mount, int old, int parent, const char *name)
{
    _cleanup_close_ int target = -1;

    if (fchdir(old) < 0 || syscall(SYS_umount2, ".", SP_MNT_DETACH) < 0)
        return;
    target = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (target >= 0)
        (void)sp_sys_move_mount(mount, target);
}

void sp_show_bring(const struct sp_show_news *news, int jail)
{
    for (size_t i = 0; i < news->n; i++) {
        if (news->v[i].parent < 0)
            (void)sp_sys_move_mount(news->v[i].mount, news->v[i].target);
        else
            replace(news->v[i].mount, news->v[i].target, news->v[i].parent, news->v[i].name);
    }
    if (news->n > 0)
        (void)!fchdir(jail);
}
