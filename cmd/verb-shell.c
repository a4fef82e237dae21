/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/str.h"
#include "cmd/verbs.h"

#define LIMITS (SP_OPT(PROCESSES) | SP_OPT(MEMORY_MIB) | SP_OPT(TMP_MIB))

static int limits_run(const struct sp_args *a)
{
    cJSON *params, *limits;

    if (!sp_args_has_any(a, LIMITS))
        return sp_verb_usage(a, "no limit is named; sallyport status shows what is set");
    params = cJSON_CreateObject();
    sp_params_text(params, "domain", a->words[0]);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    limits = cJSON_AddObjectToObject(params, "limits");
    sp_params_number(limits, "processes", a->option[SP_OPT_PROCESSES]);
    sp_params_number(limits, "memory_mib", a->option[SP_OPT_MEMORY_MIB]);
    if (sp_args_has(a, SP_OPT_TMP_MIB))
        sp_params_number(cJSON_AddObjectToObject(params, "jail"), "tmp_mib", a->option[SP_OPT_TMP_MIB]);
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

static int shell(const struct sp_args *a)
{
    return set(a, a->words[1]);
}

static int enable(const struct sp_args *a)
{
    const char *shell = a->n_words > 1 ? a->words[1] : "chroot";

    if (!sp_streq(shell, "chroot") && !sp_streq(shell, "bash"))
        return sp_verb_usage(a, "enable gives bash or chroot; disable takes SSH away");
    return set(a, shell);
}

static int disable(const struct sp_args *a)
{
    return set(a, "none");
}

#define WHO_AND_WHERE                                                                                      \
    (SP_OPT(DRY_RUN) | SP_OPT(USER) | SP_OPT(DOCUMENT_ROOT) | SP_OPT(PROFILES) | SP_OPT(FORWARDING) |      \
     SP_OPT(ACCOUNT_WIDE))

static const struct sp_action shell_actions[] = {
    {"", "DOMAIN none|bash|chroot [OPTION..]", WHO_AND_WHERE | SP_OPT(SUDO), 2, 2, shell, NULL}, {NULL}};
const struct sp_verb sp_verb_shell = {"shell", "set a domain's login shell", shell_actions, NULL};

static const struct sp_action enable_actions[] = {
    {"", "DOMAIN [bash|chroot] [OPTION..]", WHO_AND_WHERE, 1, 2, enable, NULL}, {NULL}};
const struct sp_verb sp_verb_enable = {"enable", "let a domain in over SSH: a jail, unless bash is said",
                                       enable_actions, NULL};

static const struct sp_action disable_actions[] = {
    {"", "DOMAIN", SP_OPT(DRY_RUN) | SP_OPT(ACCOUNT_WIDE), 1, 1, disable, NULL}, {NULL}};
const struct sp_verb sp_verb_disable = {
    "disable", "no SSH for a domain; its keys stay, and FTP, mail and PHP go on", disable_actions, NULL};

static const struct sp_action limits_actions[] = {
    {"", "DOMAIN [OPTION..]", SP_OPT(DRY_RUN) | LIMITS, 1, 1, limits_run, NULL}, {NULL}};
const struct sp_verb sp_verb_limits = {"limits", "how much of the host a domain's sessions may take",
                                       limits_actions, NULL};
