/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/verb.h"
#include "model/json.h"

static const char *text_of(const cJSON *o, const char *name, const char *otherwise)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

    return cJSON_IsString(v) && v->valuestring[0] != '\0' ? v->valuestring : otherwise;
}

static void show_now(const cJSON *u)
{
    int keys = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(u, "authorized_keys"));

    (void)printf(
        "%-16s %s  %s, %d key%s, until %s%s\n", text_of(u, "user", "?"), text_of(u, "label", "(no label)"),
        cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(u, "read_only")) ? "reads" : "reads and writes", keys,
        keys == 1 ? "" : "s", text_of(u, "expires_at", "removed"),
        sp_streq(text_of(u, "shell", ""), "none") ? ", shut" : "");
}

static void show_list(const cJSON *result)
{
    const cJSON *users = cJSON_GetObjectItemCaseSensitive(result, "users"), *item = NULL;

    if (cJSON_GetArraySize(users) == 0)
        (void)printf("no extra logins\n");
    cJSON_ArrayForEach(item, users)
    {
        show_now(item);
    }
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(result, "past"))
    {
        (void)printf("%-16s %s  was here from %s to %s: %s\n", text_of(item, "user", "?"),
                     text_of(item, "label", "(no label)"), text_of(item, "added_at", "?"),
                     text_of(item, "removed_at", "?"), text_of(item, "reason", "?"));
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

static int add(const struct sp_args *a, cJSON *params)
{
    _cleanup_json_ cJSON *mine = params;
    struct sp_error err;

    if (a->n_words == 4 && put_key(a->words[3], mine, &err) < 0)
        return sp_show_error(&err);
    sp_params_text(mine, "label", a->option[SP_OPT_LABEL]);
    sp_params_text(mine, "expires_at", a->option[SP_OPT_EXPIRES_AT]);
    sp_params_text(mine, "forwarding", a->option[SP_OPT_FORWARDING]);
    sp_params_flag(mine, "read_only", a->option[SP_OPT_READ_ONLY]);
    sp_params_flag(mine, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "user.add", sp_steal_ptr(mine), sp_show_changes);
}

int sp_verb_users(const struct sp_args *a)
{
    bool adds = sp_streq(a->words[0], "add") && a->n_words >= 3;
    bool removes = sp_streq(a->words[0], "remove") && a->n_words == 3;
    cJSON *params;

    if (!adds && !removes && !(sp_streq(a->words[0], "list") && a->n_words == 2))
        return sp_verb_usage(
            a, "users list DOMAIN, users add DOMAIN NAME [FILE|-], or users remove DOMAIN NAME");
    params = cJSON_CreateObject();
    sp_params_text(params, "domain", a->words[1]);
    if (!adds && !removes)
        return sp_verb_call(a, "user.list", params, show_list);
    sp_params_text(params, "user", a->words[2]);
    if (adds)
        return add(a, params);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "user.remove", params, sp_show_changes);
}
