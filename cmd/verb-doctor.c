/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/verb.h"

static const char *text_of(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

    return cJSON_IsString(v) ? v->valuestring : "";
}

static const char *mark_of(const char *state)
{
    static const char *const marks[][2] = {
        {"ok", "ok"}, {"warning", "warn"}, {"unknown", "?"}, {"stops", "STOP"}};

    for (size_t i = 0; i < SP_COUNT(marks); i++)
        if (sp_streq(marks[i][0], state))
            return marks[i][1];
    return "";
}

static void show_changes(const cJSON *r, const char *name, const char *what)
{
    const cJSON *c = NULL;

    cJSON_ArrayForEach(c, cJSON_GetObjectItemCaseSensitive(r, name))
    {
        (void)printf("%s  %s %s: %s -> %s\n", what, text_of(c, "resource"), text_of(c, "target"),
                     text_of(c, "from")[0] != '\0' ? text_of(c, "from") : "(absent)",
                     text_of(c, "to")[0] != '\0' ? text_of(c, "to") : "(absent)");
    }
}

#define REFUSALS_SHOWN 3

/* The newest of sshd's own log. */
static void show_refusals(const cJSON *r)
{
    const cJSON *c = NULL;
    int shown = 0;

    cJSON_ArrayForEach(c, cJSON_GetObjectItemCaseSensitive(r, "refusals"))
    {
        if (shown++ == REFUSALS_SHOWN)
            break;
        (void)printf(
            "%s  %s%s%s: %s%s\n", shown == 1 ? "sshd's log:" : "           ", text_of(c, "at"),
            text_of(c, "address")[0] != '\0' ? " from " : "", text_of(c, "address"), text_of(c, "why"),
            cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(c, "let_in")) ? " (and then let in)" : "");
        if (text_of(c, "mend")[0] != '\0')
            (void)printf("%-21s  try: %s\n", "", text_of(c, "mend"));
    }
}

static void show(const cJSON *r)
{
    const cJSON *c = NULL, *stop = cJSON_GetObjectItemCaseSensitive(r, "stop");
    const char *verdict = text_of(r, "verdict"), *from = text_of(r, "from");

    show_changes(r, "fixed", "fixed");
    if (text_of(r, "fix_failed")[0] != '\0')
        (void)printf("could not be fixed: %s\n", text_of(r, "fix_failed"));
    cJSON_ArrayForEach(c, cJSON_GetObjectItemCaseSensitive(r, "checks"))
    {
        (void)printf("%-4s  %-15s %s\n", mark_of(text_of(c, "state")), text_of(c, "check"),
                     text_of(c, "text"));
        if (text_of(c, "mend")[0] != '\0')
            (void)printf("%-21s  try: %s\n", "", text_of(c, "mend"));
    }
    show_changes(r, "drift", "differs from what was asked:");
    show_refusals(r);
    (void)printf("\n");
    if (sp_streq(verdict, "refused"))
        (void)printf("%s cannot log in%s%s: %s\n%s%s%s", text_of(r, "user"),
                     from[0] != '\0' ? " from " : "", from, text_of(stop, "text"),
                     text_of(stop, "mend")[0] != '\0' ? "  try: " : "", text_of(stop, "mend"),
                     text_of(stop, "mend")[0] != '\0' ? "\n" : "");
    else
        (void)printf("%s can log in%s%s%s\n", text_of(r, "user"), from[0] != '\0' ? " from " : "", from,
                     sp_streq(verdict, "unknown") ? ", as far as can be told (see the lines with ?)" : "");
}

int sp_verb_doctor(const struct sp_args *a)
{
    _cleanup_(sp_buf_wipe) struct sp_buf key = {0};
    cJSON *params;
    struct sp_error err;

    if (a->n_words == 0 && !sp_args_has(a, SP_OPT_USER))
        return sp_verb_usage(a, "doctor needs a DOMAIN or --user U");
    if (sp_args_has(a, SP_OPT_KEY) && sp_verb_read_key(a->option[SP_OPT_KEY], &key, &err) < 0)
        return sp_show_error(&err);
    params = cJSON_CreateObject();
    sp_params_text(params, "domain", a->n_words > 0 ? a->words[0] : NULL);
    sp_params_text(params, "user", a->option[SP_OPT_USER]);
    sp_params_text(params, "from", a->option[SP_OPT_FROM]);
    sp_params_text(params, "key", sp_args_has(a, SP_OPT_KEY) ? sp_buf_str(&key) : NULL);
    sp_params_flag(params, "fix", a->option[SP_OPT_FIX]);
    if (sp_args_has(a, SP_OPT_PORT))
        (void)cJSON_AddNumberToObject(params, "port", strtod(a->option[SP_OPT_PORT], NULL));
    return sp_verb_call(a, "login.diagnose", params, show);
}
