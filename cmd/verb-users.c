/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/table.h"
#include "cmd/verbs.h"
#include "model/json.h"

static void show_now(const cJSON *users)
{
    static const struct sp_column columns[] = {{"USER", SP_COLUMN_PLAIN},  {"LABEL", SP_COLUMN_TRUNC},
                                               {"FILES", SP_COLUMN_PLAIN}, {"KEYS", SP_COLUMN_RIGHT},
                                               {"UNTIL", SP_COLUMN_PLAIN}, {"SHUT", SP_COLUMN_PLAIN}};
    struct sp_table *t = sp_table_new(columns, SP_COUNT(columns));
    const cJSON *u = NULL;
    char keys[16];

    cJSON_ArrayForEach(u, users)
    {
        (void)snprintf(keys, sizeof(keys), "%d", cJSON_GetArraySize(sp_item(u, "authorized_keys")));
        sp_table_row(t,
                     (const char *const[]){sp_text(u, "user"), sp_text_or(u, "label", NULL),
                                           sp_is_true(u, "read_only") ? "reads" : "writes", keys,
                                           sp_text_or(u, "expires_at", NULL),
                                           sp_streq(sp_text_or(u, "shell", ""), "none") ? "yes" : "no"},
                     SP_COUNT(columns));
    }
    sp_table_show(t);
}

static void show_past(const cJSON *past)
{
    static const struct sp_column columns[] = {{"FORMER USER", SP_COLUMN_PLAIN},
                                               {"LABEL", SP_COLUMN_TRUNC},
                                               {"FROM", SP_COLUMN_PLAIN},
                                               {"TO", SP_COLUMN_PLAIN},
                                               {"WHY", SP_COLUMN_WRAP}};
    struct sp_table *t = sp_table_new(columns, SP_COUNT(columns));
    const cJSON *u = NULL;

    cJSON_ArrayForEach(u, past)
    {
        sp_table_row(t,
                     (const char *const[]){sp_text(u, "user"), sp_text_or(u, "label", NULL),
                                           sp_text_or(u, "added_at", NULL),
                                           sp_text_or(u, "removed_at", NULL), sp_text(u, "reason")},
                     SP_COUNT(columns));
    }
    sp_table_show(t);
}

static void show_list(const cJSON *result)
{
    const cJSON *users = sp_item(result, "users"), *past = sp_item(result, "past");

    if (cJSON_GetArraySize(users) > 0)
        show_now(users);
    else
        (void)printf("no extra logins\n");
    if (cJSON_GetArraySize(past) > 0)
        show_past(past);
}

/* One key, as keys add takes it; none leaves those that the login has. */
static int put_key(const char *path, cJSON *params, struct sp_error *err)
{
    _cleanup_(sp_buf_wipe) struct sp_buf text = {0};
    cJSON *keys, *key;

    if (sp_verb_read_key(path, &text, err) < 0)
        return -1;
    keys = cJSON_AddArrayToObject(params, "authorized_keys");
    key = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(key, "key", sp_buf_str(&text));
    return cJSON_AddItemToArray(keys, key) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

static cJSON *of(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject();

    sp_params_text(params, "domain", a->words[1]);
    sp_params_text(params, "user", a->n_words > 2 ? a->words[2] : NULL);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return params;
}

static int list(const struct sp_args *a)
{
    return sp_verb_call(a, "user.list", of(a), show_list);
}

static int take_away(const struct sp_args *a)
{
    return sp_verb_call(a, "user.remove", of(a), sp_show_changes);
}

static int add(const struct sp_args *a)
{
    _cleanup_json_ cJSON *params = of(a);
    struct sp_error err;

    if (a->n_words == 4 && put_key(a->words[3], params, &err) < 0)
        return sp_show_failure(a, &err);
    sp_params_text(params, "label", a->option[SP_OPT_LABEL]);
    sp_params_text(params, "expires_at", a->option[SP_OPT_EXPIRES_AT]);
    sp_params_text(params, "forwarding", a->option[SP_OPT_FORWARDING]);
    sp_params_flag(params, "read_only", a->option[SP_OPT_READ_ONLY]);
    return sp_verb_call(a, "user.add", sp_steal_ptr(params), sp_show_changes);
}

static const struct sp_action actions[] = {
    {"list", "DOMAIN", 0, 1, 1, list, NULL},
    {"add", "DOMAIN NAME [FILE|-] [OPTION..]",
     SP_OPT(DRY_RUN) | SP_OPT(LABEL) | SP_OPT(EXPIRES_AT) | SP_OPT(READ_ONLY) | SP_OPT(FORWARDING), 2, 3,
     add, NULL},
    {"remove", "DOMAIN NAME", SP_OPT(DRY_RUN), 2, 2, take_away,
     "ends that person's sessions and deletes the login"},
    {NULL},
};
const struct sp_verb sp_verb_users = {"users", "further logins on a domain's files", actions, NULL};
