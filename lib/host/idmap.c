/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "host/child.h"
#include "host/errand.h"
#include "host/fsat.h"

/* <sys/mount.h> clashes with <linux/mount.h> before glibc 2.37. */
#define MS_BIND_ 4096
#define MNT_DETACH_ 2
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

struct attr {
    uint64_t set, clear, propagation, userns_fd;
};

/* What pid 1 sees, wherever we are: maps are mounted there. */
static int open_map(const struct sp_idmap *m, struct sp_error *err)
{
    _cleanup_close_ int root = open("/proc/1/root", O_PATH | O_DIRECTORY | O_CLOEXEC);
    char path[128];

    if (root < 0)
        return sp_fail(err, SP_E_IO, errno, "/proc/1/root");
    sp_layout_idmap(m, path);
    return sp_fsat_open(root, path, O_RDONLY | O_NONBLOCK, 0, SP_FSAT_NONE, err);
}

int sp_idmap_is_kept(struct sp_host *h, const struct sp_idmap *m, bool *ret, struct sp_error *err)
{
    _cleanup_close_ int fd = -1;
    struct statfs fs;
    char path[128];

    sp_layout_idmap(m, path);
    fd = h->real ? open_map(m, err) : sp_fsat_open(h->root_fd, path, O_PATH, 0, SP_FSAT_NONE, err);
    *ret = fd >= 0;
    if (fd < 0)
        return sp_error_is_blind(err) ? -1 : 0;
    if (h->real && fstatfs(fd, &fs) < 0)
        return sp_fail(err, SP_E_IO, errno, "%s", path);
    *ret = !h->real || fs.f_type == NSFS_MAGIC;
    return 0;
}

/* The lines of a map (user_namespaces(7)): the owner is the login, the login himself does not appear, all
 * others are themselves. Root only where `first` is 0: mapping uid 0 wants CAP_SETFCAP, and nothing here
 * needs it. */
static void format_map(uint32_t first, uint32_t disk, uint32_t seen, char ret[160])
{
    uint32_t lo = disk < seen ? disk : seen, hi = disk < seen ? seen : disk;
    const uint32_t ranges[][2] = {{first, lo}, {lo + 1, hi}, {hi + 1, UINT32_MAX}};
    int at = snprintf(ret, 160, "%u %u 1\n", disk, seen);

    for (size_t i = 0; i < SP_COUNT(ranges); i++)
        if (ranges[i][0] < ranges[i][1])
            at += snprintf(ret + at, 160 - (size_t)at, "%u %u %u\n", ranges[i][0], ranges[i][0],
                           ranges[i][1] - ranges[i][0]);
}

static int write_map(pid_t pid, const char *name, const char *text, struct sp_error *err)
{
    _cleanup_close_ int fd = -1;
    char path[64];

    (void)sp_str_format(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text))
        return 0;
    sp_fail(err, SP_E_UNSUPPORTED, errno, "writing the %s of a user namespace", name);
    return sp_hint(err, "a container that has not all ids cannot have extra logins");
}

static int write_maps(pid_t pid, const struct sp_idmap *m, struct sp_error *err)
{
    char text[160];

    format_map(1, m->disk_uid, m->uid, text);
    if (write_map(pid, "uid_map", text, err) < 0)
        return -1;
    format_map(0, m->disk_gid, m->gid, text);
    return write_map(pid, "gid_map", text, err);
}

static int wait_for(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* A process that stands in a new user namespace until the other end of `hold` is closed. *ret_ready tells
 * its errno, or 0; an end without a byte is its death. */
static pid_t start_holder(const int hold[2], int *ret_ready, struct sp_error *err)
{
    pid_t pid = sp_child_fork(ret_ready, err);
    char byte;

    if (pid != 0)
        return pid;
    (void)close(hold[1]);
    byte = unshare(CLONE_NEWUSER) == 0 ? 0 : (char)errno;
    if (write(*ret_ready, &byte, 1) == 1)
        (void)!read(hold[0], &byte, 1);
    _exit(0);
}

static int await_holder(int ready, struct sp_error *err)
{
    char why = 0;
    ssize_t n;

    do
        n = read(ready, &why, 1);
    while (n < 0 && errno == EINTR);
    if (n != 1)
        return sp_fail(err, SP_E_IO, n < 0 ? errno : 0, "the process that makes a user namespace died");
    if (why == 0)
        return 0;
    sp_fail(err, SP_E_UNSUPPORTED, why, "this host makes no user namespace");
    return sp_hint(err, "extra logins need one for their id map: sysctl user.max_user_namespaces");
}

/* In the mount namespace of pid 1, as a child: setns(2) there cannot be undone without being let back in.
 */
static int mount_there(pid_t holder, const char *path)
{
    char source[64];
    pid_t pid = fork();
    int fd;

    if (pid != 0)
        return pid < 0 ? errno : wait_for(pid);
    (void)sp_str_format(source, sizeof(source), "/proc/%d/ns/user", (int)holder);
    fd = open("/proc/1/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNS) < 0)
        _exit(errno);
    (void)umask(0); /* a user's own login opens it */
    (void)mkdir("/run/sallyport", 0755);
    (void)mkdir(SP_IDMAP_DIR, 0755);
    (void)close(open(path, O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0444));
    _exit(syscall(SYS_mount, source, path, NULL, (unsigned long)MS_BIND_, NULL) == 0 ? 0 : errno);
}

static int keep(const struct sp_idmap *m, const int hold[2], struct sp_error *err)
{
    _cleanup_close_ int ready = -1;
    pid_t holder = start_holder(hold, &ready, err);
    char path[128];
    int rc;

    if (holder < 0)
        return -1;
    sp_layout_idmap(m, path);
    rc = await_holder(ready, err);
    if (rc == 0)
        rc = write_maps(holder, m, err);
    if (rc == 0) {
        int failed = mount_there(holder, path);
        if (failed != 0)
            rc = sp_fail(err, SP_E_UNSUPPORTED, failed, "keeping the id map at %s", path);
    }
    sp_child_end(holder);
    return rc;
}

static int elsewhere(enum sp_errand_kind kind, const struct sp_idmap *m, const char *path,
                     struct sp_error *err)
{
    struct sp_errand e = {.kind = kind, .map = *m};

    if (sp_str_copy(e.path, sizeof(e.path), path) < 0)
        return sp_fail(err, SP_E_INTERNAL, 0, "path too long");
    return sp_errand_run(&e, err);
}

int sp_idmap_keep(struct sp_host *h, const struct sp_idmap *m, struct sp_error *err)
{
    _cleanup_close_ int hold_read = -1, hold_write = -1;
    int hold[2];
    char path[128];
    bool kept;

    if (m->disk_uid == m->uid || m->disk_gid == m->gid || m->uid == 0 || m->disk_uid == 0)
        return sp_fail(err, SP_E_INTERNAL, 0, "no id map from %u to %u", m->disk_uid, m->uid);
    if (sp_idmap_is_kept(h, m, &kept, err) < 0)
        return -1;
    if (kept)
        return 0;
    if (!h->real) {
        sp_layout_idmap(m, path);
        _cleanup_close_ int dir = sp_fsat_make_dirs(h->root_fd, SP_IDMAP_DIR, 0755, err), file = -1;
        if (dir < 0)
            return -1;
        file = openat(dir, strrchr(path, '/') + 1, O_CREAT | O_CLOEXEC | O_WRONLY, 0444);
        return file < 0 ? sp_fail(err, SP_E_IO, errno, "%s", path) : 0;
    }
    if (!sp_errand_is_ours(SP_ERRAND_KEEP))
        return elsewhere(SP_ERRAND_KEEP, m, "", err);
    if (pipe2(hold, O_CLOEXEC) < 0)
        return sp_fail(err, SP_E_IO, errno, "pipe");
    hold_read = hold[0];
    hold_write = hold[1];
    return keep(m, hold, err);
}

int sp_idmap_drop(struct sp_host *h, const struct sp_idmap *m, struct sp_error *err)
{
    char path[128];
    pid_t pid;
    int fd, failed;

    sp_layout_idmap(m, path);
    if (!h->real)
        return unlinkat(h->root_fd, path + 1, 0) < 0 && errno != ENOENT
                   ? sp_fail(err, SP_E_IO, errno, "%s", path)
                   : 0;
    if (!sp_errand_is_ours(SP_ERRAND_DROP))
        return elsewhere(SP_ERRAND_DROP, m, "", err);
    pid = fork();
    if (pid == 0) {
        fd = open("/proc/1/ns/mnt", O_RDONLY | O_CLOEXEC);
        if (fd < 0 || setns(fd, CLONE_NEWNS) < 0)
            _exit(errno);
        (void)syscall(SYS_umount2, path, MNT_DETACH_);
        _exit(unlink(path) == 0 || errno == ENOENT ? 0 : errno);
    }
    failed = pid < 0 ? errno : wait_for(pid);
    return failed == 0 ? 0 : sp_fail(err, SP_E_IO, failed, "%s", path);
}

/* The type of the filesystem that a directory lies on, for people: proc_pid_mountinfo(5), behind " - ". */
static void name_type(int fd, char ret[64])
{
    _cleanup_(sp_buf_clear) struct sp_buf table = {0};
    _cleanup_close_ int info = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    struct sp_error ignored;
    struct statx stx;
    char want[32];
    const char *at;

    (void)sp_str_copy(ret, 64, "of an unknown kind");
    sp_buf_puts(&table, "\n"); /* so that every line begins behind one */
    if (info < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0 ||
        sp_buf_read_fd(&table, info, 1 << 24, 0, &ignored) < 0)
        return;
    (void)sp_str_format(want, sizeof(want), "\n%llu ", (unsigned long long)stx.stx_mnt_id);
    at = strstr(sp_buf_str(&table), want);
    at = at != NULL ? strstr(at, " - ") : NULL;
    if (at != NULL)
        (void)snprintf(ret, 64, "%.*s", (int)strcspn(at + 3, " "), at + 3);
}

static int try_one(int dir, int map, unsigned how)
{
    const struct attr attr = {.set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)map};
    _cleanup_close_ int tree =
        (int)syscall(SYS_open_tree, dir, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | how);

    return tree < 0 ? -1
                    : (int)syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | how, &attr, sizeof(attr));
}

int sp_idmap_try(struct sp_host *h, const struct sp_idmap *m, const char *path, struct sp_error *err)
{
    _cleanup_close_ int dir = -1, map = -1;
    struct utsname kernel = {0};
    char type[64];
    int failed;

    if (!h->real)
        return 0;
    if (!sp_errand_is_ours(SP_ERRAND_TRY))
        return elsewhere(SP_ERRAND_TRY, m, path, err);
    dir = sp_fsat_open_dir(h->root_fd, path, SP_FSAT_NONE, err);
    map = dir < 0 ? -1 : open_map(m, err);
    if (map < 0)
        return -1;
    if (try_one(dir, map, AT_RECURSIVE) == 0 || try_one(dir, map, 0) == 0)
        return 0;
    failed = errno;
    name_type(dir, type);
    (void)uname(&kernel);
    sp_fail(err, SP_E_UNSUPPORTED, failed, "%s (%s, Linux %.64s) takes no idmapped mount", path, type,
            kernel.release);
    return sp_hint(err,
                   "an extra login's files have to lie on ext4 or xfs (Linux 5.12), btrfs (5.15) or tmpfs "
                   "(6.3); overlay, nfs and the like have none");
}
