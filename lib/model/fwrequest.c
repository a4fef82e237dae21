/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/fwrequest.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/json.h"
#include "model/when.h"

static void entries_clear(struct sp_fw_entries *l)
{
    for (size_t i = 0; i < l->n; i++)
        free((char *)l->v[i].comment);
    free(l->v);
    *l = (struct sp_fw_entries){0};
}

void sp_fwrequest_clear(struct sp_fw_request *r)
{
    entries_clear(&r->sources);
    entries_clear(&r->add);
    sp_cidr_list_clear(&r->remove);
    *r = (struct sp_fw_request){0};
}

static int decode_block(const cJSON *value, void *dst, struct sp_error *err)
{
    return sp_cidr_parse(value->valuestring, dst, err);
}

static int decode_source(const cJSON *value, void *dst, struct sp_error *err)
{
    struct sp_fw_entry *e = dst;

    return decode_block(value, &e->source, err);
}

static int decode_comment(const cJSON *value, void *dst, struct sp_error *err)
{
    struct sp_fw_entry *e = dst;

    e->comment = strdup(value->valuestring);
    return e->comment != NULL ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

static int decode_expiry(const cJSON *value, void *dst, struct sp_error *err)
{
    struct sp_fw_entry *e = dst;

    if (cJSON_IsNull(value))
        return 0;
    if (sp_when_parse(value->valuestring, &e->expires_at, err) < 0)
        return -1;
    if (e->expires_at > 0)
        return 0;
    (void)sp_fail(err, SP_E_INVALID, 0, "the expiry has passed already");
    return sp_hint(err, "a later expires_at, or none for a permanent entry");
}

static const struct sp_json_field entry_fields[] = {
    {"source", SP_JSON_STRING, SP_JSON_REQUIRED, decode_source},
    {"comment", SP_JSON_STRING, SP_JSON_OPTIONAL, decode_comment},
    {"expires_at", SP_JSON_STRING_OR_NULL, SP_JSON_OPTIONAL, decode_expiry},
    {NULL},
};

static int decode_entry(const cJSON *value, struct sp_fw_entry *e, struct sp_error *err)
{
    e->owner = "";
    if (cJSON_IsObject(value))
        return sp_json_decode(value, entry_fields, e, err);
    (void)sp_fail(err, SP_E_INVALID, 0, "not an object");
    return sp_hint(err, "{\"source\": \"203.0.113.0/24\"}, with comment and expires_at as you like");
}

static int decode_entries(const cJSON *array, struct sp_fw_entries *ret, struct sp_error *err)
{
    int n = cJSON_GetArraySize(array);
    const cJSON *item;

    if (n > SP_FW_MAX_ENTRIES) {
        (void)sp_fail(err, SP_E_INVALID, 0, "more than %d sources", SP_FW_MAX_ENTRIES);
        return sp_hint(err, "join neighbouring addresses into blocks");
    }
    ret->v = calloc((size_t)n + 1, sizeof(*ret->v));
    if (ret->v == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    cJSON_ArrayForEach(item, array)
    {
        if (decode_entry(item, &ret->v[ret->n++], err) < 0)
            return sp_field_prefix(err, "[%zu]", ret->n - 1);
    }
    return 0;
}

static int decode_mode(const cJSON *value, void *dst, struct sp_error *err)
{
    struct sp_fw_request *r = dst;

    r->has_mode = true;
    return sp_fw_mode_parse(value->valuestring, &r->mode, err);
}

static int decode_sources(const cJSON *value, void *dst, struct sp_error *err)
{
    struct sp_fw_request *r = dst;

    r->has_sources = true;
    return decode_entries(value, &r->sources, err);
}

static int decode_add(const cJSON *value, void *dst, struct sp_error *err)
{
    return decode_entries(value, &((struct sp_fw_request *)dst)->add, err);
}

static int decode_remove(const cJSON *value, void *dst, struct sp_error *err)
{
    struct sp_fw_request *r = dst;
    const cJSON *item;
    size_t i = 0;

    if (cJSON_GetArraySize(value) > SP_FW_MAX_ENTRIES)
        return sp_fail(err, SP_E_INVALID, 0, "more than %d sources", SP_FW_MAX_ENTRIES);
    cJSON_ArrayForEach(item, value)
    {
        struct sp_cidr c;
        if (!cJSON_IsString(item)) {
            (void)sp_fail(err, SP_E_INVALID, 0, "not an address block as a string");
            (void)sp_hint(err, "send each as a string, such as \"203.0.113.0/24\"");
        } else if (decode_block(item, &c, err) == 0 && sp_cidr_list_add(&r->remove, &c, err) == 0) {
            i++;
            continue;
        }
        return sp_field_prefix(err, "[%zu]", i);
    }
    return 0;
}

static int decode_force(const cJSON *value, void *dst, struct sp_error *err)
{
    (void)err;
    ((struct sp_fw_request *)dst)->force = cJSON_IsTrue(value);
    return 0;
}

static int decode_acknowledge(const cJSON *value, void *dst, struct sp_error *err)
{
    (void)err;
    ((struct sp_fw_request *)dst)->acknowledge_closed = cJSON_IsTrue(value);
    return 0;
}

static int decode_keep_opened(const cJSON *value, void *dst, struct sp_error *err)
{
    (void)err;
    ((struct sp_fw_request *)dst)->keep_opened = cJSON_IsTrue(value);
    return 0;
}

static int decode_dry_run(const cJSON *value, void *dst, struct sp_error *err)
{
    (void)err;
    ((struct sp_fw_request *)dst)->dry_run = cJSON_IsTrue(value);
    return 0;
}

static int decode_confirm_within(const cJSON *value, void *dst, struct sp_error *err)
{
    return sp_json_integer(value, 1, SP_FW_TRIAL_MAX, &((struct sp_fw_request *)dst)->confirm_within, err);
}

static const struct sp_json_field fields[] = {
    {"mode", SP_JSON_STRING, SP_JSON_OPTIONAL, decode_mode},
    {"sources", SP_JSON_ARRAY, SP_JSON_OPTIONAL, decode_sources},
    {"add", SP_JSON_ARRAY, SP_JSON_OPTIONAL, decode_add},
    {"remove", SP_JSON_ARRAY, SP_JSON_OPTIONAL, decode_remove},
    {"force", SP_JSON_BOOL, SP_JSON_OPTIONAL, decode_force},
    {"acknowledge_closed", SP_JSON_BOOL, SP_JSON_OPTIONAL, decode_acknowledge},
    {"keep_opened", SP_JSON_BOOL, SP_JSON_OPTIONAL, decode_keep_opened},
    {"confirm_within", SP_JSON_INTEGER, SP_JSON_OPTIONAL, decode_confirm_within},
    {"dry_run", SP_JSON_BOOL, SP_JSON_OPTIONAL, decode_dry_run},
    {NULL},
};

int sp_fwrequest_decode(const cJSON *params, struct sp_fw_request *ret, struct sp_error *err)
{
    _cleanup_(sp_fwrequest_clear) struct sp_fw_request r = {0};

    if (params != NULL && sp_json_decode(params, fields, &r, err) < 0)
        return -1;
    if (r.has_sources && (r.add.n > 0 || r.remove.n > 0)) {
        (void)sp_fail(err, SP_E_INVALID, 0, "sources is the whole list: add and remove contradict it");
        (void)sp_hint(err, "either sources, or add and remove");
        return sp_field(err, "sources");
    }
    if (r.confirm_within != 0 && r.has_mode && r.mode == SP_FW_UNMANAGED) {
        (void)sp_fail(err, SP_E_INVALID, 0,
                      "unmanaged cannot be tried: there is nothing to fall back from");
        (void)sp_hint(err, "leave confirm_within out");
        return sp_field(err, "confirm_within");
    }
    *ret = r;
    r = (struct sp_fw_request){0};
    return 0;
}

static int decode_token(const cJSON *value, void *dst, struct sp_error *err)
{
    if (value->valuestring[0] != '\0' && sp_str_copy(dst, SP_FW_TOKEN_SIZE, value->valuestring) == 0)
        return 0;
    (void)sp_fail(err, SP_E_INVALID, 0, "not a token of a trial");
    return sp_hint(err, "the answer to firewall.set has it, as pending.token; firewall.get shows it again");
}

int sp_fwrequest_decode_confirm(const cJSON *params, char ret_token[SP_FW_TOKEN_SIZE], struct sp_error *err)
{
    static const struct sp_json_field confirm_fields[] = {
        {"token", SP_JSON_STRING, SP_JSON_REQUIRED, decode_token}, {NULL}};
    _cleanup_json_ cJSON *none = cJSON_CreateObject();

    return sp_json_decode(params != NULL ? params : none, confirm_fields, ret_token, err);
}

/* Who else brought this very block? NULL for nobody. */
static const char *other_owner(const struct sp_fw_policy *p, const struct sp_cidr *c)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].owner[0] != '\0' && sp_cidr_equal(&p->v[i].source, c))
            return p->v[i].owner;
    return NULL;
}

static int remove_sources(const struct sp_fw_request *r, struct sp_fw_policy *p, struct sp_error *err)
{
    for (size_t i = 0; i < r->remove.n; i++) {
        const char *owner;

        if (sp_fw_policy_drop(p, &r->remove.v[i], ""))
            continue;
        owner = other_owner(p, &r->remove.v[i]);
        if (owner == NULL)
            continue;
        (void)sp_fail(err, SP_E_CONFLICT, 0, "this source belongs to the domain %s", owner);
        (void)sp_hint(err, "take it out of that domain's sources");
        return sp_field(err, "remove[%zu]", i);
    }
    return 0;
}

int sp_fwrequest_apply(const struct sp_fw_request *r, int64_t now, struct sp_fw_policy *p,
                       struct sp_error *err)
{
    if (r->has_mode && r->mode == SP_FW_CLOSED && p->mode != SP_FW_CLOSED && !r->acknowledge_closed) {
        (void)sp_fail(err, SP_E_LOCKOUT, 0,
                      "closed lets nobody log in over SSH but always_allow of sallyport.conf");
        (void)sp_hint(err, "if that is meant, repeat with acknowledge_closed true (sallyport: --yes)");
        return sp_field(err, "mode");
    }
    if (r->has_mode)
        p->mode = r->mode;
    if (r->has_sources && sp_fw_policy_drop_owner(p, "", err) < 0)
        return -1;
    if (sp_fw_policy_put(p, r->sources.v, r->sources.n, now, err) < 0)
        return sp_field_prefix(err, "sources");
    if (sp_fw_policy_put(p, r->add.v, r->add.n, now, err) < 0)
        return sp_field_prefix(err, "add");
    if ((r->remove.n > 0 && sp_fw_policy_own(p, err) < 0) || remove_sources(r, p, err) < 0)
        return -1;
    return sp_fw_policy_check(p, err);
}
