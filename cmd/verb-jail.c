/* SPDX-License-Identifier: GPL-3.0-or-later */
/* jail profiles|build|refresh|check: what jails hold, and whether it is what their profiles promise. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cmd/verbs.h"

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

    cJSON_ArrayForEach(p, sp_item(r, "profiles"))
    {
        const cJSON *promises = sp_item(p, "promises");
        (void)printf("%s%s%s\n", sp_text(p, "name"), sp_is_true(p, "own") ? " (this host's own)" : "",
                     sp_is_true(p, "available") ? "" : ": not available here");
        if (sp_text(p, "describe")[0] != '\0')
            (void)printf("  %s\n", sp_text(p, "describe"));
        if (!sp_is_true(p, "available"))
            (void)printf("  because: %s\n", sp_text(p, "problem"));
        cJSON_ArrayForEach(item, promises)
        {
            if (!sp_is_true(item, "optional"))
                (void)printf("  %-8s %s\n", sp_text(item, "kind"), sp_text(item, "value"));
        }
        show_words("  the host lacks:", sp_item(p, "missing"));
    }
}

static void show_set(const cJSON *s)
{
    if (sp_item(s, "error") != NULL) {
        (void)printf("%s: not built, the one before stays: %s\n", sp_text(s, "set"), sp_text(s, "error"));
        return;
    }
    (void)printf("%s: %s, %d files%s%s\n", sp_text(s, "set"), sp_is_true(s, "changed") ? "new" : "current",
                 (int)sp_number(s, "files"), sp_text(s, "generation")[0] != '\0' ? ", generation " : "",
                 sp_text(s, "generation"));
    show_words("  the host lacks:", sp_item(s, "missing"));
}

static void show_refresh(const cJSON *r)
{
    const cJSON *item = NULL;

    if (sp_is_true(r, "joined"))
        (void)printf("another refresh is waiting or at work, and sees to it\n");
    cJSON_ArrayForEach(item, sp_item(r, "sets"))
    {
        show_set(item);
    }
    cJSON_ArrayForEach(item, sp_item(r, "warnings"))
    {
        (void)printf("warning: %s\n", item->valuestring);
    }
}

static void show_check(const cJSON *r)
{
    const cJSON *s = NULL, *item = NULL;

    cJSON_ArrayForEach(s, sp_item(r, "sets"))
    {
        (void)printf("%s: %s, %d files, %d accounts\n", sp_text(s, "set"), sp_text(s, "state"),
                     (int)sp_number(s, "files"), (int)sp_number(s, "accounts"));
        cJSON_ArrayForEach(item, sp_item(s, "problems"))
        {
            (void)printf("  %s: %s%s%s\n", sp_text(item, "trouble"), sp_text(item, "path"),
                         sp_text(item, "path")[0] != '\0' ? " " : "", sp_text(item, "text"));
        }
        if ((int)sp_number(s, "more_problems") > 0)
            (void)printf("  and %d more\n", (int)sp_number(s, "more_problems"));
        show_words("  the host lacks:", sp_item(s, "missing"));
    }
    if (cJSON_GetArraySize(sp_item(r, "sets")) == 0)
        (void)printf("no jail has been made yet\n");
}

static int profiles(const struct sp_args *a)
{
    return sp_verb_call(a, "jail.profiles", cJSON_CreateObject(), show_profiles);
}

static int check(const struct sp_args *a)
{
    return sp_verb_call(a, "jail.check", cJSON_CreateObject(), show_check);
}

static int build(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject();

    sp_params_list(params, "profiles", a->words[1]);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "jail.build", params, show_set);
}

static int refresh(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject();

    sp_params_flag(params, "when_quiet", a->option[SP_OPT_WHEN_QUIET]);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "jail.refresh", params, show_refresh);
}

static const struct sp_action actions[] = {
    {"profiles", "", 0, 0, 0, profiles, NULL},
    {"build", "PROFILE,..", SP_OPT(DRY_RUN), 1, 1, build, NULL},
    {"refresh", "[--when-quiet]", SP_OPT(DRY_RUN) | SP_OPT(WHEN_QUIET), 0, 0, refresh, NULL},
    {"check", "", 0, 0, 0, check, NULL},
    {NULL},
};
const struct sp_verb sp_verb_jail = {
    "jail", "what jails hold: see it, prove it, make it as new as the host", actions, NULL};
