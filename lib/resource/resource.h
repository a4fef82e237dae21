/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A resource is one thing of the host that an account has: its login shell, its keys, its jail. Each is one
 * file and one const struct; the ordered array is in resources.c. A resource compares desired with actual
 * and emits printable changes; it applies the changes of one phase; and it is asked again, afterwards, what
 * the system now shows.
 *
 * A plan right after an apply is empty: that is the test of every resource.
 */
#ifndef SP_RESOURCE_RESOURCE_H
#define SP_RESOURCE_RESOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "host/host.h"
#include "host/userdb.h"
#include "model/account.h"
#include "model/loginshell.h"
#include "model/policy.h"

/* Narrow first, widen last: what takes access away runs before what builds, what opens runs at the end. A
 * crash between leaves a door no wider than before or after. PREPARE touches nothing an account has: the
 * store, groups, sshd's drop-in. */
enum sp_phase { SP_PREPARE, SP_NARROW, SP_BUILD, SP_WIDEN, SP_PHASES };

/* What a change does to access, for reconcile: it mends what somebody loosened and reports, but keeps, what
 * somebody tightened - so it carries out TIGHTENS and NEUTRAL, and LOOSENS only when told to. */
enum sp_effect { SP_TIGHTENS, SP_NEUTRAL, SP_LOOSENS };

#define SP_CHANGE_TEXT 512

struct sp_resource;
struct sp_watch; /* resource/watch.h */

struct sp_change {
    const struct sp_resource *resource;
    enum sp_phase phase;
    enum sp_effect effect;
    int what;                       /* the resource's own: which of its kinds of change */
    char target[SP_CHANGE_TEXT];    /* what changes: a user, a fingerprint, a path */
    char from[SP_CHANGE_TEXT];      /* "" is shown as null */
    char to[SP_CHANGE_TEXT];        /* "" is shown as null */
    char read_back[SP_CHANGE_TEXT]; /* asked of the system after the change; "" is shown as null */
};

struct sp_plan {
    struct sp_change *v; /* owned; in the order they will run */
    size_t n;
    struct sp_change *notes; /* owned: warnings for people, in `to` */
    size_t n_notes;
};

void sp_plan_clear(struct sp_plan *p);

/* Append a change; the text of each field is cut at its size. NULL when out of memory (err filled). */
struct sp_change *sp_plan_add(struct sp_plan *p, const struct sp_resource *r, enum sp_phase phase,
                              enum sp_effect effect, int what, struct sp_error *err);
/* Append a warning: a sentence for people. */
int sp_plan_warn(struct sp_plan *p, struct sp_error *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* What every resource sees. All borrowed. */
struct sp_ctx {
    struct sp_host *host;
    const struct sp_config *config;
    const struct sp_user *user;       /* as passwd(5) shows it; NULL when the user is gone */
    const struct sp_account *desired; /* without domains: the account is to be absent */
    const struct sp_account *applied; /* what was in force before; without domains: nothing */
    const char *original_shell;       /* found when the account was first managed; "" when unknown */
    bool keep_sessions;               /* of a key that goes, the running logins stay */
    bool shows;                       /* nothing will be done: what is in force is asked */
    bool withdraws;                   /* the request only takes away */
    bool leave_home;                  /* it is about the door alone: keys are not looked at */
    bool own_shut;    /* what is pending has shut the gate, for want of another way to keep a key out */
    bool keeps_tight; /* what somebody tightened is left: nothing is made ready for it */
    bool thorough;    /* reconcile: look behind what a request takes for granted */
    bool hangs;       /* home or document root does not answer: neither is touched */
};

/* Is the account to be given up? */
static inline bool sp_ctx_absent(const struct sp_ctx *c)
{
    return sp_account_is_empty(c->desired);
}

/* Is nobody to come in over SSH: shell `none`, suspended, or outside of its dates? */
static inline bool sp_ctx_shut(const struct sp_ctx *c)
{
    return !sp_ctx_absent(c) && (c->desired->shell == SP_SHELL_NONE ||
                                 sp_access_is_shut(&c->desired->access, c->host->ops->now(c->host)));
}

struct sp_resource {
    const char *name;
    /* Compare and append changes. No writes. */
    int (*plan)(const struct sp_ctx *, struct sp_plan *, struct sp_error *);
    /* Carry out this resource's changes of one phase, as the plan lists them; idempotent. */
    int (*apply)(const struct sp_ctx *, const struct sp_plan *, enum sp_phase, struct sp_error *);
    /* Ask the system what it now shows for one change. */
    int (*read_back)(const struct sp_ctx *, struct sp_change *, struct sp_error *);
    /* Asked before anything is widened, and when nothing changed: is what was written in force? May be
     * NULL. */
    int (*prove)(const struct sp_ctx *, struct sp_error *);
    /* What its plan depends on beside what watch.c knows; it comes last. May be NULL. */
    int (*watch)(const struct sp_ctx *, struct sp_watch *, struct sp_error *);
};

/* NULL-terminated. NARROW runs it backwards, the other phases forwards; see resources.c. */
extern const struct sp_resource *const sp_resources[];

extern const struct sp_resource sp_resource_policy;
extern const struct sp_resource sp_resource_access;
extern const struct sp_resource sp_resource_certificates;
extern const struct sp_resource sp_resource_gate;
extern const struct sp_resource sp_resource_sessions;
extern const struct sp_resource sp_resource_generation;
extern const struct sp_resource sp_resource_limits;
extern const struct sp_resource sp_resource_jail;
extern const struct sp_resource sp_resource_points;
extern const struct sp_resource sp_resource_key_logins;
extern const struct sp_resource sp_resource_keys;
extern const struct sp_resource sp_resource_keys_elsewhere;
extern const struct sp_resource sp_resource_groups;
extern const struct sp_resource sp_resource_shell;
extern const struct sp_resource sp_resource_store;
extern const struct sp_resource sp_resource_sudo;
extern const struct sp_resource sp_resource_user;

/* The groups that sshd's drop-in speaks of. */
#define SP_GROUP_ALL "sallyport" /* every account that is managed */
#define SP_GROUP_CHROOT "sallyport-chroot"
#define SP_GROUP_NONE "sallyport-none"           /* DenyGroups */
#define SP_GROUP_KEYONLY "sallyport-keyonly"     /* no passwords over SSH */
#define SP_GROUP_BOTH "sallyport-both"           /* a key and a password, both */
#define SP_GROUP_FORWARD "sallyport-forward"     /* may forward to any address */
#define SP_GROUP_NOFORWARD "sallyport-noforward" /* may forward nothing; without these two: ssh -L */
#define SP_GROUP_LOCAL "sallyport-local"         /* of older drop-ins: those who may ssh -L */

/* Is there such a program? sshd lets nobody in whose shell is missing. */
int sp_shell_check(struct sp_host *h, const char *shell, struct sp_error *err);

#endif
