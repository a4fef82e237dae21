/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/verbs.h"
#include "model/keytext.h"

#define KEY_MAX_BYTES 65536

/* What it may do less than its account. */
static void show_rules(const cJSON *k)
{
    const cJSON *command = sp_item(k, "command");
    const cJSON *forwarding = sp_item(k, "forwarding");

    if (cJSON_IsString(command))
        (void)printf("  only runs \"%s\"", command->valuestring);
    if (cJSON_IsString(forwarding))
        (void)printf("  forwarding %s", forwarding->valuestring);
    if (cJSON_IsFalse(sp_item(k, "pty")))
        (void)printf("  no terminal");
}

static void show_key(const cJSON *k)
{
    const cJSON *label = sp_item(k, "label"), *from = NULL;
    const cJSON *fingerprint = sp_item(k, "fingerprint");
    const cJSON *expires = sp_item(k, "expires_at");
    const cJSON *used = sp_item(k, "last_used");

    (void)printf("%s  %s", cJSON_IsString(fingerprint) ? fingerprint->valuestring : "?",
                 cJSON_IsString(label) && label->valuestring[0] != '\0' ? label->valuestring
                                                                        : "(no label)");
    if (cJSON_IsString(expires))
        (void)printf("  until %s", expires->valuestring);
    cJSON_ArrayForEach(from, sp_item(k, "from"))
    {
        (void)printf("  from %s", from->valuestring);
    }
    show_rules(k);
    if (cJSON_IsString(used))
        (void)printf("  last used %s from %s", used->valuestring,
                     sp_item(k, "last_used_from")->valuestring);
    (void)printf("\n");
}

static void show_list(const cJSON *result)
{
    const cJSON *item = NULL, *keys = sp_item(result, "keys");

    if (cJSON_GetArraySize(keys) == 0)
        (void)printf("no keys\n");
    cJSON_ArrayForEach(item, keys)
    {
        show_key(item);
    }
    cJSON_ArrayForEach(item, sp_item(result, "foreign_keys"))
    {
        (void)printf("%s  (the user's own, line %d of %s)\n", sp_item(item, "fingerprint")->valuestring,
                     (int)sp_item(item, "line")->valuedouble, sp_item(item, "file")->valuestring);
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
