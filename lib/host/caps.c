/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/caps.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/mem.h"

/* All that root's work here needs. Not among them, on purpose: SYS_RESOURCE (it writes past quotas and
 * limits, so that success would be reported for what did not fit), SYS_MODULE, SYS_RAWIO, SYS_BOOT,
 * SYS_TIME, NET_RAW (but see uses_old_iptables()), SETFCAP, LINUX_IMMUTABLE (chattr +i is somebody's word),
 * MAC_ADMIN, BPF. */
static const unsigned char kept[] = {
    CAP_CHOWN,           /* owners of what is made for a user */
    CAP_DAC_OVERRIDE,    /* files and directories of any mode */
    CAP_DAC_READ_SEARCH, /* the same, reading */
    CAP_FOWNER,          /* modes, ACLs and labels of files of other owners */
    CAP_FSETID,          /* set-id bits survive a chmod by us */
    CAP_KILL,            /* sessions are ended */
    CAP_SETGID,          /* the child that works in a home */
    CAP_SETUID,          /* the same, and the parser's child */
    CAP_SETPCAP,         /* children cut their bounding set further */
    CAP_NET_ADMIN,       /* nftables */
    CAP_SYS_PTRACE,      /* /proc/PID/exe and ns of other uids: whose sshd, whose jail */
    CAP_SYS_CHROOT,      /* proving a generation, and chroot-bash itself in a probe: */
    CAP_SYS_ADMIN,       /*   file capabilities give no more than the bounding set has */
    CAP_MKNOD,           /* the jail's null, zero, random, tty */
    CAP_AUDIT_WRITE,     /* PAM fails where it may not write its audit record */
};

/* fcntl(2) F_GETFD tells a closed one; open(2) gives the lowest free number, so in this order each fits. */
static int open_standard_fds(void)
{
    for (int want = 0; want <= 2; want++) {
        int got = fcntl(want, F_GETFD) < 0 ? open("/dev/null", want == 0 ? O_RDONLY : O_RDWR) : want;
        if (got != want)
            return -1;
    }
    return 0;
}

static void close_others(void)
{
    if (syscall(SYS_close_range, 3U, ~0U, 0U) == 0)
        return;
    /* Before Linux 5.9. The hard limit says little: it may have been lowered after an fd was opened. */
    for (int fd = 3; fd < 65536; fd++)
        (void)close(fd);
}

static int reset_signals(void)
{
    const struct itimerval never = {0};
    sigset_t none;

    for (int sig = 1; sig < NSIG; sig++)
        (void)signal(sig, sig == SIGPIPE || sig == SIGXFSZ ? SIG_IGN : SIG_DFL);
    /* Timers are inherited over execve(2): one would kill us in the middle of a write. */
    for (int which = ITIMER_REAL; which <= ITIMER_PROF; which++)
        (void)setitimer((__itimer_which_t)which, &never, NULL);
    sigemptyset(&none);
    return sigprocmask(SIG_SETMASK, &none, NULL);
}

/* CVE-2015-3246: a caller's RLIMIT_FSIZE cut /etc/passwd. A process without CAP_SYS_RESOURCE (in a
 * container, or not root's) gets what the hard limits allow, and does not start below what it needs. */
static int reset_limits(void)
{
    static const struct {
        __rlimit_resource_t what;
        rlim_t soft, hard, least;
    } limits[] = {
        {RLIMIT_CORE, 0, 0, 0}, /* memory may hold a password */
        {RLIMIT_FSIZE, RLIM_INFINITY, RLIM_INFINITY, 128U << 20},
        {RLIMIT_CPU, RLIM_INFINITY, RLIM_INFINITY, 60},
        {RLIMIT_AS, RLIM_INFINITY, RLIM_INFINITY, 512U << 20},
        {RLIMIT_DATA, RLIM_INFINITY, RLIM_INFINITY, 256U << 20},
        {RLIMIT_NPROC, RLIM_INFINITY, RLIM_INFINITY, 64},
        {RLIMIT_STACK, 8U << 20, RLIM_INFINITY, 1U << 20},
        {RLIMIT_NOFILE, 1024, 4096, 64},
    };

    for (size_t i = 0; i < SP_COUNT(limits); i++) {
        struct rlimit want = {limits[i].soft, limits[i].hard}, now;
        if (setrlimit(limits[i].what, &want) == 0)
            continue;
        if (getrlimit(limits[i].what, &now) != 0)
            return -1;
        now.rlim_cur = want.rlim_cur < now.rlim_max ? want.rlim_cur : now.rlim_max;
        if (setrlimit(limits[i].what, &now) != 0)
            return -1;
        if (now.rlim_cur < limits[i].least) {
            errno = EPERM;
            return -1;
        }
    }
    return 0;
}

/* iptables of the old kind speaks to the kernel over a raw socket: only where its tables are in use, which
 * these files name, are its programs run. */
static bool uses_old_iptables(void)
{
    static const char *const names[] = {"/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"};
    bool used = false;
    char byte;

    for (size_t i = 0; i < SP_COUNT(names) && !used; i++) {
        _cleanup_close_ int fd = open(names[i], O_RDONLY | O_CLOEXEC);
        used = fd >= 0 && read(fd, &byte, 1) == 1;
    }
    return used;
}

static uint64_t kept_mask(void)
{
    uint64_t mask = uses_old_iptables() ? (uint64_t)1 << CAP_NET_RAW : 0;

    for (size_t i = 0; i < SP_COUNT(kept); i++)
        mask |= (uint64_t)1 << kept[i];
    return mask;
}

/* The bounding set is for what we execute, the permitted set for ourselves. A capability that we never had
 * (a container) stays lacking. */
static int drop_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    uint64_t mask = kept_mask();

    for (unsigned cap = 0; cap < 64; cap++) {
        int has = (mask >> cap & 1) != 0 ? 0 : prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
        if (has < 0) /* behind the last that this kernel knows */
            break;
        if (has == 1 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0)
            return -1;
    }
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
        return -1;
    if (syscall(SYS_capget, &head, data) != 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        data[i].permitted &= (uint32_t)(mask >> 32 * i);
        data[i].effective = data[i].permitted;
        data[i].inheritable = 0;
    }
    return syscall(SYS_capset, &head, data) == 0 ? 0 : -1;
}

int sp_process_sanitise(void)
{
    if (open_standard_fds() != 0)
        return -1;
    close_others();
    if (reset_signals() != 0 || clearenv() != 0 ||
        setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1) != 0 || reset_limits() != 0 || chdir("/") != 0)
        return -1;
    umask(077);
    (void)setpriority(PRIO_PROCESS, 0, 0); /* a niced caller would hold the locks for longer */
    /* Core dumps by a pipe (core(5)) do not ask RLIMIT_CORE. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return -1;
    /* Harmless here: everything we execute, PAM's helpers among it, starts as root and needs no set-id bit
     * and no file capability. A probe of chroot-bash keeps its two capabilities instead of gaining them by
     * exec. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return geteuid() == 0 ? drop_capabilities() : 0;
}

bool sp_process_may(unsigned cap)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];

    return syscall(SYS_capget, &head, data) == 0 && (data[cap / 32].effective >> cap % 32 & 1) != 0;
}
