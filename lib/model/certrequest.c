/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/certrequest.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/account.h"
#include "model/json.h"
#include "model/when.h"

void sp_cert_request_clear(struct sp_cert_request *r)
{
    sp_cidr_list_clear(&r->from);
    sp_sshkey_clear(&r->key);
    *r = (struct sp_cert_request){0};
}

static int read_domain(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_cert_request *r = dst;

    if (sp_name_check_domain(v->valuestring, err) < 0)
        return -1;
    return sp_str_copy(r->domain, sizeof(r->domain), v->valuestring);
}

static int read_host(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_cert_request *r = dst;

    return sp_name_check_host(v->valuestring, err) < 0
               ? -1
               : sp_str_copy(r->host, sizeof(r->host), v->valuestring);
}

static int read_fingerprint(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_cert_request *r = dst;

    if (sp_fingerprint_check(v->valuestring, err) < 0)
        return -1;
    return sp_str_copy(r->fingerprint, sizeof(r->fingerprint), v->valuestring);
}

static int read_serial(const cJSON *v, void *dst, struct sp_error *err)
{
    int64_t n = 0;

    if (sp_json_integer(v, 1, INT64_C(1) << 53, &n, err) < 0)
        return -1;
    ((struct sp_cert_request *)dst)->serial = (uint64_t)n;
    return 0;
}

/* Clean and not empty; `size` with its NUL. */
static int read_text(const cJSON *v, char *dst, size_t size, struct sp_error *err)
{
    const char *text = v->valuestring;

    if (text[0] != '\0' && sp_str_is_clean(text, strlen(text)) && sp_str_copy(dst, size, text) == 0)
        return 0;
    sp_fail(err, SP_E_INVALID, 0, "empty, longer than %zu bytes, or with control bytes in it", size - 1);
    return sp_hint(err, "one line of text, or leave it out");
}

static int read_key_id(const cJSON *v, void *dst, struct sp_error *err)
{
    return read_text(v, ((struct sp_cert_request *)dst)->key_id, SP_SSHCERT_KEY_ID_SIZE, err);
}

static int read_command(const cJSON *v, void *dst, struct sp_error *err)
{
    return read_text(v, ((struct sp_cert_request *)dst)->command, SP_SSHCERT_COMMAND_SIZE, err);
}

static int read_reason(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_cert_request *r = dst;

    if (sp_name_check_label(v->valuestring, err) < 0)
        return -1;
    return sp_str_copy(r->reason, sizeof(r->reason), v->valuestring);
}

static int read_lifetime(const cJSON *v, void *dst, struct sp_error *err)
{
    int64_t n = 0;

    if (sp_json_integer(v, 60, 366 * 86400, &n, err) < 0)
        return -1;
    ((struct sp_cert_request *)dst)->lifetime = (uint32_t)n;
    return 0;
}

static int read_valid_from(const cJSON *v, void *dst, struct sp_error *err)
{
    return sp_when_parse(v->valuestring, &((struct sp_cert_request *)dst)->valid_from, err);
}

static int read_valid_until(const cJSON *v, void *dst, struct sp_error *err)
{
    return sp_when_parse(v->valuestring, &((struct sp_cert_request *)dst)->valid_until, err);
}

static int read_from(const cJSON *v, void *dst, struct sp_error *err)
{
    return sp_cidrs_from_json(v, &((struct sp_cert_request *)dst)->from, err);
}

static int read_key(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_cert_request *r = dst;

    return sp_sshkey_parse(v->valuestring, strlen(v->valuestring), &r->key, NULL, err);
}

static int read_number(const cJSON *v, void *dst, struct sp_error *err)
{
    int64_t n = 0;

    if (sp_json_integer(v, 1, 999999, &n, err) < 0)
        return -1;
    ((struct sp_cert_request *)dst)->number = (unsigned)n;
    return 0;
}

static int read_all(const cJSON *v, void *dst, struct sp_error *err)
{
    (void)err;
    ((struct sp_cert_request *)dst)->all = cJSON_IsTrue(v);
    return 0;
}

static int read_dry_run(const cJSON *v, void *dst, struct sp_error *err)
{
    (void)err;
    ((struct sp_cert_request *)dst)->dry_run = cJSON_IsTrue(v);
    return 0;
}

static const struct sp_json_field issue_fields[] = {
    {"domain", SP_JSON_STRING, SP_JSON_REQUIRED, read_domain},
    {"fingerprint", SP_JSON_STRING, SP_JSON_REQUIRED, read_fingerprint},
    {"lifetime", SP_JSON_INTEGER, SP_JSON_OPTIONAL, read_lifetime},
    {"valid_from", SP_JSON_STRING, SP_JSON_OPTIONAL, read_valid_from},
    {"valid_until", SP_JSON_STRING, SP_JSON_OPTIONAL, read_valid_until},
    {"from", SP_JSON_ARRAY, SP_JSON_OPTIONAL, read_from},
    {"command", SP_JSON_STRING, SP_JSON_OPTIONAL, read_command},
    {"reason", SP_JSON_STRING, SP_JSON_OPTIONAL, read_reason},
    {"host", SP_JSON_STRING, SP_JSON_OPTIONAL, read_host},
    {"dry_run", SP_JSON_BOOL, SP_JSON_OPTIONAL, read_dry_run},
    {NULL},
};

static const struct sp_json_field list_fields[] = {
    {"domain", SP_JSON_STRING, SP_JSON_OPTIONAL, read_domain},
    {"all", SP_JSON_BOOL, SP_JSON_OPTIONAL, read_all},
    {NULL},
};

static const struct sp_json_field revoke_fields[] = {
    {"domain", SP_JSON_STRING, SP_JSON_OPTIONAL, read_domain},
    {"serial", SP_JSON_INTEGER, SP_JSON_OPTIONAL, read_serial},
    {"fingerprint", SP_JSON_STRING, SP_JSON_OPTIONAL, read_fingerprint},
    {"key_id", SP_JSON_STRING, SP_JSON_OPTIONAL, read_key_id},
    {"reason", SP_JSON_STRING, SP_JSON_OPTIONAL, read_reason},
    {"dry_run", SP_JSON_BOOL, SP_JSON_OPTIONAL, read_dry_run},
    {NULL},
};

static const struct sp_json_field create_fields[] = {
    {"key", SP_JSON_STRING, SP_JSON_OPTIONAL, read_key},
    {"dry_run", SP_JSON_BOOL, SP_JSON_OPTIONAL, read_dry_run},
    {NULL},
};

static const struct sp_json_field drop_fields[] = {
    {"number", SP_JSON_INTEGER, SP_JSON_REQUIRED, read_number},
    {"dry_run", SP_JSON_BOOL, SP_JSON_OPTIONAL, read_dry_run},
    {NULL},
};

static const struct sp_json_field explain_fields[] = {
    {"domain", SP_JSON_STRING, SP_JSON_REQUIRED, read_domain},
    {NULL},
};

static const struct sp_json_field no_fields[] = {{NULL}};

static const struct sp_json_field *const tables[] = {
    [SP_CERT_ISSUE] = issue_fields,      [SP_CERT_LIST] = list_fields,
    [SP_CERT_REVOKE] = revoke_fields,    [SP_CERT_CA_GET] = no_fields,
    [SP_CERT_CA_CREATE] = create_fields, [SP_CERT_CA_DROP] = drop_fields,
    [SP_CERT_EXPLAIN] = explain_fields,
};

int sp_cert_request_decode(enum sp_cert_method which, const cJSON *params, struct sp_cert_request *ret,
                           struct sp_error *err)
{
    _cleanup_(sp_cert_request_clear) struct sp_cert_request r = {0};
    _cleanup_json_ cJSON *empty = cJSON_CreateObject();

    if (empty == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (sp_json_decode(params != NULL ? params : empty, tables[which], &r, err) < 0)
        return -1;
    if (which == SP_CERT_REVOKE && r.domain[0] == '\0' && r.serial == 0 && r.fingerprint[0] == '\0' &&
        r.key_id[0] == '\0') {
        sp_fail(err, SP_E_INVALID, 0, "nothing says which certificates are meant");
        sp_hint(err, "name a serial, a fingerprint, a key_id or a domain");
        return sp_field(err, "serial");
    }
    *ret = r;
    r = (struct sp_cert_request){0};
    return 0;
}
