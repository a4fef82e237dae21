/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "cmd/verbs.h"

static void show_changes(const char *user, const char *verb, const cJSON *changes)
{
    const cJSON *c = NULL;

    cJSON_ArrayForEach(c, changes)
    {
        (void)printf("%s: %s %s %s: %s -> %s\n", user, verb, sp_text_or(c, "resource", "(absent)"),
                     sp_text_or(c, "target", "(absent)"), sp_text_or(c, "from", "(absent)"),
                     sp_text_or(c, "to", "(absent)"));
    }
}

/* What is no account's. */
static void show_host(const cJSON *r)
{
    const cJSON *certificates = sp_item(r, "certificates"), *c = NULL;

    if (sp_number(r, "store_mended") > 0)
        (void)printf("store: mended the rights of %d of its directories and files\n",
                     (int)sp_number(r, "store_mended"));
    if (sp_is_true(certificates, "trusted_mended"))
        (void)printf("certificates: mended the list of trusted authorities\n");
    if (sp_is_true(certificates, "revoked_mended"))
        (void)printf("certificates: mended the list of revoked keys\n");
    if (sp_is_true(r, "global_keys_mended"))
        (void)printf("global keys: mended their files\n");
    cJSON_ArrayForEach(c, sp_item(sp_item(r, "firewall"), "changes"))
    {
        (void)printf("firewall: mended %s: %s -> %s\n", sp_text_or(c, "target", "(absent)"),
                     sp_text_or(c, "from", "(absent)"), sp_text_or(c, "to", "(absent)"));
    }
}

static void show(const cJSON *r)
{
    const cJSON *d = NULL, *jails = sp_item(r, "jails");

    cJSON_ArrayForEach(d, sp_item(r, "problems"))
    {
        (void)printf("%s: failed: %s\n", sp_text(d, "part"), sp_text(d, "error"));
        if (sp_text(d, "hint")[0] != '\0')
            (void)printf("  try: %s\n", sp_text(d, "hint"));
    }
    show_host(r);
    cJSON_ArrayForEach(d, sp_item(jails, "sets"))
    {
        if (sp_item(d, "error") != NULL)
            (void)printf("jails of %s: failed: %s\n", sp_text_or(d, "set", "(absent)"),
                         sp_text_or(d, "error", "(absent)"));
        else if (sp_is_true(d, "changed"))
            (void)printf("jails of %s: mended: programs as new as the host's\n",
                         sp_text_or(d, "set", "(absent)"));
    }
    cJSON_ArrayForEach(d, sp_item(jails, "warnings"))
    {
        (void)printf("jails: %s\n", cJSON_IsString(d) ? d->valuestring : "");
    }
    cJSON_ArrayForEach(d, sp_item(r, "details"))
    {
        const char *user = sp_text_or(d, "user", "(absent)");
        if (sp_item(d, "error") != NULL)
            (void)printf("%s: failed: %s\n", user, sp_text_or(d, "error", "(absent)"));
        if (sp_is_true(d, "user_missing"))
            (void)printf("%s: kept: there is no such user any more\n", user);
        show_changes(user, "mended", sp_item(d, "changes"));
        show_changes(user, "kept, somebody tightened", sp_item(d, "kept"));
    }
    (void)printf("%d accounts: %d mended, %d with something tightened and kept, %d failed\n",
                 (int)sp_number(r, "accounts"), (int)sp_number(r, "mended"), (int)sp_number(r, "kept"),
                 (int)sp_number(r, "failed"));
    if (sp_item(r, "metrics_error") != NULL)
        (void)fprintf(stderr, "sallyport: the metrics were not written: %s\n", sp_text(r, "metrics_error"));
}

static int reconcile(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject();

    a->engine->metrics_file = a->option[SP_OPT_METRICS];
    sp_params_flag(params, "restore_access", a->option[SP_OPT_RESTORE_ACCESS]);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "system.reconcile", params, show);
}

static const struct sp_action actions[] = {
    {"", "[--restore-access] [--metrics FILE.prom]",
     SP_OPT(DRY_RUN) | SP_OPT(RESTORE_ACCESS) | SP_OPT(METRICS), 0, 0, reconcile, NULL},
    {NULL},
};
const struct sp_verb sp_verb_reconcile = {
    "reconcile", "mend what loosened on every account, report what was tightened", actions, NULL};
