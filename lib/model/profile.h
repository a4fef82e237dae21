/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Jail profiles: what a profile promises and how to prove it. Text files, NAME.profile: ours below
 * /usr/share/sallyport/profiles, the administrator's own in /etc/sallyport/profiles.d (same name: his
 * wins). One directive a line, blanks between its words, '#' at the beginning of a line for comments:
 *
 *   describe TEXT            one sentence for people
 *
 *   requires NAME            another profile that comes with it
 *
 *   program NAME|/ABS/PATH   must exist on the host (a name is looked up in
 *                            /usr/local/bin:/usr/bin:/usr/sbin); its libraries follow
 *
 *   library NAME             a soname that is dlopened (libnss_files.so.2)
 *
 *   tree /ABS/PATH           a directory or file below /usr or /etc, copied as it is; a directory elsewhere
 *                            is shown as the host has it, read-only, where the configuration allows it
 *
 *   socket /ABS/PATH         a server's socket, by which the jail reaches it; what is shown is its
 *                            directory, so that a server that starts again is found again
 *
 *   link /ABS/PATH TARGET    a link that the host has not, or has otherwise: what `php` is in this jail
 *
 *   promise TEXT             what people can rely on; the proofs behind it, one at least, prove it
 *
 *   prove ARGV...            a command that must end with 0 inside the jail; no quoting
 *
 *   prove-sh COMMAND         the same, said to sh -c
 *
 *   install TEXT             the packages that bring it, for the answer where the host lacks a program
 *
 * A '?' directly behind program, library, tree or socket ("program? rsync"): taken if the host has it.
 * Behind prove or prove-sh: run if the jail has the program that its first word names.
 *
 * A profile can be asked for with a choice behind '@', php@8.2: the file is then php@8.2.profile, or else
 * php@.profile for all of them, and "%i" in its lines stands for the choice.
 */
#ifndef SP_MODEL_PROFILE_H
#define SP_MODEL_PROFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define SP_PROFILE_MAX_BYTES (1U << 16)

enum sp_profile_kind {
    SP_PROFILE_REQUIRES,
    SP_PROFILE_PROGRAM,
    SP_PROFILE_LIBRARY,
    SP_PROFILE_TREE,
    SP_PROFILE_PROVE,
    SP_PROFILE_PROVE_SH,
    SP_PROFILE_LINK,
    SP_PROFILE_MOUNT, /* written `tree`, of a path outside of /usr and /etc */
    SP_PROFILE_SOCKET,
    SP_PROFILE_PROMISE, /* from here on for people */
    SP_PROFILE_INSTALL
};

struct sp_profile_item {
    enum sp_profile_kind kind;
    bool optional;
    bool denied; /* by the configuration: a MOUNT or SOCKET that is left out */
    char *value; /* owned; words are separated by one blank each */
};

struct sp_profile {
    char name[32];                 /* [a-z][a-z0-9-]*, then perhaps @ and [a-z0-9][a-z0-9._-]* */
    char *describe;                /* owned; "" when the profile says nothing */
    struct sp_profile_item *items; /* owned; in the order written, an exact duplicate only once */
    size_t n_items;
};

void sp_profile_clear(struct sp_profile *p);
int sp_profile_check_name(const char *name, struct sp_error *err);

/* What stands behind the '@' of a name, NULL where there is none. Borrowed. */
const char *sp_profile_choice(const char *name);

/* The first item of that kind from `from` on; n_items when there is none. */
size_t sp_profile_next(const struct sp_profile *p, size_t from, enum sp_profile_kind kind);

/* *ret must be empty before. SP_E_INVALID with the field "NAME.profile:LINE". */
int sp_profile_parse(const char *name, const char *bytes, size_t len, struct sp_profile *ret,
                     struct sp_error *err);

#endif
