/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/extra.h"

#include "base/str.h"
#include "model/json.h"
#include "model/when.h"

int sp_extra_to_json(const struct sp_extra *l, cJSON *object, struct sp_error *err)
{
    if (cJSON_AddStringToObject(object, "owner", l->owner) &&
        cJSON_AddNumberToObject(object, "owner_uid", l->owner_uid) &&
        cJSON_AddNumberToObject(object, "owner_gid", l->owner_gid) &&
        cJSON_AddStringToObject(object, "owner_home", l->owner_home) &&
        cJSON_AddBoolToObject(object, "read_only", l->access == SP_EXTRA_READS) &&
        cJSON_AddNumberToObject(object, "added_at", (double)l->added_at) &&
        cJSON_AddStringToObject(object, "label", l->label))
        return 0;
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

static int read_owner(const cJSON *v, void *dst, struct sp_error *err)
{
    if (sp_name_check_user(v->valuestring, err) < 0)
        return -1;
    return sp_str_copy(((struct sp_extra *)dst)->owner, SP_USER_SIZE, v->valuestring);
}

static int read_id(const cJSON *v, uint32_t *ret, struct sp_error *err)
{
    int64_t n = 0;

    if (sp_json_integer(v, 1, INT32_MAX, &n, err) < 0)
        return -1;
    *ret = (uint32_t)n;
    return 0;
}

static int read_uid(const cJSON *v, void *dst, struct sp_error *err)
{
    return read_id(v, &((struct sp_extra *)dst)->owner_uid, err);
}

static int read_gid(const cJSON *v, void *dst, struct sp_error *err)
{
    return read_id(v, &((struct sp_extra *)dst)->owner_gid, err);
}

static int read_home(const cJSON *v, void *dst, struct sp_error *err)
{
    if (sp_name_check_path(v->valuestring, err) < 0)
        return -1;
    return sp_str_copy(((struct sp_extra *)dst)->owner_home, SP_PATH_SIZE, v->valuestring);
}

static int read_access(const cJSON *v, void *dst, struct sp_error *err)
{
    (void)err;
    ((struct sp_extra *)dst)->access = cJSON_IsTrue(v) ? SP_EXTRA_READS : SP_EXTRA_WRITES;
    return 0;
}

static int read_added(const cJSON *v, void *dst, struct sp_error *err)
{
    return sp_json_integer(v, 0, SP_WHEN_MAX, &((struct sp_extra *)dst)->added_at, err);
}

static int read_label(const cJSON *v, void *dst, struct sp_error *err)
{
    if (sp_name_check_label(v->valuestring, err) < 0)
        return -1;
    return sp_str_copy(((struct sp_extra *)dst)->label, SP_LABEL_SIZE, v->valuestring);
}

static const struct sp_json_field fields[] = {
    {"owner", SP_JSON_STRING, SP_JSON_REQUIRED, read_owner},
    {"owner_uid", SP_JSON_INTEGER, SP_JSON_REQUIRED, read_uid},
    {"owner_gid", SP_JSON_INTEGER, SP_JSON_REQUIRED, read_gid},
    {"owner_home", SP_JSON_STRING, SP_JSON_REQUIRED, read_home},
    {"read_only", SP_JSON_BOOL, SP_JSON_REQUIRED, read_access},
    {"added_at", SP_JSON_INTEGER, SP_JSON_REQUIRED, read_added},
    {"label", SP_JSON_STRING, SP_JSON_REQUIRED, read_label},
    {NULL},
};

int sp_extra_from_json(const cJSON *json, struct sp_extra *ret, struct sp_error *err)
{
    struct sp_extra l = {0};

    if (sp_json_decode(json, fields, &l, err) < 0)
        return -1;
    *ret = l;
    return 0;
}
