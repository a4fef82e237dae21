/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Mounting by file descriptor: the few moves that build.c is made of. */
#include "mount.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"
#include "sys.h"

static int open_path(int dirfd, const char *path, uint64_t resolve, struct sp_error *err)
{
    const struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH | resolve};
    int fd;

    path += strspn(path, "/");
    do
        fd = sp_sys_openat2(dirfd, path, &how);
    while (fd < 0 && (errno == EAGAIN || errno == EINTR)); /* a rename raced with us (openat2(2)) */
    return fd >= 0 ? fd : sp_fail(err, SP_E_UNSAFE_PATH, errno, "opening %s for the jail", path);
}

int sp_mount_open(int dirfd, const char *path, struct sp_error *err)
{
    return open_path(dirfd, path, RESOLVE_NO_SYMLINKS, err);
}

int sp_mount_open_source(int dirfd, const char *path, struct sp_error *err)
{
    return open_path(dirfd, path, RESOLVE_NO_MAGICLINKS, err);
}

int sp_mount_clone(int from, unsigned how, const struct sp_mount_attr *attr, struct sp_error *err)
{
    _cleanup_close_ int mount = -1;

    mount = sp_sys_open_tree(from, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | how);
    if (mount < 0)
        return sp_fail(err, SP_E_UNSUPPORTED, errno, "open_tree");
    if (sp_sys_mount_setattr(mount, AT_EMPTY_PATH | how, attr) < 0)
        return sp_fail(err, SP_E_UNSUPPORTED, errno, "mount_setattr");
    return sp_steal_fd(&mount);
}

int sp_mount_move(int mount, int to, struct sp_error *err)
{
    return sp_sys_move_mount(mount, to) == 0 ? 0 : sp_fail(err, SP_E_UNSUPPORTED, errno, "move_mount");
}

int sp_mount_attach(int from, int to, unsigned how, const struct sp_mount_attr *attr, struct sp_error *err)
{
    _cleanup_close_ int mount = sp_mount_clone(from, how, attr, err);

    return mount < 0 || sp_mount_move(mount, to, err) < 0 ? -1 : sp_steal_fd(&mount);
}

int sp_mount_tmpfs(const char *size, const char *inodes, int to, struct sp_error *err)
{
    _cleanup_close_ int fs = sp_sys_fsopen("tmpfs"), mount = -1;

    if (fs < 0 || sp_sys_fsconfig(fs, FSCONFIG_SET_STRING, "size", size) < 0 ||
        sp_sys_fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", inodes) < 0 ||
        sp_sys_fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0755") < 0 ||
        sp_sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL) < 0)
        return sp_fail(err, SP_E_UNSUPPORTED, errno, "a private tmpfs");
    mount = sp_sys_fsmount(fs, SP_MOUNT_QUIET);
    if (mount < 0 || sp_sys_move_mount(mount, to) < 0)
        return sp_fail(err, SP_E_UNSUPPORTED, errno, "mounting a private tmpfs");
    return sp_steal_fd(&mount);
}

int sp_mount_make_dir(int dirfd, const char *name, mode_t mode, struct sp_error *err)
{
    if (mkdirat(dirfd, name, mode) < 0 && errno != EEXIST)
        return sp_fail(err, SP_E_IO, errno, "mkdir %s in the skeleton", name);
    return 0;
}

int sp_mount_make_way(int dirfd, const char *path, struct sp_error *err)
{
    char copy[PATH_MAX];

    if (sp_str_copy(copy, sizeof(copy), path + 1) < 0)
        return sp_fail(err, SP_E_INVALID, 0, "%s is too long", path);
    for (char *slash = strchr(copy, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (sp_mount_make_dir(dirfd, copy, 0755, err) < 0)
            return -1;
        *slash = '/';
    }
    return sp_mount_make_dir(dirfd, copy, 0755, err);
}
