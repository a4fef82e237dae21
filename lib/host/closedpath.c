/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/closedpath.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

static int stat_to(const struct sp_closedpath *s, size_t len, char part[PATH_MAX], struct stat *st)
{
    (void)sp_str_format(part, PATH_MAX, "%.*s", (int)len, s->path);
    return stat(part, st);
}

void sp_closedpath_open(const char *path, struct sp_closedpath *ret)
{
    char part[PATH_MAX];

    ret->n = 0;
    if (sp_str_copy(ret->path, sizeof(ret->path), path) < 0)
        return;
    for (size_t len = 0; ret->n < SP_CLOSEDPATH_MAX && (len = sp_str_next_part(ret->path, len)) != 0;) {
        struct stat st;
        mode_t want;

        if (stat_to(ret, len, part, &st) < 0)
            return;
        want = S_ISDIR(st.st_mode) ? S_IRWXU : S_IRUSR | S_IWUSR;
        if (st.st_uid != geteuid() || (st.st_mode & want) == want ||
            (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) || chmod(part, (st.st_mode & 07777) | want) < 0)
            continue;
        ret->v[ret->n].len = len;
        ret->v[ret->n++].mode = st.st_mode & 07777;
    }
}

void sp_closedpath_close(struct sp_closedpath *s)
{
    char part[PATH_MAX];

    for (; s->n > 0; s->n--) {
        (void)sp_str_format(part, sizeof(part), "%.*s", (int)s->v[s->n - 1].len, s->path);
        (void)chmod(part, s->v[s->n - 1].mode);
    }
}

/* What cannot even be looked at below what can be entered is a link of his: it may lead anywhere. */
bool sp_closedpath_by_others(const char *path)
{
    struct sp_closedpath s = {.n = 0};
    char part[PATH_MAX];

    if (sp_str_copy(s.path, sizeof(s.path), path) < 0)
        return false;
    for (size_t len = 0; (len = sp_str_next_part(s.path, len)) != 0;) {
        struct stat st;
        if (stat_to(&s, len, part, &st) < 0)
            return false;
        if (faccessat(AT_FDCWD, part, S_ISDIR(st.st_mode) ? X_OK : R_OK, AT_EACCESS) < 0)
            return st.st_uid != geteuid();
    }
    return false;
}
