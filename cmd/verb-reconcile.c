/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "cmd/verb.h"

static const char *text_of(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

    return cJSON_IsString(v) ? v->valuestring : "(absent)";
}

static int number_of(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

    return cJSON_IsNumber(v) ? (int)v->valuedouble : 0;
}

static void show_changes(const char *user, const char *verb, const cJSON *changes)
{
    const cJSON *c = NULL;

    cJSON_ArrayForEach(c, changes)
    {
        (void)printf("%s: %s %s %s: %s -> %s\n", user, verb, text_of(c, "resource"), text_of(c, "target"),
                     text_of(c, "from"), text_of(c, "to"));
    }
}

static void show(const cJSON *r)
{
    const cJSON *d = NULL, *jails = cJSON_GetObjectItemCaseSensitive(r, "jails");

    cJSON_ArrayForEach(d, cJSON_GetObjectItemCaseSensitive(r, "problems"))
    {
        (void)printf("%s: failed: %s\n", text_of(d, "part"), text_of(d, "error"));
    }
    if (number_of(r, "directories_mended") > 0)
        (void)printf("store: mended the rights of %d directories\n", number_of(r, "directories_mended"));
    cJSON_ArrayForEach(d, cJSON_GetObjectItemCaseSensitive(jails, "sets"))
    {
        if (cJSON_GetObjectItemCaseSensitive(d, "error") != NULL)
            (void)printf("jails of %s: failed: %s\n", text_of(d, "set"), text_of(d, "error"));
        else if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(d, "changed")))
            (void)printf("jails of %s: mended: programs as new as the host's\n", text_of(d, "set"));
    }
    cJSON_ArrayForEach(d, cJSON_GetObjectItemCaseSensitive(jails, "warnings"))
    {
        (void)printf("jails: %s\n", cJSON_IsString(d) ? d->valuestring : "");
    }
    cJSON_ArrayForEach(d, cJSON_GetObjectItemCaseSensitive(r, "details"))
    {
        const char *user = text_of(d, "user");
        if (cJSON_GetObjectItemCaseSensitive(d, "error") != NULL)
            (void)printf("%s: failed: %s\n", user, text_of(d, "error"));
        if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(d, "user_missing")))
            (void)printf("%s: kept: there is no such user any more\n", user);
        show_changes(user, "mended", cJSON_GetObjectItemCaseSensitive(d, "changes"));
        show_changes(user, "kept, somebody tightened", cJSON_GetObjectItemCaseSensitive(d, "kept"));
    }
    (void)printf("%d accounts: %d mended, %d with something tightened and kept, %d failed\n",
                 number_of(r, "accounts"), number_of(r, "mended"), number_of(r, "kept"),
                 number_of(r, "failed"));
    if (cJSON_GetObjectItemCaseSensitive(r, "metrics_error") != NULL)
        (void)fprintf(stderr, "sallyport: the metrics were not written: %s\n", text_of(r, "metrics_error"));
}

int sp_verb_reconcile(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject();

    a->engine->metrics_file = a->option[SP_OPT_METRICS];
    sp_params_flag(params, "restore_access", a->option[SP_OPT_RESTORE_ACCESS]);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "system.reconcile", params, show);
}
