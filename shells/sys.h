/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * System calls that the C libraries of the supported hosts do not all wrap (glibc 2.34 on EL9 to 2.39),
 * under names of our own, so that a newer <sys/mount.h> does not clash. <linux/mount.h> has the constants.
 */
#ifndef SP_SHELLS_SYS_H
#define SP_SHELLS_SYS_H

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SP_MNT_DETACH 2       /* umount2(2); its header clashes with <linux/mount.h> */
#define SP_MS_SLAVE (1 << 19) /* of mount(2); the UAPI headers lack it before 5.x */

/* mount_setattr(2), Linux 5.12: the youngest call we need. EL9's headers may lack it. */
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

struct sp_mount_attr {
    uint64_t set, clear, propagation, userns_fd;
};

static inline int sp_sys_openat2(int dirfd, const char *path, const struct open_how *how)
{
    return (int)syscall(SYS_openat2, dirfd, path, how, sizeof(*how));
}

static inline int sp_sys_open_tree(int dirfd, const char *path, unsigned flags)
{
    return (int)syscall(SYS_open_tree, dirfd, path, flags);
}

/* Attach a mount that an fd holds upon the directory (or file) that another fd holds: no path is involved.
 */
static inline int sp_sys_move_mount(int from_fd, int to_fd)
{
    return (int)syscall(SYS_move_mount, from_fd, "", to_fd, "",
                        MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static inline int sp_sys_mount_setattr(int fd, unsigned flags, const struct sp_mount_attr *attr)
{
    return (int)syscall(SYS_mount_setattr, fd, "", flags, attr, sizeof(*attr));
}

static inline int sp_sys_fsopen(const char *type)
{
    return (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
}

static inline int sp_sys_fsconfig(int fd, unsigned what, const char *key, const char *value)
{
    return (int)syscall(SYS_fsconfig, fd, what, key, value, 0);
}

static inline int sp_sys_fsmount(int fd, unsigned attr)
{
    return (int)syscall(SYS_fsmount, fd, FSMOUNT_CLOEXEC, attr);
}

static inline int sp_sys_close_range(unsigned first, unsigned last)
{
    return (int)syscall(SYS_close_range, first, last, 0);
}

static inline int sp_sys_capget(struct __user_cap_data_struct data[2])
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

    return (int)syscall(SYS_capget, &header, data);
}

static inline int sp_sys_capset(const struct __user_cap_data_struct data[2])
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

    return (int)syscall(SYS_capset, &header, data);
}

#endif
