/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/tone.h"
#include "cmd/verbs.h"

static const char *mark_of(const char *state)
{
    static const char *const marks[][2] = {
        {"ok", "ok"}, {"warning", "warn"}, {"unknown", "?"}, {"stops", "STOP"}};

    for (size_t i = 0; i < SP_COUNT(marks); i++)
        if (sp_streq(marks[i][0], state))
            return marks[i][1];
    return "";
}

static enum sp_tone tone_of(const char *state)
{
    if (sp_streq(state, "ok"))
        return SP_TONE_GOOD;
    return sp_streq(state, "stops") ? SP_TONE_BAD : SP_TONE_WARN;
}

static void show_changes(const cJSON *r, const char *name, const char *what)
{
    const cJSON *c = NULL;

    cJSON_ArrayForEach(c, sp_item(r, name))
    {
        (void)printf("%s  %s %s: %s -> %s\n", what, sp_text(c, "resource"), sp_text(c, "target"),
                     sp_text(c, "from")[0] != '\0' ? sp_text(c, "from") : "(absent)",
                     sp_text(c, "to")[0] != '\0' ? sp_text(c, "to") : "(absent)");
    }
}

#define REFUSALS_SHOWN 3

/* The newest of sshd's own log. */
static void show_refusals(const cJSON *r)
{
    const cJSON *c = NULL;
    int shown = 0;

    cJSON_ArrayForEach(c, sp_item(r, "refusals"))
    {
        if (shown++ == REFUSALS_SHOWN)
            break;
        (void)printf("%s  %s%s%s: %s%s\n", shown == 1 ? "sshd's log:" : "           ", sp_text(c, "at"),
                     sp_text(c, "address")[0] != '\0' ? " from " : "", sp_text(c, "address"),
                     sp_text(c, "why"), sp_is_true(c, "let_in") ? " (and then let in)" : "");
        if (sp_text(c, "mend")[0] != '\0')
            (void)printf("%-21s  try: %s\n", "", sp_text(c, "mend"));
    }
}

static void show(const cJSON *r)
{
    const cJSON *c = NULL, *stop = sp_item(r, "stop");
    const char *verdict = sp_text(r, "verdict"), *from = sp_text(r, "from");

    show_changes(r, "fixed", "fixed");
    if (sp_text(r, "fix_failed")[0] != '\0')
        (void)printf("could not be fixed: %s\n", sp_text(r, "fix_failed"));
    cJSON_ArrayForEach(c, sp_item(r, "checks"))
    {
        (void)printf("%s%-4s%s  %-15s %s\n", sp_tone(tone_of(sp_text(c, "state")), stdout),
                     mark_of(sp_text(c, "state")), sp_tone(SP_TONE_PLAIN, stdout), sp_text(c, "check"),
                     sp_text(c, "text"));
        if (sp_text(c, "mend")[0] != '\0')
            (void)printf("%-21s  try: %s\n", "", sp_text(c, "mend"));
    }
    show_changes(r, "drift", "differs from what was asked:");
    show_refusals(r);
    (void)printf("\n");
    if (sp_streq(verdict, "refused"))
        (void)printf("%s cannot log in%s%s: %s\n%s%s%s", sp_text(r, "user"),
                     from[0] != '\0' ? " from " : "", from, sp_text(stop, "text"),
                     sp_text(stop, "mend")[0] != '\0' ? "  try: " : "", sp_text(stop, "mend"),
                     sp_text(stop, "mend")[0] != '\0' ? "\n" : "");
    else
        (void)printf("%s can log in%s%s%s\n", sp_text(r, "user"), from[0] != '\0' ? " from " : "", from,
                     sp_streq(verdict, "unknown") ? ", as far as can be told (see the lines with ?)" : "");
}

static int doctor(const struct sp_args *a)
{
    _cleanup_(sp_buf_wipe) struct sp_buf key = {0};
    cJSON *params;
    struct sp_error err;

    if (a->n_words == 0 && !sp_args_has(a, SP_OPT_USER))
        return sp_verb_usage(a, "doctor needs a DOMAIN or --user U");
    if (a->n_words > 0 && strchr(a->words[0], '.') == NULL)
        return sp_verb_usage(a, "that is no domain: a user is named by --user");
    if (sp_args_has(a, SP_OPT_KEY) && sp_verb_read_key(a->option[SP_OPT_KEY], &key, &err) < 0)
        return sp_show_failure(a, &err);
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

static const struct sp_action actions[] = {
    {"", "DOMAIN | --user USER [OPTION..]",
     SP_OPT(USER) | SP_OPT(FROM) | SP_OPT(KEY) | SP_OPT(PORT) | SP_OPT(FIX), 0, 1, doctor, NULL},
    {NULL},
};
static const struct sp_option_text texts[] = {
    {SP_OPT_USER, "USER", "the login, instead of DOMAIN"},
    {SP_OPT_FROM, "ADDRESS", "where the person comes from"},
    {0, NULL, NULL},
};
const struct sp_verb sp_verb_doctor = {
    "doctor", "why can't somebody log in? every layer, as sshd would walk it", actions, texts};
