/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/globalrequest.h"

#include "base/mem.h"
#include "base/str.h"
#include "model/json.h"

void sp_global_request_clear(struct sp_global_request *r)
{
    sp_key_clear(&r->key);
    *r = (struct sp_global_request){0};
}

static int read_dry(const cJSON *v, struct sp_global_request *ret, struct sp_error *err)
{
    ret->dry_run = cJSON_IsTrue(v);
    if (v == NULL || cJSON_IsBool(v))
        return 0;
    sp_fail(err, SP_E_INVALID, 0, "must be true or false");
    sp_hint(err, "true says what would be, and changes nothing");
    return sp_field(err, "dry_run");
}

static int read_group(const cJSON *v, struct sp_global_request *ret, struct sp_error *err)
{
    if (v == NULL)
        return 0;
    if (!cJSON_IsString(v)) {
        sp_fail(err, SP_E_INVALID, 0, "a group is a name");
        sp_hint(err, "name a group of the host's, or leave it out: then every managed account is meant");
        return sp_field(err, "group");
    }
    if (sp_name_check_user(v->valuestring, err) < 0 ||
        sp_str_copy(ret->group, sizeof(ret->group), v->valuestring) < 0)
        return sp_field(err, "group");
    return 0;
}

/* One file for all accounts: it cannot leave out those for whom sshd's ForceCommand counts. */
static int refuse_command(struct sp_error *err)
{
    sp_fail(err, SP_E_INVALID, 0, "a global key forces no command");
    sp_hint(err, "give the key to each account with keys.add, or leave command out");
    return sp_field(err, "command");
}

/* What is not of the group and the dry run is the key's. */
int sp_global_request_decode(const cJSON *params, struct sp_global_request *ret, struct sp_error *err)
{
    _cleanup_(sp_global_request_clear) struct sp_global_request r = {0};
    _cleanup_json_ cJSON *key = params != NULL ? cJSON_Duplicate(params, true) : cJSON_CreateObject();
    _cleanup_json_ cJSON *group = cJSON_DetachItemFromObjectCaseSensitive(key, "group");
    _cleanup_json_ cJSON *dry = cJSON_DetachItemFromObjectCaseSensitive(key, "dry_run");

    if (key == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (read_dry(dry, &r, err) < 0 || read_group(group, &r, err) < 0 ||
        sp_key_from_json(key, SP_KEY_PASTED, &r.key, err) < 0)
        return -1;
    if (r.key.rules.command[0] != '\0')
        return refuse_command(err);
    *ret = r;
    r = (struct sp_global_request){0};
    return 0;
}
