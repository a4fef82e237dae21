/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cmd/verb.h"

int sp_verb_shell(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject(), *jail;

    sp_params_text(params, "domain", a->words[0]);
    sp_params_text(params, "shell", a->words[1]);
    sp_params_text(params, "user", a->option[SP_OPT_USER]);
    sp_params_text(params, "document_root", a->option[SP_OPT_DOCUMENT_ROOT]);
    sp_params_text(params, "forwarding", a->option[SP_OPT_FORWARDING]);
    sp_params_flag(params, "account_wide", a->option[SP_OPT_ACCOUNT_WIDE]);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    if (sp_args_has(a, SP_OPT_PROFILES)) {
        jail = cJSON_AddObjectToObject(params, "jail");
        sp_params_list(jail, "profiles", a->option[SP_OPT_PROFILES]);
    }
    return sp_verb_call(a, "domain.apply", params, sp_show_changes);
}
