/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who is in over SSH: the processes of sessions.h, login by login. A login is one connection; what it runs
 * over that (a shell, sftp, several of both when the client shares the connection) belongs to it. What a
 * login left behind (tmux, nohup) is listed too, as one for each audit session, or one for all where the
 * kernel has no audit.
 */
#ifndef SP_HOST_LOGINLIST_H
#define SP_HOST_LOGINLIST_H

#include "host/diag.h"
#include "host/sessions.h"

#define SP_LOGIN_ID_SIZE 40
#define SP_LOGIN_PROGRAMS 8

struct sp_login {
    char id[SP_LOGIN_ID_SIZE]; /* "PID-START" of root's half of the connection, or of the oldest process
                                  that was left behind: never again another's */
    char user[64];
    pid_t pid;
    int64_t since;  /* seconds since the epoch */
    bool connected; /* false: left behind */
    bool has_peer;  /* the connection's other end is known */
    struct sp_diag_peer peer;
    char terminals[96];                   /* "pts/0,pts/1", as sshd has it; "" for none */
    char programs[SP_LOGIN_PROGRAMS][64]; /* what runs, each name once; the user chooses them */
    size_t n_programs;
    size_t n_processes;       /* of the user's, without sshd's own and the jail's entry */
    size_t n_outside;         /* of them: in no jail */
    struct sp_sessions procs; /* all, sshd's too: what ending it ends */
};

struct sp_logins {
    struct sp_login *v; /* owned */
    size_t n;
};

void sp_logins_clear(struct sp_logins *l);

struct sp_proctable;
/* Those of one account, the oldest first, appended to *ret. `t` is sp_loginlist_table()'s. */
int sp_loginlist_add(struct sp_host *h, const struct sp_proctable *t, const char *user, uid_t uid,
                     struct sp_logins *ret, struct sp_error *err);
int sp_loginlist_table(struct sp_host *h, struct sp_proctable *ret, struct sp_error *err);

/* Ends these logins: SIGHUP, a short grace, SIGKILL, until none of their processes is left, nor any that
 * came from those. SP_E_BUSY if some live on after deadline_ms. Other logins of the account go on, and the
 * jail that they may share. Where root_fd is a test's directory nothing is signalled. */
int sp_loginlist_end(struct sp_host *h, const struct sp_logins *l, unsigned deadline_ms,
                     struct sp_error *err);

#endif
