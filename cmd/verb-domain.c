/* SPDX-License-Identifier: GPL-3.0-or-later */
/* status, list, rebind, remove: what a domain has, would get, and loses. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/table.h"
#include "cmd/verb.h"
#include "model/json.h"

static const char *text_of(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

    return cJSON_IsString(v) ? v->valuestring : "-";
}

static const char *forwarding_of(const cJSON *r)
{
    const char *said = text_of(r, "forwarding");

    return sp_streq(said, "unset") ? "the configuration's" : said;
}

static bool is_true(const cJSON *r, const char *name)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(r, name));
}

/* Only what is not as usual. */
static void show_access(const cJSON *r)
{
    const cJSON *from = cJSON_GetObjectItemCaseSensitive(r, "valid_from"),
                *until = cJSON_GetObjectItemCaseSensitive(r, "valid_until");

    if (is_true(r, "suspended"))
        (void)printf("access         suspended\n");
    if (!sp_streq(text_of(r, "authentication"), "unset"))
        (void)printf("proof          %s\n", text_of(r, "authentication"));
    if (is_true(r, "password_locked"))
        (void)printf("password       locked for SSH\n");
    if (cJSON_IsString(from))
        (void)printf("valid from     %s\n", from->valuestring);
    if (cJSON_IsString(until))
        (void)printf("valid until    %s\n", until->valuestring);
}

static void show_status(const cJSON *r)
{
    const cJSON *jail = cJSON_GetObjectItemCaseSensitive(r, "jail"), *item = NULL;
    const cJSON *drift = cJSON_GetObjectItemCaseSensitive(r, "drift");

    (void)printf("domain         %s\nuser           %s\ndocument root  %s\nshell          %s (%s)\n",
                 text_of(r, "domain"), text_of(r, "user"), text_of(r, "document_root"), text_of(r, "shell"),
                 text_of(r, "login_shell"));
    if (cJSON_GetObjectItemCaseSensitive(jail, "layout") != NULL)
        (void)printf("jail           %s layout%s%s\n", text_of(jail, "layout"),
                     cJSON_GetObjectItemCaseSensitive(jail, "layout_reason") != NULL ? ": " : "",
                     cJSON_GetObjectItemCaseSensitive(jail, "layout_reason") != NULL
                         ? text_of(jail, "layout_reason")
                         : "");
    (void)printf("forwarding     %s\nkeys           %d\n", forwarding_of(r),
                 cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(r, "authorized_keys")));
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(r, "authorized_keys"))
    {
        (void)printf("               %s %s\n", text_of(item, "fingerprint"), text_of(item, "label"));
    }
    show_access(r);
    (void)printf("in force       %s\n",
                 cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(r, "in_force")) ? "yes" : "no");
    cJSON_ArrayForEach(item, drift)
    {
        (void)printf("  differs      %s %s: is %s, should be %s\n", text_of(item, "resource"),
                     text_of(item, "target"), text_of(item, "from"), text_of(item, "to"));
    }
}

/* A field of the answer, under its name in a request; what says nothing is left out. */
static void take(cJSON *request, const cJSON *r, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(r, name);

    if (v == NULL || cJSON_IsNull(v) || (cJSON_IsString(v) && sp_streq(v->valuestring, "unset")))
        return;
    (void)cJSON_AddItemToObject(request, name, cJSON_Duplicate(v, true));
}

/* The request that would make the domain what it is: for another host, or for later. */
static void show_request(const cJSON *r)
{
    static const char *const names[] = {"domain",         "user",       "document_root", "forwarding",
                                        "authentication", "valid_from", "valid_until",   "authorized_keys",
                                        "sources"};
    const cJSON *jail = cJSON_GetObjectItemCaseSensitive(r, "jail"), *shell;
    const cJSON *limits = cJSON_GetObjectItemCaseSensitive(r, "limits");
    cJSON *request = cJSON_CreateObject(), *part;
    char *text;

    for (size_t i = 0; i < SP_COUNT(names); i++)
        take(request, r, names[i]);
    shell = cJSON_GetObjectItemCaseSensitive(r, "desired_shell");
    if (cJSON_IsString(shell) && !sp_streq(shell->valuestring, "unset"))
        (void)cJSON_AddStringToObject(request, "shell", shell->valuestring);
    part = cJSON_AddObjectToObject(request, "jail");
    take(part, jail, "profiles");
    take(part, jail, "tmp_mib");
    part = cJSON_AddObjectToObject(request, "limits");
    take(part, limits, "processes");
    take(part, limits, "memory_mib");
    text = cJSON_Print(request);
    (void)printf("%s\n", text != NULL ? text : "");
    cJSON_free(text);
    cJSON_Delete(request);
}

int sp_verb_status(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject();

    sp_params_text(params, "domain", a->words[0]);
    return sp_verb_call(a, "domain.get", params,
                        sp_args_has(a, SP_OPT_REQUEST) ? show_request : show_status);
}

static const char *remark_of(const cJSON *item)
{
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item, "pending")))
        return "pending";
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item, "suspended")) ? "suspended" : "";
}

static void show_list(const cJSON *r)
{
    static const struct sp_column columns[] = {{"DOMAIN", SP_COLUMN_PLAIN},       {"USER", SP_COLUMN_PLAIN},
                                               {"SHELL", SP_COLUMN_PLAIN},        {"KEYS", SP_COLUMN_RIGHT},
                                               {"DOCUMENT ROOT", SP_COLUMN_WRAP}, {"", SP_COLUMN_PLAIN}};
    const cJSON *item = NULL, *domains = cJSON_GetObjectItemCaseSensitive(r, "domains");
    struct sp_table *t = NULL;

    if (cJSON_GetArraySize(domains) == 0)
        (void)printf("no domain has SSH access from sallyport\n");
    else
        t = sp_table_new(columns, SP_COUNT(columns));
    cJSON_ArrayForEach(item, domains)
    {
        const cJSON *n = cJSON_GetObjectItemCaseSensitive(item, "keys");
        char keys[16];
        (void)snprintf(keys, sizeof(keys), "%d", cJSON_IsNumber(n) ? (int)n->valuedouble : 0);
        sp_table_row(t,
                     (const char *const[]){text_of(item, "domain"), text_of(item, "user"),
                                           text_of(item, "shell"), keys, text_of(item, "document_root"),
                                           remark_of(item)},
                     SP_COUNT(columns));
    }
    sp_table_show(t);
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(r, "broken"))
    {
        (void)printf("broken: %s\n", text_of(item, "error"));
    }
}

int sp_verb_list(const struct sp_args *a)
{
    return sp_verb_call(a, "domain.list", cJSON_CreateObject(), show_list);
}

int sp_verb_rebind(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject();

    sp_params_text(params, "domain", a->words[0]);
    sp_params_text(params, "new_domain", a->option[SP_OPT_TO]);
    sp_params_text(params, "document_root", a->option[SP_OPT_DOCUMENT_ROOT]);
    sp_params_text(params, "user", a->option[SP_OPT_USER]);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "domain.rebind", params, sp_show_changes);
}

int sp_verb_remove(const struct sp_args *a)
{
    cJSON *params;

    if (!sp_args_has(a, SP_OPT_YES) && !sp_args_has(a, SP_OPT_DRY_RUN)) {
        char answer[16] = "";
        if (!isatty(STDIN_FILENO))
            return sp_verb_usage(
                a, "remove ends running sessions and takes keys away: add --yes, or look with --dry-run");
        (void)printf(
            "Take SSH access away from %s, end its sessions, give back the shell that stood before? [y/N] ",
            a->words[0]);
        (void)fflush(stdout);
        if (fgets(answer, sizeof(answer), stdin) == NULL || (answer[0] != 'y' && answer[0] != 'Y'))
            return sp_verb_usage(a, "not removed");
    }
    params = cJSON_CreateObject();
    sp_params_text(params, "domain", a->words[0]);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "domain.remove", params, sp_show_changes);
}
