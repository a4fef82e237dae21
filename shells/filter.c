/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Step 11: the system calls that stay shut, in the kernel's own filter language (seccomp(2), bpf). Written
 * out, so that no library is needed and the policy can be read. It is the second fence: without
 * capabilities and below a chroot most of these fail by themselves.
 */
#include "entry.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#define X32_BIT 0x40000000U /* x32 shares the architecture number; its calls are numbered from here */
#define SKIPPED 0xffffffffU /* what a tracer puts there to have no call made: no x32 either */
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
/* cppcheck-suppress preprocessorErrorDirective */
#error "the filter has no table for this architecture"
#endif

/* Younger than the headers of some supported hosts; the numbers are the same on all architectures. */
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#define SYS_open_tree_attr_ 467

#define DATA(field) ((unsigned)offsetof(struct seccomp_data, field))
#define LOW_WORD(n) ((unsigned)(offsetof(struct seccomp_data, args) + (n)*8)) /* both are little-endian */

#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (yes), (no))
#define HAS(bits, yes, no) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (bits), (yes), (no))
#define FROM(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (value), (yes), (no))

#define REFUSE(errno_) RETURN(SECCOMP_RET_ERRNO | (errno_))
#define ALLOW RETURN(SECCOMP_RET_ALLOW)

/* The terminal's input queue belongs to whoever sits at it: TIOCSTI typed a command into root's own shell
 * under `su - user`. The kernel looks at the low 32 bits of ioctl's second argument, and so do we. */
#define TIOCSTI_ 0x5412
#define TIOCLINUX_ 0x541C

#define NEW_NAMESPACE                                                                                      \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |          \
     CLONE_NEWNET)
#define NEW_TIME 0x80 /* for unshare(2) only: in clone(2) that bit is part of the exit signal */

static const struct sock_filter head[] = {
    LOAD(DATA(arch)),
    IS(ARCH, 1, 0),
    RETURN(SECCOMP_RET_KILL_PROCESS), /* other numbers mean other calls */
    LOAD(DATA(nr)),
#ifdef X32_BIT
    IS(SKIPPED, 0, 1),
    ALLOW,
    FROM(X32_BIT, 0, 1),
    RETURN(SECCOMP_RET_KILL_PROCESS),
#endif
    /* Each block ends with a verdict, so the number stays loaded for the next. */
    IS(SYS_ioctl, 0, 5),
    LOAD(LOW_WORD(1)),
    IS(TIOCSTI_, 1, 0),
    IS(TIOCLINUX_, 0, 1),
    REFUSE(EPERM),
    ALLOW,
    IS(SYS_clone, 0, 4),
    LOAD(LOW_WORD(0)),
    HAS(NEW_NAMESPACE, 0, 1),
    REFUSE(EPERM),
    ALLOW,
    IS(SYS_unshare, 0, 4),
    LOAD(LOW_WORD(0)),
    HAS(NEW_NAMESPACE | NEW_TIME, 0, 1),
    REFUSE(EPERM),
    ALLOW,
    /* Its flags lie in memory, where a filter cannot look: libc then uses clone(2). */
    IS(SYS_clone3, 0, 1),
    REFUSE(ENOSYS),
};

/* EPERM, whatever the arguments. In any order. */
static const unsigned shut[] = {
    /* Namespaces and mounts */
    SYS_setns,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_open_tree,
    SYS_open_tree_attr_,
    SYS_move_mount,
    SYS_mount_setattr,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
    SYS_open_by_handle_at, /* opens by number what no path leads to */
    /* Kernel interfaces that no shell needs and that many holes were found in */
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_io_uring_setup, /* its requests pass by this filter */
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_kexec_load,
    SYS_kexec_file_load,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_swapon,
    SYS_swapoff,
    SYS_reboot,
    SYS_acct,
};

#define GROUP 6 /* entries of the table that are looked at one by one */
#define MAX (SP_COUNT(head) + SP_COUNT(shut) + 2 * (SP_COUNT(shut) / GROUP + 1) + 2)

static int ascending(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

    return x < y ? -1 : x > y;
}

/* The kernel runs a new filter once for every system call there is, to remember those that are always
 * allowed (seccomp's action cache), so a table looked through from end to end made each login 0.1 ms
 * slower. In sorted groups: a number at or above the next group's first skips this one. The last two lines
 * are the verdicts. */
static unsigned short search(struct sock_filter *to)
{
    struct sock_filter *const start = to, *refuse;
    unsigned sorted[SP_COUNT(shut)];
    size_t n = SP_COUNT(shut);

    memcpy(sorted, shut, sizeof(shut));
    qsort(sorted, n, sizeof(sorted[0]), ascending);
    refuse = to + n + 2 * ((n + GROUP - 1) / GROUP) - 1; /* the last group has no next one to skip to */
    for (size_t at = 0; at < n; at += GROUP) {
        size_t size = n - at < GROUP ? n - at : GROUP;

        if (at + size < n)
            *to++ = (struct sock_filter)FROM(sorted[at + size], (unsigned char)(size + 1), 0);
        for (size_t i = at; i < at + size; i++, to++)
            *to = (struct sock_filter)IS(sorted[i], (unsigned char)(refuse - to - 1), 0);
        *to++ = (struct sock_filter)ALLOW;
    }
    *to++ = (struct sock_filter)REFUSE(EPERM);
    return (unsigned short)(to - start);
}

int sp_filter_install(struct sp_error *err)
{
    struct sock_filter program[MAX];
    struct sock_fprog filter = {.filter = program};

    memcpy(program, head, sizeof(head));
    filter.len = (unsigned short)(SP_COUNT(head) + search(program + SP_COUNT(head)));
    /* SPEC_ALLOW: before 5.16 a filter switched speculation mitigations on that make every program slower.
     */
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &filter) < 0) {
        sp_fail(err, SP_E_UNSUPPORTED, errno, "seccomp");
        return sp_hint(err, "this kernel needs CONFIG_SECCOMP_FILTER");
    }
    return 0;
}
