/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Outcomes as JSON: the shapes that the schema describes. */
#include "base/mem.h"
#include "base/str.h"
#include "engine/engine.h"
#include "model/json.h"

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* What a user wrote into his files stands in these texts too, and they are cut at their size. */
static cJSON *printable(const char *text)
{
    char copy[SP_CHANGE_TEXT];

    (void)sp_str_format(copy, sizeof(copy), "%.511s", text);
    sp_str_make_printable(copy);
    return cJSON_CreateString(copy);
}

static bool put_text(cJSON *object, const char *name, const char *text)
{
    cJSON *item = text[0] != '\0' ? printable(text) : cJSON_CreateNull();

    if (item != NULL && cJSON_AddItemToObject(object, name, item))
        return true;
    cJSON_Delete(item);
    return false;
}

int sp_report_changes(const struct sp_plan *p, cJSON *object, const char *name, struct sp_error *err)
{
    cJSON *array = cJSON_AddArrayToObject(object, name);

    if (array == NULL)
        return no_memory(err);
    for (size_t i = 0; i < p->n; i++) {
        const struct sp_change *c = &p->v[i];
        cJSON *o = cJSON_CreateObject();
        if (o == NULL || !cJSON_AddItemToArray(array, o)) {
            cJSON_Delete(o);
            return no_memory(err);
        }
        if (cJSON_AddStringToObject(o, "resource", c->resource->name) == NULL ||
            !put_text(o, "target", c->target) || !put_text(o, "from", c->from) ||
            !put_text(o, "to", c->to) || !put_text(o, "read_back", c->read_back))
            return no_memory(err);
    }
    return 0;
}

int sp_report_outcome(const struct sp_outcome *o, cJSON *object, struct sp_error *err)
{
    cJSON *warnings;

    if (cJSON_AddStringToObject(object, "user", o->user) == NULL ||
        cJSON_AddNumberToObject(object, "generation", (double)o->generation) == NULL ||
        cJSON_AddBoolToObject(object, "changed", o->changed) == NULL)
        return no_memory(err);
    if (sp_report_changes(&o->plan, object, "changes", err) < 0)
        return -1;
    warnings = cJSON_AddArrayToObject(object, "warnings");
    if (warnings == NULL)
        return no_memory(err);
    for (size_t i = 0; i < o->plan.n_notes; i++) {
        cJSON *text = printable(o->plan.notes[i].to);
        if (text == NULL || !cJSON_AddItemToArray(warnings, text)) {
            cJSON_Delete(text);
            return no_memory(err);
        }
    }
    return 0;
}

int sp_report_first(cJSON *object, const char *resource, const char *target, const char *from,
                    const char *to, const char *read_back, struct sp_error *err)
{
    cJSON *changes = cJSON_GetObjectItemCaseSensitive(object, "changes"), *o = cJSON_CreateObject();

    if (o == NULL || cJSON_AddStringToObject(o, "resource", resource) == NULL ||
        !put_text(o, "target", target) || !put_text(o, "from", from) || !put_text(o, "to", to) ||
        !put_text(o, "read_back", read_back != NULL ? read_back : "") ||
        !cJSON_InsertItemInArray(changes, 0, o)) {
        cJSON_Delete(o);
        return no_memory(err);
    }
    (void)cJSON_ReplaceItemInObjectCaseSensitive(object, "changed", cJSON_CreateTrue());
    return 0;
}
