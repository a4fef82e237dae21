/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Step 11: the system calls that stay shut, in the kernel's own filter language (seccomp(2), bpf). Written
 * out, so that no library is needed and the policy can be read. It is the second fence: without
 * capabilities and below a chroot most of these fail by themselves.
 */
#include "entry.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/mem.h"
#include "host/bpf.h"

/* Younger than the headers of some supported hosts; the numbers are the same on all architectures. */
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#define SYS_open_tree_attr_ 467

#define NEW_NAMESPACE                                                                                      \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |          \
     CLONE_NEWNET)
#define NEW_TIME 0x80 /* for unshare(2) only: in clone(2) that bit is part of the exit signal */

static const struct sock_filter head[] = {
    SP_BPF_HEAD(KILL),
    SP_BPF_NO_INJECTION,
    /* Each block ends with a verdict, so the number stays loaded for the next. */
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

int sp_filter_install(struct sp_error *err)
{
    struct sock_filter program[SP_COUNT(head) + SP_BPF_SEARCH(SP_COUNT(shut))];
    size_t n;

    memcpy(program, head, sizeof(head));
    n = sp_bpf_search(program + SP_COUNT(head), shut, SP_COUNT(shut), (struct sock_filter)REFUSE(EPERM),
                      (struct sock_filter)ALLOW);
    if (sp_bpf_install(program, SP_COUNT(head) + n) < 0) {
        sp_fail(err, SP_E_UNSUPPORTED, errno, "seccomp");
        return sp_hint(err, "this kernel needs CONFIG_SECCOMP_FILTER");
    }
    return 0;
}
