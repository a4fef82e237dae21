/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * "Why can't I log in?" - a login, walked as sshd would walk it, layer by layer: the port, the packet
 * filters, sshd's settings for this user and address, its host keys, the account, PAM, the keys and who may
 * write to them, the login shell, the jail. Nothing is changed. What is asked is what decides: the kernel's
 * rules, `sshd -T -C`, pam_acct_mgmt(3), the real shell run as the real user.
 *
 * Each layer says what it found. The first that stops the login is the answer; where a layer cannot know
 * (a rule that asks for a mark, a command that decides), it says so and is not counted as a stop.
 */
#ifndef SP_DOCTOR_DOCTOR_H
#define SP_DOCTOR_DOCTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "host/host.h"
#include "host/mend.h"
#include "host/shadow.h"
#include "host/userdb.h"
#include "model/account.h"
#include "model/policy.h"
#include "model/sshdconf.h"
#include "model/sshkey.h"
#include "resource/sshports.h"

enum sp_finding_state { SP_FINDING_OK, SP_FINDING_WARNING, SP_FINDING_UNKNOWN, SP_FINDING_STOPS };

struct sp_finding {
    const char *check; /* which layer: "port", "firewall", "key"; static */
    enum sp_finding_state state;
    char text[500];          /* what was found, one sentence */
    char mend[SP_MEND_SIZE]; /* the command or the change that mends it, whole; "" where there is none */
};

struct sp_findings {
    struct sp_finding *v; /* owned */
    size_t n;
};

void sp_findings_clear(struct sp_findings *f);
const char *sp_finding_state_name(enum sp_finding_state s); /* "ok", "warning", "unknown", "stops" */

/* Who wants to log in. All borrowed. */
struct sp_login {
    struct sp_host *host;
    const struct sp_config *config;
    const char *user;
    const struct sp_account *account; /* as sallyport is to have it; NULL: it does not manage this user */
    const char *address;              /* where from, as text; NULL: from anywhere */
    const struct sp_sshkey *key;      /* with which key; NULL: with any, or a password */
    unsigned shell_ms;                /* how long his shell may be tried; 0: as long as is usual */
    uint16_t port;                    /* 0: any that sshd listens on */
    const struct sp_error *policy; /* why the stored policy of the firewall cannot be read; NULL: it can */
};

/* What one walk has learnt so far. */
struct sp_visit {
    const struct sp_login *login;
    struct sp_findings *findings;
    struct sp_user user;
    bool has_user;
    struct sp_sshports ports; /* as far as they were found; asking costs a process */
    struct sp_sshdconf sshd;  /* in force for this user and address; empty where sshd refuses its files */
    bool has_sshd;
    struct sp_shadow shadow; /* sp_visit_shadow() */
    bool has_shadow;
    bool key_works, password_works; /* alone, each by itself */
    bool password_unknown;          /* nobody can tell whether there is one */
    bool hangs;                     /* the home or a root does not answer: nothing else is looked at */
    bool key_unknown;               /* sshd asks a command, or trusts certificates */
};

/* Walk it. Findings in the order of the layers. -1 only where the walk itself failed. */
int sp_doctor_examine(const struct sp_login *login, struct sp_findings *ret, struct sp_error *err);

/* The first finding that stops the login, or NULL. */
const struct sp_finding *sp_findings_first_stop(const struct sp_findings *f);

/* --- for the layers --- */

int sp_finding_add(struct sp_visit *v, const char *check, enum sp_finding_state state, struct sp_error *err,
                   const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* The mend of the finding that was added last; one that does not fit whole is none. Returns 0. */
int sp_finding_mend(struct sp_visit *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What could not be looked at is no word on what is there: unknown, and why. */
int sp_finding_unseen(struct sp_visit *v, const char *check, const struct sp_error *why,
                      struct sp_error *err);
/* sp_fsat_look() at a path of the host. */
int sp_visit_has(const struct sp_visit *v, const char *path, struct sp_error *why);

/* A layer adds at least one finding (home: only where it stops); -1 only when out of memory. */
typedef int sp_doctor_layer(struct sp_visit *v, struct sp_error *err);

sp_doctor_layer sp_doctor_port, sp_doctor_firewall, sp_doctor_other_firewalls, sp_doctor_wrappers;
sp_doctor_layer sp_doctor_sshd, sp_doctor_host_keys, sp_doctor_user, sp_doctor_lists, sp_doctor_shell;
sp_doctor_layer sp_doctor_home, sp_doctor_key, sp_doctor_password, sp_doctor_methods, sp_doctor_account,
    sp_doctor_session;
sp_doctor_layer sp_doctor_jail, sp_doctor_leaks;

/* How far the user gets on the way to `path`, by owners and modes (no ACL is asked: it is for those who
 * were turned back already). `at` is the part where it ends, `mend` the command that opens or makes it;
 * UNKNOWN: a link is in the way, or there is none that root can safely type: `mend` shows the way. */
enum sp_way_state { SP_WAY_OPEN, SP_WAY_MISSING, SP_WAY_CLOSED, SP_WAY_UNKNOWN };
struct sp_way {
    char at[SP_PATH_SIZE];
    char mend[SP_MEND_SIZE];
};
enum sp_way_state sp_doctor_way(const struct sp_visit *v, const char *path, struct sp_way *ret);

/* The finding of an sshd that takes its files: whether the one that runs has read them as they are. */
sp_doctor_layer sp_doctor_running;

/* 1: said, as a finding of this state, why what is recorded of the key, or of any, is in no file. 0: it is
 * to be in one, or none is recorded. */
int sp_doctor_left_out(struct sp_visit *v, enum sp_finding_state bad, struct sp_error *err);

/* The mend of a jail that does not come up, as far as its / is to blame; returns 0. */
int sp_doctor_mend_root(struct sp_visit *v, const char *root);

/* The mend of an account whose user has another uid than sallyport knew; returns 0. */
int sp_doctor_mend_uid(struct sp_visit *v);

/* The mend where PAM's account check refuses and does not say who; returns 0. */
int sp_doctor_mend_pam(struct sp_visit *v);

/* " (FILE:LINE)", or "" where no file of sshd's shows it. */
#define SP_DOCTOR_WHERE 200
void sp_doctor_where(const struct sp_visit *v, const char *keyword, char ret[SP_DOCTOR_WHERE]);

/* The user's line of shadow(5), read once a walk. */
int sp_visit_shadow(struct sp_visit *v, struct sp_shadow *ret, struct sp_error *err);

/* The blocks that the account's sources leave: none where it may be reached from anywhere. Calls `visit`
 * until one answer is not 0, and returns it. */
int sp_visit_sources(const struct sp_visit *v, int (*visit)(const struct sp_cidr *, void *), void *data);

/* "yes", whatever its case. False where sshd does not know the keyword. */
bool sp_visit_sshd_is(const struct sp_visit *v, const char *keyword, const char *value);

#endif
