/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/seccomp.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/mem.h"
#include "host/bpf.h"

/* Younger than the headers of some supported hosts; the number is the same on all architectures. */
#define SYS_quotactl_fd_ 443

#define ONLY_MAX 32

int sp_seccomp_only(const unsigned *numbers, size_t n)
{
    static const struct sock_filter head[] = {
        LOAD(DATA(arch)),  IS(SP_BPF_ARCH, 1, 0), KILL, LOAD(DATA(nr)), IS(SYS_mmap, 0, 4),
        LOAD(LOW_WORD(2)), HAS(PROT_EXEC, 0, 1),  KILL, ALLOW,
    };
    struct sock_filter program[SP_COUNT(head) + SP_BPF_SEARCH(ONLY_MAX)];

    if (n > ONLY_MAX) {
        errno = EINVAL;
        return -1;
    }
    memcpy(program, head, sizeof(head));
    n = sp_bpf_search(program + SP_COUNT(head), numbers, n, (struct sock_filter)ALLOW,
                      (struct sock_filter)KILL);
    return sp_bpf_install(program, SP_COUNT(head) + n);
}

/* Not among them is what operations do: mounts and namespaces (jails are proved, id maps kept), set*id,
 * kill, chroot. In any order. */
static const unsigned never[] = {
    /* The kernel itself */
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_kexec_file_load,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_acct,
    SYS_syslog,
    SYS_quotactl,
    SYS_quotactl_fd_,
    /* The clock */
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_adjtimex,
    SYS_clock_adjtime,
    /* Interfaces of the kernel that many holes were found in */
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_io_uring_setup, /* its requests pass by this filter */
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_fanotify_init,
    SYS_open_by_handle_at, /* opens by number what no path leads to */
    SYS_vhangup,
    /* Other processes: they are looked at by /proc and ended by kill(2) */
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kcmp,
    SYS_migrate_pages,
    SYS_move_pages,
#if defined(__x86_64__)
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
    SYS_uselib,
    SYS_ustat,
    SYS_sysfs,
#endif
};

int sp_seccomp_helper(void)
{
    static const struct sock_filter head[] = {
        SP_BPF_HEAD(REFUSE(ENOSYS)),
        SP_BPF_NO_INJECTION,
        /* Sockets: of these families alone. */
        IS(SYS_socket, 0, 7),
        LOAD(LOW_WORD(0)),
        IS(AF_UNIX, 4, 0),
        IS(AF_NETLINK, 3, 0),
        IS(AF_INET, 2, 0),
        IS(AF_INET6, 1, 0),
        REFUSE(EAFNOSUPPORT),
        ALLOW,
    };
    struct sock_filter program[SP_COUNT(head) + SP_BPF_SEARCH(SP_COUNT(never))];
    size_t n;

    memcpy(program, head, sizeof(head));
    n = sp_bpf_search(program + SP_COUNT(head), never, SP_COUNT(never), (struct sock_filter)REFUSE(EPERM),
                      (struct sock_filter)ALLOW);
    return sp_bpf_install(program, SP_COUNT(head) + n);
}
