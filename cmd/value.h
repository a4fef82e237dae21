/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an answer holds, for showing: nothing here fails, what is not there is empty. */
#ifndef SP_CMD_VALUE_H
#define SP_CMD_VALUE_H

#include <cjson/cJSON.h>
#include <stdbool.h>

static inline const cJSON *sp_item(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* A text that is not empty, or `otherwise`. */
static inline const char *sp_text_or(const cJSON *object, const char *name, const char *otherwise)
{
    const cJSON *v = sp_item(object, name);

    return cJSON_IsString(v) && v->valuestring[0] != '\0' ? v->valuestring : otherwise;
}

static inline const char *sp_text(const cJSON *object, const char *name)
{
    return sp_text_or(object, name, "");
}

static inline const char *sp_text_itself(const cJSON *v)
{
    return cJSON_IsString(v) ? v->valuestring : "";
}

static inline double sp_number(const cJSON *object, const char *name)
{
    const cJSON *v = sp_item(object, name);

    return cJSON_IsNumber(v) ? v->valuedouble : 0;
}

static inline bool sp_is_true(const cJSON *object, const char *name)
{
    return cJSON_IsTrue(sp_item(object, name));
}

#endif
