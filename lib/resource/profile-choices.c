/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What may stand behind the '@' of a profile on this host: the versions of its program that are there. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "resource/profiles.h"

enum { PROFILE_MAX_BYTES = 1 << 16 };

/* "php%i" in a directory of programs, or the one component of "/opt/plesk/php/%i/bin/php" that has it. */
struct pattern {
    char dir[SP_PATH_SIZE];
    char head[SP_PATH_SIZE]; /* of the name, in front of the choice */
    char tail[SP_PATH_SIZE]; /* behind it, to the end of the name */
    char rest[SP_PATH_SIZE]; /* "/bin/php": what must be there below it */
};

/* The first program or tree whose name has the choice in it. */
static bool find_program(const char *text, char ret[SP_PATH_SIZE])
{
    const char *word = NULL;

    for (const char *line = text; *line != '\0'; line += *line == '\n') {
        size_t n = strcspn(line, "\n");

        if ((sp_str_prefix(line, "program ", &word) || sp_str_prefix(line, "tree ", &word)) &&
            sp_str_format(ret, SP_PATH_SIZE, "%.*s", (int)(line + n - word), word) == 0 &&
            strstr(ret, "%i") != NULL)
            return true;
        line += n;
    }
    return false;
}

static int cut(const char *program, const char *dir, struct pattern *ret)
{
    const char *at = strstr(program, "%i");
    const char *slash = memrchr(program, '/', (size_t)(at - program));
    const char *head = slash != NULL ? slash + 1 : program;
    size_t tail = strcspn(at + 2, "/");

    if (slash != NULL ? sp_str_format(ret->dir, SP_PATH_SIZE, "%.*s", (int)(slash - program), program) < 0
                      : sp_str_copy(ret->dir, SP_PATH_SIZE, dir) < 0)
        return -1;
    return sp_str_format(ret->head, SP_PATH_SIZE, "%.*s", (int)(at - head), head) < 0 ||
                   sp_str_format(ret->tail, SP_PATH_SIZE, "%.*s", (int)tail, at + 2) < 0 ||
                   sp_str_copy(ret->rest, SP_PATH_SIZE, at + 2 + tail) < 0
               ? -1
               : 0;
}

/* A choice begins with a digit here: phpize8.2 is no version of php. */
static bool is_choice(struct sp_host *h, const struct pattern *p, const char *name,
                      char ret[SP_PROFILE_NAME_SIZE])
{
    const char *choice = NULL;
    char path[SP_PATH_SIZE];
    size_t len, tail = strlen(p->tail);

    if (!sp_str_prefix(name, p->head, &choice) || choice[0] < '0' || choice[0] > '9')
        return false;
    len = strlen(choice);
    if (len <= tail || !sp_streq(choice + len - tail, p->tail) ||
        sp_str_format(ret, SP_PROFILE_NAME_SIZE, "%.*s", (int)(len - tail), choice) < 0)
        return false;
    return sp_str_format(path, sizeof(path), "%s/%s%s", p->dir, name, p->rest) == 0 &&
           sp_fsat_exists(h->root_fd, path);
}

static int each(struct sp_host *h, const struct pattern *p, sp_profile_found found, void *ctx,
                struct sp_error *err)
{
    _cleanup_closedir_ DIR *d = sp_fsat_list(h->root_fd, p->dir, SP_FSAT_FOLLOW, err);
    char choice[SP_PROFILE_NAME_SIZE];
    const struct dirent *e;
    int rc;

    if (d == NULL)
        return sp_error_is_blind(err) ? -1 : 0;
    while ((rc = sp_fsat_next(d, p->dir, &e, err)) > 0)
        if (is_choice(h, p, e->d_name, choice) && found(ctx, choice, err) < 0)
            return -1;
    return rc;
}

int sp_profile_choices(struct sp_host *h, const char *path, sp_profile_found found, void *ctx,
                       struct sp_error *err)
{
    static const char *const dirs[] = {"/usr/local/bin", "/usr/bin"};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    char program[SP_PATH_SIZE];
    struct pattern p;

    if (sp_fsat_read(h->root_fd, path, PROFILE_MAX_BYTES, &text, NULL, err) < 0)
        return -1;
    if (!find_program(sp_buf_str(&text), program))
        return 0;
    for (size_t i = 0; i < SP_COUNT(dirs); i++) {
        if (cut(program, dirs[i], &p) == 0 && each(h, &p, found, ctx, err) < 0)
            return -1;
        if (program[0] == '/')
            break;
    }
    return 0;
}
