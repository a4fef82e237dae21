/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The account as JSON, both ways. What is read back from a state file is checked like a request. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/account.h"
#include "model/json.h"
#include "model/keyintake.h"
#include "model/profile.h"
#include "model/when.h"

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* Take `value` into `object`; false (value freed) when out of memory. */
static bool put(cJSON *object, const char *name, cJSON *value)
{
    if (value != NULL && cJSON_AddItemToObject(object, name, value))
        return true;
    cJSON_Delete(value);
    return false;
}

cJSON *sp_cidrs_to_json(const struct sp_cidr_list *l)
{
    _cleanup_json_ cJSON *array = cJSON_CreateArray();
    char text[SP_CIDR_SIZE];

    if (array == NULL)
        return NULL;
    for (size_t i = 0; i < l->n; i++) {
        cJSON *item;
        sp_cidr_format(&l->v[i], text);
        item = cJSON_CreateString(text);
        if (item == NULL || !cJSON_AddItemToArray(array, item)) {
            cJSON_Delete(item);
            return NULL;
        }
    }
    return sp_steal_ptr(array);
}

int sp_key_to_json(const struct sp_key *k, cJSON **ret, struct sp_error *err)
{
    _cleanup_json_ cJSON *o = cJSON_CreateObject();
    _cleanup_(sp_buf_clear) struct sp_buf line = {0};
    char when[SP_WHEN_SIZE], added[SP_WHEN_SIZE];

    sp_sshkey_format(&k->key, &line);
    sp_when_format(k->expires_at, when);
    sp_when_format(k->added_at, added);
    if (o == NULL || !sp_buf_ok(&line) || !put(o, "key", cJSON_CreateString(sp_buf_str(&line))) ||
        !put(o, "fingerprint", cJSON_CreateString(k->key.fingerprint)) ||
        !put(o, "label", cJSON_CreateString(k->label)) || !put(o, "from", sp_cidrs_to_json(&k->from)) ||
        !put(o, "expires_at", k->expires_at != 0 ? cJSON_CreateString(when) : cJSON_CreateNull()) ||
        (k->added_at != 0 && !put(o, "added_at", cJSON_CreateString(added))) ||
        (k->added_by[0] != '\0' && !put(o, "added_by", cJSON_CreateString(k->added_by))))
        return no_memory(err);
    *ret = sp_steal_ptr(o);
    return 0;
}

int sp_cidrs_from_json(const cJSON *array, struct sp_cidr_list *ret, struct sp_error *err)
{
    const cJSON *item = NULL;
    int i = 0;

    cJSON_ArrayForEach(item, array)
    {
        struct sp_cidr c = {0};
        if (!cJSON_IsString(item)) {
            sp_fail(err, SP_E_INVALID, 0, "not a string");
            sp_hint(err, "send each address or block as a string, such as \"203.0.113.0/24\"");
            return sp_field(err, "[%d]", i);
        }
        if (sp_cidr_parse(item->valuestring, &c, err) < 0 || sp_cidr_list_add(ret, &c, err) < 0)
            return sp_field_prefix(err, "[%d]", i);
        i++;
    }
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
    {"added_at", SP_JSON_STRING, SP_JSON_OPTIONAL, key_added_at},
    {"added_by", SP_JSON_STRING, SP_JSON_OPTIONAL, key_added_by},
    {"last_used", SP_JSON_STRING_OR_NULL, SP_JSON_OPTIONAL, key_ignored},
    {"last_used_from", SP_JSON_STRING_OR_NULL, SP_JSON_OPTIONAL, key_ignored},
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

static int domain_to_json(const struct sp_domain *d, cJSON *array, struct sp_error *err)
{
    cJSON *o = cJSON_CreateObject(), *keys;

    if (o == NULL || !cJSON_AddItemToArray(array, o)) {
        cJSON_Delete(o);
        return no_memory(err);
    }
    keys = cJSON_AddArrayToObject(o, "authorized_keys");
    if (keys == NULL || !put(o, "domain", cJSON_CreateString(d->name)) ||
        !put(o, "document_root", cJSON_CreateString(d->document_root)) ||
        !put(o, "sources", sp_cidrs_to_json(&d->sources)) ||
        (d->shell != SP_SHELL_UNSET && !put(o, "shell", cJSON_CreateString(sp_shell_name(d->shell)))))
        return no_memory(err);
    for (size_t i = 0; i < d->keys.n; i++) {
        cJSON *k = NULL;
        if (sp_key_to_json(&d->keys.v[i], &k, err) < 0)
            return -1;
        if (!cJSON_AddItemToArray(keys, k)) {
            cJSON_Delete(k);
            return no_memory(err);
        }
    }
    return 0;
}

static int extra_to_json(const struct sp_extra *l, cJSON *object, struct sp_error *err)
{
    cJSON *o = cJSON_AddObjectToObject(object, "extra");

    return o != NULL ? sp_extra_to_json(l, o, err) : no_memory(err);
}

int sp_account_to_json(const struct sp_account *a, cJSON **ret, struct sp_error *err)
{
    _cleanup_json_ cJSON *o = cJSON_CreateObject();
    cJSON *domains, *profiles;

    if (o == NULL || !put(o, "user", cJSON_CreateString(a->user)) ||
        !put(o, "uid", cJSON_CreateNumber(a->uid)) || !put(o, "tmp_mib", cJSON_CreateNumber(a->tmp_mib)) ||
        (a->shell != SP_SHELL_UNSET && !put(o, "shell", cJSON_CreateString(sp_shell_name(a->shell)))) ||
        (a->forwarding != SP_FORWARDING_UNSET &&
         !put(o, "forwarding", cJSON_CreateString(sp_forwarding_name(a->forwarding)))) ||
        (a->agent && !put(o, "agent", cJSON_CreateTrue())) ||
        ((a->limits.processes | a->limits.memory_mib) != 0 &&
         !put(o, "limits", sp_limits_to_json(&a->limits))))
        return no_memory(err);
    if (sp_access_to_json(&a->access, o, err) < 0 ||
        (a->sudo.n > 0 && !put(o, "sudo", sp_sudo_to_json(&a->sudo)) && no_memory(err) < 0) ||
        (sp_extra_is(&a->extra) && extra_to_json(&a->extra, o, err) < 0))
        return -1;
    profiles = cJSON_AddArrayToObject(o, "profiles");
    domains = cJSON_AddArrayToObject(o, "domains");
    if (profiles == NULL || domains == NULL)
        return no_memory(err);
    for (size_t i = 0; i < a->n_profiles; i++) {
        cJSON *name = cJSON_CreateString(a->profiles[i]);
        if (name == NULL || !cJSON_AddItemToArray(profiles, name)) {
            cJSON_Delete(name);
            return no_memory(err);
        }
    }
    for (size_t i = 0; i < a->n_domains; i++)
        if (domain_to_json(&a->domains[i], domains, err) < 0)
            return -1;
    *ret = sp_steal_ptr(o);
    return 0;
}

static int domain_name(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_domain *d = dst;

    if (sp_name_check_domain(v->valuestring, err) < 0)
        return -1;
    return sp_str_copy(d->name, sizeof(d->name), v->valuestring);
}

static int domain_root(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_domain *d = dst;

    if (sp_name_check_path(v->valuestring, err) < 0)
        return -1;
    return sp_str_copy(d->document_root, sizeof(d->document_root), v->valuestring);
}

static int domain_shell(const cJSON *v, void *dst, struct sp_error *err)
{
    return sp_shell_parse(v->valuestring, &((struct sp_domain *)dst)->shell, err);
}

static int domain_sources(const cJSON *v, void *dst, struct sp_error *err)
{
    return sp_cidrs_from_json(v, &((struct sp_domain *)dst)->sources, err);
}

static int domain_keys(const cJSON *v, void *dst, struct sp_error *err)
{
    return sp_keys_from_json(v, SP_KEY_STORED, &((struct sp_domain *)dst)->keys, err);
}

static const struct sp_json_field domain_fields[] = {
    {"domain", SP_JSON_STRING, SP_JSON_REQUIRED, domain_name},
    {"document_root", SP_JSON_STRING, SP_JSON_REQUIRED, domain_root},
    {"shell", SP_JSON_STRING, SP_JSON_OPTIONAL, domain_shell},
    {"sources", SP_JSON_ARRAY, SP_JSON_REQUIRED, domain_sources},
    {"authorized_keys", SP_JSON_ARRAY, SP_JSON_REQUIRED, domain_keys},
    {NULL},
};

static int account_user(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_account *a = dst;

    if (sp_name_check_user(v->valuestring, err) < 0)
        return -1;
    return sp_str_copy(a->user, sizeof(a->user), v->valuestring);
}

static int account_uid(const cJSON *v, void *dst, struct sp_error *err)
{
    int64_t n = 0;

    if (sp_json_integer(v, 1, INT32_MAX, &n, err) < 0)
        return -1;
    ((struct sp_account *)dst)->uid = (uint32_t)n;
    return 0;
}

static int account_tmp(const cJSON *v, void *dst, struct sp_error *err)
{
    int64_t n = 0;

    if (sp_json_integer(v, 1, 1 << 20, &n, err) < 0)
        return -1;
    ((struct sp_account *)dst)->tmp_mib = (uint32_t)n;
    return 0;
}

static int account_agent(const cJSON *v, void *dst, struct sp_error *err)
{
    (void)err;
    ((struct sp_account *)dst)->agent = cJSON_IsTrue(v);
    return 0;
}

static int account_limits(const cJSON *v, void *dst, struct sp_error *err)
{
    return sp_limits_from_json(v, &((struct sp_account *)dst)->limits, err);
}

static int account_shell(const cJSON *v, void *dst, struct sp_error *err)
{
    return sp_shell_parse(v->valuestring, &((struct sp_account *)dst)->shell, err);
}

static int account_forwarding(const cJSON *v, void *dst, struct sp_error *err)
{
    return sp_forwarding_parse(v->valuestring, &((struct sp_account *)dst)->forwarding, err);
}

static int account_access(const cJSON *v, void *dst, struct sp_error *err)
{
    return sp_access_from_json(v, &((struct sp_account *)dst)->access, err);
}

static int account_profiles(const cJSON *v, void *dst, struct sp_error *err)
{
    return sp_profiles_from_json(v, dst, err);
}

static int account_sudo(const cJSON *v, void *dst, struct sp_error *err)
{
    return sp_sudo_from_json(v, &((struct sp_account *)dst)->sudo, err);
}

static int account_extra(const cJSON *v, void *dst, struct sp_error *err)
{
    return sp_extra_from_json(v, &((struct sp_account *)dst)->extra, err);
}

static int account_domains(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_account *a = dst;
    const cJSON *item = NULL;

    a->domains = calloc((size_t)cJSON_GetArraySize(v) + 1, sizeof(*a->domains));
    if (a->domains == NULL)
        return no_memory(err);
    cJSON_ArrayForEach(item, v)
    {
        struct sp_domain *d = &a->domains[a->n_domains++];
        if (!cJSON_IsObject(item))
            return sp_fail(err, SP_E_INVALID, 0, "not an object");
        if (sp_json_decode(item, domain_fields, d, err) < 0)
            return sp_field_prefix(err, "[%zu]", a->n_domains - 1);
    }
    return 0;
}

static const struct sp_json_field account_fields[] = {
    {"user", SP_JSON_STRING, SP_JSON_REQUIRED, account_user},
    {"uid", SP_JSON_INTEGER, SP_JSON_REQUIRED, account_uid},
    {"tmp_mib", SP_JSON_INTEGER, SP_JSON_REQUIRED, account_tmp},
    {"shell", SP_JSON_STRING, SP_JSON_OPTIONAL, account_shell},
    {"forwarding", SP_JSON_STRING, SP_JSON_OPTIONAL, account_forwarding},
    {"limits", SP_JSON_OBJECT, SP_JSON_OPTIONAL, account_limits},
    {"agent", SP_JSON_BOOL, SP_JSON_OPTIONAL, account_agent},
    {"access", SP_JSON_OBJECT, SP_JSON_OPTIONAL, account_access},
    {"sudo", SP_JSON_ARRAY, SP_JSON_OPTIONAL, account_sudo},
    {"extra", SP_JSON_OBJECT, SP_JSON_OPTIONAL, account_extra},
    {"profiles", SP_JSON_ARRAY, SP_JSON_REQUIRED, account_profiles},
    {"domains", SP_JSON_ARRAY, SP_JSON_REQUIRED, account_domains},
    {NULL},
};

int sp_profiles_from_json(const cJSON *array, struct sp_account *a, struct sp_error *err)
{
    const cJSON *item = NULL;
    int i = 0;

    a->n_profiles = 0;
    cJSON_ArrayForEach(item, array)
    {
        if (!cJSON_IsString(item)) {
            sp_fail(err, SP_E_INVALID, 0, "not a string");
            sp_hint(err, "send the profiles' names, such as [\"base\"]");
            return sp_field(err, "[%d]", i);
        }
        if (sp_profile_check_name(item->valuestring, err) < 0 ||
            sp_account_add_profile(a, item->valuestring, err) < 0)
            return sp_field_prefix(err, "[%d]", i);
        i++;
    }
    return 0;
}

int sp_account_from_json(const cJSON *json, struct sp_account *ret, struct sp_error *err)
{
    _cleanup_(sp_account_clear) struct sp_account a = {0};

    if (!cJSON_IsObject(json))
        return sp_fail(err, SP_E_INVALID, 0, "not an object");
    if (sp_json_decode(json, account_fields, &a, err) < 0)
        return -1;
    *ret = a;
    a = (struct sp_account){0};
    return 0;
}
