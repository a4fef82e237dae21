/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/fwopened.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/layout.h"
#include "host/replace.h"
#include "model/fwstate.h"
#include "model/json.h"

#define NAME "firewall.opened"
#define MAX_BYTES 65536

static const char *text_of(const cJSON *o, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));

    return text != NULL ? text : "";
}

static int number_of(const cJSON *o, const char *name)
{
    const cJSON *n = cJSON_GetObjectItemCaseSensitive(o, name);

    return cJSON_IsNumber(n) && n->valuedouble >= 0 && n->valuedouble <= 65535 ? (int)n->valuedouble : 0;
}

static int read_one(const cJSON *j, struct sp_fwopened *l, struct sp_error *err)
{
    struct sp_fwopen o = {.by = SP_FIREWALL_KINDS,
                          .family = (uint8_t)number_of(j, "family"),
                          .port = (uint16_t)number_of(j, "port")};

    for (int i = 0; i < SP_FIREWALL_KINDS; i++)
        if (sp_streq(text_of(j, "by"), sp_firewall_kind_name((enum sp_firewall_kind)i)))
            o.by = (enum sp_firewall_kind)i;
    if (o.by == SP_FIREWALL_KINDS || o.port == 0 ||
        sp_str_copy(o.zone, sizeof(o.zone), text_of(j, "zone")) < 0)
        return sp_fail(err, SP_E_STATE, 0, "%s is broken", NAME);
    return sp_fwopened_add(l, &o, err);
}

int sp_fwopened_load(struct sp_host *h, struct sp_fwopened *ret, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    _cleanup_json_ cJSON *j = NULL;
    const cJSON *item = NULL;

    *ret = (struct sp_fwopened){0};
    if (sp_fsat_read(h->root_fd, SP_STORE "/" NAME, MAX_BYTES, &text, NULL, err) < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    if (sp_fwstate_unseal(sp_buf_str(&text), text.len, &j, err) < 0)
        return -1;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(j, "opened"))
    {
        if (read_one(item, ret, err) < 0)
            return -1;
    }
    return 0;
}

static cJSON *to_json(const struct sp_fwopened *l)
{
    _cleanup_json_ cJSON *j = cJSON_CreateObject();
    cJSON *array;

    if (!cJSON_AddNumberToObject(j, "version", SP_FWSTATE_VERSION) ||
        (array = cJSON_AddArrayToObject(j, "opened")) == NULL)
        return NULL;
    for (size_t i = 0; i < l->n; i++) {
        cJSON *o = cJSON_CreateObject();
        if (!cJSON_AddItemToArray(array, o) ||
            !cJSON_AddStringToObject(o, "by", sp_firewall_kind_name(l->v[i].by)) ||
            !cJSON_AddNumberToObject(o, "family", l->v[i].family) ||
            !cJSON_AddNumberToObject(o, "port", l->v[i].port) ||
            !cJSON_AddStringToObject(o, "zone", l->v[i].zone))
            return NULL;
    }
    return sp_steal_ptr(j);
}

int sp_fwopened_save(struct sp_host *h, const struct sp_fwopened *l, struct sp_error *err)
{
    const struct sp_replace how = {.mode = 0600, .uid = (uid_t)-1, .gid = (gid_t)-1};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    _cleanup_json_ cJSON *j = to_json(l);
    _cleanup_close_ int dir = -1;

    if (l->n == 0) {
        dir = sp_fsat_open_dir(h->root_fd, SP_STORE, SP_FSAT_NONE, err);
        return dir < 0 ? -1 : sp_replace_remove(h, dir, NAME, err);
    }
    if (sp_fwstate_seal(j, &text, err) < 0)
        return -1;
    return sp_replace_path(h, SP_STORE "/" NAME, text.data, text.len, &how, err);
}

int sp_fwopened_add(struct sp_fwopened *l, const struct sp_fwopen *o, struct sp_error *err)
{
    for (size_t i = 0; i < l->n; i++)
        if (sp_fwopen_equal(&l->v[i], o))
            return 0;
    if (l->n == SP_FWOPENED_MAX)
        return sp_fail(err, SP_E_UNSUPPORTED, 0, "more than %d ports opened in other firewalls",
                       SP_FWOPENED_MAX);
    l->v[l->n++] = *o;
    return 0;
}
