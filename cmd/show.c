/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What people see: errors, changes, and the way from a verb to its answer. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cmd/clean.h"
#include "cmd/tone.h"
#include "cmd/verb.h"
#include "model/json.h"

cJSON *sp_error_json(const struct sp_error *err)
{
    cJSON *error = cJSON_CreateObject(), *data;

    (void)cJSON_AddNumberToObject(error, "code", sp_code_rpc(err->code));
    (void)cJSON_AddStringToObject(error, "message", err->text);
    data = cJSON_AddObjectToObject(error, "data");
    (void)cJSON_AddStringToObject(data, "reason", sp_code_name(err->code));
    (void)cJSON_AddStringToObject(data, "field", err->field);
    (void)cJSON_AddStringToObject(data, "hint", err->hint);
    return error;
}

int sp_show_error(const struct sp_error *err)
{
    return sp_show_failure(NULL, err);
}

int sp_show_failure(const struct sp_args *a, const struct sp_error *err)
{
    const char *field = err->field;

    if (a != NULL && sp_args_has(a, SP_OPT_JSON)) {
        _cleanup_json_ cJSON *answer = cJSON_CreateObject();
        (void)cJSON_AddItemToObject(answer, "error", sp_error_json(err));
        sp_print_json(answer);
        (void)fflush(stdout);
    }
    (void)sp_str_prefix(field, "params.", &field);
    (void)fprintf(stderr, "%ssallyport:%s %s%s%s\n", sp_tone(SP_TONE_BAD, stderr),
                  sp_tone(SP_TONE_PLAIN, stderr), field, field[0] != '\0' ? ": " : "", err->text);
    if (err->hint[0] != '\0')
        (void)fprintf(stderr, "  try: %s\n", err->hint);
    return sp_code_exit(err->code);
}

bool sp_args_has_any(const struct sp_args *a, uint64_t options)
{
    for (int o = 0; o < SP_OPT_COUNT; o++)
        if ((options & UINT64_C(1) << o) != 0 && sp_args_has(a, (enum sp_option)o))
            return true;
    return false;
}

int sp_verb_usage(const struct sp_args *a, const char *text)
{
    struct sp_error err;

    sp_fail(&err, SP_E_INVALID, 0, "%s", text);
    sp_hint(&err, "sallyport %s --help", a->verb->name);
    return sp_show_failure(a, &err);
}

static void show_warnings(const cJSON *result)
{
    const cJSON *item = NULL;

    cJSON_ArrayForEach(item, sp_item(result, "warnings"))
    {
        (void)printf("  %swarning:%s %s\n", sp_tone(SP_TONE_WARN, stdout), sp_tone(SP_TONE_PLAIN, stdout),
                     sp_text_itself(item));
    }
}

/* What was read back, where it is not what was wanted. A generation's is its name: its beginning will do.
 */
static void show_read_back(const cJSON *c)
{
    const char *is = sp_text(c, "read_back");

    if (is[0] == '\0' || sp_streq(is, sp_text(c, "to")))
        return;
    if (sp_streq(sp_text(c, "resource"), "generation"))
        (void)printf(" (%.12s)", is);
    else
        (void)printf(" %s(now: %s)%s", sp_tone(SP_TONE_BAD, stdout), is, sp_tone(SP_TONE_PLAIN, stdout));
}

/* "resource target: from -> to" */
static void show_change(const cJSON *c)
{

    (void)printf("  %s %s: %s -> %s", sp_text(c, "resource"), sp_text(c, "target"),
                 sp_text_or(c, "from", "(absent)"), sp_text_or(c, "to", "(absent)"));
    show_read_back(c);
    (void)printf("\n");
}

static void say_if_none(const cJSON *result)
{
    if (cJSON_GetArraySize(sp_item(result, "changes")) == 0)
        (void)printf("%s\n", sp_is_true(result, "changed") ? "recorded; nothing on the host had to change"
                                                           : "nothing to change");
}

void sp_show_changes(const cJSON *result)
{
    const cJSON *item = NULL;

    say_if_none(result);
    cJSON_ArrayForEach(item, sp_item(result, "changes"))
    {
        show_change(item);
    }
    show_warnings(result);
}

/* A text of several lines is shown line by line, each behind its sign. */
static void show_side(char sign, enum sp_tone tone, const char *text)
{
    while (text[0] != '\0') {
        size_t n = strcspn(text, "\n");
        (void)printf("%s    %c %.*s%s\n", sp_tone(tone, stdout), sign, (int)n, text,
                     sp_tone(SP_TONE_PLAIN, stdout));
        text += n + (text[n] == '\n');
    }
}

void sp_show_diff(const cJSON *result)
{
    const cJSON *item = NULL;
    int n = cJSON_GetArraySize(sp_item(result, "changes"));

    say_if_none(result);
    if (n > 0)
        (void)printf("%s%s%s (user %s): %d change%s\n", sp_tone(SP_TONE_STRONG, stdout),
                     sp_text(result, "domain"), sp_tone(SP_TONE_PLAIN, stdout), sp_text(result, "user"), n,
                     n == 1 ? "" : "s");
    cJSON_ArrayForEach(item, sp_item(result, "changes"))
    {
        (void)printf("  %s %s\n", sp_text(item, "resource"), sp_text(item, "target"));
        show_side('-', SP_TONE_BAD, sp_text(item, "from"));
        show_side('+', SP_TONE_GOOD, sp_text(item, "to"));
    }
    show_warnings(result);
}

static bool some_failed(const cJSON *result)
{
    return sp_number(result, "failed") > 0;
}

int sp_verb_status_of(const cJSON *result)
{
    const char *state = sp_text(result, "state");

    if (some_failed(result) || sp_item(result, "metrics_error") != NULL ||
        sp_item(result, "problems") != NULL || some_failed(sp_item(result, "jails")))
        return SP_EXIT_SOME_FAILED;
    if (sp_streq(sp_text(result, "verdict"), "refused"))
        return SP_EXIT_REFUSED;
    if (state[0] == '\0' || sp_streq(state, "good"))
        return 0;
    return sp_streq(state, "stale") ? SP_EXIT_STALE : sp_code_exit(SP_E_NOT_IN_FORCE);
}

int sp_verb_ask_engine(const struct sp_args *a, const char *method, const cJSON *params, cJSON **ret_result,
                       struct sp_error *err)
{
    long long drawn = 0;
    int rc;

    a->engine->progress = sp_progress;
    a->engine->progress_data = &drawn;
    rc = sp_call_method(a->engine, method, params, "cli", ret_result, err);
    a->engine->progress = NULL;
    if (rc < 0)
        return -1;
    if (!sp_args_has(a, SP_OPT_JSON))
        sp_clean_for_terminal(*ret_result);
    return 0;
}

int sp_verb_call(const struct sp_args *a, const char *method, cJSON *params,
                 void (*show)(const cJSON *result))
{
    _cleanup_json_wiped_ cJSON *owned = params;
    _cleanup_json_ cJSON *result = NULL;
    struct sp_error err;

    if (owned == NULL) {
        sp_fail(&err, SP_E_NO_MEMORY, 0, "out of memory");
        return sp_show_failure(a, &err);
    }
    if (sp_verb_ask_engine(a, method, params, &result, &err) < 0)
        return sp_show_failure(a, &err);
    if (sp_args_has(a, SP_OPT_JSON))
        sp_print_json(result);
    else {
        if (cJSON_IsTrue(sp_item(params, "dry_run")))
            (void)printf("dry run: nothing was changed\n");
        show(result);
    }
    return fflush(stdout) == 0 ? sp_verb_status_of(result) : sp_code_exit(SP_E_IO);
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

void sp_params_number(cJSON *params, const char *name, const char *text)
{
    uint64_t n = 0;

    if (text != NULL && sp_str_to_u64(text, UINT64_C(1) << 53, &n) == 0)
        (void)cJSON_AddNumberToObject(params, name, (double)n);
    else
        sp_params_text(params, name, text);
}
