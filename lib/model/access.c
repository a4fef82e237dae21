/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/access.h"

#include "base/mem.h"
#include "base/str.h"
#include "model/json.h"
#include "model/when.h"

static const char *const names[] = {[SP_AUTH_UNSET] = "unset",
                                    [SP_AUTH_KEY] = "key",
                                    [SP_AUTH_PASSWORD_OR_KEY] = "password_or_key",
                                    [SP_AUTH_KEY_AND_PASSWORD] = "key_and_password"};

const char *sp_authentication_name(enum sp_authentication a)
{
    return names[a];
}

int sp_authentication_parse(const char *text, enum sp_authentication *ret, struct sp_error *err)
{
    for (size_t i = 1; i < SP_COUNT(names); i++)
        if (sp_streq(text, names[i])) {
            *ret = (enum sp_authentication)i;
            return 0;
        }
    sp_fail(err, SP_E_INVALID, 0, "\"%.40s\" is no way to prove oneself", text);
    return sp_hint(err, "one of %s, %s, %s", names[1], names[2], names[3]);
}

bool sp_access_is_shut(const struct sp_access *a, int64_t now)
{
    return a->suspended || (a->valid_from != 0 && now < a->valid_from) ||
           (a->valid_until != 0 && now >= a->valid_until);
}

bool sp_access_is_key_only(const struct sp_access *a)
{
    return a->password_locked || a->authentication == SP_AUTH_KEY;
}

int sp_access_check(const struct sp_access *a, struct sp_error *err)
{
    if (a->valid_from != 0 && a->valid_until != 0 && a->valid_from >= a->valid_until) {
        sp_fail(err, SP_E_INVALID, 0, "it ends before it begins");
        sp_hint(err, "give a valid_until that is later than valid_from");
        return sp_field(err, "valid_until");
    }
    if (a->password_locked && a->authentication == SP_AUTH_KEY_AND_PASSWORD) {
        sp_fail(err, SP_E_CONFLICT, 0,
                "the password is locked for SSH, and the account needs key and password: nobody would come "
                "in");
        sp_hint(err, "password.unlock, or \"authentication\":\"key\"; account.suspend shuts it altogether");
        return sp_field(err, "authentication");
    }
    return 0;
}

static bool put_when(cJSON *o, const char *name, int64_t when)
{
    char text[SP_WHEN_SIZE];

    if (when == 0)
        return true;
    sp_when_format(when, text);
    return cJSON_AddStringToObject(o, name, text) != NULL;
}

int sp_access_to_json(const struct sp_access *a, cJSON *account, struct sp_error *err)
{
    static const struct sp_access none = {0};
    cJSON *o;

    if (a->suspended == none.suspended && a->password_locked == none.password_locked &&
        a->authentication == none.authentication && a->valid_from == 0 && a->valid_until == 0)
        return 0;
    o = cJSON_AddObjectToObject(account, "access");
    if (o == NULL || !cJSON_AddBoolToObject(o, "suspended", a->suspended) ||
        !cJSON_AddBoolToObject(o, "password_locked", a->password_locked) ||
        (a->authentication != SP_AUTH_UNSET &&
         !cJSON_AddStringToObject(o, "authentication", names[a->authentication])) ||
        !put_when(o, "valid_from", a->valid_from) || !put_when(o, "valid_until", a->valid_until))
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    return 0;
}

static int read_suspended(const cJSON *v, void *dst, struct sp_error *err)
{
    (void)err;
    ((struct sp_access *)dst)->suspended = cJSON_IsTrue(v);
    return 0;
}

static int read_locked(const cJSON *v, void *dst, struct sp_error *err)
{
    (void)err;
    ((struct sp_access *)dst)->password_locked = cJSON_IsTrue(v);
    return 0;
}

static int read_authentication(const cJSON *v, void *dst, struct sp_error *err)
{
    return sp_authentication_parse(v->valuestring, &((struct sp_access *)dst)->authentication, err);
}

static int read_from(const cJSON *v, void *dst, struct sp_error *err)
{
    return sp_when_parse(v->valuestring, &((struct sp_access *)dst)->valid_from, err);
}

static int read_until(const cJSON *v, void *dst, struct sp_error *err)
{
    return sp_when_parse(v->valuestring, &((struct sp_access *)dst)->valid_until, err);
}

static const struct sp_json_field fields[] = {
    {"suspended", SP_JSON_BOOL, SP_JSON_REQUIRED, read_suspended},
    {"password_locked", SP_JSON_BOOL, SP_JSON_REQUIRED, read_locked},
    {"authentication", SP_JSON_STRING, SP_JSON_OPTIONAL, read_authentication},
    {"valid_from", SP_JSON_STRING, SP_JSON_OPTIONAL, read_from},
    {"valid_until", SP_JSON_STRING, SP_JSON_OPTIONAL, read_until},
    {NULL},
};

int sp_access_from_json(const cJSON *json, struct sp_access *ret, struct sp_error *err)
{
    struct sp_access a = {0};

    if (sp_json_decode(json, fields, &a, err) < 0 || sp_access_check(&a, err) < 0)
        return -1;
    *ret = a;
    return 0;
}
