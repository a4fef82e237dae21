/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "cmd/table.h"
#include "cmd/verbs.h"

static void add_key(struct sp_table *t, const cJSON *k)
{
    _cleanup_(sp_buf_clear) struct sp_buf from = {0};
    const cJSON *item = NULL;

    cJSON_ArrayForEach(item, sp_item(k, "from"))
    {
        sp_buf_printf(&from, "%s%s", from.len > 0 ? " " : "", sp_text_itself(item));
    }
    sp_table_row(t,
                 (const char *const[]){sp_text(k, "fingerprint"), sp_text_or(k, "label", NULL),
                                       sp_text_or(k, "group", "every managed account"),
                                       sp_text_or(k, "expires_at", NULL),
                                       from.len > 0 ? sp_buf_str(&from) : NULL},
                 5);
}

static void show_list(const cJSON *result)
{
    static const struct sp_column columns[] = {{"FINGERPRINT", SP_COLUMN_PLAIN},
                                               {"LABEL", SP_COLUMN_TRUNC},
                                               {"OPENS", SP_COLUMN_PLAIN},
                                               {"UNTIL", SP_COLUMN_PLAIN},
                                               {"ONLY FROM", SP_COLUMN_WRAP}};
    const cJSON *k = NULL, *keys = sp_item(result, "keys");
    struct sp_table *t = NULL;

    if (cJSON_GetArraySize(keys) == 0)
        (void)printf("no global keys\n");
    else
        t = sp_table_new(columns, SP_COUNT(columns));
    cJSON_ArrayForEach(k, keys)
    {
        add_key(t, k);
    }
    sp_table_show(t);
}

static int list(const struct sp_args *a)
{
    return sp_verb_call(a, "global_keys.list", cJSON_CreateObject(), show_list);
}

static int take_away(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject();

    sp_params_text(params, "fingerprint", a->words[1]);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "global_keys.remove", params, sp_show_changes);
}

static int add(const struct sp_args *a)
{
    _cleanup_(sp_buf_wipe) struct sp_buf text = {0};
    cJSON *params;
    struct sp_error err;

    if (sp_verb_read_key(a->words[1], &text, &err) < 0)
        return sp_show_failure(a, &err);
    params = cJSON_CreateObject();
    sp_params_text(params, "key", sp_buf_str(&text));
    sp_params_text(params, "label", a->option[SP_OPT_LABEL]);
    sp_params_list(params, "from", a->option[SP_OPT_FROM]);
    sp_params_text(params, "expires_at", a->option[SP_OPT_EXPIRES_AT]);
    sp_params_text(params, "forwarding", a->option[SP_OPT_FORWARDING]);
    if (sp_args_has(a, SP_OPT_NO_PTY))
        (void)cJSON_AddFalseToObject(params, "pty");
    sp_params_text(params, "group", a->option[SP_OPT_GROUP]);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "global_keys.add", params, sp_show_changes);
}

static const struct sp_action actions[] = {
    {"list", "", 0, 0, 0, list, NULL},
    {"add", "FILE|- [OPTION..]",
     SP_OPT(DRY_RUN) | SP_OPT(GROUP) | SP_OPT(LABEL) | SP_OPT(FROM) | SP_OPT(EXPIRES_AT) |
         SP_OPT(FORWARDING) | SP_OPT(NO_PTY),
     1, 1, add, NULL},
    {"remove", "FINGERPRINT", SP_OPT(DRY_RUN), 1, 1, take_away,
     "shuts that person out of every account and ends the logins"},
    {NULL},
};
const struct sp_verb sp_verb_global_keys = {
    "global-keys", "keys that open every managed account, or those of a group", actions, NULL};
