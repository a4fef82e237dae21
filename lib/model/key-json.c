/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys as JSON, both ways: of requests, answers and the state file. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/account.h"
#include "model/json.h"
#include "model/keyintake.h"
#include "model/when.h"

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

int sp_key_to_json(const struct sp_key *k, cJSON **ret, struct sp_error *err)
{
    _cleanup_json_ cJSON *o = cJSON_CreateObject();
    _cleanup_(sp_buf_clear) struct sp_buf line = {0};
    char when[SP_WHEN_SIZE], added[SP_WHEN_SIZE];

    sp_sshkey_format(&k->key, &line);
    sp_when_format(k->expires_at, when);
    sp_when_format(k->added_at, added);
    if (o == NULL || !sp_buf_ok(&line) || !sp_json_put(o, "key", cJSON_CreateString(sp_buf_str(&line))) ||
        !sp_json_put(o, "fingerprint", cJSON_CreateString(k->key.fingerprint)) ||
        !sp_json_put(o, "label", cJSON_CreateString(k->label)) ||
        !sp_json_put(o, "from", sp_cidrs_to_json(&k->from)) ||
        !sp_json_put(o, "expires_at", k->expires_at != 0 ? cJSON_CreateString(when) : cJSON_CreateNull()) ||
        !sp_keyrules_to_json(&k->rules, o) ||
        (k->added_at != 0 && !sp_json_put(o, "added_at", cJSON_CreateString(added))) ||
        (k->added_by[0] != '\0' && !sp_json_put(o, "added_by", cJSON_CreateString(k->added_by))))
        return no_memory(err);
    *ret = sp_steal_ptr(o);
    return 0;
}

struct key_reader {
    struct sp_key *key;
    enum sp_key_origin origin;
    bool labelled;
};

static int key_key(const cJSON *v, void *dst, struct sp_error *err)
{
    struct key_reader *r = dst;
    _cleanup_(sp_keyintake_clear) struct sp_keyintake taken = {0};
    size_t len = strlen(v->valuestring);

    if (r->origin == SP_KEY_STORED) {
        if (sp_sshkey_parse(v->valuestring, len, &taken.key, taken.label, err) < 0)
            return -1;
    } else if (sp_keyintake_read(v->valuestring, len, &taken, err) < 0)
        return -1;
    r->key->key = taken.key;
    taken.key = (struct sp_sshkey){0};
    r->key->notes = taken.notes;
    return r->labelled ? 0 : sp_str_copy(r->key->label, sizeof(r->key->label), taken.label);
}

static int key_label(const cJSON *v, void *dst, struct sp_error *err)
{
    struct key_reader *r = dst;

    if (sp_name_check_label(v->valuestring, err) < 0)
        return -1;
    r->labelled = true;
    return sp_str_copy(r->key->label, sizeof(r->key->label), v->valuestring);
}

static int key_from(const cJSON *v, void *dst, struct sp_error *err)
{
    struct key_reader *r = dst;

    return sp_cidrs_from_json(v, &r->key->from, err);
}

static int key_expires(const cJSON *v, void *dst, struct sp_error *err)
{
    struct key_reader *r = dst;

    return cJSON_IsNull(v) ? 0 : sp_when_parse(v->valuestring, &r->key->expires_at, err);
}

static int key_command(const cJSON *v, void *dst, struct sp_error *err)
{
    struct key_reader *r = dst;

    return cJSON_IsNull(v) ? 0 : sp_keyrules_set_command(&r->key->rules, v->valuestring, err);
}

static int key_forwarding(const cJSON *v, void *dst, struct sp_error *err)
{
    struct key_reader *r = dst;

    return sp_forwarding_parse(v->valuestring, &r->key->rules.forwarding, err);
}

static int key_pty(const cJSON *v, void *dst, struct sp_error *err)
{
    struct key_reader *r = dst;

    (void)err;
    r->key->rules.no_pty = !cJSON_IsTrue(v);
    return 0;
}

static int key_fingerprint(const cJSON *v, void *dst, struct sp_error *err)
{
    const struct key_reader *r = dst;

    if (sp_streq(v->valuestring, r->key->key.fingerprint))
        return 0;
    sp_fail(err, SP_E_INVALID, 0, "the key's fingerprint is %s", r->key->key.fingerprint);
    return sp_hint(err, "leave fingerprint out, or send the one of this key");
}

/* Answers show them; a request that sends an answer's key back says nothing by them. */
static int key_added_at(const cJSON *v, void *dst, struct sp_error *err)
{
    struct key_reader *r = dst;

    return r->origin == SP_KEY_PASTED ? 0 : sp_when_parse(v->valuestring, &r->key->added_at, err);
}

static int key_added_by(const cJSON *v, void *dst, struct sp_error *err)
{
    struct key_reader *r = dst;

    if (r->origin == SP_KEY_PASTED)
        return 0;
    if (sp_str_copy(r->key->added_by, sizeof(r->key->added_by), v->valuestring) < 0)
        return sp_fail(err, SP_E_INVALID, 0, "the name is too long");
    return 0;
}

static int key_ignored(const cJSON *v, void *dst, struct sp_error *err)
{
    const struct key_reader *r = dst;

    (void)v;
    return r->origin == SP_KEY_PASTED ? 0 : sp_fail(err, SP_E_INVALID, 0, "it is not kept");
}

static const struct sp_json_field key_fields[] = {
    {"label", SP_JSON_STRING, SP_JSON_OPTIONAL, key_label},
    {"key", SP_JSON_STRING, SP_JSON_REQUIRED, key_key},
    {"fingerprint", SP_JSON_STRING, SP_JSON_OPTIONAL, key_fingerprint},
    {"from", SP_JSON_ARRAY, SP_JSON_OPTIONAL, key_from},
    {"expires_at", SP_JSON_STRING_OR_NULL, SP_JSON_OPTIONAL, key_expires},
    {"command", SP_JSON_STRING_OR_NULL, SP_JSON_OPTIONAL, key_command},
    {"forwarding", SP_JSON_STRING, SP_JSON_OPTIONAL, key_forwarding},
    {"pty", SP_JSON_BOOL, SP_JSON_OPTIONAL, key_pty},
    {"added_at", SP_JSON_STRING, SP_JSON_OPTIONAL, key_added_at},
    {"added_by", SP_JSON_STRING, SP_JSON_OPTIONAL, key_added_by},
    {"last_used", SP_JSON_STRING_OR_NULL, SP_JSON_OPTIONAL, key_ignored},
    {"last_used_from", SP_JSON_STRING_OR_NULL, SP_JSON_OPTIONAL, key_ignored},
    {"last_used_told_by", SP_JSON_STRING_OR_NULL, SP_JSON_OPTIONAL, key_ignored},
    {NULL},
};

int sp_key_from_json(const cJSON *json, enum sp_key_origin origin, struct sp_key *ret, struct sp_error *err)
{
    _cleanup_(sp_key_clear) struct sp_key key = {0};
    struct key_reader r = {.key = &key, .origin = origin};

    if (!cJSON_IsObject(json)) {
        sp_fail(err, SP_E_INVALID, 0, "not an object with a \"key\"");
        return sp_hint(err,
                       "{\"key\": \"ssh-ed25519 AAAA...\"}, with label, from and expires_at as you like");
    }
    if (sp_json_decode(json, key_fields, &r, err) < 0)
        return -1;
    *ret = key;
    key = (struct sp_key){0};
    return 0;
}

int sp_keys_from_json(const cJSON *array, enum sp_key_origin origin, struct sp_key_list *ret,
                      struct sp_error *err)
{
    const cJSON *item = NULL;
    int i = 0;

    cJSON_ArrayForEach(item, array)
    {
        _cleanup_(sp_key_clear) struct sp_key key = {0};
        if (sp_key_from_json(item, origin, &key, err) < 0)
            return sp_field_prefix(err, "[%d]", i);
        if (sp_key_list_find(ret, key.key.fingerprint) != NULL) {
            sp_fail(err, SP_E_INVALID, 0, "the key %s stands twice in the list", key.key.fingerprint);
            sp_hint(err, "send each key once, with all its sources in one from");
            return sp_field(err, "[%d].key", i);
        }
        if (sp_key_list_add(ret, &key, err) < 0)
            return -1;
        i++;
    }
    return 0;
}
