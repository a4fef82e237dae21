/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The account: a system user and the domains attached to it. Shell, jail and forwarding belong to the
 * account; each domain brings a document root, keys and sources. A value: it has been checked, and it knows
 * nothing of the host.
 */
#ifndef SP_MODEL_ACCOUNT_H
#define SP_MODEL_ACCOUNT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "model/access.h"
#include "model/authkeys.h"
#include "model/cidr.h"
#include "model/extra.h"
#include "model/found.h"
#include "model/limits.h"
#include "model/name.h"
#include "model/sudo.h"

enum sp_shell { SP_SHELL_UNSET, SP_SHELL_NONE, SP_SHELL_BASH, SP_SHELL_CHROOT };

#define SP_PROFILE_NAME_SIZE 32
#define SP_PROFILES_MAX 16
#define SP_DOMAINS_MAX 1000
#define SP_ACCOUNT_KEYS_MAX 1000     /* of all its domains */
#define SP_ACCOUNT_SOURCES_MAX 10000 /* of all its domains and keys */
#define SP_ROOTS_MAX 32              /* as many as an entry record holds */
#define SP_TMP_MIB_DEFAULT 512

struct sp_domain {
    char name[SP_DOMAIN_SIZE];
    char document_root[SP_PATH_SIZE];
    enum sp_shell shell; /* what this domain's panel asked for; UNSET: it never said */
    struct sp_key_list keys;
    struct sp_cidr_list sources; /* empty: from anywhere */
};

struct sp_account {
    char user[SP_USER_SIZE];
    uint32_t uid;
    enum sp_shell shell; /* UNSET: the login shell is left as it was found */
    enum sp_forwarding forwarding;
    char profiles[SP_PROFILES_MAX][SP_PROFILE_NAME_SIZE]; /* sorted, unique */
    size_t n_profiles;
    uint32_t tmp_mib;
    bool agent;              /* ssh -A reaches into the jail */
    struct sp_limits limits; /* 0: as the configuration says */
    struct sp_access access;
    struct sp_sudo sudo;       /* templates of commands, for plain bash */
    struct sp_extra extra;     /* of an extra login */
    struct sp_found found;     /* when it was adopted from a panel */
    struct sp_domain *domains; /* owned; in the order they were attached */
    size_t n_domains;
};

void sp_domain_clear(struct sp_domain *d);
void sp_account_clear(struct sp_account *a);
int sp_account_copy(struct sp_account *dst, const struct sp_account *src, struct sp_error *err);
static inline bool sp_account_is_empty(const struct sp_account *a)
{
    return a->n_domains == 0;
}

/* Add to dst what src may have brought to the host beside it: its domains, and their keys. What is to be
 * taken away later is all of it. */
int sp_account_merge(struct sp_account *dst, const struct sp_account *src, struct sp_error *err);

struct sp_domain *sp_account_find(const struct sp_account *a, const char *domain); /* borrowed, or NULL */
int sp_account_attach(struct sp_account *a, const char *domain, const char *document_root,
                      struct sp_domain **ret, struct sp_error *err);
void sp_account_detach(struct sp_account *a, const char *domain);

/* Does a key stay as a line of the user's, since it stood there when the account was adopted and no domain
 * names it now? */
bool sp_account_leaves_key(const struct sp_account *a, const char *fingerprint);

/* How many keys, and how many sources of domains and keys together. */
void sp_account_count(const struct sp_account *a, size_t *ret_keys, size_t *ret_sources);

/* The profile set's name, "base+git"; "base" when none was asked for. */
void sp_account_set_name(const struct sp_account *a, char out[SP_PROFILES_MAX * SP_PROFILE_NAME_SIZE]);
int sp_account_add_profile(struct sp_account *a, const char *name,
                           struct sp_error *err); /* keeps them sorted */

/* The document roots without repeats, in order; borrowed pointers; at most SP_ROOTS_MAX. Returns how many.
 */
size_t sp_account_roots(const struct sp_account *a, const char *roots[SP_ROOTS_MAX]);

/* What authorized_keys is to hold at `now`: every domain's keys that have not expired, `from` cut down to
 * the domain's sources, none good for longer than the account; one key of two domains is allowed where
 * either allows it, but not under two forced commands. A key that no source is left for is not written.
 * `skipped` (may be NULL) is called for each key left out, with the reason. */
int sp_account_effective_keys(const struct sp_account *a, int64_t now, struct sp_key_list *ret,
                              void (*skipped)(const struct sp_domain *, const struct sp_key *,
                                              const char *why, void *),
                              void *data, struct sp_error *err);

const char *sp_shell_name(enum sp_shell s); /* "none", "bash", "chroot"; "unset" */
int sp_shell_parse(const char *text, enum sp_shell *ret, struct sp_error *err);
const char *sp_forwarding_name(enum sp_forwarding f);
int sp_forwarding_parse(const char *text, enum sp_forwarding *ret, struct sp_error *err);

/* JSON of the state file and of domain.get. Reading back checks every value again. */
int sp_account_to_json(const struct sp_account *a, cJSON **ret, struct sp_error *err);
int sp_account_from_json(const cJSON *json, struct sp_account *ret, struct sp_error *err);

/* Keys as the interface shows and takes them: {"key","label","from","expires_at","command",
 * "forwarding","pty"} (+ "fingerprint" when
 * shown). */
int sp_key_to_json(const struct sp_key *k, cJSON **ret, struct sp_error *err);
/* A pasted key goes through intake (keyintake.h): it is mended or refused with the sentence that helps. A
 * stored one was written by sallyport, and anything else than that is an error. */
enum sp_key_origin { SP_KEY_PASTED, SP_KEY_STORED };
int sp_key_from_json(const cJSON *json, enum sp_key_origin origin, struct sp_key *ret,
                     struct sp_error *err);
int sp_keys_from_json(const cJSON *array, enum sp_key_origin origin, struct sp_key_list *ret,
                      struct sp_error *err);
int sp_cidrs_from_json(const cJSON *array, struct sp_cidr_list *ret, struct sp_error *err);
cJSON *sp_cidrs_to_json(const struct sp_cidr_list *l); /* NULL when out of memory */

/* Replace the account's profiles by an array of names; "base" is part of every set and added by the engine.
 */
int sp_profiles_from_json(const cJSON *array, struct sp_account *a, struct sp_error *err);

#endif
