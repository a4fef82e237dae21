/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "cmd/verb.h"

static const char *text_of(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

    return cJSON_IsString(v) ? v->valuestring : "";
}

static void show_list(const cJSON *result)
{
    const cJSON *k = NULL, *keys = cJSON_GetObjectItemCaseSensitive(result, "keys"), *from = NULL;

    if (cJSON_GetArraySize(keys) == 0)
        (void)printf("no global keys\n");
    cJSON_ArrayForEach(k, keys)
    {
        const char *group = text_of(k, "group"), *until = text_of(k, "expires_at");
        (void)printf("%s  %s  %s%s%s%s", text_of(k, "fingerprint"), text_of(k, "label"),
                     group[0] != '\0' ? "for the group " : "for every managed account", group,
                     until[0] != '\0' ? "  until " : "", until);
        cJSON_ArrayForEach(from, cJSON_GetObjectItemCaseSensitive(k, "from"))
        {
            (void)printf("  from %s", from->valuestring);
        }
        (void)printf("\n");
    }
}

int sp_verb_global_keys(const struct sp_args *a)
{
    _cleanup_(sp_buf_wipe) struct sp_buf text = {0};
    cJSON *params;
    struct sp_error err;

    if (sp_streq(a->words[0], "list") && a->n_words == 1)
        return sp_verb_call(a, "global_keys.list", cJSON_CreateObject(), show_list);
    if (a->n_words != 2 || (!sp_streq(a->words[0], "add") && !sp_streq(a->words[0], "remove")))
        return sp_verb_usage(a, "global-keys list, add FILE|-, or remove FINGERPRINT");
    if (sp_streq(a->words[0], "remove")) {
        params = cJSON_CreateObject();
        sp_params_text(params, "fingerprint", a->words[1]);
        return sp_verb_call(a, "global_keys.remove", params, sp_show_changes);
    }
    if (sp_verb_read_key(a->words[1], &text, &err) < 0)
        return sp_show_error(&err);
    params = cJSON_CreateObject();
    sp_params_text(params, "key", sp_buf_str(&text));
    sp_params_text(params, "label", a->option[SP_OPT_LABEL]);
    sp_params_list(params, "from", a->option[SP_OPT_FROM]);
    sp_params_text(params, "expires_at", a->option[SP_OPT_EXPIRES_AT]);
    sp_params_text(params, "forwarding", a->option[SP_OPT_FORWARDING]);
    if (sp_args_has(a, SP_OPT_NO_PTY))
        (void)cJSON_AddFalseToObject(params, "pty");
    sp_params_text(params, "group", a->option[SP_OPT_GROUP]);
    return sp_verb_call(a, "global_keys.add", params, sp_show_changes);
}
