/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/loginlog.h"

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/replace.h"
#include "model/json.h"
#include "model/when.h"

#define FILE_PATH SP_LOGINS_DIR "/past.json"
#define FILE_MAX (4U << 20)
#define ENTRIES_MAX 2000 /* the oldest go; the journal has them all */

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* One that is broken is begun anew: nothing is granted from it. */
static int load(struct sp_host *h, cJSON **ret, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf bytes = {0};

    *ret = NULL;
    if (sp_fsat_read(h->root_fd, FILE_PATH, FILE_MAX, &bytes, NULL, err) == 0) {
        if (sp_json_parse_large(sp_buf_str(&bytes), bytes.len, FILE_MAX, ret, err) < 0 &&
            err->code == SP_E_NO_MEMORY)
            return -1;
    } else if (err->code != SP_E_NOT_FOUND)
        return -1;
    if (!cJSON_IsObject(*ret) || !cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(*ret, "past")) ||
        !cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(*ret, "last_uid"))) {
        cJSON_Delete(*ret);
        *ret = cJSON_CreateObject();
        if (!cJSON_AddNumberToObject(*ret, "last_uid", 0) || !cJSON_AddArrayToObject(*ret, "past"))
            return no_memory(err);
    }
    return 0;
}

static int save(struct sp_host *h, const cJSON *log, struct sp_error *err)
{
    const struct sp_replace how = {.mode = 0600, .uid = 0, .gid = 0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};

    if (sp_json_print(log, &text, err) < 0)
        return -1;
    return sp_replace_path(h, FILE_PATH, text.data, text.len, &how, err);
}

int sp_loginlog_last(struct sp_host *h, uint32_t *ret, struct sp_error *err)
{
    _cleanup_json_ cJSON *log = NULL;
    const cJSON *last;
    int64_t n = 0;

    *ret = 0;
    if (load(h, &log, err) < 0)
        return -1;
    last = cJSON_GetObjectItemCaseSensitive(log, "last_uid");
    if (sp_json_integer(last, 0, INT32_MAX, &n, err) == 0)
        *ret = (uint32_t)n;
    return 0;
}

int sp_loginlog_set_last(struct sp_host *h, uint32_t uid, struct sp_error *err)
{
    _cleanup_json_ cJSON *log = NULL;

    if (load(h, &log, err) < 0)
        return -1;
    (void)cJSON_SetNumberValue(cJSON_GetObjectItemCaseSensitive(log, "last_uid"), uid);
    return save(h, log, err);
}

static cJSON *when(int64_t t)
{
    char text[SP_WHEN_SIZE];

    sp_when_format(t, text);
    return t != 0 ? cJSON_CreateString(text) : cJSON_CreateNull();
}

static const char *text_of(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

    return cJSON_IsString(v) ? v->valuestring : "";
}

static bool is_of(const cJSON *o, const struct sp_account *a)
{
    const cJSON *uid = cJSON_GetObjectItemCaseSensitive(o, "uid");

    return sp_streq(text_of(o, "user"), a->user) && cJSON_IsNumber(uid) && uid->valuedouble == a->uid;
}

int sp_loginlog_add(struct sp_host *h, const struct sp_account *a, const char *reason, struct sp_error *err)
{
    _cleanup_json_ cJSON *log = NULL;
    cJSON *past, *o = cJSON_CreateObject();

    if (load(h, &log, err) < 0) {
        cJSON_Delete(o);
        return -1;
    }
    past = cJSON_GetObjectItemCaseSensitive(log, "past");
    for (int i = cJSON_GetArraySize(past); i > 0; i--)
        if (is_of(cJSON_GetArrayItem(past, i - 1), a) || i > ENTRIES_MAX - 1)
            cJSON_DeleteItemFromArray(past, i - 1);
    if (!cJSON_InsertItemInArray(past, 0, o)) {
        cJSON_Delete(o);
        return no_memory(err);
    }
    if (!cJSON_AddStringToObject(o, "domain", a->n_domains > 0 ? a->domains[0].name : "") ||
        !cJSON_AddStringToObject(o, "user", a->user) || !cJSON_AddNumberToObject(o, "uid", a->uid) ||
        !cJSON_AddStringToObject(o, "label", a->extra.label) ||
        !cJSON_AddItemToObject(o, "added_at", when(a->extra.added_at)) ||
        !cJSON_AddItemToObject(o, "expires_at", when(a->access.valid_until)) ||
        !cJSON_AddItemToObject(o, "removed_at", when(h->ops->now(h))) ||
        !cJSON_AddStringToObject(o, "reason", reason))
        return no_memory(err);
    return save(h, log, err);
}

int sp_loginlog_list(struct sp_host *h, const char *domain, cJSON *array, struct sp_error *err)
{
    _cleanup_json_ cJSON *log = NULL;
    const cJSON *item = NULL;

    if (load(h, &log, err) < 0)
        return -1;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(log, "past"))
    {
        cJSON *copy;
        if (!sp_streq(text_of(item, "domain"), domain))
            continue;
        copy = cJSON_Duplicate(item, true);
        cJSON_DeleteItemFromObjectCaseSensitive(copy, "domain");
        if (!cJSON_AddItemToArray(array, copy))
            return no_memory(err);
    }
    return 0;
}
