/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "cmd/verb.h"

static const char *text_of(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

    return cJSON_IsString(v) ? v->valuestring : "";
}

static void show_source(const cJSON *s)
{
    const char *until = text_of(s, "expires_at"), *comment = text_of(s, "comment"),
               *owner = text_of(s, "owner");

    (void)printf("source    %s%s%s%s%s%s%s\n", text_of(s, "source"), until[0] != '\0' ? "  until " : "",
                 until, owner[0] != '\0' ? "  for " : "", owner, comment[0] != '\0' ? "  # " : "", comment);
}

static void show(const cJSON *r)
{
    const cJSON *item = NULL;

    (void)printf("mode      %s\nports    ", text_of(r, "mode"));
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(r, "ports"))
    {
        (void)printf(" %d", (int)item->valuedouble);
    }
    (void)printf("\n");
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(r, "sources"))
    {
        show_source(item);
    }
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(r, "always_allow"))
    {
        (void)printf("source    %s  # always_allow in sallyport.conf\n",
                     cJSON_IsString(item) ? item->valuestring : "");
    }
    item = cJSON_GetObjectItemCaseSensitive(r, "in_force");
    if (item != NULL)
        (void)printf("in force  %s\n", cJSON_IsTrue(item) ? "yes" : "no");
    if (cJSON_GetObjectItemCaseSensitive(r, "changes") != NULL)
        sp_show_changes(r);
}

static cJSON *source_of(const struct sp_args *a, const char *word)
{
    cJSON *o = cJSON_CreateObject();

    sp_params_text(o, "source", word);
    sp_params_text(o, "comment", a->option[SP_OPT_COMMENT]);
    sp_params_text(o, "expires_at", a->option[SP_OPT_EXPIRES_AT]);
    return o;
}

/* Every word behind the first, as sources ("add", "sources") or as plain blocks ("remove"). */
static void add_words(const struct sp_args *a, cJSON *params, const char *field)
{
    cJSON *array = cJSON_AddArrayToObject(params, field);

    for (int i = 1; i < a->n_words; i++)
        (void)cJSON_AddItemToArray(array, sp_streq(field, "remove") ? cJSON_CreateString(a->words[i])
                                                                    : source_of(a, a->words[i]));
}

static const struct action {
    const char *name;
    const char *mode;  /* or NULL */
    const char *field; /* what its words are, or NULL if it takes none */
    bool words_needed;
} actions[] = {
    {"open", "open", NULL, false},     {"restrict", "restricted", "sources", false},
    {"close", "closed", NULL, false},  {"allow", NULL, "add", true},
    {"unallow", NULL, "remove", true}, {"unmanage", "unmanaged", NULL, false},
};

static int act(const struct sp_args *a, const struct action *action)
{
    cJSON *params;

    if ((action->words_needed && a->n_words < 2) || (action->field == NULL && a->n_words > 1))
        return sp_verb_usage(a,
                             action->words_needed ? "name at least one source" : "this takes no sources");
    if (sp_streq(action->name, "close") && !sp_args_has(a, SP_OPT_YES))
        return sp_verb_usage(a, "close lets nobody in any more, you neither: add --yes");
    params = cJSON_CreateObject();
    sp_params_text(params, "mode", action->mode);
    if (action->field != NULL && a->n_words > 1)
        add_words(a, params, action->field);
    sp_params_flag(params, "force", a->option[SP_OPT_FORCE]);
    sp_params_flag(params, "acknowledge_closed", a->option[SP_OPT_YES]);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "firewall.set", params, show);
}

/* The boot unit's: what the state says is put into the kernel again, and nothing else is touched. */
static int restore(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject();

    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "firewall.restore", params, show);
}

int sp_verb_firewall(const struct sp_args *a)
{
    if (a->n_words == 0 || (sp_streq(a->words[0], "status") && a->n_words == 1))
        return sp_verb_call(a, "firewall.get", cJSON_CreateObject(), show);
    if (sp_streq(a->words[0], "restore") && a->n_words == 1)
        return restore(a);
    for (size_t i = 0; i < SP_COUNT(actions); i++)
        if (sp_streq(actions[i].name, a->words[0]))
            return act(a, &actions[i]);
    return sp_verb_usage(a, "firewall status, open, restrict, close, allow, unallow, unmanage or restore");
}
