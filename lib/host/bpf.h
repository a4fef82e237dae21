/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The words in which filters of system calls are written (seccomp(2), bpf), and what they have in common.
 */
#ifndef SP_HOST_BPF_H
#define SP_HOST_BPF_H

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

#if defined(__x86_64__)
#define SP_BPF_ARCH AUDIT_ARCH_X86_64
#define SP_BPF_X32 0x40000000U /* x32 shares the architecture number; its calls are numbered from here */
#define SP_BPF_SKIPPED 0xffffffffU /* what a tracer puts there to have no call made: no x32 either */
#elif defined(__aarch64__)
#define SP_BPF_ARCH AUDIT_ARCH_AARCH64
#else
/* cppcheck-suppress preprocessorErrorDirective */
#error "the filter has no table for this architecture"
#endif

#define DATA(field) ((unsigned)offsetof(struct seccomp_data, field))
#define LOW_WORD(n) ((unsigned)(offsetof(struct seccomp_data, args) + (n)*8)) /* both are little-endian */

#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (yes), (no))
#define HAS(bits, yes, no) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (bits), (yes), (no))
#define FROM(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (value), (yes), (no))

#define REFUSE(errno_) RETURN(SECCOMP_RET_ERRNO | (errno_))
#define ALLOW RETURN(SECCOMP_RET_ALLOW)
#define KILL RETURN(SECCOMP_RET_KILL_PROCESS)

/* The terminal's input queue belongs to whoever sits at it: TIOCSTI typed a command into root's own shell
 * under `su - user`. The kernel looks at the low 32 bits of ioctl's second argument, and so do we. */
#define TIOCSTI_ 0x5412
#define TIOCLINUX_ 0x541C

/* What every filter begins with; the number is loaded then. `other`: the verdict on other numbers, which
 * mean other calls. */
#ifdef SP_BPF_X32
#define SP_BPF_HEAD(other)                                                                                 \
    LOAD(DATA(arch)), IS(SP_BPF_ARCH, 1, 0), other, LOAD(DATA(nr)), IS(SP_BPF_SKIPPED, 0, 1), ALLOW,       \
        FROM(SP_BPF_X32, 0, 1), other
#else
#define SP_BPF_HEAD(other) LOAD(DATA(arch)), IS(SP_BPF_ARCH, 1, 0), other, LOAD(DATA(nr))
#endif

/* Ends with a verdict, so the number stays loaded for what follows. */
#define SP_BPF_NO_INJECTION                                                                                \
    IS(SYS_ioctl, 0, 5), LOAD(LOW_WORD(1)), IS(TIOCSTI_, 1, 0), IS(TIOCLINUX_, 0, 1), REFUSE(EPERM), ALLOW

/* At most SP_BPF_NUMBERS of them; the search is no longer than SP_BPF_SEARCH(n) lines. */
#define SP_BPF_NUMBERS 96
#define SP_BPF_GROUP 6
#define SP_BPF_SEARCH(n) ((n) + 2 * ((n) / SP_BPF_GROUP + 1) + 1)

/* With the number loaded: `found` for one that is among these, in any order, `other` for the rest. How many
 * lines it took. */
unsigned short sp_bpf_search(struct sock_filter *to, const unsigned *numbers, size_t n,
                             struct sock_filter found, struct sock_filter other);

/* For this process and all it starts. 0, or -1 with errno. */
int sp_bpf_install(struct sock_filter *program, size_t n);

#endif
