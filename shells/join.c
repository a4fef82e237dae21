/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Step 4: is there a living jail of this account? Its PID 1 keeps a read lock on the entry record, at the
 * byte of its generation. fcntl(2) F_GETLK tells who holds a lock: nothing is written down, so nothing is
 * stale, and a new record (a new inode) or a new generation (another byte) has no holder, hence a new jail.
 *
 * Anybody of this uid can hold such a lock, so the answer is a candidate, not a proof. Everything is looked
 * at by fds below one /proc/PID, and what was looked at is what is entered: the namespaces by those fds,
 * the root by its fd. After setns(2) no path is looked up.
 */
#include "entry.h"

#include <errno.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>

#include "base/mem.h"
#include "base/str.h"
#include "sys.h"

/* In the order of entering: mnt last, since it changes what "/" is. */
static const struct {
    const char *name;
    int flag;
    bool must_differ; /* from ours: else it is no jail but a process of the host */
} spaces[] = {
    {"ns/ipc", CLONE_NEWIPC, true},
    {"ns/uts", CLONE_NEWUTS, true},
    {"ns/pid", CLONE_NEWPID, true},
    {"ns/mnt", CLONE_NEWNS, true},
};

void sp_join_clear(struct sp_join *j)
{
    for (size_t i = 0; i < SP_COUNT(j->ns); i++)
        sp_cleanup_close(&j->ns[i]);
    sp_cleanup_close(&j->root_fd);
}

/* The pid in our own PID namespace; 0 when nobody (or nobody we can see) holds the byte. */
static pid_t holder(const struct sp_entry *e)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = sp_login_lock_offset(e), .l_len = 1};

    if (fcntl(e->record_fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK || lock.l_pid <= 1)
        return 0;
    return lock.l_pid;
}

static int identify(int fd, struct sp_ident *ret)
{
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -1;
    *ret = (struct sp_ident){.dev = st.st_dev, .ino = st.st_ino};
    return 0;
}

static bool equal(struct sp_ident a, struct sp_ident b)
{
    return a.dev == b.dev && a.ino == b.ino;
}

/* /proc/PID, held: if that process ends, every look below the fd fails (ESRCH), even if its number comes
 * again. So the second F_GETLK proves that the process behind the fd is the holder. */
static int open_process(const struct sp_entry *e)
{
    _cleanup_close_ int fd = -1;
    pid_t pid = holder(e);
    struct statfs fs;
    char path[32];

    if (pid == 0 || sp_str_format(path, sizeof(path), "/proc/%d", (int)pid) < 0)
        return -1;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstatfs(fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC || holder(e) != pid)
        return -1;
    return sp_steal_fd(&fd);
}

/* Open the namespaces of a process. The kernel lets us, who have no CAP_SYS_PTRACE, do that only if its
 * real, effective and saved ids are all our own (ptrace(2), PTRACE_MODE_READ_FSCREDS): so it is the user's.
 * Only a namespace that belongs to our own user namespace was made with real privilege (ioctl_ns(2)
 * NS_GET_USERNS): one that the user made himself belongs to a user namespace of his. Equality instead of
 * "the initial one" lets a container host have jails, too. */
static int open_spaces(int proc, struct sp_ident user_ns, const struct sp_ident *ours, int ret[4])
{
    for (size_t i = 0; i < SP_COUNT(spaces); i++) {
        _cleanup_close_ int owner = -1;
        struct sp_ident id;

        ret[i] = openat(proc, spaces[i].name, O_RDONLY | O_CLOEXEC);
        if (identify(ret[i], &id) < 0)
            return -1;
        if (ours != NULL && spaces[i].must_differ && equal(id, ours[i]))
            return -1;
        if (ours == NULL) /* our own, for the way back */
            continue;
        owner = ioctl(ret[i], NS_GET_USERNS);
        if (identify(owner, &id) < 0 || !equal(id, user_ns))
            return -1;
    }
    return 0;
}

static int look(int root, const char *path, struct sp_ident *ret)
{
    const struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                                 .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    _cleanup_close_ int fd = sp_sys_openat2(root, path + strspn(path, "/"), &how);

    return identify(fd, ret);
}

/* Seen through the candidate's own root: the generation of today, every root and home as they are now (a
 * panel may have put a new directory in the place of an old one), and "/" the first root or a skeleton. */
static bool is_our_jail(const struct sp_entry *e, int root)
{
    struct statfs fs;
    struct sp_ident id;

    if (identify(root, &id) < 0 || fstatfs(root, &fs) < 0)
        return false;
    if (!equal(id, e->root) && fs.f_type != TMPFS_MAGIC)
        return false;
    if (look(root, "usr", &id) < 0 || !equal(id, e->usr) || look(root, "etc", &id) < 0 ||
        !equal(id, e->etc))
        return false;
    for (size_t i = 0; i < e->n_places; i++)
        if (look(root, e->places[i].path, &id) < 0 || !equal(id, e->places[i].ident))
            return false;
    return true;
}

/* Where we stand, for the way back: chroot-bash may itself have been started in a chroot. */
static int remember(struct sp_join *back, struct sp_ident *ret_user_ns, struct sp_ident ret_ours[4])
{
    _cleanup_close_ int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int user = openat(self, "ns/user", O_RDONLY | O_CLOEXEC);

    back->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (back->root_fd < 0 || identify(user, ret_user_ns) < 0 ||
        open_spaces(self, *ret_user_ns, NULL, back->ns) < 0)
        return -1;
    for (size_t i = 0; i < SP_COUNT(back->ns); i++)
        if (identify(back->ns[i], &ret_ours[i]) < 0)
            return -1;
    return 0;
}

static int step_into(const int ns[4], int root)
{
    for (size_t i = 0; i < SP_COUNT(spaces); i++)
        if (setns(ns[i], spaces[i].flag) < 0)
            return -1;
    return fchdir(root) < 0 || chroot(".") < 0 ? -1 : 0;
}

int sp_join_undo(struct sp_entry *e, struct sp_join *back, struct sp_error *err)
{
    e->joined = false;
    sp_cleanup_close(&e->init_fd);
    e->init_fd = -1;
    if (step_into(back->ns, back->root_fd) < 0) {
        sp_fail(err, SP_E_IO, errno, "the jail ended during the login");
        return sp_hint(err, "log in again");
    }
    return 0;
}

int sp_join(struct sp_entry *e, struct sp_join *back, struct sp_error *err)
{
    _cleanup_close_ int proc = -1, root = -1;
    _cleanup_(sp_join_clear) struct sp_join there = {.root_fd = -1, .ns = {-1, -1, -1, -1}};
    _cleanup_(sp_show_clear) struct sp_show_news news = {0};
    struct sp_ident user_ns, ours[4];

    if (!e->serial) /* then its PID 1 could end at any moment */
        return 0;
    proc = open_process(e);
    if (proc < 0 || remember(back, &user_ns, ours) < 0 || open_spaces(proc, user_ns, ours, there.ns) < 0)
        return 0;
    root = openat(proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (!is_our_jail(e, root))
        return 0;
    sp_show_look(e, root, &news);
    e->init_fd = sp_steal_fd(&proc);
    if (step_into(there.ns, root) < 0)
        return sp_join_undo(e, back, err);
    sp_show_bring(&news, root);
    e->joined = true;
    return 1;
}
