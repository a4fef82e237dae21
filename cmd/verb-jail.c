/* SPDX-License-Identifier: GPL-3.0-or-later */
/* jail profiles|build|refresh|check: what jails hold, and whether it is what their profiles promise. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cmd/verb.h"

static const char *text_of(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

    return cJSON_IsString(v) ? v->valuestring : "";
}

static int number_of(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

    return cJSON_IsNumber(v) ? (int)v->valuedouble : 0;
}

static bool is_true(const cJSON *o, const char *name)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, name));
}

static void show_words(const char *before, const cJSON *array)
{
    const cJSON *item = NULL;

    if (cJSON_GetArraySize(array) == 0)
        return;
    (void)printf("%s", before);
    cJSON_ArrayForEach(item, array)
    {
        (void)printf(" %s", item->valuestring);
    }
    (void)printf("\n");
}

static void show_profiles(const cJSON *r)
{
    const cJSON *p = NULL, *item = NULL;

    cJSON_ArrayForEach(p, cJSON_GetObjectItemCaseSensitive(r, "profiles"))
    {
        const cJSON *promises = cJSON_GetObjectItemCaseSensitive(p, "promises");
        (void)printf("%s%s%s\n", text_of(p, "name"), is_true(p, "own") ? " (this host's own)" : "",
                     is_true(p, "available") ? "" : ": not available here");
        if (text_of(p, "describe")[0] != '\0')
            (void)printf("  %s\n", text_of(p, "describe"));
        if (!is_true(p, "available"))
            (void)printf("  because: %s\n", text_of(p, "problem"));
        cJSON_ArrayForEach(item, promises)
        {
            if (!is_true(item, "optional"))
                (void)printf("  %-8s %s\n", text_of(item, "kind"), text_of(item, "value"));
        }
        show_words("  the host lacks:", cJSON_GetObjectItemCaseSensitive(p, "missing"));
    }
}

static void show_set(const cJSON *s)
{
    if (cJSON_GetObjectItemCaseSensitive(s, "error") != NULL) {
        (void)printf("%s: not built, the one before stays: %s\n", text_of(s, "set"), text_of(s, "error"));
        return;
    }
    (void)printf("%s: %s, %d files%s%s\n", text_of(s, "set"), is_true(s, "changed") ? "new" : "current",
                 number_of(s, "files"), text_of(s, "generation")[0] != '\0' ? ", generation " : "",
                 text_of(s, "generation"));
    show_words("  the host lacks:", cJSON_GetObjectItemCaseSensitive(s, "missing"));
}

static void show_refresh(const cJSON *r)
{
    const cJSON *item = NULL;

    if (is_true(r, "joined"))
        (void)printf("another refresh is waiting or at work, and sees to it\n");
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(r, "sets"))
    {
        show_set(item);
    }
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(r, "warnings"))
    {
        (void)printf("warning: %s\n", item->valuestring);
    }
}

static void show_check(const cJSON *r)
{
    const cJSON *s = NULL, *item = NULL;

    cJSON_ArrayForEach(s, cJSON_GetObjectItemCaseSensitive(r, "sets"))
    {
        (void)printf("%s: %s, %d files, %d accounts\n", text_of(s, "set"), text_of(s, "state"),
                     number_of(s, "files"), number_of(s, "accounts"));
        cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(s, "problems"))
        {
            (void)printf("  %s: %s%s%s\n", text_of(item, "trouble"), text_of(item, "path"),
                         text_of(item, "path")[0] != '\0' ? " " : "", text_of(item, "text"));
        }
        if (number_of(s, "more_problems") > 0)
            (void)printf("  and %d more\n", number_of(s, "more_problems"));
        show_words("  the host lacks:", cJSON_GetObjectItemCaseSensitive(s, "missing"));
    }
    if (cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(r, "sets")) == 0)
        (void)printf("no jail has been made yet\n");
}

static cJSON *build_params(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject();

    sp_params_list(params, "profiles", a->words[1]);
    return params;
}

int sp_verb_jail(const struct sp_args *a)
{
    static const struct {
        const char *name, *method;
        void (*show)(const cJSON *);
        int words;
    } verbs[] = {
        {"profiles", "jail.profiles", show_profiles, 1},
        {"build", "jail.build", show_set, 2},
        {"refresh", "jail.refresh", show_refresh, 1},
        {"check", "jail.check", show_check, 1},
    };

    for (size_t i = 0; i < SP_COUNT(verbs); i++) {
        cJSON *params;
        bool reads = verbs[i].show == show_profiles || verbs[i].show == show_check;

        if (!sp_streq(a->words[0], verbs[i].name))
            continue;
        if (a->n_words != verbs[i].words)
            return sp_verb_usage(a, "jail profiles|refresh|check, or jail build PROFILE,..");
        if ((sp_args_has(a, SP_OPT_WHEN_QUIET) && verbs[i].show != show_refresh) ||
            (sp_args_has(a, SP_OPT_DRY_RUN) && reads))
            return sp_verb_usage(a, "an option that this verb of jail does not know");
        params = verbs[i].show == show_set ? build_params(a) : cJSON_CreateObject();
        sp_params_flag(params, "when_quiet", a->option[SP_OPT_WHEN_QUIET]);
        sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
        return sp_verb_call(a, verbs[i].method, params, verbs[i].show);
    }
    return sp_verb_usage(a, "jail profiles|build|refresh|check");
}
