/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sessions: who is in, and the way out. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "cmd/table.h"
#include "cmd/verbs.h"
#include "model/name.h"
#include "model/sshkey.h"

/* In the host's own time, as who(1) has it. */
static void put_since(const char *when, char *out, size_t size)
{
    struct tm tm = {0};
    struct sp_error ignored;
    int64_t t = 0;
    time_t seconds;

    if (sp_when_parse(when, &t, &ignored) == 0 &&
        (seconds = (time_t)t, localtime_r(&seconds, &tm)) != NULL &&
        strftime(out, size, "%Y-%m-%d %H:%M", &tm) > 0)
        return;
    (void)sp_str_copy(out, size, when);
}

/* Words with blanks between, as many as fit. */
static void join(const cJSON *array, char *out, size_t size)
{
    const cJSON *item = NULL;
    size_t used = 0;

    out[0] = '\0';
    cJSON_ArrayForEach(item, array)
    {
        if (sp_str_format(out + used, size - used, "%s%s", used > 0 ? " " : "", sp_text_itself(item)) == 0)
            used += strlen(out + used);
        else
            out[used] = '\0';
    }
}

/* The label is what people know; else the certificate's id, the fingerprint, the method. */
static const char *opened_by(const cJSON *s)
{
    static const char *const names[] = {"label", "key_id", "fingerprint", "method"};
    const cJSON *proof = sp_item(s, "authentication");

    for (size_t i = 0; i < SP_COUNT(names); i++)
        if (sp_text(proof, names[i])[0] != '\0')
            return sp_text(proof, names[i]);
    return NULL;
}

static const char *where(const cJSON *s)
{
    if (sp_number(s, "processes") == 0)
        return "-";
    return sp_is_true(s, "jailed") ? "jail" : "host";
}

static void add_row(struct sp_table *t, const cJSON *s)
{
    bool left = sp_streq(sp_text(s, "state"), "left_behind");
    char since[32], programs[256], processes[16];

    put_since(sp_text(s, "since"), since, sizeof(since));
    join(sp_item(s, "programs"), programs, sizeof(programs));
    (void)snprintf(processes, sizeof(processes), "%.0f", sp_number(s, "processes"));
    sp_table_row(t,
                 (const char *const[]){sp_text(s, "user"),
                                       left ? "(left behind)" : sp_text_or(s, "from", "?"), since, where(s),
                                       processes, opened_by(s), programs, sp_text(s, "id")},
                 8);
}

static void show_sessions(const cJSON *r)
{
    static const struct sp_column columns[] = {
        {"USER", SP_COLUMN_PLAIN},     {"FROM", SP_COLUMN_PLAIN},      {"SINCE", SP_COLUMN_PLAIN},
        {"WHERE", SP_COLUMN_PLAIN},    {"PROCESSES", SP_COLUMN_RIGHT}, {"OPENED BY", SP_COLUMN_TRUNC},
        {"PROGRAMS", SP_COLUMN_TRUNC}, {"ID", SP_COLUMN_PLAIN}};
    const cJSON *item = NULL, *sessions = sp_item(r, "sessions");
    struct sp_table *t = NULL;

    if (cJSON_GetArraySize(sessions) == 0) {
        (void)printf("nobody is in\n");
        return;
    }
    t = sp_table_new(columns, SP_COUNT(columns));
    cJSON_ArrayForEach(item, sessions)
    {
        add_row(t, item);
    }
    sp_table_show(t);
}

static int list(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject();

    sp_params_text(params, "domain", a->n_words > 1 ? a->words[1] : NULL);
    sp_params_text(params, "user", a->option[SP_OPT_USER]);
    return sp_verb_call(a, "sessions.list", params, show_sessions);
}

static int end(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject();

    sp_params_text(params, "domain", a->n_words > 1 ? a->words[1] : NULL);
    sp_params_text(params, "user", a->option[SP_OPT_USER]);
    sp_params_text(params, "session", a->option[SP_OPT_SESSION]);
    sp_params_text(params, "fingerprint", a->option[SP_OPT_KEY]);
    sp_params_flag(params, "all", a->option[SP_OPT_ALL]);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "sessions.end", params, sp_show_changes);
}

static const struct sp_action actions[] = {
    {"list", "[DOMAIN | --user USER]", SP_OPT(USER), 0, 1, list, NULL},
    {"end", "[DOMAIN] [OPTION..]",
     SP_OPT(DRY_RUN) | SP_OPT(USER) | SP_OPT(SESSION) | SP_OPT(KEY) | SP_OPT(ALL), 0, 1, end,
     "ends these logins and all that runs in them, at once"},
    {NULL},
};
static const struct sp_option_text texts[] = {
    {SP_OPT_USER, "USER", "one login's, instead of DOMAIN"},
    {SP_OPT_KEY, "FINGERPRINT", "those that this key opened"},
    {SP_OPT_ALL, NULL, "of every account"},
    {0, NULL, NULL},
};
const struct sp_verb sp_verb_sessions = {"sessions", "who is in over SSH, and the way out", actions, texts};
