/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/sealed.h"

#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "host/seccomp.h"

#define NOBODY 65534

/* What the worst request of a mebibyte takes is a tenth of this. A sanitizer maps terabytes. */
#if defined(__SANITIZE_ADDRESS__)
#define MEMORY RLIM_INFINITY
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define MEMORY RLIM_INFINITY
#endif
#endif
#ifndef MEMORY
#define MEMORY ((rlim_t)512 << 20)
#endif

static const unsigned allowed[] = {
    SYS_read,
    SYS_write,
    SYS_close,
    SYS_poll,
    SYS_exit,
    SYS_exit_group,
    SYS_brk, /* malloc(3): these, and a key for its free list */
    SYS_munmap,
    SYS_mremap,
    SYS_madvise,
    SYS_getrandom,
    SYS_restart_syscall, /* a read that SIGSTOP and SIGCONT went through */
};

static int limit(void)
{
    static const struct {
        __rlimit_resource_t what;
        rlim_t most;
    } limits[] = {
        {RLIMIT_AS, MEMORY}, {RLIMIT_CPU, 20},  {RLIMIT_NOFILE, 2},
        {RLIMIT_FSIZE, 0},   {RLIMIT_NPROC, 0}, {RLIMIT_CORE, 0},
    };

    for (size_t i = 0; i < SP_COUNT(limits); i++) {
        struct rlimit l, want;
        if (getrlimit(limits[i].what, &l) != 0)
            return -1;
        want.rlim_max = limits[i].most < l.rlim_max ? limits[i].most : l.rlim_max;
        want.rlim_cur = want.rlim_max;
        if (setrlimit(limits[i].what, &want) != 0)
            return -1;
    }
    return 0;
}

/* A change of all three uids from root's clears every set of capabilities but the bounding one
 * (capabilities(7)), which is of use to nobody who may not execve(2). */
static int drop(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};

    if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
                           setresuid(NOBODY, NOBODY, NOBODY) != 0 || getuid() != NOBODY))
        return -1;
    return syscall(SYS_capset, &head, none) == 0 ? 0 : -1;
}

int sp_sealed_enter(void)
{
    if (limit() != 0 || drop() != 0)
        return -1;
    /* Behind the change of ids, which clears both. Not readable by others of the same uid. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return sp_seccomp_only(allowed, SP_COUNT(allowed));
}
