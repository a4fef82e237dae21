/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How sessions.c sorts a table of processes, for those who list or end single logins. Not for other layers.
 */
#ifndef SP_HOST_SESSIONMARKS_H
#define SP_HOST_SESSIONMARKS_H

#include "host/proctable.h"
#include "host/sessions.h"

/* What is known of each process of a table, in the table's order. */
enum sp_mark {
    SP_MARK_OURS = 1 << 0,  /* by itself: the connection's sshd, a jail's PID 1, a session of the account */
    SP_MARK_BELOW = 1 << 1, /* descends from one that is */
    SP_MARK_SERVER = 1 << 2, /* the account's sshd, root's half */
    SP_MARK_SPARED = 1 << 3, /* of a login that is not meant */
};

/* Every process, by pid. */
int sp_sessions_table(struct sp_host *h, struct sp_proctable *ret, struct sp_error *err);
/* *ret: a mark for each process of the table, to be freed. Uid 0 is SP_E_FORBIDDEN. */
int sp_sessions_mark(const struct sp_proctable *t, const char *user, uid_t uid, unsigned char **ret,
                     struct sp_error *err);
size_t sp_sessions_pid(const struct sp_proctable *t, pid_t pid); /* its place, or t->n */
/* Does this sshd serve anybody yet? One that still asks for a password is no login. */
bool sp_sessions_serves(const struct sp_proctable *t, const unsigned char *marks, size_t server);
/* When a process began, by its start in ticks, in seconds since the epoch. */
int64_t sp_sessions_when(uint64_t ticks);
/* To each that is still the one that it was. */
void sp_sessions_signal(struct sp_host *h, const struct sp_sessions *s, int sig);

#endif
