/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An extra login: a further user on the files of an account, of one of its domains. It is an account of its
 * own in everything - state, keys, groups, sessions - and says here whose files they are. sallyport makes
 * and removes its system user.
 */
#ifndef SP_MODEL_EXTRA_H
#define SP_MODEL_EXTRA_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "model/name.h"
#include "model/sshkey.h"

enum sp_extra_access { SP_EXTRA_WRITES, SP_EXTRA_READS };

struct sp_extra {
    char owner[SP_USER_SIZE]; /* whose files; "" where the account is no extra login */
    uint32_t owner_uid, owner_gid;
    char owner_home[SP_PATH_SIZE]; /* his .ssh is hidden if it is among the files */
    enum sp_extra_access access;
    int64_t added_at; /* its end is the account's valid_until (access.h) */
    char label[SP_LABEL_SIZE];
};

static inline bool sp_extra_is(const struct sp_extra *l)
{
    return l->owner[0] != '\0';
}

/* JSON of the state file; reading back checks every value again. */
int sp_extra_to_json(const struct sp_extra *l, cJSON *object, struct sp_error *err);
int sp_extra_from_json(const cJSON *json, struct sp_extra *ret, struct sp_error *err);

#endif
