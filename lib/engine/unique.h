/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What one account has and no other may have as well. */
#ifndef SP_ENGINE_UNIQUE_H
#define SP_ENGINE_UNIQUE_H

#include "engine/engine.h"

/* Asked when a request is judged, and again under SP_STORE_DOMAINS_LOCK before its desire is written down:
 * two requests at once do not both get it. SP_E_CONFLICT names whose it is.
 *
 * Document roots that are in `a` and were not in `before`: one that the user owns is his. One that root
 * owns tells nothing of whose it is, so it is refused where it is, holds or lies in another account's.
 *
 * The jail of a uid is one account's, since an entry record goes by uid: of two names that share it the
 * second gets none. */
int sp_unique_check(struct sp_engine *e, const struct sp_account *before, const struct sp_account *a,
                    struct sp_error *err);

/* Does `a` have what `before` had not, and what another request could be taking at this moment? */
bool sp_unique_is_wider(const struct sp_account *before, const struct sp_account *a);

#endif
