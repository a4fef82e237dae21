/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a request may name: the person, his home, and the document roots. */
#ifndef SP_ENGINE_CHECK_H
#define SP_ENGINE_CHECK_H

#include "engine/engine.h"

/* May this user have access at all? */
int sp_check_person(struct sp_engine *e, const char *user, uid_t uid, struct sp_error *err);

/* The person, and a home that can be written down. An account that is given up passes. */
int sp_check_account(struct sp_engine *e, const struct sp_account *a, const struct sp_user *user,
                     struct sp_error *err);

/* The document roots that are in `a` and were not in `before`. */
int sp_check_new_roots(struct sp_engine *e, const struct sp_account *before, const struct sp_account *a,
                       const struct sp_user *user, struct sp_error *err);

/* An account grows to a size that can be kept, read again and compared in a moment. One that is beyond it
 * may shrink. */
int sp_check_size(const struct sp_account *before, const struct sp_account *a, struct sp_error *err);

/* The refusal of a name that nobody has. */
int sp_refuse_nobody(const char *user, struct sp_error *err);

/* The refusal of a name that has another uid than the account. */
int sp_refuse_stranger(const struct sp_account *a, const struct sp_user *user, struct sp_error *err);

#endif
