/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The account as JSON, both ways. What is read back from a state file is checked like a request. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/account.h"
#include "model/json.h"
#include "model/profile.h"
#include "model/when.h"

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
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

static int domain_to_json(const struct sp_domain *d, cJSON *array, struct sp_error *err)
{
    cJSON *o = cJSON_CreateObject(), *keys;

    if (o == NULL || !cJSON_AddItemToArray(array, o)) {
        cJSON_Delete(o);
        return no_memory(err);
    }
    keys = cJSON_AddArrayToObject(o, "authorized_keys");
    if (keys == NULL || !sp_json_put(o, "domain", cJSON_CreateString(d->name)) ||
        !sp_json_put(o, "document_root", cJSON_CreateString(d->document_root)) ||
        !sp_json_put(o, "sources", sp_cidrs_to_json(&d->sources)) ||
        (d->shell != SP_SHELL_UNSET &&
         !sp_json_put(o, "shell", cJSON_CreateString(sp_shell_name(d->shell)))))
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

static int found_to_json(const struct sp_found *f, cJSON *object, struct sp_error *err)
{
    cJSON *o = cJSON_AddObjectToObject(object, "adopted");

    return o != NULL ? sp_found_to_json(f, o, err) : no_memory(err);
}

int sp_account_to_json(const struct sp_account *a, cJSON **ret, struct sp_error *err)
{
    _cleanup_json_ cJSON *o = cJSON_CreateObject();
    cJSON *domains, *profiles;

    if (o == NULL || !sp_json_put(o, "user", cJSON_CreateString(a->user)) ||
        !sp_json_put(o, "uid", cJSON_CreateNumber(a->uid)) ||
        !sp_json_put(o, "tmp_mib", cJSON_CreateNumber(a->tmp_mib)) ||
        (a->shell != SP_SHELL_UNSET &&
         !sp_json_put(o, "shell", cJSON_CreateString(sp_shell_name(a->shell)))) ||
        (a->forwarding != SP_FORWARDING_UNSET &&
         !sp_json_put(o, "forwarding", cJSON_CreateString(sp_forwarding_name(a->forwarding)))) ||
        (a->agent && !sp_json_put(o, "agent", cJSON_CreateTrue())) ||
        ((a->limits.processes | a->limits.memory_mib) != 0 &&
         !sp_json_put(o, "limits", sp_limits_to_json(&a->limits))))
        return no_memory(err);
    if (sp_access_to_json(&a->access, o, err) < 0 ||
        (a->sudo.n > 0 && !sp_json_put(o, "sudo", sp_sudo_to_json(&a->sudo)) && no_memory(err) < 0) ||
        (sp_extra_is(&a->extra) && extra_to_json(&a->extra, o, err) < 0) ||
        (sp_found_is(&a->found) && found_to_json(&a->found, o, err) < 0))
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

static int account_adopted(const cJSON *v, void *dst, struct sp_error *err)
{
    return sp_found_from_json(v, &((struct sp_account *)dst)->found, err);
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
    {"adopted", SP_JSON_OBJECT, SP_JSON_OPTIONAL, account_adopted},
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
