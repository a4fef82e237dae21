/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "resource/profiles.h"

void sp_profile_names_clear(struct sp_profile_names *n)
{
    free(n->v);
    *n = (struct sp_profile_names){0};
}

static int by_name(const void *a, const void *b)
{
    const struct sp_profile_name *x = a, *y = b;

    return strcmp(x->name, y->name);
}

/* The file that is looked at, and where its names go. */
struct source {
    struct sp_host *h;
    struct sp_profile_names *names;
    const char *place;
    const char *file;
    bool own;
};

static int add_name(const struct source *s, const char *name, struct sp_error *err)
{
    struct sp_profile_names *l = s->names;
    struct sp_profile_name one = {.own = s->own};
    struct sp_error ignored;
    void *grown;

    if (sp_str_copy(one.name, sizeof(one.name), name) < 0 || sp_profile_check_name(name, &ignored) < 0)
        return 0;
    for (size_t i = 0; i < l->n; i++)
        if (sp_streq(l->v[i].name, one.name))
            return 0;
    grown = reallocarray(l->v, l->n + 1, sizeof(*l->v));
    if (grown == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    l->v = grown;
    l->v[l->n++] = one;
    return 0;
}

/* php@ and what may stand behind it */
static int add_choice(void *ctx, const char *choice, struct sp_error *err)
{
    const struct source *s = ctx;
    char name[SP_PROFILE_NAME_SIZE];
    const char *at = strchr(s->file, '@');

    if (sp_str_format(name, sizeof(name), "%.*s%s", (int)(at + 1 - s->file), s->file, choice) < 0)
        return 0;
    return add_name(s, name, err);
}

/* A file by another name is none of ours: an editor's copy, a package manager's .dpkg-new. */
static int add(struct source *s, struct sp_error *err)
{
    static const char ending[] = ".profile";
    size_t n = strlen(s->file), end = sizeof(ending) - 1;
    char name[SP_PROFILE_NAME_SIZE], path[SP_PATH_SIZE];

    if (n <= end || !sp_streq(s->file + n - end, ending) ||
        sp_str_format(name, sizeof(name), "%.*s", (int)(n - end), s->file) < 0)
        return 0;
    if (name[n - end - 1] != '@')
        return add_name(s, name, err);
    return sp_str_format(path, sizeof(path), "%s/%s", s->place, s->file) < 0
               ? 0
               : sp_profile_choices(s->h, path, add_choice, s, err);
}

static int add_all(struct sp_host *h, const char *place, bool own, struct sp_profile_names *l,
                   struct sp_error *err)
{
    struct source s = {.h = h, .names = l, .place = place, .own = own};
    _cleanup_closedir_ DIR *d = sp_fsat_list(h->root_fd, place, SP_FSAT_NONE, err);
    const struct dirent *e;
    int rc;

    if (d == NULL)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    while ((rc = sp_fsat_next(d, place, &e, err)) > 0) {
        s.file = e->d_name;
        if (add(&s, err) < 0)
            return -1;
    }
    return rc;
}

int sp_profiles_names(struct sp_host *h, struct sp_profile_names *ret, struct sp_error *err)
{
    _cleanup_(sp_profile_names_clear) struct sp_profile_names l = {0};

    /* The administrator's first: they win. */
    if (add_all(h, SP_PROFILES_LOCAL, true, &l, err) < 0 ||
        add_all(h, SP_PROFILES_VENDOR, false, &l, err) < 0)
        return -1;
    if (l.n > 0)
        qsort(l.v, l.n, sizeof(*l.v), by_name);
    *ret = l;
    l = (struct sp_profile_names){0};
    return 0;
}
