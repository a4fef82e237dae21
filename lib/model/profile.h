/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Jail profiles: what a profile promises and how to prove it. Text files, templates/profiles/NAME.profile
 * installed below /usr/share/sallyport/profiles, the administrator's own in /etc/sallyport/profiles.d (same
 * name: his wins). One directive a line,
 * '#' comments:
 *
 *     describe TEXT                 one sentence for people
 *     requires NAME                 another profile that comes with it
 *     program NAME|/ABS/PATH        must exist on the host (looked up in
 * /usr/local/bin:/usr/bin:/usr/sbin); its libraries follow program? NAME                 taken if the host
 * has it library NAME                  a soname that is dlopened (libnss_files.so.2) tree /ABS/PATH a whole
 * directory or file below /usr or /etc, copied as it is tree? /ABS/PATH prove ARGV...                 a
 * command that must end with 0 inside the jail; blanks separate, no quoting
 */
#ifndef SP_MODEL_PROFILE_H
#define SP_MODEL_PROFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum sp_profile_kind {
    SP_PROFILE_REQUIRES,
    SP_PROFILE_PROGRAM,
    SP_PROFILE_LIBRARY,
    SP_PROFILE_TREE,
    SP_PROFILE_PROVE
};

struct sp_profile_item {
    enum sp_profile_kind kind;
    bool optional;
    char *value; /* owned */
};

struct sp_profile {
    char name[32]; /* [a-z][a-z0-9-]* */
    char *describe;
    struct sp_profile_item *items; /* owned */
    size_t n_items;
};

void sp_profile_clear(struct sp_profile *p);
int sp_profile_check_name(const char *name, struct sp_error *err);
int sp_profile_parse(const char *name, const char *bytes, size_t len, struct sp_profile *ret,
                     struct sp_error *err);

#endif
