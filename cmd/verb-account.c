/* SPDX-License-Identifier: GPL-3.0-or-later */
/* access, suspend, resume, password: what holds for a whole account. */
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/verb.h"

#define PASSWORD_MAX_BYTES 1024

static void put_when(cJSON *params, const char *name, const char *when)
{
    if (when != NULL && sp_streq(when, "never"))
        (void)cJSON_AddNullToObject(params, name);
    else
        sp_params_text(params, name, when);
}

int sp_verb_access(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject();

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

int sp_verb_suspend(const struct sp_args *a)
{
    return about_account(a, "account.suspend", a->words[0]);
}

int sp_verb_resume(const struct sp_args *a)
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
        return sp_show_error(&err);
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
    const cJSON *password = cJSON_GetObjectItemCaseSensitive(result, "password");

    if (cJSON_IsString(password))
        (void)printf("%s\n", password->valuestring);
    else
        sp_show_changes(result);
}

int sp_verb_password(const struct sp_args *a)
{
    cJSON *params;

    if (sp_streq(a->words[0], "set"))
        return set(a);
    if (sp_streq(a->words[0], "lock"))
        return about_account(a, "password.lock", a->words[1]);
    if (sp_streq(a->words[0], "unlock"))
        return about_account(a, "password.unlock", a->words[1]);
    if (!sp_streq(a->words[0], "generate"))
        return sp_verb_usage(a, "password set, generate, lock or unlock");
    params = cJSON_CreateObject();
    sp_params_text(params, "domain", a->words[1]);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "password.generate", params, show_password);
}
