/* SPDX-License-Identifier: GPL-3.0-or-later */
/* access, suspend, resume, password: what holds for a whole account. */
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/verbs.h"

#define PASSWORD_MAX_BYTES 1024

static void put_when(cJSON *params, const char *name, const char *when)
{
    if (when != NULL && sp_streq(when, "never"))
        (void)cJSON_AddNullToObject(params, name);
    else
        sp_params_text(params, name, when);
}

#define RULES (SP_OPT(AUTHENTICATION) | SP_OPT(VALID_FROM) | SP_OPT(VALID_UNTIL))

static int access_run(const struct sp_args *a)
{
    cJSON *params;

    if (!sp_args_has_any(a, RULES))
        return sp_verb_usage(a, "nothing is named to change; sallyport status shows what is set");
    params = cJSON_CreateObject();
    sp_params_text(params, "domain", a->words[0]);
    sp_params_text(params, "authentication", a->option[SP_OPT_AUTHENTICATION]);
    put_when(params, "valid_from", a->option[SP_OPT_VALID_FROM]);
    put_when(params, "valid_until", a->option[SP_OPT_VALID_UNTIL]);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "domain.apply", params, sp_show_changes);
}

static int about_account(const struct sp_args *a, const char *method, const char *domain)
{
    cJSON *params = cJSON_CreateObject();

    sp_params_text(params, "domain", domain);
    sp_params_text(params, "user", a->option[SP_OPT_USER]);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, method, params, sp_show_changes);
}

static int suspend(const struct sp_args *a)
{
    return about_account(a, "account.suspend", a->words[0]);
}

static int resume(const struct sp_args *a)
{
    return about_account(a, "account.resume", a->words[0]);
}

/* One line on stdin: a command line can be read by everybody. */
static int set(const struct sp_args *a)
{
    _cleanup_(sp_buf_wipe) struct sp_buf text = {0};
    struct sp_error err;
    cJSON *params;

    if (isatty(STDIN_FILENO))
        (void)fprintf(stderr, "the new password, then Enter and Ctrl-D (it is shown as you type):\n");
    if (sp_buf_read_fd(&text, STDIN_FILENO, PASSWORD_MAX_BYTES, 0, &err) < 0)
        return sp_show_failure(a, &err);
    if (text.len > 0 && text.data[text.len - 1] == '\n')
        text.data[--text.len] = '\0';
    params = cJSON_CreateObject();
    sp_params_text(params, "domain", a->words[1]);
    sp_params_text(params, "password", sp_buf_str(&text));
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "password.set", params, sp_show_changes);
}

static void show_password(const cJSON *result)
{
    const cJSON *password = sp_item(result, "password");

    if (cJSON_IsString(password))
        (void)printf("%s\n", password->valuestring);
    else
        sp_show_changes(result);
}

static int lock(const struct sp_args *a)
{
    return about_account(a, "password.lock", a->words[1]);
}

static int unlock(const struct sp_args *a)
{
    return about_account(a, "password.unlock", a->words[1]);
}

static int generate(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject();

    sp_params_text(params, "domain", a->words[1]);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "password.generate", params, show_password);
}

static const struct sp_action access_actions[] = {
    {"", "DOMAIN [OPTION..]", SP_OPT(DRY_RUN) | RULES, 1, 1, access_run, NULL},
    {NULL},
};
const struct sp_verb sp_verb_access = {"access", "how an account proves itself, and between which dates",
                                       access_actions, NULL};

static const struct sp_option_text instead_of_domain[] = {
    {SP_OPT_USER, "USER", "the account, instead of DOMAIN"}, {0, NULL, NULL}};
static const struct sp_action suspend_actions[] = {
    {"", "DOMAIN | --user USER", SP_OPT(DRY_RUN) | SP_OPT(USER), 0, 1, suspend, NULL},
    {NULL},
};
const struct sp_verb sp_verb_suspend = {"suspend",
                                        "shut an account and end its sessions; all else stays as it is",
                                        suspend_actions, instead_of_domain};

static const struct sp_action resume_actions[] = {
    {"", "DOMAIN | --user USER", SP_OPT(DRY_RUN) | SP_OPT(USER), 0, 1, resume, NULL},
    {NULL},
};
const struct sp_verb sp_verb_resume = {"resume", "let a suspended account in again", resume_actions,
                                       instead_of_domain};

static const struct sp_action password_actions[] = {
    {"set", "DOMAIN", SP_OPT(DRY_RUN), 1, 1, set, NULL},
    {"generate", "DOMAIN", SP_OPT(DRY_RUN), 1, 1, generate, NULL},
    {"lock", "DOMAIN", SP_OPT(DRY_RUN), 1, 1, lock, NULL},
    {"unlock", "DOMAIN", SP_OPT(DRY_RUN), 1, 1, unlock, NULL},
    {NULL},
};
const struct sp_verb sp_verb_password = {
    "password", "set a password (from stdin), make one, or keep it from SSH", password_actions, NULL};
