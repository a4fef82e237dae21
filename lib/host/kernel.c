/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"

/* A system call that is not there answers ENOSYS, whatever its arguments. */
static bool has_mount_api(void)
{
    long tree = syscall(SYS_open_tree, -1, "", 0), attr;
    bool open_tree = tree >= 0 || errno != ENOSYS;

    if (tree >= 0)
        (void)close((int)tree);
    attr = syscall(SYS_mount_setattr, -1, "", 0, NULL, 0);
    return open_tree && (attr >= 0 || errno != ENOSYS);
}

/* user.max_*_namespaces is 0 where an administrator switched a kind off. */
static bool allowed(struct sp_host *h, const char *path)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    struct sp_error ignored;

    return sp_fsat_read(h->root_fd, path, 64, &text, NULL, &ignored) < 0 || sp_buf_str(&text)[0] != '0';
}

static bool has_capabilities(struct sp_host *h, const char *path)
{
    const uint32_t needed = 1U << CAP_SYS_ADMIN | 1U << CAP_SYS_CHROOT;
    struct vfs_ns_cap_data caps = {0};
    struct sp_error ignored;
    _cleanup_close_ int fd = sp_fsat_open(h->root_fd, path, O_RDONLY, 0, SP_FSAT_NONE, &ignored);

    if (fd < 0 ||
        fgetxattr(fd, "security.capability", &caps, sizeof(caps)) < (ssize_t)sizeof(struct vfs_cap_data))
        return false;
    return (caps.data[0].permitted & needed) == needed && (caps.magic_etc & VFS_CAP_FLAGS_EFFECTIVE) != 0;
}

void sp_kernel_look(struct sp_host *h, const char *chroot_bash, struct sp_kernel *ret)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    struct utsname u;

    *ret = (struct sp_kernel){0};
    if (uname(&u) == 0)
        (void)sp_str_copy(ret->release, sizeof(ret->release), u.release);
    ret->landlock_abi = abi > 0 ? (int)abi : 0;
    ret->mount_api = has_mount_api();
    ret->mount_namespaces = allowed(h, "proc/sys/user/max_mnt_namespaces");
    ret->pid_namespaces = allowed(h, "proc/sys/user/max_pid_namespaces");
    ret->file_capabilities = has_capabilities(h, chroot_bash);
}
