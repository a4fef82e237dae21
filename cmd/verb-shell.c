/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/str.h"
#include "cmd/verb.h"

/* The engine says what is wrong with a number; what is none goes there as the text that it is. */
static void add_number(cJSON *o, const char *name, const char *text)
{
    uint64_t n = 0;

    if (text != NULL && sp_str_to_u64(text, UINT32_MAX, &n) == 0)
        (void)cJSON_AddNumberToObject(o, name, (double)n);
    else
        sp_params_text(o, name, text);
}

int sp_verb_limits(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject(), *limits;

    sp_params_text(params, "domain", a->words[0]);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    limits = cJSON_AddObjectToObject(params, "limits");
    add_number(limits, "processes", a->option[SP_OPT_PROCESSES]);
    add_number(limits, "memory_mib", a->option[SP_OPT_MEMORY_MIB]);
    if (sp_args_has(a, SP_OPT_TMP_MIB))
        add_number(cJSON_AddObjectToObject(params, "jail"), "tmp_mib", a->option[SP_OPT_TMP_MIB]);
    return sp_verb_call(a, "domain.apply", params, sp_show_changes);
}

static int set(const struct sp_args *a, const char *shell)
{
    cJSON *params = cJSON_CreateObject(), *jail;

    sp_params_text(params, "domain", a->words[0]);
    sp_params_text(params, "shell", shell);
    sp_params_text(params, "user", a->option[SP_OPT_USER]);
    sp_params_text(params, "document_root", a->option[SP_OPT_DOCUMENT_ROOT]);
    sp_params_text(params, "forwarding", a->option[SP_OPT_FORWARDING]);
    sp_params_flag(params, "account_wide", a->option[SP_OPT_ACCOUNT_WIDE]);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    if (sp_args_has(a, SP_OPT_SUDO)) /* an empty one takes all away */
        sp_params_list(params, "sudo", a->option[SP_OPT_SUDO]);
    if (sp_args_has(a, SP_OPT_PROFILES)) {
        jail = cJSON_AddObjectToObject(params, "jail");
        sp_params_list(jail, "profiles", a->option[SP_OPT_PROFILES]);
    }
    return sp_verb_call(a, "domain.apply", params, sp_show_changes);
}

int sp_verb_shell(const struct sp_args *a)
{
    return set(a, a->words[1]);
}

int sp_verb_enable(const struct sp_args *a)
{
    const char *shell = a->n_words > 1 ? a->words[1] : "chroot";

    if (!sp_streq(shell, "chroot") && !sp_streq(shell, "bash"))
        return sp_verb_usage(a, "enable gives bash or chroot; disable takes SSH away");
    return set(a, shell);
}

int sp_verb_disable(const struct sp_args *a)
{
    return set(a, "none");
}
