/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/verbs.h"
#include "model/json.h"

static void show_now(const cJSON *u)
{
    int keys = cJSON_GetArraySize(sp_item(u, "authorized_keys"));

    (void)printf("%-16s %s  %s, %d key%s, until %s%s\n", sp_text_or(u, "user", "?"),
                 sp_text_or(u, "label", "(no label)"),
                 sp_is_true(u, "read_only") ? "reads" : "reads and writes", keys, keys == 1 ? "" : "s",
                 sp_text_or(u, "expires_at", "removed"),
                 sp_streq(sp_text_or(u, "shell", ""), "none") ? ", shut" : "");
}

static void show_list(const cJSON *result)
{
    const cJSON *users = sp_item(result, "users"), *item = NULL;

    if (cJSON_GetArraySize(users) == 0)
        (void)printf("no extra logins\n");
    cJSON_ArrayForEach(item, users)
    {
        show_now(item);
    }
    cJSON_ArrayForEach(item, sp_item(result, "past"))
    {
        (void)printf("%-16s %s  was here from %s to %s: %s\n", sp_text_or(item, "user", "?"),
                     sp_text_or(item, "label", "(no label)"), sp_text_or(item, "added_at", "?"),
                     sp_text_or(item, "removed_at", "?"), sp_text_or(item, "reason", "?"));
    }
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
