/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The sshd that listens, by its pid file (PidFile of sshd_config(5)). */
#ifndef SP_RESOURCE_SSHD_MASTER_H
#define SP_RESOURCE_SSHD_MASTER_H

#include <sys/stat.h>
#include <sys/types.h>

#include "base/error.h"
#include "host/host.h"
#include "model/policy.h"
#include "model/sshdconf.h"

struct sp_sshd_master {
    pid_t pid;                   /* 0: there is none that could be told, as where ssh.socket listens */
    char pid_file[SP_PATH_SIZE]; /* written anew at each reading of its files: sighup_restart() of sshd.c */
    struct stat st;              /* of that */
};

/* conf: what `sshd -T` says. A pid file that names no process, or one of another program, names none; the
 * program may have been replaced by a package. -1: what it names could not be looked at. */
int sp_sshd_master(struct sp_host *h, const struct sp_config *c, const struct sp_sshdconf *conf,
                   struct sp_sshd_master *ret, struct sp_error *err);

/* SIGHUP: it reads its files again, or ends where it refuses them. Waits until it listens by them, or for a
 * second. */
void sp_sshd_master_reload(struct sp_host *h, const struct sp_sshd_master *m);

#endif
