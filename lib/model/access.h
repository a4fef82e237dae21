/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an account's access depends on beside its shell and keys: how its people prove themselves, between
 * which dates, and whether it is suspended. */
#ifndef SP_MODEL_ACCESS_H
#define SP_MODEL_ACCESS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum sp_authentication {
    SP_AUTH_UNSET, /* sshd's own configuration says it */
    SP_AUTH_KEY,
    SP_AUTH_PASSWORD_OR_KEY,
    SP_AUTH_KEY_AND_PASSWORD
};

struct sp_access {
    bool suspended;       /* nobody comes in; all else stays as it is desired */
    bool password_locked; /* over SSH alone: FTP and mail share the password */
    enum sp_authentication authentication;
    int64_t valid_from, valid_until; /* 0: no such limit; until is the first second without access */
};

/* Is nobody to come in at `now`, whatever else the account has? */
bool sp_access_is_shut(const struct sp_access *a, int64_t now);

/* Keys alone: asked for, or what a locked password leaves. */
bool sp_access_is_key_only(const struct sp_access *a);

/* Do the parts agree? SP_E_INVALID or SP_E_CONFLICT with the field at fault. */
int sp_access_check(const struct sp_access *a, struct sp_error *err);

const char *sp_authentication_name(enum sp_authentication a); /* "unset", "key", ... */
int sp_authentication_parse(const char *text, enum sp_authentication *ret, struct sp_error *err);

/* Adds to the account's object what is not the default, so that an account without any of it reads as
 * before. */
int sp_access_to_json(const struct sp_access *a, cJSON *account, struct sp_error *err);
int sp_access_from_json(const cJSON *json, struct sp_access *ret, struct sp_error *err);

#endif
