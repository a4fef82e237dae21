/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What people see: errors, changes, and the way from a verb to its answer. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cmd/verb.h"
#include "model/json.h"

int sp_show_error(const struct sp_error *err)
{
    const char *field = err->field;

    (void)sp_str_prefix(field, "params.", &field);
    (void)fprintf(stderr, "sallyport: %s%s%s\n", field, field[0] != '\0' ? ": " : "", err->text);
    if (err->hint[0] != '\0')
        (void)fprintf(stderr, "  try: %s\n", err->hint);
    return sp_code_exit(err->code);
}

int sp_verb_usage(const struct sp_args *a, const char *text)
{
    struct sp_error err;

    (void)a;
    sp_fail(&err, SP_E_INVALID, 0, "%s", text);
    sp_hint(&err, "sallyport --help");
    return sp_show_error(&err);
}

static const char *text_of(const cJSON *object, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsString(v) ? v->valuestring : "";
}

/* "resource target: from -> to"; what was read back is shown only where it is not what was wanted. */
static void show_change(const cJSON *c)
{
    const char *from = text_of(c, "from"), *to = text_of(c, "to"), *is = text_of(c, "read_back");

    (void)printf("  %s %s: %s -> %s", text_of(c, "resource"), text_of(c, "target"),
                 from[0] != '\0' ? from : "(absent)", to[0] != '\0' ? to : "(absent)");
    if (is[0] != '\0' && !sp_streq(is, to))
        (void)printf(" (now: %s)", is);
    (void)printf("\n");
}

void sp_show_changes(const cJSON *result)
{
    const cJSON *changes = cJSON_GetObjectItemCaseSensitive(result, "changes"), *item = NULL;
    bool changed = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(result, "changed"));

    if (cJSON_GetArraySize(changes) == 0)
        (void)printf("%s\n", changed ? "recorded; nothing on the host had to change" : "nothing to change");
    cJSON_ArrayForEach(item, changes)
    {
        show_change(item);
    }
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(result, "warnings"))
    {
        (void)printf("  warning: %s\n", cJSON_IsString(item) ? item->valuestring : "");
    }
}

static bool some_failed(const cJSON *result)
{
    const cJSON *failed = cJSON_GetObjectItemCaseSensitive(result, "failed");

    return cJSON_IsNumber(failed) && failed->valuedouble > 0;
}

static int status_of(const cJSON *result)
{
    const cJSON *state = cJSON_GetObjectItemCaseSensitive(result, "state");
    const cJSON *verdict = cJSON_GetObjectItemCaseSensitive(result, "verdict");

    if (some_failed(result) || cJSON_GetObjectItemCaseSensitive(result, "metrics_error") != NULL ||
        cJSON_GetObjectItemCaseSensitive(result, "problems") != NULL ||
        some_failed(cJSON_GetObjectItemCaseSensitive(result, "jails")))
        return SP_EXIT_SOME_FAILED;
    if (cJSON_IsString(verdict) && sp_streq(verdict->valuestring, "refused"))
        return SP_EXIT_REFUSED;
    if (!cJSON_IsString(state) || sp_streq(state->valuestring, "good"))
        return 0;
    return sp_streq(state->valuestring, "stale") ? SP_EXIT_STALE : sp_code_exit(SP_E_NOT_IN_FORCE);
}

int sp_verb_call(const struct sp_args *a, const char *method, cJSON *params,
                 void (*show)(const cJSON *result))
{
    _cleanup_json_wiped_ cJSON *owned = params;
    _cleanup_json_ cJSON *result = NULL;
    struct sp_error err;

    if (owned == NULL)
        return sp_verb_usage(a, "out of memory");
    if (sp_call_method(a->engine, method, params, "cli", &result, &err) < 0)
        return sp_show_error(&err);
    if (sp_args_has(a, SP_OPT_JSON)) {
        _cleanup_free_ char *text = cJSON_Print(result);
        (void)printf("%s\n", text != NULL ? text : "");
    } else {
        if (cJSON_GetObjectItemCaseSensitive(params, "dry_run") != NULL)
            (void)printf("dry run: nothing was changed\n");
        show(result);
    }
    return fflush(stdout) == 0 ? status_of(result) : sp_code_exit(SP_E_IO);
}

void sp_params_list(cJSON *params, const char *name, const char *list)
{
    cJSON *array = list != NULL ? cJSON_AddArrayToObject(params, name) : NULL;

    while (array != NULL && *list != '\0') {
        size_t n = strcspn(list, ",");
        char word[256];
        if (n > 0 && sp_str_format(word, sizeof(word), "%.*s", (int)n, list) == 0)
            (void)cJSON_AddItemToArray(array, cJSON_CreateString(word));
        list += n + (list[n] == ',');
    }
}

void sp_params_text(cJSON *params, const char *name, const char *text)
{
    if (text != NULL)
        (void)cJSON_AddStringToObject(params, name, text);
}

void sp_params_flag(cJSON *params, const char *name, const char *given)
{
    if (given != NULL)
        (void)cJSON_AddTrueToObject(params, name);
}
