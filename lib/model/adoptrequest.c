/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/adoptrequest.h"

#include "base/mem.h"
#include "base/str.h"
#include "model/json.h"
#include "model/name.h"
#include "model/panel.h"

static int read_panel(const cJSON *v, void *dst, struct sp_error *err)
{
    ((struct sp_adopt_request *)dst)->panel = v->valuestring;
    return sp_panel_check_name(v->valuestring, err);
}

static int read_root(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_error ignored;

    ((struct sp_adopt_request *)dst)->document_root = v->valuestring;
    if (sp_name_check_path(v->valuestring, &ignored) == 0)
        return 0;
    sp_fail(err, SP_E_INVALID, 0, "no absolute pattern");
    return sp_hint(err,
                   "such as /var/www/vhosts/* or /srv/www/*/htdocs: what the first * stands for is the "
                   "domain");
}

static int read_names(const cJSON *v, void *dst, struct sp_error *err)
{
    const cJSON *one = NULL;
    int n = 0;

    ((struct sp_adopt_request *)dst)->names = v;
    cJSON_ArrayForEach(one, v)
    {
        struct sp_error ignored;
        if (!cJSON_IsString(one) || (sp_name_check_domain(one->valuestring, &ignored) < 0 &&
                                     sp_name_check_user(one->valuestring, &ignored) < 0)) {
            sp_fail(err, SP_E_INVALID, 0, "neither a domain nor a user");
            sp_hint(err, "name what the panel has, or nothing for all of it");
            return sp_field(err, "[%d]", n);
        }
        if (++n > SP_ADOPT_NAMES_MAX)
            return sp_fail(err, SP_E_INVALID, 0, "more than %d names", SP_ADOPT_NAMES_MAX);
    }
    return 0;
}

static int read_undo(const cJSON *v, void *dst, struct sp_error *err)
{
    (void)err;
    ((struct sp_adopt_request *)dst)->undo = cJSON_IsTrue(v);
    return 0;
}

static int read_dry(const cJSON *v, void *dst, struct sp_error *err)
{
    (void)err;
    ((struct sp_adopt_request *)dst)->dry_run = cJSON_IsTrue(v);
    return 0;
}

static int read_configuration(const cJSON *v, void *dst, struct sp_error *err)
{
    (void)err;
    ((struct sp_adopt_request *)dst)->configuration = cJSON_IsTrue(v);
    return 0;
}

static const struct sp_json_field fields[] = {
    {"panel", SP_JSON_STRING, SP_JSON_OPTIONAL, read_panel},
    {"document_root", SP_JSON_STRING, SP_JSON_OPTIONAL, read_root},
    {"names", SP_JSON_ARRAY, SP_JSON_OPTIONAL, read_names},
    {"undo", SP_JSON_BOOL, SP_JSON_OPTIONAL, read_undo},
    {"dry_run", SP_JSON_BOOL, SP_JSON_OPTIONAL, read_dry},
    {"configuration", SP_JSON_BOOL, SP_JSON_OPTIONAL, read_configuration},
    {NULL},
};

int sp_adopt_request_decode(const cJSON *params, struct sp_adopt_request *ret, struct sp_error *err)
{
    _cleanup_json_ cJSON *empty = cJSON_CreateObject();

    if (empty == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (sp_json_decode(params != NULL ? params : empty, fields, ret, err) < 0)
        return -1;
    if (ret->document_root == NULL || sp_streq(ret->panel, "generic"))
        return 0;
    sp_fail(err, SP_E_INVALID, 0, "a pattern of one's own is for the panel generic");
    sp_hint(err, "send \"panel\":\"generic\" (--from generic) with it");
    return sp_field(err, "document_root");
}
