/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/mem.h"
#include "base/str.h"
#include "cmd/verbs.h"
#include "model/json.h"

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
    if (a->confirm_within > 0)
        (void)cJSON_AddNumberToObject(params, "confirm_within", (double)a->confirm_within);
    sp_params_flag(params, "force", a->option[SP_OPT_FORCE]);
    sp_params_flag(params, "keep_opened", a->option[SP_OPT_KEEP_OPENED]);
    /* A dry run closes nothing: it needs nobody's word. */
    sp_params_flag(params, "acknowledge_closed",
                   a->option[sp_args_has(a, SP_OPT_DRY_RUN) ? SP_OPT_DRY_RUN : SP_OPT_YES]);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "firewall.set", params, sp_show_firewall);
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
    return sp_verb_call(a, "firewall.get", cJSON_CreateObject(), sp_show_firewall);
}

/* The boot unit's: what the state says is put into the kernel again, and nothing else is touched. */
static int restore(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject();

    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "firewall.restore", params, sp_show_firewall);
}

/* Without a token it is the trial that runs: there is one at most. */
static int confirm(const struct sp_args *a)
{
    _cleanup_json_ cJSON *state = NULL, *none = cJSON_CreateObject();
    const char *token = a->n_words > 1 ? a->words[1] : NULL;
    struct sp_error err;
    cJSON *params;

    if (token == NULL) {
        if (sp_verb_ask_engine(a, "firewall.get", none, &state, &err) < 0)
            return sp_show_failure(a, &err);
        token = sp_text_or(sp_item(state, "pending"), "token", "none");
    }
    params = cJSON_CreateObject();
    sp_params_text(params, "token", token);
    return sp_verb_call(a, "firewall.confirm", params, sp_show_firewall);
}

static int rollback(const struct sp_args *a)
{
    return sp_verb_call(a, "firewall.rollback", cJSON_CreateObject(), sp_show_firewall);
}

#define CHANGES (SP_OPT(DRY_RUN) | SP_OPT(FORCE))
#define TRIED (CHANGES | SP_OPT(CONFIRM_WITHIN))
#define SOURCES (TRIED | SP_OPT(COMMENT) | SP_OPT(EXPIRES_AT))

static const struct sp_action actions[] = {
    {"status", "", 0, 0, 0, status, NULL},
    {"open", "", TRIED, 0, 0, open_port, NULL},
    {"restrict", "[SOURCE..]", SOURCES, 0, SP_WORDS_ANY, restrict_port, NULL},
    {"close", "", TRIED, 0, 0, close_port, "lets nobody in any more, you neither"},
    {"allow", "SOURCE..", SOURCES, 1, SP_WORDS_ANY, allow, NULL},
    {"unallow", "SOURCE..", TRIED, 1, SP_WORDS_ANY, unallow, NULL},
    {"confirm", "[TOKEN]", 0, 0, 1, confirm, NULL},
    {"rollback", "", 0, 0, 0, rollback, NULL},
    {"unmanage", "", CHANGES | SP_OPT(KEEP_OPENED), 0, 0, unmanage, NULL},
    {"restore", "", SP_OPT(DRY_RUN), 0, 0, restore, NULL},
    {NULL},
};
const struct sp_verb sp_verb_firewall = {"firewall", "who may reach the SSH port", actions, NULL};
