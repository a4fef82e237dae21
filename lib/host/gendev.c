/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dev/ of the store: the few device nodes a jail needs, real ones, made once and bound into every jail. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/errand.h"
#include "host/fsat.h"
#include "host/generation.h"
#include "host/layout.h"

struct node {
    const char *name;
    unsigned major, minor;
};

/* Documentation/admin-guide/devices.txt of the kernel. ptmx as a node finds the devpts at pts beside it. */
static const struct node nodes[] = {
    {"null", 1, 3},    {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8},
    {"urandom", 1, 9}, {"tty", 5, 0},  {"ptmx", 5, 2},
};

static const struct {
    const char *name, *target;
} links[] = {
    {"fd", "/proc/self/fd"},
    {"stdin", "/proc/self/fd/0"},
    {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"},
};

static bool is_right(int dirfd, const struct node *n)
{
    struct stat st;

    return fstatat(dirfd, n->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mode == (S_IFCHR | 0666) &&
           st.st_rdev == makedev(n->major, n->minor) && st.st_uid == 0 && st.st_gid == 0;
}

static int make_node(int dirfd, const struct node *n, struct sp_error *err)
{
    if (is_right(dirfd, n))
        return 0;
    if (unlinkat(dirfd, n->name, 0) < 0 && errno != ENOENT)
        return sp_fail(err, SP_E_IO, errno, "removing a wrong %s from " SP_STORE "/dev", n->name);
    if (mknodat(dirfd, n->name, S_IFCHR | 0666, makedev(n->major, n->minor)) < 0) {
        if (errno != EPERM)
            return sp_fail(err, SP_E_IO, errno, "making " SP_STORE "/dev/%s", n->name);
        sp_fail(err, SP_E_UNSUPPORTED, errno, "this host does not allow device nodes");
        return sp_hint(err,
                       "a container needs CAP_MKNOD and a device policy that allows null, zero, full, "
                       "random, urandom, tty and ptmx");
    }
    /* The umask took its part of the mode. */
    if (fchmodat(dirfd, n->name, 0666, 0) < 0 || fchownat(dirfd, n->name, 0, 0, AT_SYMLINK_NOFOLLOW) < 0)
        return sp_fail(err, SP_E_IO, errno, "opening " SP_STORE "/dev/%s to all", n->name);
    return 0;
}

static bool have_nodes(int dirfd)
{
    for (size_t i = 0; i < SP_COUNT(nodes); i++)
        if (!is_right(dirfd, &nodes[i]))
            return false;
    return true;
}

static int make_nodes(int dirfd, struct sp_error *err)
{
    for (size_t i = 0; i < SP_COUNT(nodes); i++)
        if (make_node(dirfd, &nodes[i], err) < 0)
            return -1;
    return 0;
}

static int make_link(int dirfd, const char *name, const char *target, struct sp_error *err)
{
    char is[PATH_MAX];
    ssize_t n = readlinkat(dirfd, name, is, sizeof(is) - 1);

    if (n >= 0) {
        is[n] = '\0';
        if (sp_streq(is, target))
            return 0;
    }
    if ((unlinkat(dirfd, name, 0) < 0 && errno != ENOENT) || symlinkat(target, dirfd, name) < 0)
        return sp_fail(err, SP_E_IO, errno, "linking " SP_STORE "/dev/%s", name);
    return 0;
}

static int make_dir(int dirfd, const char *name, struct sp_error *err)
{
    if ((mkdirat(dirfd, name, 0755) < 0 && errno != EEXIST) || fchmodat(dirfd, name, 0755, 0) < 0)
        return sp_fail(err, SP_E_IO, errno, "making " SP_STORE "/dev/%s", name);
    return 0;
}

int sp_generation_ensure_dev(struct sp_host *h, struct sp_error *err)
{
    _cleanup_close_ int var = sp_fsat_make_dirs(h->root_fd, "var/lib", 0755, err);
    _cleanup_close_ int store = var >= 0 ? sp_fsat_make_dirs(h->root_fd, SP_STORE, 0711, err) : -1;
    _cleanup_close_ int dirfd = store >= 0 ? sp_fsat_make_dirs(store, "dev", 0755, err) : -1;

    if (dirfd < 0)
        return -1;
    /* Below a test's directory there is nobody to make devices for. */
    if (h->real && !have_nodes(dirfd)) {
        if (!sp_errand_is_ours(SP_ERRAND_DEV))
            return sp_errand_run(&(struct sp_errand){.kind = SP_ERRAND_DEV}, err);
        if (make_nodes(dirfd, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < SP_COUNT(links); i++)
        if (make_link(dirfd, links[i].name, links[i].target, err) < 0)
            return -1;
    if (make_dir(dirfd, "pts", err) < 0 || make_dir(dirfd, "shm", err) < 0)
        return -1;
    return fsync(dirfd) == 0 ? 0 : sp_fail(err, SP_E_IO, errno, "fsync of " SP_STORE "/dev");
}
