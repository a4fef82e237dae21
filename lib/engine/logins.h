/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Extra logins and their owners. A login is an account of its own that follows its owner's: the domain's
 * root and sources, the profiles, a shell of `none`; it goes when the domain goes, when its time is over,
 * or when its system user or the owner's is gone. Every transaction on a login runs under its owner's lock.
 */
#ifndef SP_ENGINE_LOGINS_H
#define SP_ENGINE_LOGINS_H

#include <cjson/cJSON.h>

#include "engine/engine.h"

/* The names of an account's extra logins. */
int sp_logins_of(struct sp_host *h, uint32_t owner_uid, struct sp_users *ret, struct sp_error *err);

/* Is this an extra login on the files of the domain? */
int sp_logins_is_of(struct sp_engine *e, const char *user, const char *domain, bool *ret,
                    struct sp_error *err);

/* One login after its owner as he now is; `ret` is its outcome. ret_why: "" or why it was (or would be)
 * removed. `run` gives the flags. `renamed` may be NULL: the name that its domain has got. */
#define SP_LOGINS_WHY 64
struct sp_logins_rename {
    const char *from, *to;
};
int sp_logins_follow(struct sp_engine *e, const struct sp_state *login, const struct sp_run *run,
                     const struct sp_logins_rename *renamed, struct sp_outcome *ret,
                     char ret_why[SP_LOGINS_WHY], struct sp_error *err);

/* All logins of an account, after a transaction on it; what became of them is added to result.warnings. All
 * are tried; the first failure is returned. */
int sp_logins_follow_all(struct sp_engine *e, const struct sp_outcome *owner,
                         const struct sp_logins_rename *renamed, cJSON *result, struct sp_error *err);

/* The state of the account whose files they are, under whatever name it has by now. ret->exists is false
 * when he or his account is gone. */
int sp_logins_owner(struct sp_engine *e, const struct sp_extra *l, struct sp_state *ret,
                    struct sp_user *ret_user, struct sp_error *err);

/* The directory of an account's logins, where it holds none. */
int sp_logins_tidy(struct sp_host *h, uint32_t owner_uid, struct sp_error *err);

/* Give a login up: for the log, and then altogether. */
int sp_logins_remove(struct sp_engine *e, const struct sp_state *login, const struct sp_run *run,
                     const char *reason, struct sp_outcome *ret, struct sp_error *err);

/* What a login takes over from its owner, who shuts it when he is shut. */
int sp_logins_inherit(struct sp_engine *e, struct sp_account *login, const struct sp_account *owner,
                      const struct sp_user *user, const struct sp_domain *d, struct sp_error *err);

#endif
