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
#include "cmd/verb.h"
#include "model/json.h"

enum mode { AS_ASKED, DRY };

/* A whole request is taken too: its params count. */
static int read_request(int dir, const char *path, cJSON **ret, struct sp_error *err)
{
    _cleanup_close_ int fd =
        sp_streq(path, "-") ? dup(STDIN_FILENO) : openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    _cleanup_(sp_buf_wipe) struct sp_buf text = {0};
    cJSON *params;

    if (fd < 0)
        return sp_fail(err, SP_E_NOT_FOUND, errno, "%s", path);
    if (sp_buf_read_fd(&text, fd, SP_JSON_MAX_BYTES, 0, err) < 0 ||
        sp_json_parse(sp_buf_str(&text), text.len, ret, err) < 0)
        return -1;
    params = cJSON_DetachItemFromObjectCaseSensitive(*ret, "params");
    if (params != NULL) {
        sp_json_wipe(*ret);
        *ret = params;
    }
    return cJSON_IsObject(*ret) ? 0 : sp_fail(err, SP_E_INVALID, 0, "%s holds no JSON object", path);
}

static int one(const struct sp_args *a, int dir, const char *path, enum mode mode)
{
    cJSON *params = NULL;
    struct sp_error err;

    if (read_request(dir, path, &params, &err) < 0) {
        sp_json_wipe(params);
        return sp_show_error(&err);
    }
    if (mode == DRY) {
        cJSON_DeleteItemFromObjectCaseSensitive(params, "dry_run");
        (void)cJSON_AddTrueToObject(params, "dry_run");
    }
    return sp_verb_call(a, "domain.apply", params, sp_show_changes);
}

int sp_verb_plan(const struct sp_args *a)
{
    return one(a, AT_FDCWD, a->words[0], DRY);
}

static int is_request(const struct dirent *e)
{
    size_t n = strlen(e->d_name);

    return e->d_name[0] != '.' && n > 5 && sp_streq(e->d_name + n - 5, ".json");
}

/* "12/400", on a terminal only: what is logged or piped has the lines alone. */
static void progress(int done, int all, const char *name)
{
    if (isatty(STDERR_FILENO) && all > 1)
        (void)fprintf(stderr, "\r\033[K%d/%d %s\r", done, all, name);
}

/* Each by itself, in the order of the names: one that fails stops none of the others. */
static int all_of(const struct sp_args *a, const char *path, enum mode mode)
{
    struct dirent **names = NULL;
    _cleanup_close_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int n = dir >= 0 ? scandirat(dir, ".", &names, is_request, alphasort) : -1, failed = 0;
    struct sp_error err;

    if (n < 0) {
        sp_fail(&err, SP_E_NOT_FOUND, errno, "%s", path);
        return sp_show_error(&err);
    }
    for (int i = 0; i < n; i++) {
        progress(i + 1, n, names[i]->d_name);
        if (!sp_args_has(a, SP_OPT_JSON))
            (void)printf("%s:\n", names[i]->d_name);
        if (one(a, dir, names[i]->d_name, mode) != 0) {
            (void)fprintf(stderr, "  (in %s)\n", names[i]->d_name);
            failed++;
        }
        free(names[i]);
    }
    free(names);
    if (!sp_args_has(a, SP_OPT_JSON))
        (void)printf("%d requests: %d done, %d failed\n", n, n - failed, failed);
    return failed > 0 ? SP_EXIT_SOME_FAILED : 0;
}

int sp_verb_apply(const struct sp_args *a)
{
    enum mode mode = sp_args_has(a, SP_OPT_DRY_RUN) ? DRY : AS_ASKED;
    struct stat st;

    if (stat(a->words[0], &st) == 0 && S_ISDIR(st.st_mode))
        return all_of(a, a->words[0], mode);
    return one(a, AT_FDCWD, a->words[0], mode);
}
