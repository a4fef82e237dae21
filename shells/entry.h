/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * chroot-bash: what the steps of one login hand to each other. Each .c file is one part of the sequence, in
 * the order in which main() calls them:
 *
 *     start.c      who called; a clean process                      (step 1)
 *     command.c    with what
 *     env.c        a new environment                                (2)
 *     login.c    the entry record, the generation, the roots      (3)
 *     agent.c      the socket of a forwarded agent
 *     limits.c     how many processes, and who counts them
 *     join.c       a living jail of the same account                (4)
 *     build.c      else a new one                                   (5-8)
 *     show.c       what it shows of the host, in a new and in a living one
 *     hide.c       what an extra login shall not see of it
 *     supervise.c  the shell's process, the jail's first one, and the one that waits outside  (9)
 *     confine.c    no privilege, proved; Landlock                   (10, 12)
 *     filter.c     the system calls that stay shut                  (11)
 *
 * Failures go up as struct sp_error; only main() and the forked children end the process.
 */
#ifndef SP_SHELLS_ENTRY_H
#define SP_SHELLS_ENTRY_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/error.h"
#include "host/layout.h"
#include "host/record.h"
#include "host/shown.h"

#define SP_EXIT_REFUSED 125  /* no jail, so no shell: nothing of the command has run */
#define SP_EXIT_NO_SHELL 126 /* the jail stands, but its bash could not be executed */

/* A file's identity while we hold or mount it. Never kept: device numbers change over a reboot. */
struct sp_ident {
    dev_t dev;
    ino_t ino;
};

/* A directory that is shown at its real path. */
struct sp_place {
    const char *path; /* borrowed from the record */
    struct sp_ident ident;
};

#define SP_ENV_MAX 40

struct sp_entry {
    char **argv;           /* PID 1 takes a name of its own there */
    const char *command;   /* -c STRING, or NULL for a shell without one */
    bool login;            /* argv[0] began with '-' */
    mode_t umask;          /* the caller's: PAM may have set it */
    char *env[SP_ENV_MAX]; /* the new environment, NULL-terminated; owned until exec */

    struct sp_record record;
    int record_fd;       /* holds the flock that lets one login at a time make or join */
    bool serial;         /* we have that flock */
    char generation[65]; /* its directory below gen/ */
    struct sp_ident gen, usr, etc, root;
    struct sp_shown shown;                           /* trees and sockets of the host; owned until exec */
    struct sp_place places[SP_RECORD_MAX_ROOTS + 1]; /* none beneath another */
    size_t n_places;

    int agent_fd;  /* the socket of ssh -A, by name only (O_PATH); -1: none, or not allowed */
    bool in_slice; /* systemd holds this login's limits */
    bool joined;
    int lock_fd; /* a second opening of the record, for PID 1; -1 when nobody shall join */
    int init_fd; /* names PID 1 to pidfd_send_signal(2) */
    enum sp_layout layout;
    int log_fd; /* /dev/log, connected; -1 where there is none */
};

/* start.c */
int sp_start(int argc, char **argv, struct sp_entry *e, struct sp_error *err);
void sp_log(const struct sp_entry *e, const char *text);              /* one line to syslog, authpriv */
void sp_report(const struct sp_entry *e, const struct sp_error *err); /* stderr and syslog */

/* command.c */
int sp_command_read(int argc, char **argv, struct sp_entry *e, struct sp_error *err);

/* env.c */
int sp_env_make(struct sp_entry *e, struct sp_error *err); /* after the record is known */

/* login.c */
int sp_login_find(struct sp_entry *e, struct sp_error *err);
/* Open the i-th place, or the first root, in the namespace that we are in, and see that it is what
 * sp_login_find() saw. */
int sp_login_open_place(const struct sp_entry *e, size_t i, struct sp_error *err);
int sp_login_open_root(const struct sp_entry *e, struct sp_error *err);
/* An extra login's id map (host/idmap.h), and whether its time is over. */
int sp_login_open_map(const struct sp_entry *e, struct sp_error *err);
bool sp_login_is_over(const struct sp_entry *e);
off_t sp_login_lock_offset(const struct sp_entry *e); /* the byte that PID 1 keeps locked */

/* agent.c */
void sp_agent_look(struct sp_entry *e); /* after the record is known, outside */
#define SP_AGENT_TEXT 64
void sp_agent_show(struct sp_entry *e, char text[SP_AGENT_TEXT]);

/* limits.c */
void sp_limits_look(struct sp_entry *e); /* after the record is known, outside */
int sp_limits_set(const struct sp_entry *e, struct sp_error *err);

/* show.c. A server that is down, or a tree that is gone, is no reason to refuse a login: none of these
 * fails. */
int sp_show_read(struct sp_entry *e, struct sp_error *err); /* the generation's list */
/* The directories to mount on: below a skeleton, and below the tmpfs whose run/ is the jail's. */
void sp_show_ways(const struct sp_entry *e, int skeleton, int scratch);
void sp_show_mount(const struct sp_entry *e, int jail);
struct sp_show_news { /* what a living jail has not got, or no longer; fds owned */
    size_t n;
    struct {
        int mount, target;
        int parent;     /* of a target that is no longer there; else -1 */
        char name[256]; /* its name in there */
    } v[SP_SHOWN_MAX];
};
void sp_show_look(const struct sp_entry *e, int jail, struct sp_show_news *ret); /* before setns(2) */
/* After it. Ends in that root. */
void sp_show_bring(const struct sp_show_news *news, int jail);
void sp_show_clear(struct sp_show_news *news);

/* join.c */
struct sp_join { /* the way back; all owned */
    int root_fd;
    int ns[4];
};
void sp_join_clear(struct sp_join *j);
/* 1: we are inside (e->joined); 0: nobody to join, nothing has changed; -1: stuck half way, with err. */
int sp_join(struct sp_entry *e, struct sp_join *back, struct sp_error *err);
int sp_join_undo(struct sp_entry *e, struct sp_join *back, struct sp_error *err);

/* build.c */
int sp_build(struct sp_entry *e, struct sp_error *err);
int sp_build_proc(struct sp_error *err); /* by a process of the new PID namespace */

/* hide.c */
/* Cover every hidden path of the record, in each view that the jail (its directory) has of the document
 * root, by the directory `empty`. */
int sp_hide(const struct sp_entry *e, int jail, int empty, struct sp_error *err);

/* supervise.c */
/* Fork, let the shell run, wait. 0: *ret_status is its wait status. -1 with err, code SP_E_NO_MEMORY when
 * the joined jail ended before the fork. */
int sp_supervise(struct sp_entry *e, int *ret_status, struct sp_error *err);

/* confine.c */
int sp_confine(int *ret_landlock, struct sp_error *err); /* steps 10-12; *ret_landlock is its ABI or 0 */
int sp_confine_shed(struct sp_error *err);               /* capabilities only */

/* filter.c */
int sp_filter_install(struct sp_error *err);

#endif
