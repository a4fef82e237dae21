/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Run a program by argv array, never through a shell: clean environment, /dev/null or given bytes on stdin,
 * a deadline. */
#ifndef SP_HOST_SPAWN_H
#define SP_HOST_SPAWN_H

#include "base/buf.h"
#include "base/error.h"
#include "host/host.h"

struct sp_spawn {
    const char *const *argv; /* absolute path first, NULL last; borrowed */
    const char *input;       /* NULL: /dev/null; borrowed */
    size_t input_len;
    unsigned deadline_ms;       /* then SIGKILL to the child's process group and SP_E_BUSY */
    size_t max_output;          /* of each stream; more is cut off */
    struct sp_buf out, err_out; /* filled; owned by the caller */
    int status;                 /* exit status 0..255, or 128 + signal */
};

void sp_spawn_clear(struct sp_spawn *s);

/* 0 if it ran (whatever its status), -1 if it could not be started or did not end in time. */
int sp_spawn_run(struct sp_host *h, struct sp_spawn *s, struct sp_error *err);

/* What sp_spawn_run() does on the real host: for sp_host_real_ops. The program starts in "/", in a process
 * group of its own, with PATH and LANG alone, all signals at their defaults and no descriptor above 2. The
 * input is a file in memory: a program may open /dev/stdin again. */
int sp_spawn_real(struct sp_host *h, struct sp_spawn *s, struct sp_error *err);

#endif
