/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What proc(5) says about the processes of one uid and of root: sessions.c's eyes. */
#ifndef SP_HOST_PROCTABLE_H
#define SP_HOST_PROCTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "host/host.h"

#define SP_PROC_EVERYBODY ((uid_t)-1) /* for a uid: all are read in full */
#define SP_PROC_UNSET UINT32_MAX      /* no audit session, no login uid */

struct sp_proc {
    pid_t pid, ppid;
    uid_t uid, euid;
    uint64_t start;
    uint32_t loginuid, session; /* SP_PROC_UNSET where the kernel has no audit */
    bool is_sshd;               /* its program is OpenSSH's server */
    bool is_inner;              /* in a pid namespace below ours: a jail */
    bool is_entry;              /* its program is chroot-bash */
    bool is_jail_init;          /* PID 1 of a pid namespace below ours, its program is chroot-bash */
    bool is_served;             /* systemd holds it for another service than sshd's */
    bool is_manager;            /* user@UID.service's own: systemd --user, and its (sd-pam) */
    char name[64];   /* as the user may have set it (prctl(2), PR_SET_NAME); proc(5) escapes it */
    char title[128]; /* of an sshd: what it writes over its arguments; "" else */
};

struct sp_proctable {
    struct sp_proc *procs; /* owned */
    size_t n, size;
};

void sp_proctable_clear(struct sp_proctable *t);

/* What a look at proc(5) says that is no word on the process, but the host's own trouble. */
bool sp_proctable_is_blind(int os_errno);

/* The living processes (no zombies). Of those that are neither root's nor the uid's only pid, ppid and uids
 * are read. A process that ends while it is looked at is left out; one that cannot be looked at fails it
 * all: it may be the one that is sought. */
int sp_proctable_read(struct sp_host *h, uid_t uid, struct sp_proctable *ret, struct sp_error *err);

/* When the process was started, in clock ticks after boot; 0 if there is none. */
uint64_t sp_proctable_start(struct sp_host *h, pid_t pid);

#endif
