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
#include "cmd/tone.h"
#include "cmd/verbs.h"
#include "model/json.h"

static const char *forwarding_of(const cJSON *r)
{
    const char *said = sp_text_or(r, "forwarding", "-");

    return sp_streq(said, "unset") ? "the configuration's" : said;
}

/* Only what is not as usual. */
static void show_access(const cJSON *r)
{
    const cJSON *from = sp_item(r, "valid_from"), *until = sp_item(r, "valid_until");

    if (sp_is_true(r, "suspended"))
        (void)printf("access         suspended\n");
    if (!sp_streq(sp_text_or(r, "authentication", "-"), "unset"))
        (void)printf("proof          %s\n", sp_text_or(r, "authentication", "-"));
    if (sp_is_true(r, "password_locked"))
        (void)printf("password       locked for SSH\n");
    if (cJSON_IsString(from))
        (void)printf("valid from     %s\n", from->valuestring);
    if (cJSON_IsString(until))
        (void)printf("valid until    %s\n", until->valuestring);
}

/* What stood there; while it is held, it stands there still. */
static void show_adopted(const cJSON *adopted)
{
    if (adopted == NULL)
        return;
    (void)printf("adopted        from %s at %s, with the shell %s and %d keys of the user's own%s\n",
                 sp_text(adopted, "panel"), sp_text(adopted, "at"), sp_text(adopted, "shell"),
                 cJSON_GetArraySize(sp_item(adopted, "keys")),
                 sp_is_true(adopted, "held") ? "; nothing was asked for since" : "");
}

static void show_words(const char *name, const cJSON *array)
{
    const cJSON *item = NULL;

    if (cJSON_GetArraySize(array) == 0)
        return;
    (void)printf("%-14s", name);
    cJSON_ArrayForEach(item, array)
    {
        (void)printf(" %s", sp_text_itself(item));
    }
    (void)printf("\n");
}

/* The domains of the same user share shell, password and limits: they are named. */
static void show_account(const cJSON *r)
{
    const cJSON *jail = sp_item(r, "jail"), *limits = sp_item(r, "limits");

    if (cJSON_GetArraySize(sp_item(r, "domains")) > 1)
        show_words("account of", sp_item(r, "domains"));
    if (sp_item(jail, "layout") != NULL)
        (void)printf("jail           %s layout%s%s\n", sp_text(jail, "layout"),
                     sp_item(jail, "layout_reason") != NULL ? ": " : "", sp_text(jail, "layout_reason"));
    if (sp_text(jail, "problem")[0] != '\0')
        (void)printf("               %s\n", sp_text(jail, "problem"));
    if (sp_streq(sp_text(r, "shell"), "chroot"))
        show_words("profiles", sp_item(jail, "profiles"));
    if (sp_number(limits, "processes") > 0)
        (void)printf("processes      %.0f at most\n", sp_number(limits, "processes"));
    if (sp_number(limits, "memory_mib") > 0)
        (void)printf("memory         %.0f MiB at most\n", sp_number(limits, "memory_mib"));
    show_words("sudo", sp_item(r, "sudo"));
    show_words("only from", sp_item(r, "sources"));
}

static void show_keys(const cJSON *keys)
{
    const cJSON *item = NULL;

    (void)printf("keys           %d\n", cJSON_GetArraySize(keys));
    cJSON_ArrayForEach(item, keys)
    {
        (void)printf("               %s %s%s%s\n", sp_text(item, "fingerprint"),
                     sp_text_or(item, "label", "-"),
                     sp_text(item, "expires_at")[0] != '\0' ? " until " : "", sp_text(item, "expires_at"));
    }
}

static void show_force(const cJSON *r)
{
    const cJSON *item = NULL;
    bool yes = sp_is_true(r, "in_force");

    (void)printf("in force       %s%s%s\n", sp_tone(yes ? SP_TONE_GOOD : SP_TONE_BAD, stdout),
                 yes ? "yes" : "no", sp_tone(SP_TONE_PLAIN, stdout));
    if (sp_is_true(r, "pending"))
        (void)printf("  pending      a change was broken off half way: sallyport reconcile\n");
    cJSON_ArrayForEach(item, sp_item(r, "drift"))
    {
        (void)printf("  differs      %s %s: is %s, should be %s\n", sp_text(item, "resource"),
                     sp_text(item, "target"), sp_text_or(item, "from", "-"), sp_text_or(item, "to", "-"));
    }
}

static void show_status(const cJSON *r)
{
    (void)printf("domain         %s\nuser           %s\ndocument root  %s\nshell          %s (%s)\n",
                 sp_text(r, "domain"), sp_text(r, "user"), sp_text_or(r, "document_root", "-"),
                 sp_text(r, "shell"), sp_text_or(r, "login_shell", "-"));
    show_account(r);
    (void)printf("forwarding     %s\n", forwarding_of(r));
    show_keys(sp_item(r, "authorized_keys"));
    show_access(r);
    show_adopted(sp_item(r, "adopted"));
    show_force(r);
}

/* A field of the answer, under its name in a request; what says nothing is left out. */
static void take(cJSON *request, const cJSON *r, const char *name)
{
    const cJSON *v = sp_item(r, name);

    if (v == NULL || cJSON_IsNull(v) || (cJSON_IsString(v) && sp_streq(v->valuestring, "unset")))
        return;
    (void)cJSON_AddItemToObject(request, name, cJSON_Duplicate(v, true));
}

/* The request that would make the domain what it is: for another host, or for later. */
static void show_request(const cJSON *r)
{
    static const char *const names[] = {"domain",         "user",       "document_root", "forwarding",
                                        "authentication", "valid_from", "valid_until",   "authorized_keys",
                                        "sources",        "sudo"};
    const cJSON *jail = sp_item(r, "jail"), *shell;
    const cJSON *limits = sp_item(r, "limits");
    cJSON *request = cJSON_CreateObject(), *part;
    char *text;

    for (size_t i = 0; i < SP_COUNT(names); i++)
        take(request, r, names[i]);
    shell = sp_item(r, "desired_shell");
    if (cJSON_IsString(shell) && !sp_streq(shell->valuestring, "unset"))
        (void)cJSON_AddStringToObject(request, "shell", shell->valuestring);
    part = cJSON_AddObjectToObject(request, "jail");
    take(part, jail, "profiles");
    take(part, jail, "tmp_mib");
    take(part, jail, "agent");
    part = cJSON_AddObjectToObject(request, "limits");
    take(part, limits, "processes");
    take(part, limits, "memory_mib");
    text = cJSON_Print(request);
    (void)printf("%s\n", text != NULL ? text : "");
    cJSON_free(text);
    cJSON_Delete(request);
}

static int status(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject();

    sp_params_text(params, "domain", a->words[0]);
    return sp_verb_call(a, "domain.get", params,
                        sp_args_has(a, SP_OPT_REQUEST) ? show_request : show_status);
}

static const char *remark_of(const cJSON *item)
{
    if (sp_is_true(item, "pending"))
        return "pending";
    if (sp_is_true(item, "adopted"))
        return "adopted, as found";
    return sp_is_true(item, "suspended") ? "suspended" : "";
}

static void show_list(const cJSON *r)
{
    static const struct sp_column columns[] = {{"DOMAIN", SP_COLUMN_PLAIN},       {"USER", SP_COLUMN_PLAIN},
                                               {"SHELL", SP_COLUMN_PLAIN},        {"KEYS", SP_COLUMN_RIGHT},
                                               {"DOCUMENT ROOT", SP_COLUMN_WRAP}, {"", SP_COLUMN_PLAIN}};
    const cJSON *item = NULL, *domains = sp_item(r, "domains");
    struct sp_table *t = NULL;

    if (cJSON_GetArraySize(domains) == 0)
        (void)printf("no domain has SSH access from sallyport\n");
    else
        t = sp_table_new(columns, SP_COUNT(columns));
    cJSON_ArrayForEach(item, domains)
    {
        const cJSON *n = sp_item(item, "keys");
        char keys[16];
        (void)snprintf(keys, sizeof(keys), "%d", cJSON_IsNumber(n) ? (int)n->valuedouble : 0);
        sp_table_row(t,
                     (const char *const[]){sp_text_or(item, "domain", "-"), sp_text_or(item, "user", "-"),
                                           sp_text_or(item, "shell", "-"), keys,
                                           sp_text_or(item, "document_root", "-"), remark_of(item)},
                     SP_COUNT(columns));
    }
    sp_table_show(t);
    cJSON_ArrayForEach(item, sp_item(r, "broken"))
    {
        (void)printf("broken: %s\n", sp_text_or(item, "error", "-"));
    }
}

static int list(const struct sp_args *a)
{
    return sp_verb_call(a, "domain.list", cJSON_CreateObject(), show_list);
}

static int rebind(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject();

    sp_params_text(params, "domain", a->words[0]);
    sp_params_text(params, "new_domain", a->option[SP_OPT_TO]);
    sp_params_text(params, "document_root", a->option[SP_OPT_DOCUMENT_ROOT]);
    sp_params_text(params, "user", a->option[SP_OPT_USER]);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "domain.rebind", params, sp_show_changes);
}

static int take_away(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject();

    sp_params_text(params, "domain", a->words[0]);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "domain.remove", params, sp_show_changes);
}

static const struct sp_action status_actions[] = {
    {"", "DOMAIN [--request]", SP_OPT(REQUEST), 1, 1, status, NULL}, {NULL}};
const struct sp_verb sp_verb_status = {"status", "what a domain has, and whether it is in force",
                                       status_actions, NULL};

static const struct sp_action list_actions[] = {{"", "", 0, 0, 0, list, NULL}, {NULL}};
const struct sp_verb sp_verb_list = {"list", "every domain with SSH access", list_actions, NULL};

static const struct sp_action rebind_actions[] = {
    {"", "DOMAIN [OPTION..]", SP_OPT(DRY_RUN) | SP_OPT(TO) | SP_OPT(DOCUMENT_ROOT) | SP_OPT(USER), 1, 1,
     rebind, NULL},
    {NULL},
};
static const struct sp_option_text rebind_texts[] = {
    {SP_OPT_USER, "NEWNAME", "how its system user is called now"},
    {SP_OPT_DOCUMENT_ROOT, "DIR", "where its files are now"},
    {SP_OPT_TO, "NEWNAME", "how the domain is called now"},
    {0, NULL, NULL},
};
const struct sp_verb sp_verb_rebind = {
    "rebind", "move a domain to another name, document root or user's name", rebind_actions, rebind_texts};

static const struct sp_action remove_actions[] = {
    {"", "DOMAIN", SP_OPT(DRY_RUN), 1, 1, take_away,
     "ends its sessions, takes its keys away and gives back the shell before"},
    {NULL},
};
const struct sp_verb sp_verb_remove = {"remove", "take SSH access away and give back what stood before",
                                       remove_actions, NULL};
