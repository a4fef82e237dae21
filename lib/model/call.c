/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The envelope of a request: JSON-RPC 2.0 (request.h). */
#include <string.h>

#include "base/str.h"
#include "model/json.h"
#include "model/request.h"

static int call_version(const cJSON *v, void *dst, struct sp_error *err)
{
    (void)dst;
    if (sp_streq(v->valuestring, "2.0"))
        return 0;
    sp_fail(err, SP_E_REQUEST, 0, "jsonrpc is not \"2.0\"");
    return sp_hint(err, "send \"jsonrpc\":\"2.0\": it names the protocol, not sallyport's version");
}

static int call_id(const cJSON *v, void *dst, struct sp_error *err)
{
    static const char *const hint = "send a string of at most 128 bytes; it comes back with the answer";

    if (cJSON_IsString(v) && strlen(v->valuestring) > 128) {
        sp_fail(err, SP_E_REQUEST, 0, "an id of more than 128 bytes");
        return sp_hint(err, "%s", hint);
    }
    if (!cJSON_IsString(v) && !cJSON_IsNumber(v) && !cJSON_IsNull(v)) {
        sp_fail(err, SP_E_REQUEST, 0, "an id is a string, a number or null");
        return sp_hint(err, "%s", hint);
    }
    ((struct sp_call *)dst)->id = v;
    return 0;
}

static int call_method(const cJSON *v, void *dst, struct sp_error *err)
{
    (void)err;
    ((struct sp_call *)dst)->method = v->valuestring;
    return 0;
}

static int call_params(const cJSON *v, void *dst, struct sp_error *err)
{
    (void)err;
    ((struct sp_call *)dst)->params = v;
    return 0;
}

static const struct sp_json_field call_fields[] = {
    {"id", SP_JSON_ANY, SP_JSON_REQUIRED, call_id},
    {"jsonrpc", SP_JSON_STRING, SP_JSON_REQUIRED, call_version},
    {"method", SP_JSON_STRING, SP_JSON_REQUIRED, call_method},
    {"params", SP_JSON_OBJECT, SP_JSON_OPTIONAL, call_params},
    {NULL},
};

int sp_call_decode(const cJSON *json, struct sp_call *ret, struct sp_error *err)
{
    *ret = (struct sp_call){0};
    if (!cJSON_IsObject(json)) {
        sp_fail(err, SP_E_REQUEST, 0, "not a JSON-RPC 2.0 request object");
        return sp_hint(
            err, "send {\"jsonrpc\":\"2.0\",\"id\":\"1\",\"method\":\"domain.get\",\"params\":{...}}");
    }
    if (sp_json_decode(json, call_fields, ret, err) < 0) {
        err->code = SP_E_REQUEST;
        return -1;
    }
    return 0;
}
