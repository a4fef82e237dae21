/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/findfiles.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/alive.h"
#include "host/fsat.h"

struct search {
    struct sp_host *host;
    int (*visit)(const struct sp_found_file *, void *, struct sp_error *);
    void *data;
    struct sp_error *err;
};

struct names {
    struct dirent **v;
    int n;
};

static void names_clear(struct names *l)
{
    for (int i = 0; i < l->n; i++)
        free(l->v[i]);
    free(l->v);
}

static int descend(const struct search *s, int dir, const char *path, const char *pattern,
                   const struct sp_panel_captures *before);

/* What is there is not known: that is told, for nothing found is an answer, too. */
static int tell_unknown(const struct search *s, const char *path, const struct sp_error *why)
{
    static const struct sp_panel_captures none = {0};
    const char *slash = strrchr(path, '/');
    const struct sp_found_file f = {
        .path = path, .name = slash != NULL ? slash + 1 : path, .captures = &none, .unknown = why};

    return s->visit(&f, s->data, s->err);
}

/* What may not be looked at holds nothing. */
static int tell_if_blind(const struct search *s, const char *path, const struct sp_error *why)
{
    return sp_error_is_blind(why) ? tell_unknown(s, path, why) : 0;
}

static int one(const struct search *s, int dir, const char *path, const char *name, const char *rest,
               const struct sp_panel_captures *captures)
{
    struct sp_found_file f = {.captures = captures};
    struct sp_error why;
    char full[SP_PATH_SIZE];
    const char *asked = full;
    _cleanup_close_ int fd = -1;

    if (sp_str_format(full, sizeof(full), "%s/%s", path, name) < 0)
        return 0;
    f.path = full;
    f.name = strrchr(full, '/') + 1;
    if (sp_alive_ask(s->host, &asked, 1, &why) < 0)
        return tell_unknown(s, full, &why);
    if (fstatat(dir, name, &f.st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno == ENOENT)
            return 0;
        sp_fail(&why, SP_E_IO, errno, "%s cannot be looked at", full);
        return tell_if_blind(s, full, &why);
    }
    if (rest[0] == '\0')
        return s->visit(&f, s->data, s->err);
    if (!S_ISDIR(f.st.st_mode))
        return 0;
    fd = sp_fsat_open_dir(dir, name, SP_FSAT_NONE, &why);
    return fd < 0 ? tell_if_blind(s, full, &why) : descend(s, fd, full, rest, captures);
}

/* The first component of `pattern`, below `dir`. As deep as the pattern has components. */
static int descend(const struct search *s, int dir, const char *path, const char *pattern,
                   const struct sp_panel_captures *before)
{
    size_t len = strcspn(pattern, "/");
    const char *rest = pattern + len + (pattern[len] == '/');
    _cleanup_(names_clear) struct names names = {0};
    struct sp_error why;
    char component[256];
    int rc = 0;

    if (len == 0 || sp_str_format(component, sizeof(component), "%.*s", (int)len, pattern) < 0)
        return 0;
    if (strchr(component, '*') == NULL)
        return one(s, dir, path, component, rest, before);
    names.n = scandirat(dir, ".", &names.v, NULL, alphasort);
    if (names.n < 0) {
        sp_fail(&why, SP_E_IO, errno, "%s cannot be read", path);
        return tell_if_blind(s, path, &why);
    }
    for (int i = 0; rc == 0 && i < names.n; i++) {
        struct sp_panel_captures captures = *before;
        if (sp_panel_match(component, names.v[i]->d_name, &captures))
            rc = one(s, dir, path, names.v[i]->d_name, rest, &captures);
    }
    return rc;
}

int sp_findfiles(struct sp_host *h, const char *pattern,
                 int (*visit)(const struct sp_found_file *, void *, struct sp_error *), void *data,
                 struct sp_error *err)
{
    const struct search s = {h, visit, data, err};
    const struct sp_panel_captures none = {0};
    const char *star = strchr(pattern, '*'), *slash = star != NULL ? star : pattern + strlen(pattern);
    char fixed[SP_PATH_SIZE];
    _cleanup_close_ int fd = -1;

    while (slash > pattern && *slash != '/')
        slash--;
    if (pattern[0] != '/' ||
        sp_str_format(fixed, sizeof(fixed), "%.*s", (int)(slash - pattern), pattern) < 0)
        return sp_fail(err, SP_E_INVALID, 0, "no absolute pattern");
    fd = sp_fsat_open(h->root_fd, fixed[0] != '\0' ? fixed : "/.", O_RDONLY | O_DIRECTORY, 0,
                      SP_FSAT_FOLLOW, err);
    if (fd < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    return descend(&s, fd, fixed, slash + 1, &none);
}
