/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Steps 10 to 12: give everything up, see that it is gone, and shut what is left. The order matters:
 * Landlock and seccomp want no_new_privs, the proof has to come before the filter could fake it. */
#include "entry.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/mem.h"
#include "sys.h"

/* From <linux/keyctl.h> and <linux/landlock.h>, which the oldest supported hosts lack or have without the
 * later parts. */
#define KEYCTL_JOIN_SESSION_KEYRING 1
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif
#define LANDLOCK_VERSION 1U
#define LANDLOCK_PATH_BENEATH 1
#define LANDLOCK_WRITE_FILE (1U << 1)
#define LANDLOCK_READ_FILE (1U << 2)
#define LANDLOCK_IOCTL_DEV (1U << 15)
#define LANDLOCK_SCOPE_ABSTRACT_UNIX (1U << 0)

/* no_new_privs: from here on no setuid bit, file capability or label of a program counts. */
int sp_confine_shed(struct sp_error *err)
{
    static const struct __user_cap_data_struct none[2];

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return sp_fail(err, SP_E_UNSUPPORTED, errno, "no_new_privs");
    if (sp_sys_capset(none) < 0) /* the ambient set goes with the permitted one (capabilities(7)) */
        return sp_fail(err, SP_E_IO, errno, "capset");
    return 0;
}

/* A drop that was not seen to be one is none. unshare(CLONE_NEWUSER) has to fail because we are in a chroot
 * below the namespace's root, not because of the filter that follows. */
static int prove(struct sp_error *err)
{
    struct __user_cap_data_struct caps[2];

    memset(caps, 0xff, sizeof(caps));
    if (sp_sys_capget(caps) < 0)
        return sp_fail(err, SP_E_IO, errno, "capget");
    for (size_t i = 0; i < 2; i++)
        if ((caps[i].effective | caps[i].permitted | caps[i].inheritable) != 0)
            return sp_fail(err, SP_E_INTERNAL, 0, "capabilities are left");
    if (syscall(SYS_setuid, 0) == 0)
        return sp_fail(err, SP_E_INTERNAL, 0, "could still become root");
    if (unshare(CLONE_NEWUSER) == 0)
        return sp_fail(err, SP_E_INTERNAL, 0, "could still make a user namespace");
    return 0;
}

struct ruleset { /* landlock_create_ruleset(2); an older kernel takes a shorter one */
    uint64_t fs, net, scoped;
};

struct beneath {
    uint64_t allowed;
    int32_t fd;
} __attribute__((packed));

/* The file system rights of each ABI (landlock(7)): what a kernel does not know it refuses, what we do not
 * name it leaves open. */
static uint64_t rights(int abi)
{
    unsigned bits = abi >= 5 ? 16 : abi >= 3 ? 15 : abi >= 2 ? 14 : 13;

    return (1U << bits) - 1;
}

/* The terminal was opened outside the jail, so by its path it does not lie below our "/". Without a rule
 * for the device itself, `echo >/dev/stderr` would fail. */
static void allow_terminals(int ruleset, int abi)
{
    struct beneath rule = {.allowed = (LANDLOCK_WRITE_FILE | LANDLOCK_READ_FILE | LANDLOCK_IOCTL_DEV) &
                                      rights(abi)};

    for (rule.fd = 0; rule.fd < 3; rule.fd++)
        if (isatty(rule.fd))
            (void)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_PATH_BENEATH, &rule, 0);
}

/* Everything below the jail's "/" and nothing else, whatever directory somebody outside passes us over a
 * socket or moves us into; no abstract sockets of the host's. Not the signal scope: each login is a domain
 * of its own, and `kill` from the second has to reach the first one's jobs. A kernel without Landlock (ABI
 * 0) goes on. */
static int restrict_paths(int *ret_abi, struct sp_error *err)
{
    int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);
    struct ruleset set = {.fs = rights(abi), .scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX};
    _cleanup_close_ int root = -1, ruleset = -1;
    struct beneath rule;

    *ret_abi = abi < 0 ? 0 : abi;
    if (abi <= 0)
        return 0;
    root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &set, abi >= 6 ? 24 : abi >= 4 ? 16 : 8, 0);
    rule = (struct beneath){.allowed = set.fs, .fd = root};
    if (root < 0 || ruleset < 0 ||
        syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_PATH_BENEATH, &rule, 0) < 0)
        return sp_fail(err, SP_E_IO, errno, "Landlock's rules");
    allow_terminals(ruleset, abi);
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        return sp_fail(err, SP_E_IO, errno, "Landlock");
    return 0;
}

int sp_confine(int *ret_landlock, struct sp_error *err)
{
    /* The keys of the host's session (a Kerberos ticket, a mount's secret) stay there. May fail with EDQUOT
     * or in a container; then the filter's EPERM for keyctl is what is left. */
    (void)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
    if (sp_confine_shed(err) < 0 || prove(err) < 0 || sp_filter_install(err) < 0)
        return -1;
    return restrict_paths(ret_landlock, err);
}
