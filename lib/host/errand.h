/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What wants mounts, namespaces and device nodes is done elsewhere, where this process may make none: a
 * request of a panel's runs in a sandbox that has neither, and sends a process of another one
 * (sallyport-jail.socket, which root alone may connect to). Where the right is there, by sudo or in the
 * command sallyport, nobody is asked.
 *
 * One struct goes, one comes back; both ends are this program. Names and numbers alone: what is proved, and
 * what is mounted beside it, the other side reads for itself.
 */
#ifndef SP_HOST_ERRAND_H
#define SP_HOST_ERRAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "host/layout.h"
#include "host/tryshell.h"
#include "model/name.h"
#include "model/profile.h"

#define SP_ERRAND_SOCKET "/run/sallyport/jail.socket"

enum sp_errand_kind {
    SP_ERRAND_PROVE, /* name, profiles */
    SP_ERRAND_KEEP,  /* map */
    SP_ERRAND_DROP,  /* map */
    SP_ERRAND_TRY,   /* map, path */
    SP_ERRAND_DEV,
    SP_ERRAND_SHELL, /* name, map.uid, shell */
    SP_ERRAND_KINDS
};

struct sp_errand {
    char format[16]; /* of this struct; filled in here */
    unsigned kind;
    struct sp_idmap map;
    char name[80];      /* of a directory in gen/; of a user */
    char profiles[256]; /* their names, joined by '+' */
    char path[SP_PATH_SIZE];
    struct sp_tryshell shell; /* its deadline goes, the rest comes back */
};

/* Has this process the right that such an errand takes? */
bool sp_errand_is_ours(enum sp_errand_kind kind);

/* Send it; what went wrong there goes wrong here. SP_E_UNSUPPORTED where nobody listens. */
int sp_errand_run(struct sp_errand *e, struct sp_error *err);

/* sp_prove_run() of the generation `name` elsewhere. */
int sp_errand_prove(const char *name, const struct sp_profile *const *profiles, size_t n,
                    struct sp_error *err);

/* The other end. Take one whose strings end, for which this process has the right. From then on this
 * process ends when its peer does: nobody would hear the answer. */
int sp_errand_take(int fd, struct sp_errand *ret, struct sp_error *err);

/* The answer; failure: NULL when there was none. */
int sp_errand_answer(int fd, const struct sp_errand *e, const struct sp_error *failure);

#endif
