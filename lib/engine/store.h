/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What sallyport knows of each account: /var/lib/sallyport/state/USER.json, one line of JSON and one line
 * with its SHA-256, replaced whole and durably. An index maps a domain to its account:
 * /var/lib/sallyport/domains/DOMAIN, a link whose text is the user; it is a hint that the state confirms.
 */
#ifndef SP_ENGINE_STORE_H
#define SP_ENGINE_STORE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "host/host.h"
#include "host/layout.h"
#include "model/account.h"

#define SP_STATE_FORMAT 1
#define SP_STATE_MAX_BYTES (1U << 24) /* three times what model/account.h allows an account */

struct sp_state {
    bool exists;
    uint64_t generation; /* counts the changes of this account; if_generation compares with it */
    bool pending;        /* desired is not (known to be) in force yet: a crash or a failure lies between */
    cJSON *opens;        /* pending: what may be opened to finish it (tight.h); NULL: not known */
    char original_shell[1024];
    struct sp_account desired,
        applied; /* applied: in force before `desired`; equal to it when nothing is pending */
};

void sp_state_clear(struct sp_state *s);

/* The directories of the store, with the modes of layout.h. */
int sp_store_prepare(struct sp_host *h, struct sp_error *err);

/* Those directories, and the files beside them, made what they must be, where somebody changed their owner
 * or mode. *ret_n: how many. */
enum sp_store_mend { SP_STORE_LOOK, SP_STORE_MEND };
int sp_store_mend_rights(struct sp_host *h, enum sp_store_mend how, int *ret_n, struct sp_error *err);

/* What was being written when the power went. Under the account's lock: nobody is at it now. */
void sp_store_tidy(struct sp_host *h, const char *user);
/* The same for every state, of accounts that are gone, too: their locks are taken, and what is being
 * written now is passed over. A replayed log can bring the name back whose file is in place, or removed
 * (btrfs). */
int sp_store_tidy_states(struct sp_host *h, struct sp_error *err);

/* A missing file is an empty state. SP_E_STATE: truncated, altered, or of a newer format; nothing is
 * granted from it. */
int sp_store_load(struct sp_host *h, const char *user, struct sp_state *ret, struct sp_error *err);
int sp_store_save(struct sp_host *h, const char *user, const struct sp_state *s, struct sp_error *err);
int sp_store_remove(struct sp_host *h, const char *user, struct sp_error *err);
/* What sp_store_save() writes, and where; and what of it is believed. */
#define SP_STORE_STATES SP_STORE "/state"
int sp_store_format(const struct sp_state *s, struct sp_buf *out, struct sp_error *err);
int sp_store_parse(const char *bytes, size_t len, struct sp_state *ret, struct sp_error *err);

/* The highest generation of any account that was removed: a new one goes on from there, so that an old
 * if_generation fits nothing any more. */
int sp_store_last_generation(struct sp_host *h, uint64_t *ret, struct sp_error *err);
int sp_store_raise_generation(struct sp_host *h, uint64_t generation, struct sp_error *err);

/* The account that `domain` is attached to, as its state confirms; "" when there is none. */
int sp_store_owner(struct sp_host *h, const char *domain, char ret_user[SP_USER_SIZE],
                   struct sp_error *err);
int sp_store_index(struct sp_host *h, const char *domain, const char *user, struct sp_error *err);
/* Only while it names this user: it may be another account's by now. Takes SP_STORE_DOMAINS_LOCK. */
int sp_store_unindex(struct sp_host *h, const char *domain, const char *user, struct sp_error *err);
/* Whoever attaches a domain to an account holds this lock until the account's state says so. */
#define SP_STORE_DOMAINS_LOCK SP_STORE "/domains.lock"
/* Take away the name that a crash left in the index: one that no account's state confirms. Nothing is
 * written where there is none. */
int sp_store_tidy_index(struct sp_host *h, const char *domain, struct sp_error *err);
/* The same for each name of a user who has no state. */
int sp_store_tidy_indexes(struct sp_host *h, struct sp_error *err);

/* Every account's user name, sorted. */
struct sp_users {
    char (*v)[SP_USER_SIZE];
    size_t n;
};
void sp_users_clear(struct sp_users *u);
int sp_store_users(struct sp_host *h, struct sp_users *ret, struct sp_error *err);

#endif
