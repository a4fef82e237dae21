/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where a key comes from, and when it was used: what keys.list shows beside the key itself. */
#ifndef SP_ENGINE_KEYUSE_H
#define SP_ENGINE_KEYUSE_H

#include "engine/engine.h"

/* Note who brings each of `keys`, and when, but for those that stand in `before`: they keep theirs. */
void sp_keyuse_stamp(struct sp_engine *e, const struct sp_key_list *before, struct sp_key_list *keys);

/* Add last_used and last_used_from to each object of the array that has a fingerprint: the last login of
 * this account with it that sshd's log still tells of; null where it tells of none. */
int sp_keyuse_add(struct sp_engine *e, const char *user, cJSON *keys, struct sp_error *err);

#endif
