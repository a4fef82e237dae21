/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plan and apply: requests from a file, from stdin, or all of a directory. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/clean.h"
#include "cmd/tone.h"
#include "cmd/verbs.h"
#include "model/json.h"

enum mode { AS_ASKED, DRY };

/* A whole request is taken too: its params count. */
static int read_request(int dir, const char *path, enum mode mode, cJSON **ret, struct sp_error *err)
{
    _cleanup_close_ int fd =
        sp_streq(path, "-") ? dup(STDIN_FILENO) : openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    _cleanup_(sp_buf_wipe) struct sp_buf text = {0};
    _cleanup_json_wiped_ cJSON *whole = NULL;

    if (fd < 0)
        return sp_fail(err, SP_E_NOT_FOUND, errno, "%s", path);
    if (sp_buf_read_fd(&text, fd, SP_JSON_MAX_BYTES, 0, err) < 0 ||
        sp_json_parse(sp_buf_str(&text), text.len, &whole, err) < 0)
        return -1;
    *ret = cJSON_DetachItemFromObjectCaseSensitive(whole, "params");
    if (*ret == NULL)
        *ret = sp_steal_ptr(whole);
    if (!cJSON_IsObject(*ret))
        return sp_fail(err, SP_E_INVALID, 0, "%s holds no JSON object", path);
    if (mode == DRY) {
        cJSON_DeleteItemFromObjectCaseSensitive(*ret, "dry_run");
        (void)cJSON_AddTrueToObject(*ret, "dry_run");
    }
    return 0;
}

/* What would be is shown as a diff. */
static void (*shower(const cJSON *params))(const cJSON *)
{
    return sp_is_true(params, "dry_run") ? sp_show_diff : sp_show_changes;
}

static int is_request(const struct dirent *e)
{
    size_t n = strlen(e->d_name);

    return e->d_name[0] != '.' && n > 5 && sp_streq(e->d_name + n - 5, ".json");
}

/* A directory's answers are a batch's: one array, each with its file's name for an id. */
static int one_of_many(const struct sp_args *a, int dir, const char *name, enum mode mode, cJSON *answers)
{
    _cleanup_json_wiped_ cJSON *params = NULL;
    _cleanup_json_ cJSON *result = NULL;
    cJSON *answer = cJSON_CreateObject();
    struct sp_error err;
    int status = 0;

    (void)cJSON_AddStringToObject(answer, "jsonrpc", "2.0");
    (void)cJSON_AddStringToObject(answer, "id", name);
    (void)cJSON_AddItemToArray(answers, answer);
    if (read_request(dir, name, mode, &params, &err) < 0 ||
        sp_verb_ask_engine(a, "domain.apply", params, &result, &err) < 0) {
        (void)cJSON_AddItemToObject(answer, "error", sp_error_json(&err));
        status = sp_show_error(&err);
        (void)fprintf(stderr, "  (in %s)\n", name);
    } else if (!sp_args_has(a, SP_OPT_JSON)) {
        (void)printf("%s:\n", name);
        shower(params)(result);
    }
    if (result != NULL)
        (void)cJSON_AddItemToObject(answer, "result", sp_steal_ptr(result));
    return status;
}

/* Each by itself, in the order of the names: one that fails stops none of the others. */
static int all_of(const struct sp_args *a, const char *path, enum mode mode)
{
    struct dirent **names = NULL;
    _cleanup_close_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_json_ cJSON *answers = cJSON_CreateArray();
    int n = dir >= 0 ? scandirat(dir, ".", &names, is_request, alphasort) : -1, failed = 0;
    long long drawn = 0;
    struct sp_error err;

    if (n < 0) {
        sp_fail(&err, SP_E_NOT_FOUND, errno, "%s", path);
        return sp_show_failure(a, &err);
    }
    for (int i = 0; i < n; i++) {
        sp_progress((size_t)i, (size_t)n, names[i]->d_name, &drawn);
        failed += one_of_many(a, dir, names[i]->d_name, mode, answers) != 0;
        free(names[i]);
    }
    free(names);
    sp_progress((size_t)n, (size_t)n, "", &drawn);
    if (sp_args_has(a, SP_OPT_JSON))
        sp_print_json(answers);
    else
        (void)printf("%d requests: %d done, %d failed\n", n, n - failed, failed);
    return failed > 0 ? SP_EXIT_SOME_FAILED : 0;
}

static int file_or_all(const struct sp_args *a, enum mode mode)
{
    _cleanup_json_wiped_ cJSON *params = NULL;
    void (*show)(const cJSON *);
    struct sp_error err;
    struct stat st;

    if (stat(a->words[0], &st) == 0 && S_ISDIR(st.st_mode))
        return all_of(a, a->words[0], mode);
    if (read_request(AT_FDCWD, a->words[0], mode, &params, &err) < 0)
        return sp_show_failure(a, &err);
    show = shower(params);
    return sp_verb_call(a, "domain.apply", sp_steal_ptr(params), show);
}

static int apply(const struct sp_args *a)
{
    return file_or_all(a, sp_args_has(a, SP_OPT_DRY_RUN) ? DRY : AS_ASKED);
}

static int plan(const struct sp_args *a)
{
    return file_or_all(a, DRY);
}

static const struct sp_action plan_actions[] = {{"", "FILE|DIRECTORY|-", 0, 1, 1, plan, NULL}, {NULL}};
const struct sp_verb sp_verb_plan = {"plan", "what a request would change, as a diff", plan_actions, NULL};

static const struct sp_action apply_actions[] = {
    {"", "FILE|DIRECTORY|-", SP_OPT(DRY_RUN), 1, 1, apply, NULL}, {NULL}};
const struct sp_verb sp_verb_apply = {"apply", "carry out a request, or all *.json of a directory",
                                      apply_actions, NULL};
