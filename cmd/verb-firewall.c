/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "cmd/verbs.h"

static void show_source(const cJSON *s)
{
    const char *until = sp_text(s, "expires_at"), *comment = sp_text(s, "comment"),
               *owner = sp_text(s, "owner");

    (void)printf("source    %s%s%s%s%s%s%s\n", sp_text(s, "source"), until[0] != '\0' ? "  until " : "",
                 until, owner[0] != '\0' ? "  for " : "", owner, comment[0] != '\0' ? "  # " : "", comment);
}

static void show(const cJSON *r)
{
    const cJSON *item = NULL;

    (void)printf("mode      %s\nports    ", sp_text(r, "mode"));
    cJSON_ArrayForEach(item, sp_item(r, "ports"))
    {
        (void)printf(" %d", (int)item->valuedouble);
    }
    (void)printf("\n");
    cJSON_ArrayForEach(item, sp_item(r, "sources"))
    {
        show_source(item);
    }
    cJSON_ArrayForEach(item, sp_item(r, "always_allow"))
    {
        (void)printf("source    %s  # always_allow in sallyport.conf\n",
                     cJSON_IsString(item) ? item->valuestring : "");
    }
    item = sp_item(r, "in_force");
    if (item != NULL)
        (void)printf("in force  %s\n", cJSON_IsTrue(item) ? "yes" : "no");
    if (sp_item(r, "changes") != NULL)
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

static int set(const struct sp_args *a, const char *mode, const char *field)
{
    cJSON *params = cJSON_CreateObject();

    sp_params_text(params, "mode", mode);
    if (field != NULL && a->n_words > 1)
        add_words(a, params, field);
    sp_params_flag(params, "force", a->option[SP_OPT_FORCE]);
    sp_params_flag(params, "acknowledge_closed", a->option[SP_OPT_YES]);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "firewall.set", params, show);
}

static int open_port(const struct sp_args *a)
{
    return set(a, "open", NULL);
}

static int restrict_port(const struct sp_args *a)
{
    return set(a, "restricted", "sources");
}

static int close_port(const struct sp_args *a)
{
    return set(a, "closed", NULL);
}

static int allow(const struct sp_args *a)
{
    return set(a, NULL, "add");
}

static int unallow(const struct sp_args *a)
{
    return set(a, NULL, "remove");
}

static int unmanage(const struct sp_args *a)
{
    return set(a, "unmanaged", NULL);
}

static int status(const struct sp_args *a)
{
    return sp_verb_call(a, "firewall.get", cJSON_CreateObject(), show);
}

/* The boot unit's: what the state says is put into the kernel again, and nothing else is touched. */
static int restore(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject();

    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "firewall.restore", params, show);
}

#define CHANGES (SP_OPT(DRY_RUN) | SP_OPT(FORCE))
#define SOURCES (CHANGES | SP_OPT(COMMENT) | SP_OPT(EXPIRES_AT))

static const struct sp_action actions[] = {
    {"status", "", 0, 0, 0, status, NULL},
    {"open", "", CHANGES, 0, 0, open_port, NULL},
    {"restrict", "[SOURCE..]", SOURCES, 0, SP_WORDS_ANY, restrict_port, NULL},
    {"close", "", CHANGES, 0, 0, close_port, "lets nobody in any more, you neither"},
    {"allow", "SOURCE..", SOURCES, 1, SP_WORDS_ANY, allow, NULL},
    {"unallow", "SOURCE..", CHANGES, 1, SP_WORDS_ANY, unallow, NULL},
    {"unmanage", "", CHANGES, 0, 0, unmanage, NULL},
    {"restore", "", SP_OPT(DRY_RUN), 0, 0, restore, NULL},
    {NULL},
};
const struct sp_verb sp_verb_firewall = {"firewall", "who may reach the SSH port", actions, NULL};
