/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/found.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/json.h"
#include "model/when.h"

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

void sp_found_clear(struct sp_found *f)
{
    free(f->keys);
    *f = (struct sp_found){0};
}

int sp_found_copy(struct sp_found *dst, const struct sp_found *src, struct sp_error *err)
{
    struct sp_found_key *keys = calloc(src->n_keys + 1, sizeof(*keys));

    if (keys == NULL)
        return no_memory(err);
    if (src->n_keys > 0)
        memcpy(keys, src->keys, src->n_keys * sizeof(*keys));
    *dst = *src;
    dst->keys = keys;
    return 0;
}

static struct sp_found_key *find(const struct sp_found *f, const char *fingerprint)
{
    for (size_t i = 0; i < f->n_keys; i++)
        if (sp_streq(f->keys[i].fingerprint, fingerprint))
            return &f->keys[i];
    return NULL;
}

bool sp_found_has_key(const struct sp_found *f, const char *fingerprint)
{
    return find(f, fingerprint) != NULL;
}

int sp_found_add_key(struct sp_found *f, const char *fingerprint, const char *type, struct sp_error *err)
{
    struct sp_found_key *grown;

    if (find(f, fingerprint) != NULL)
        return 0;
    if (f->n_keys >= SP_FOUND_KEYS_MAX)
        return sp_fail(err, SP_E_INVALID, 0, "more than %d keys", SP_FOUND_KEYS_MAX);
    grown = reallocarray(f->keys, f->n_keys + 1, sizeof(*grown));
    if (grown == NULL)
        return no_memory(err);
    f->keys = grown;
    grown[f->n_keys] = (struct sp_found_key){0};
    if (sp_fingerprint_check(fingerprint, err) < 0)
        return -1;
    if (sp_str_copy(grown[f->n_keys].fingerprint, SP_FINGERPRINT_SIZE, fingerprint) < 0 ||
        sp_str_copy(grown[f->n_keys].type, sizeof(grown->type), type) < 0 ||
        !sp_str_is_clean(type, strlen(type)))
        return sp_fail(err, SP_E_INVALID, 0, "no type of a key");
    f->n_keys++;
    return 0;
}

bool sp_found_drop_key(struct sp_found *f, const char *fingerprint)
{
    struct sp_found_key *k = find(f, fingerprint);

    if (k == NULL)
        return false;
    memmove(k, k + 1, (size_t)(&f->keys[f->n_keys] - (k + 1)) * sizeof(*k));
    f->n_keys--;
    return true;
}

int sp_panel_check_name(const char *name, struct sp_error *err)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

    if (n > 0 && name[n] == '\0' && n < SP_PANEL_SIZE && name[0] != '-')
        return 0;
    sp_fail(err, SP_E_INVALID, 0, "\"%.40s\" is no panel's name", name);
    return sp_hint(err,
                   "plesk, hestia, virtualmin, ispconfig, cpanel or generic, or a file of your own in "
                   "/etc/sallyport/panels.d");
}

int sp_found_to_json(const struct sp_found *f, cJSON *object, struct sp_error *err)
{
    char at[SP_WHEN_SIZE];
    cJSON *keys;

    sp_when_format(f->at, at);
    if (!cJSON_AddStringToObject(object, "panel", f->panel) ||
        !cJSON_AddBoolToObject(object, "held", f->held) || !cJSON_AddStringToObject(object, "at", at) ||
        !cJSON_AddStringToObject(object, "shell", f->shell) ||
        !cJSON_AddStringToObject(object, "home", f->home))
        return no_memory(err);
    keys = cJSON_AddArrayToObject(object, "keys");
    for (size_t i = 0; i < f->n_keys; i++) {
        cJSON *k = cJSON_CreateObject();
        if (k == NULL || !cJSON_AddItemToArray(keys, k)) {
            cJSON_Delete(k);
            return no_memory(err);
        }
        if (!cJSON_AddStringToObject(k, "fingerprint", f->keys[i].fingerprint) ||
            !cJSON_AddStringToObject(k, "type", f->keys[i].type))
            return no_memory(err);
    }
    return keys != NULL ? 0 : no_memory(err);
}

static int read_panel(const cJSON *v, void *dst, struct sp_error *err)
{
    if (sp_panel_check_name(v->valuestring, err) < 0)
        return -1;
    return sp_str_copy(((struct sp_found *)dst)->panel, SP_PANEL_SIZE, v->valuestring);
}

static int read_held(const cJSON *v, void *dst, struct sp_error *err)
{
    (void)err;
    ((struct sp_found *)dst)->held = cJSON_IsTrue(v);
    return 0;
}

static int read_at(const cJSON *v, void *dst, struct sp_error *err)
{
    return sp_when_parse(v->valuestring, &((struct sp_found *)dst)->at, err);
}

/* Words of passwd(5): shown, never written back. */
static int read_text(const cJSON *v, char dst[SP_FOUND_TEXT], struct sp_error *err)
{
    if (sp_str_is_clean(v->valuestring, strlen(v->valuestring)) &&
        sp_str_copy(dst, SP_FOUND_TEXT, v->valuestring) == 0)
        return 0;
    return sp_fail(err, SP_E_INVALID, 0, "no field of passwd");
}

static int read_shell(const cJSON *v, void *dst, struct sp_error *err)
{
    return read_text(v, ((struct sp_found *)dst)->shell, err);
}

static int read_home(const cJSON *v, void *dst, struct sp_error *err)
{
    return read_text(v, ((struct sp_found *)dst)->home, err);
}

static int read_keys(const cJSON *v, void *dst, struct sp_error *err)
{
    const cJSON *item = NULL;

    cJSON_ArrayForEach(item, v)
    {
        const cJSON *f = cJSON_GetObjectItemCaseSensitive(item, "fingerprint"),
                    *t = cJSON_GetObjectItemCaseSensitive(item, "type");
        if (!cJSON_IsString(f) || !cJSON_IsString(t))
            return sp_fail(err, SP_E_INVALID, 0, "no key");
        if (sp_found_add_key(dst, f->valuestring, t->valuestring, err) < 0)
            return -1;
    }
    return 0;
}

static const struct sp_json_field fields[] = {
    {"panel", SP_JSON_STRING, SP_JSON_REQUIRED, read_panel},
    {"held", SP_JSON_BOOL, SP_JSON_REQUIRED, read_held},
    {"at", SP_JSON_STRING, SP_JSON_REQUIRED, read_at},
    {"shell", SP_JSON_STRING, SP_JSON_REQUIRED, read_shell},
    {"home", SP_JSON_STRING, SP_JSON_REQUIRED, read_home},
    {"keys", SP_JSON_ARRAY, SP_JSON_REQUIRED, read_keys},
    {NULL},
};

int sp_found_from_json(const cJSON *json, struct sp_found *ret, struct sp_error *err)
{
    return sp_json_decode(json, fields, ret, err);
}
