/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The files of sshd_config(5) as text: the main one and what stands beside our drop-in. They tell what an
 * answer of `sshd -T` depends on, and where a setting comes from that stands in the way. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/replace.h"
#include "resource/sshd-files.h"
#include "resource/sshd.h"

#define CONFIG_MAX_BYTES (1U << 20)
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static int is_shown(const struct dirent *e)
{
    /* A file of ours that a crash left half made is nobody's configuration. */
    return e->d_name[0] != '.' && strstr(e->d_name, SP_REPLACE_SUFFIX) == NULL;
}

struct names {
    struct dirent **v;
    int n;
};

static void free_names(struct names *l)
{
    while (l->n > 0)
        free(l->v[--l->n]);
    free(l->v);
}

int sp_sshd_each_file(const struct sp_ctx *c, sp_sshd_visit_file *visit, void *data)
{
    _cleanup_(free_names) struct names names = {0};
    _cleanup_close_ int fd = -1;
    struct sp_error ignored;
    char path[SP_PATH_SIZE];
    int stop = visit(c, c->config->sshd_config, data);

    fd = sp_fsat_open(c->host->root_fd, SP_SSHD_CONFIG_DIR, O_RDONLY | O_DIRECTORY, 0, SP_FSAT_FOLLOW,
                      &ignored);
    if (fd >= 0)
        names.n = scandirat(fd, ".", &names.v, is_shown, alphasort);
    if (stop == 0 && (fd >= 0 ? names.n < 0 : sp_error_is_blind(&ignored)))
        stop = visit(c, NULL, data);
    names.n = names.n < 0 ? 0 : names.n;
    for (int i = 0; stop == 0 && i < names.n; i++)
        if (sp_str_format(path, sizeof(path), SP_SSHD_CONFIG_DIR "/%s", names.v[i]->d_name) == 0)
            stop = visit(c, path, data);
    return stop;
}

void sp_sshd_mix(const struct sp_ctx *c, const char *path, SHA2_CTX *sum)
{
    struct sp_error ignored;
    char text[SP_PATH_SIZE + 128];
    struct stat st = {0};
    _cleanup_close_ int fd = sp_fsat_open(c->host->root_fd, path, O_PATH, 0, SP_FSAT_FOLLOW, &ignored);

    if (fd >= 0 ? fstat(fd, &st) < 0 : sp_error_is_blind(&ignored))
        st.st_size = -1; /* not what a file has that is missing */
    (void)snprintf(text, sizeof(text), "%s %ju %jd %jd.%09ld\n", path, (uintmax_t)st.st_ino,
                   (intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    SHA256Update(sum, (const uint8_t *)text, strlen(text));
}

struct mixing {
    SHA2_CTX *sum;
    enum sp_sshd_whose whose;
};

static int mix_visit(const struct sp_ctx *c, const char *path, void *data)
{
    const struct mixing *m = data;

    if (path == NULL)
        SHA256Update(m->sum, (const uint8_t *)"?", 1);
    else if (m->whose == SP_SSHD_ALL_FILES || !sp_streq(path, SP_SSHD_DROPIN))
        sp_sshd_mix(c, path, m->sum);
    return 0;
}

void sp_sshd_mix_files(const struct sp_ctx *c, enum sp_sshd_whose whose, SHA2_CTX *sum)
{
    struct mixing m = {sum, whose};

    (void)sp_sshd_each_file(c, mix_visit, &m);
}

struct reading {
    int (*visit)(const struct sp_sshd_line *, void *);
    void *data;
};

/* "Keyword value", "Keyword=value"; sshd_config(5) takes any case and leading blanks. */
static bool split(char *text, struct sp_sshd_line *ret)
{
    size_t n;

    text += strspn(text, " \t");
    n = strspn(text, LETTERS);
    if (n == 0)
        return false;
    ret->keyword = text;
    ret->value = text + n + strspn(text + n, " \t=");
    text[n] = '\0'; /* the value begins behind it, or is its end */
    if (ret->value == text + n)
        ret->value = "";
    return true;
}

static int read_visit(const struct sp_ctx *c, const char *path, void *data)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    struct sp_sshd_line line = {.file = path != NULL ? path : SP_SSHD_CONFIG_DIR, .is_blind = path == NULL};
    const struct reading *r = data;
    struct sp_error why;
    char *rest, *one;
    int stop = 0;

    if (path == NULL)
        return r->visit(&line, r->data);
    if (sp_streq(path, SP_SSHD_DROPIN))
        return 0;
    if (sp_fsat_read(c->host->root_fd, path, CONFIG_MAX_BYTES, &text, NULL, &why) < 0) {
        line.is_blind = sp_error_is_blind(&why);
        return why.code == SP_E_NOT_FOUND ? 0 : r->visit(&line, r->data);
    }
    rest = text.data;
    while (stop == 0 && (one = strsep(&rest, "\n")) != NULL) {
        line.number++;
        if (split(one, &line))
            stop = r->visit(&line, r->data);
    }
    return stop;
}

int sp_sshd_each_line(const struct sp_ctx *c, int (*visit)(const struct sp_sshd_line *, void *), void *data)
{
    struct reading r = {visit, data};

    return sp_sshd_each_file(c, read_visit, &r);
}

struct search {
    const char *keyword, *value;
    char *out;
    size_t found;
    bool is_blind;
};

static int find(const struct sp_sshd_line *l, void *data)
{
    struct search *s = data;
    char place[SP_SSHD_WHERE];
    size_t used = strlen(s->out);

    s->is_blind |= l->is_blind;
    if (l->keyword == NULL || strcasecmp(l->keyword, s->keyword) != 0 ||
        (s->value != NULL && strncasecmp(l->value, s->value, strlen(s->value)) != 0))
        return 0;
    if (sp_str_format(place, sizeof(place), "%s%s:%zu", used > 0 ? ", " : "", l->file, l->number) == 0 &&
        used + strlen(place) < SP_SSHD_WHERE)
        memcpy(s->out + used, place, strlen(place) + 1);
    return ++s->found == 2;
}

int sp_sshd_find(const struct sp_ctx *c, const char *keyword, const char *value, char out[SP_SSHD_WHERE],
                 struct sp_error *err)
{
    struct search s = {keyword, value, out, 0, false};

    out[0] = '\0';
    (void)sp_sshd_each_line(c, find, &s);
    return s.is_blind ? sp_fail(err, SP_E_IO, 0, "cannot look at all of sshd's configuration files") : 0;
}

bool sp_sshd_where(const struct sp_ctx *c, const char *keyword, const char *value, char out[SP_SSHD_WHERE])
{
    struct sp_error ignored;

    (void)sp_sshd_find(c, keyword, value, out, &ignored);
    return out[0] != '\0';
}

/* --- the same configuration without our drop-in --- */

static int include_visit(const struct sp_ctx *c, const char *path, void *data)
{
    size_t n = path != NULL ? strlen(path) : 0;

    if (path == NULL)
        return 1;
    if (sp_streq(path, c->config->sshd_config) || sp_streq(path, SP_SSHD_DROPIN) || n < 5 ||
        !sp_streq(path + n - 5, ".conf"))
        return 0;
    sp_buf_printf(data, "Include %s\n", path);
    return 0;
}

int sp_sshd_without_ours(const struct sp_ctx *c, struct sp_buf *out, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    char *rest, *line;
    bool seen = true;

    if (sp_fsat_read(c->host->root_fd, c->config->sshd_config, CONFIG_MAX_BYTES, &text, NULL, err) < 0)
        return -1;
    rest = text.data;
    while (rest != NULL && (line = strsep(&rest, "\n")) != NULL) {
        const char *word = line + strspn(line, " \t");
        if (strncasecmp(word, "include", 7) == 0 && strstr(word, "sshd_config.d/*.conf") != NULL)
            seen = seen && sp_sshd_each_file(c, include_visit, out) == 0;
        else
            sp_buf_printf(out, "%s\n", line);
    }
    if (!seen)
        return sp_fail(err, SP_E_IO, 0, "cannot look at " SP_SSHD_CONFIG_DIR);
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}
