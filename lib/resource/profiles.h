/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The profiles of an account, read from where they are installed: the administrator's own win over ours. */
#ifndef SP_RESOURCE_PROFILES_H
#define SP_RESOURCE_PROFILES_H

#include "base/error.h"
#include "host/host.h"
#include "model/account.h"
#include "model/policy.h"
#include "model/profile.h"

#define SP_PROFILES_VENDOR "/usr/share/sallyport/profiles"
#define SP_PROFILES_LOCAL "/etc/sallyport/profiles.d"

struct sp_profiles {
    struct sp_profile owned[SP_PROFILES_MAX];
    const struct sp_profile *v[SP_PROFILES_MAX]; /* sorted by name; points into owned */
    size_t n;
};

void sp_profiles_clear(struct sp_profiles *p);

/* Every profile of the account and what they require; what the configuration denies them is marked.
 * SP_E_INVALID with the field jail.profiles names one that does not exist. */
int sp_profiles_load(struct sp_host *h, const struct sp_config *config, const struct sp_account *a,
                     struct sp_profiles *ret, struct sp_error *err);

/* What may stand behind the '@' of the profile at path, NAME@.profile: what this host has of its program.
 */
typedef int (*sp_profile_found)(void *ctx, const char *choice, struct sp_error *err);
int sp_profile_choices(struct sp_host *h, const char *path, sp_profile_found found, void *ctx,
                       struct sp_error *err);

/* The profiles that are installed, sorted; own: the administrator's. One that wants a choice stands there
 * once for each that this host has: php@8.1, php@8.2. */
struct sp_profile_name {
    char name[SP_PROFILE_NAME_SIZE];
    bool own;
};
struct sp_profile_names {
    struct sp_profile_name *v; /* owned */
    size_t n;
};
void sp_profile_names_clear(struct sp_profile_names *n);
int sp_profiles_names(struct sp_host *h, struct sp_profile_names *ret, struct sp_error *err);

/* The same for a set by its name: "base+git". */
int sp_profiles_load_set(struct sp_host *h, const struct sp_config *config, const char *set,
                         struct sp_profiles *ret, struct sp_error *err);

#endif
