/* SPDX-License-Identifier: GPL-3.0-or-later */
/* password.set, password.generate: through PAM, so that the host's own policy and its other services agree.
 */
#include "host/password.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/check.h"
#include "engine/methods.h"
#include "host/lock.h"

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* What changed is told; what it was and is, never. */
static int report(const char *domain, const char *user, bool changed, bool dry_run, cJSON *result,
                  struct sp_error *err)
{
    cJSON *changes = cJSON_AddArrayToObject(result, "changes"), *o = changed ? cJSON_CreateObject() : NULL;

    if (changes == NULL || (domain[0] != '\0' && !cJSON_AddStringToObject(result, "domain", domain)) ||
        !cJSON_AddStringToObject(result, "user", user) ||
        !cJSON_AddBoolToObject(result, "changed", changed) || !cJSON_AddArrayToObject(result, "warnings"))
        return no_memory(err);
    if (!changed)
        return 0;
    if (o == NULL || !cJSON_AddItemToArray(changes, o) ||
        !cJSON_AddStringToObject(o, "resource", "password") ||
        !cJSON_AddStringToObject(o, "target", user) || !cJSON_AddNullToObject(o, "from") ||
        !cJSON_AddStringToObject(o, "to", "set") ||
        !(dry_run ? cJSON_AddNullToObject(o, "read_back") : cJSON_AddStringToObject(o, "read_back", "set")))
        return no_memory(err);
    return 0;
}

static int change(struct sp_engine *e, const char *user, const char *password, struct sp_error *err)
{
    bool matches = false, locked = false;

    if (sp_password_is_locked(e->host, user, &locked, err) < 0)
        return -1;
    if (locked) {
        sp_fail(err, SP_E_CONFLICT, 0, "the password of %s is locked: somebody suspended the account",
                user);
        sp_hint(err, "usermod -U %s first, if that is meant: setting a password would unlock it", user);
        return sp_field(err, "password");
    }
    if (sp_password_set(e->host, user, password, err) < 0)
        return sp_field(err, "password");
    if (sp_password_matches(e->host, user, password, &matches, err) < 0)
        return -1;
    return matches ? 0
                   : sp_fail(err, SP_E_NOT_IN_FORCE, 0,
                             "PAM said yes, but the password of %s is not the new one", user);
}

/* A domain speaks for the user it was given to, not for another who has his name since. */
static int check_same(struct sp_engine *e, const struct sp_user *passwd, struct sp_error *err)
{
    _cleanup_(sp_state_clear) struct sp_state s = {0};

    if (sp_store_load(e->host, passwd->name, &s, err) < 0)
        return -1;
    return s.desired.uid == passwd->uid ? 0 : sp_refuse_stranger(&s.desired, passwd, err);
}

/* The account's user, as he is now, and its lock where something will be written. */
static int begin(struct sp_engine *e, const struct sp_params *p, struct sp_user *ret, int *ret_lock,
                 struct sp_error *err)
{
    char user[SP_USER_SIZE], path[SP_PATH_SIZE];

    if (sp_account_required(e, p, user, err) < 0 || sp_userdb_get(e->host, user, ret, err) < 0)
        return -1;
    if (sp_policy_check_user(e->config, user, ret->uid, err) < 0)
        return sp_field_prefix(err, "user");
    if (check_same(e, ret, err) < 0)
        return -1;
    (void)sp_str_format(path, sizeof(path), SP_STORE "/state/%s.lock", user);
    if (!p->dry_run)
        *ret_lock = sp_lock_take(e->host, path, SP_LOCK_DEADLINE_MS, err);
    return p->dry_run || *ret_lock >= 0 ? 0 : -1;
}

SP_METHOD(sp_password_set_method)
{
    _cleanup_close_ int lock = -1;
    struct sp_user passwd;
    bool matches = false;

    (void)raw;
    if (sp_password_check(p->password, err) < 0)
        return sp_field(err, "password");
    if (begin(e, p, &passwd, &lock, err) < 0 ||
        sp_password_matches(e->host, passwd.name, p->password, &matches, err) < 0)
        return -1;
    if (!matches && !p->dry_run && change(e, passwd.name, p->password, err) < 0)
        return -1;
    return report(p->domain, passwd.name, !matches, p->dry_run, result, err);
}

/* PAM's policy has the last word: one that it refuses is drawn again, and then longer. */
static int generate(struct sp_engine *e, const char *user, char secret[SP_PASSWORD_MADE_SIZE],
                    struct sp_error *err)
{
    static const unsigned groups[] = {4, 4, 8, SP_PASSWORD_GROUPS_MAX};

    for (size_t i = 0; i < SP_COUNT(groups); i++) {
        if (sp_password_generate(groups[i], secret, err) < 0)
            return -1;
        if (change(e, user, secret, err) == 0)
            return 0;
        if (err->code != SP_E_REJECTED)
            return -1;
    }
    return -1;
}

SP_METHOD(sp_password_generate_method)
{
    char secret[SP_PASSWORD_MADE_SIZE] = "";
    _cleanup_close_ int lock = -1;
    struct sp_user passwd;
    int rc = -1;

    (void)raw;
    if (begin(e, p, &passwd, &lock, err) == 0 &&
        (p->dry_run || generate(e, passwd.name, secret, err) == 0) &&
        report(p->domain, passwd.name, true, p->dry_run, result, err) == 0) {
        rc = p->dry_run || cJSON_AddStringToObject(result, "password", secret) != NULL ? 0 : no_memory(err);
    }
    explicit_bzero(secret, sizeof(secret));
    return rc;
}
