/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/homepath.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

/* As the kernel's own limit, path_resolution(7). */
enum { MAX_LINKS = 40 };

struct walk {
    const struct sp_host *host;
    char real[SP_USERDB_FIELD]; /* walked so far, without links; "" is the root */
    char rest[SP_USERDB_FIELD];
    unsigned links;
};

/* Could anybody but root put something else in its place? Asked of a directory for what is in it. */
static bool is_roots(const struct walk *w, const struct stat *st)
{
    return !w->host->real ||
           (st->st_uid == 0 && (S_ISLNK(st->st_mode) || (st->st_mode & (S_IWGRP | S_IWOTH)) == 0));
}

static void step_up(struct walk *w)
{
    char *slash = strrchr(w->real, '/');

    if (slash != NULL)
        *slash = '\0';
}

static bool step_link(struct walk *w, const char *next, const struct stat *st)
{
    char target[SP_USERDB_FIELD], rest[SP_USERDB_FIELD];
    ssize_t n = readlinkat(w->host->root_fd, next + 1, target, sizeof(target) - 1);
    const char *more = w->rest + strspn(w->rest, "/");

    w->links++;
    target[n > 0 ? n : 0] = '\0';
    if (n <= 0 || !is_roots(w, st) ||
        sp_str_format(rest, sizeof(rest), "%s%s%s", target, *more != '\0' ? "/" : "", more) < 0)
        w->links = MAX_LINKS + 1; /* then the path stays as it is */
    if (w->links > MAX_LINKS)
        return false;
    memcpy(w->rest, rest, sizeof(rest));
    if (target[0] == '/')
        w->real[0] = '\0';
    return true;
}

/* One component. False where the way is not root's any more, or ends: what is left has no links of root's.
 * w->real is free of links, and nobody but root can change that, so its names may be looked up again. */
static bool step(struct walk *w)
{
    char next[SP_USERDB_FIELD], name[256];
    const char *at = w->rest + strspn(w->rest, "/");
    size_t n = strcspn(at, "/");
    struct stat st;

    if (n == 0 || n >= sizeof(name))
        return false;
    memcpy(name, at, n);
    name[n] = '\0';
    if (sp_str_format(next, sizeof(next), "%s/%s", w->real, name) < 0)
        return false;
    if (sp_streq(name, "..") || sp_streq(name, ".")) {
        if (name[1] == '.')
            step_up(w);
        memmove(w->rest, at + n, strlen(at + n) + 1);
        return true;
    }
    if (fstatat(w->host->root_fd, next + 1, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    if (!S_ISLNK(st.st_mode) && (!S_ISDIR(st.st_mode) || !is_roots(w, &st)))
        return false;
    memmove(w->rest, at + n, strlen(at + n) + 1);
    if (S_ISLNK(st.st_mode))
        return step_link(w, next, &st);
    return sp_str_copy(w->real, sizeof(w->real), next) == 0;
}

/* jailkit marks its root in a home by "/./": the place is the same without. */
static void drop_dots(char *home)
{
    char *dot;

    while ((dot = strstr(home, "/./")) != NULL)
        memmove(dot, dot + 2, strlen(dot + 2) + 1);
}

void sp_homepath_resolve(struct sp_host *h, struct sp_user *u)
{
    struct walk w = {.host = h};
    char home[SP_USERDB_FIELD];
    const char *more;
    struct stat st;

    drop_dots(u->home);
    if (u->home[0] != '/' || fstat(h->root_fd, &st) < 0 || !is_roots(&w, &st) ||
        sp_str_copy(w.rest, sizeof(w.rest), u->home) < 0)
        return;
    while (step(&w))
        ;
    if (w.links == 0 || w.links > MAX_LINKS)
        return;
    more = w.rest + strspn(w.rest, "/");
    if (sp_str_format(home, sizeof(home), "%s%s%s", w.real, *more != '\0' ? "/" : "", more) == 0)
        memcpy(u->home, home, sizeof(home));
}
