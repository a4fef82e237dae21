/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/table.h"
#include "cmd/verbs.h"
#include "model/keytext.h"

#define KEY_MAX_BYTES 65536

/* What it may do less than its account. */
static void rules_of(const cJSON *k, struct sp_buf *out)
{
    const cJSON *from = NULL;

    cJSON_ArrayForEach(from, sp_item(k, "from"))
    {
        sp_buf_printf(out, "%sfrom %s", out->len > 0 ? ", " : "", sp_text_itself(from));
    }
    if (sp_text(k, "command")[0] != '\0')
        sp_buf_printf(out, "%sonly runs \"%s\"", out->len > 0 ? ", " : "", sp_text(k, "command"));
    if (sp_text(k, "forwarding")[0] != '\0')
        sp_buf_printf(out, "%sforwarding %s", out->len > 0 ? ", " : "", sp_text(k, "forwarding"));
    if (cJSON_IsFalse(sp_item(k, "pty")))
        sp_buf_printf(out, "%sno terminal", out->len > 0 ? ", " : "");
}

static void add_key(struct sp_table *t, const cJSON *k)
{
    _cleanup_(sp_buf_clear) struct sp_buf rules = {0};
    const char *used = sp_text(k, "last_used"), *from = sp_text(k, "last_used_from");
    char last[128];

    rules_of(k, &rules);
    (void)sp_str_format(last, sizeof(last), "%s%s%s", used, from[0] != '\0' ? " from " : "", from);
    sp_table_row(t,
                 (const char *const[]){sp_text(k, "fingerprint"), sp_text_or(k, "label", NULL),
                                       sp_text_or(k, "expires_at", NULL),
                                       rules.len > 0 ? sp_buf_str(&rules) : NULL,
                                       last[0] != '\0' ? last : NULL},
                 5);
}

static void show_list(const cJSON *result)
{
    static const struct sp_column columns[] = {{"FINGERPRINT", SP_COLUMN_PLAIN},
                                               {"LABEL", SP_COLUMN_TRUNC},
                                               {"UNTIL", SP_COLUMN_PLAIN},
                                               {"ONLY", SP_COLUMN_WRAP},
                                               {"LAST USED", SP_COLUMN_WRAP}};
    const cJSON *item = NULL, *keys = sp_item(result, "keys");
    struct sp_table *t = NULL;

    if (cJSON_GetArraySize(keys) == 0)
        (void)printf("no keys\n");
    else
        t = sp_table_new(columns, SP_COUNT(columns));
    cJSON_ArrayForEach(item, keys)
    {
        add_key(t, item);
    }
    sp_table_show(t);
    cJSON_ArrayForEach(item, sp_item(result, "foreign_keys"))
    {
        (void)printf("%s  (the user's own, line %d of %s)\n", sp_text(item, "fingerprint"),
                     (int)sp_number(item, "line"), sp_text(item, "file"));
    }
}

/* A file may be in UTF-16. */
int sp_verb_read_key(const char *path, struct sp_buf *text, struct sp_error *err)
{
    _cleanup_(sp_buf_wipe) struct sp_buf bytes = {0};
    _cleanup_close_ int fd =
        sp_streq(path, "-") ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        sp_fail(err, SP_E_NOT_FOUND, errno, "%s", path);
        return sp_hint(err, "name the .pub file, or - to paste the key on stdin");
    }
    if (sp_buf_read_fd(&bytes, fd, KEY_MAX_BYTES, 0, err) < 0)
        return -1;
    return sp_keytext_utf8(sp_buf_str(&bytes), bytes.len, text, err);
}

static void show_inspection(const cJSON *k)
{
    const cJSON *bits = sp_item(k, "bits"), *item = NULL;
    static const char *const rows[][2] = {
        {"type", "type"}, {"fingerprint", "fingerprint"}, {"", "fingerprint_md5"}, {"label", "label"}};

    for (size_t i = 0; i < SP_COUNT(rows); i++) {
        const cJSON *v = sp_item(k, rows[i][1]);
        (void)printf("%-12s %s", rows[i][0], cJSON_IsString(v) ? v->valuestring : "");
        if (i == 0 && cJSON_IsNumber(bits))
            (void)printf(" (%d bits)", (int)bits->valuedouble);
        (void)printf("\n");
    }
    item = sp_item(k, "key");
    (void)printf("%s\n", cJSON_IsString(item) ? item->valuestring : "");
    cJSON_ArrayForEach(item, sp_item(k, "warnings"))
    {
        (void)printf("  warning: %s\n", cJSON_IsString(item) ? item->valuestring : "");
    }
}

static int check(const struct sp_args *a)
{
    _cleanup_(sp_buf_wipe) struct sp_buf text = {0};
    cJSON *params;
    struct sp_error err;

    if (sp_verb_read_key(a->words[1], &text, &err) < 0)
        return sp_show_failure(a, &err);
    params = cJSON_CreateObject();
    sp_params_text(params, "key", sp_buf_str(&text));
    return sp_verb_call(a, "key.inspect", params, show_inspection);
}

static int add(const struct sp_args *a)
{
    _cleanup_(sp_buf_wipe) struct sp_buf text = {0};
    cJSON *params = cJSON_CreateObject();
    struct sp_error err;

    if (sp_verb_read_key(a->words[2], &text, &err) < 0) {
        cJSON_Delete(params);
        return sp_show_failure(a, &err);
    }
    sp_params_text(params, "domain", a->words[1]);
    sp_params_text(params, "key", sp_buf_str(&text));
    sp_params_text(params, "label", a->option[SP_OPT_LABEL]);
    sp_params_list(params, "from", a->option[SP_OPT_FROM]);
    sp_params_text(params, "expires_at", a->option[SP_OPT_EXPIRES_AT]);
    sp_params_text(params, "command", a->option[SP_OPT_COMMAND]);
    sp_params_text(params, "forwarding", a->option[SP_OPT_FORWARDING]);
    if (sp_args_has(a, SP_OPT_NO_PTY))
        (void)cJSON_AddFalseToObject(params, "pty");
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "keys.add", params, sp_show_changes);
}

static int list(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject();

    sp_params_text(params, "domain", a->words[1]);
    return sp_verb_call(a, "keys.list", params, show_list);
}

static int take_away(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject();

    sp_params_text(params, "domain", a->words[1]);
    sp_params_text(params, "fingerprint", a->words[2]);
    sp_params_flag(params, "keep_sessions", a->option[SP_OPT_KEEP_SESSIONS]);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "keys.remove", params, sp_show_changes);
}

static const struct sp_action actions[] = {
    {"list", "DOMAIN", 0, 1, 1, list, NULL},
    {"add", "DOMAIN FILE|- [OPTION..]",
     SP_OPT(DRY_RUN) | SP_OPT(LABEL) | SP_OPT(FROM) | SP_OPT(EXPIRES_AT) | SP_OPT(COMMAND) |
         SP_OPT(FORWARDING) | SP_OPT(NO_PTY),
     2, 2, add, NULL},
    {"remove", "DOMAIN FINGERPRINT", SP_OPT(DRY_RUN) | SP_OPT(KEEP_SESSIONS), 2, 2, take_away, NULL},
    {"check", "FILE|-", 0, 1, 1, check, NULL},
    {NULL},
};
const struct sp_verb sp_verb_keys = {"keys", "show, add, remove or check authorized keys", actions, NULL};
