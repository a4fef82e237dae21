/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/verb.h"

#define KEY_MAX_BYTES 65536

static void show_key(const cJSON *k)
{
    const cJSON *label = cJSON_GetObjectItemCaseSensitive(k, "label"), *from = NULL;
    const cJSON *fingerprint = cJSON_GetObjectItemCaseSensitive(k, "fingerprint");
    const cJSON *expires = cJSON_GetObjectItemCaseSensitive(k, "expires_at");

    (void)printf("%s  %s", cJSON_IsString(fingerprint) ? fingerprint->valuestring : "?",
                 cJSON_IsString(label) && label->valuestring[0] != '\0' ? label->valuestring
                                                                        : "(no label)");
    if (cJSON_IsString(expires))
        (void)printf("  until %s", expires->valuestring);
    cJSON_ArrayForEach(from, cJSON_GetObjectItemCaseSensitive(k, "from"))
    {
        (void)printf("  from %s", from->valuestring);
    }
    (void)printf("\n");
}

static void show_list(const cJSON *result)
{
    const cJSON *item = NULL, *keys = cJSON_GetObjectItemCaseSensitive(result, "keys");

    if (cJSON_GetArraySize(keys) == 0)
        (void)printf("no keys\n");
    cJSON_ArrayForEach(item, keys)
    {
        show_key(item);
    }
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(result, "foreign_keys"))
    {
        (void)printf("%s  (the user's own, line %d of his authorized_keys)\n",
                     cJSON_GetObjectItemCaseSensitive(item, "fingerprint")->valuestring,
                     (int)cJSON_GetObjectItemCaseSensitive(item, "line")->valuedouble);
    }
}

/* A public key from a file or stdin: one line, its newline dropped. */
static int read_key(const char *path, struct sp_buf *text, struct sp_error *err)
{
    _cleanup_close_ int fd =
        sp_streq(path, "-") ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        sp_fail(err, SP_E_NOT_FOUND, errno, "%s", path);
        return sp_hint(err, "name the .pub file, or - to paste the key on stdin");
    }
    if (sp_buf_read_fd(text, fd, KEY_MAX_BYTES, 0, err) < 0)
        return -1;
    while (text->len > 0 && (text->data[text->len - 1] == '\n' || text->data[text->len - 1] == '\r'))
        text->data[--text->len] = '\0';
    return 0;
}

static int add(const struct sp_args *a)
{
    _cleanup_(sp_buf_wipe) struct sp_buf text = {0};
    cJSON *params = cJSON_CreateObject();
    struct sp_error err;

    if (read_key(a->words[2], &text, &err) < 0) {
        cJSON_Delete(params);
        return sp_show_error(&err);
    }
    sp_params_text(params, "domain", a->words[1]);
    sp_params_text(params, "key", sp_buf_str(&text));
    sp_params_text(params, "label", a->option[SP_OPT_LABEL]);
    sp_params_list(params, "from", a->option[SP_OPT_FROM]);
    sp_params_text(params, "expires_at", a->option[SP_OPT_EXPIRES_AT]);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "keys.add", params, sp_show_changes);
}

int sp_verb_keys(const struct sp_args *a)
{
    cJSON *params;

    if (sp_streq(a->words[0], "add") && a->n_words == 3)
        return add(a);
    if (!sp_streq(a->words[0], "list") && !(sp_streq(a->words[0], "remove") && a->n_words == 3))
        return sp_verb_usage(a,
                             "keys list DOMAIN, keys add DOMAIN FILE|-, or keys remove DOMAIN FINGERPRINT");
    params = cJSON_CreateObject();
    sp_params_text(params, "domain", a->words[1]);
    if (sp_streq(a->words[0], "list"))
        return sp_verb_call(a, "keys.list", params, show_list);
    sp_params_text(params, "fingerprint", a->words[2]);
    sp_params_flag(params, "dry_run", a->option[SP_OPT_DRY_RUN]);
    return sp_verb_call(a, "keys.remove", params, sp_show_changes);
}
