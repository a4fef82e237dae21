/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/doctorrequest.h"

#include <arpa/inet.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/json.h"

void sp_doctor_request_clear(struct sp_doctor_request *r)
{
    sp_key_clear(&r->key);
    *r = (struct sp_doctor_request){0};
}

static int check_address(const char *text, struct sp_error *err)
{
    unsigned char bytes[16];

    if (inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1)
        return 0;
    sp_fail(err, SP_E_INVALID, 0, "%.64s is no IPv4 or IPv6 address", text);
    return sp_hint(err, "one address, as 203.0.113.7 or 2001:db8::7");
}

static int read_domain(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_doctor_request *q = dst;

    return sp_name_check_domain(v->valuestring, err) < 0
               ? -1
               : sp_str_copy(q->domain, sizeof(q->domain), v->valuestring);
}

static int read_user(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_doctor_request *q = dst;

    return sp_name_check_user(v->valuestring, err) < 0
               ? -1
               : sp_str_copy(q->user, sizeof(q->user), v->valuestring);
}

static int read_from(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_doctor_request *q = dst;

    if (check_address(v->valuestring, err) < 0)
        return -1;
    return sp_str_copy(q->from, sizeof(q->from), v->valuestring);
}

/* Pasted, as everywhere else. */
static int read_key(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_doctor_request *q = dst;
    _cleanup_json_wiped_ cJSON *object = cJSON_CreateObject();

    if (cJSON_AddStringToObject(object, "key", v->valuestring) == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    q->has_key = true;
    if (sp_key_from_json(object, SP_KEY_PASTED, &q->key, err) == 0)
        return 0;
    return sp_field(err, "%s", "");
}

static int read_port(const cJSON *v, void *dst, struct sp_error *err)
{
    return sp_json_integer(v, 1, 65535, &((struct sp_doctor_request *)dst)->port, err);
}

static int read_fix(const cJSON *v, void *dst, struct sp_error *err)
{
    (void)err;
    ((struct sp_doctor_request *)dst)->fix = cJSON_IsTrue(v);
    return 0;
}

static const struct sp_json_field fields[] = {
    {"domain", SP_JSON_STRING, SP_JSON_OPTIONAL, read_domain},
    {"user", SP_JSON_STRING, SP_JSON_OPTIONAL, read_user},
    {"from", SP_JSON_STRING, SP_JSON_OPTIONAL, read_from},
    {"key", SP_JSON_STRING, SP_JSON_OPTIONAL, read_key},
    {"port", SP_JSON_INTEGER, SP_JSON_OPTIONAL, read_port},
    {"fix", SP_JSON_BOOL, SP_JSON_OPTIONAL, read_fix},
    {NULL},
};

int sp_doctor_request_decode(const cJSON *params, struct sp_doctor_request *ret, struct sp_error *err)
{
    _cleanup_(sp_doctor_request_clear) struct sp_doctor_request r = {0};
    _cleanup_json_ cJSON *empty = cJSON_CreateObject();

    if (empty == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (sp_json_decode(params != NULL ? params : empty, fields, &r, err) < 0)
        return -1;
    *ret = r;
    r = (struct sp_doctor_request){0};
    return 0;
}
