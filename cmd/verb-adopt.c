/* SPDX-License-Identifier: GPL-3.0-or-later */
/* adopt: all accounts of a panel, as they are found. */
#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/table.h"
#include "cmd/verbs.h"
#include "model/json.h"

/* "example.com (and 3 more)", or who he is where he has none. */
static void name_of(const cJSON *a, char out[300])
{
    const cJSON *domains = sp_item(a, "domains");
    int n = cJSON_GetArraySize(domains);
    const char *first = sp_text(cJSON_GetArrayItem(domains, 0), "domain");

    if (n > 1)
        (void)sp_str_format(out, 300, "%s +%d", first, n - 1);
    else
        (void)sp_str_format(out, 300, "%s", n == 1 ? first : "-");
}

static void why_of(const cJSON *a, struct sp_buf *out)
{
    const cJSON *item = NULL;

    if (sp_text(a, "error")[0] != '\0')
        sp_buf_printf(out, "%s (%s)", sp_text(a, "error"), sp_text(a, "hint"));
    cJSON_ArrayForEach(item, sp_item(a, "left_out"))
    {
        sp_buf_printf(out, "%sleft out %s: %s", out->len > 0 ? "; " : "", sp_text(item, "domain"),
                      sp_text(item, "error"));
    }
    cJSON_ArrayForEach(item, sp_item(a, "notes"))
    {
        sp_buf_printf(out, "%s%s", out->len > 0 ? "; " : "", sp_text_itself(item));
    }
}

static void add_row(struct sp_table *t, const cJSON *a)
{
    _cleanup_(sp_buf_clear) struct sp_buf why = {0};
    char name[300], keys[16];

    name_of(a, name);
    why_of(a, &why);
    (void)sp_str_format(keys, sizeof(keys), "%d", (int)sp_number(a, "keys"));
    sp_table_row(t,
                 (const char *const[]){sp_text(a, "user"), name, sp_text(a, "shell"), keys,
                                       sp_streq(sp_text(a, "result"), "passed_over") ? "passed over"
                                                                                     : sp_text(a, "result"),
                                       sp_buf_str(&why)},
                 6);
}

static void show(const cJSON *r)
{
    static const struct sp_column columns[] = {{"USER", SP_COLUMN_PLAIN},   {"DOMAINS", SP_COLUMN_PLAIN},
                                               {"SHELL", SP_COLUMN_PLAIN},  {"KEYS", SP_COLUMN_RIGHT},
                                               {"RESULT", SP_COLUMN_PLAIN}, {"WHY", SP_COLUMN_WRAP}};
    const cJSON *accounts = sp_item(r, "accounts"), *a = NULL;
    struct sp_table *t = cJSON_GetArraySize(accounts) > 0 ? sp_table_new(columns, SP_COUNT(columns)) : NULL;

    cJSON_ArrayForEach(a, accounts)
    {
        add_row(t, a);
    }
    sp_table_show(t);
    (void)printf("%s: %d taken, %d known already, %d passed over, %d failed\n", sp_text(r, "title"),
                 (int)sp_number(r, "taken"), (int)sp_number(r, "known"), (int)sp_number(r, "passed_over"),
                 (int)sp_number(r, "failed"));
}

static void show_undo(const cJSON *r)
{
    const cJSON *forgotten = sp_item(r, "forgotten"), *kept, *a = NULL;

    kept = sp_item(r, "kept");
    cJSON_ArrayForEach(a, kept)
    {
        (void)printf("%s: kept: %s\n", sp_text(a, "user"), sp_text(a, "why"));
    }
    (void)printf("%d forgotten, %d kept\n", cJSON_GetArraySize(forgotten), cJSON_GetArraySize(kept));
}

static void show_configuration(const cJSON *r)
{
    const cJSON *line = NULL;

    cJSON_ArrayForEach(line, sp_item(r, "configuration"))
    {
        (void)printf("%s\n", sp_text_itself(line));
    }
}

static int adopt(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject(), *names;
    bool prints = sp_args_has(a, SP_OPT_PRINT_CONFIG);

    sp_params_text(params, "panel", a->option[SP_OPT_FROM]);
    sp_params_text(params, "document_root", a->option[SP_OPT_DOCUMENT_ROOT]);
    sp_params_flag(params, "undo", a->option[SP_OPT_UNDO]);
    sp_params_flag(params, "configuration", a->option[SP_OPT_PRINT_CONFIG]);
    sp_params_flag(params, "dry_run", prints ? NULL : a->option[SP_OPT_DRY_RUN]);
    names = a->n_words > 0 ? cJSON_AddArrayToObject(params, "names") : NULL;
    for (int i = 0; i < a->n_words; i++)
        (void)cJSON_AddItemToArray(names, cJSON_CreateString(a->words[i]));
    return sp_verb_call(a, "account.adopt", params,
                        prints                        ? show_configuration
                        : sp_args_has(a, SP_OPT_UNDO) ? show_undo
                                                      : show);
}

static const struct sp_option_text texts[] = {
    {SP_OPT_FROM, "PANEL", "plesk, hestia, virtualmin, ispconfig, cpanel, generic"},
    {SP_OPT_DOCUMENT_ROOT, "PATTERN", "for generic: such as '/srv/www/*/htdocs'"},
    {0, NULL, NULL},
};
static const struct sp_action actions[] = {
    {"", "[DOMAIN|USER..]",
     SP_OPT(DRY_RUN) | SP_OPT(FROM) | SP_OPT(DOCUMENT_ROOT) | SP_OPT(UNDO) | SP_OPT(PRINT_CONFIG), 0,
     SP_WORDS_ANY, adopt, NULL},
    {NULL},
};
const struct sp_verb sp_verb_adopt = {"adopt", "take up all accounts of a panel as they are found", actions,
                                      texts};
