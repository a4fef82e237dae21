/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/panels.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/findfiles.h"
#include "host/fsat.h"

#define PANEL_FILE_MAX (64U << 20)

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

void sp_panels_sites_clear(struct sp_panels_sites *s)
{
    free(s->v);
    *s = (struct sp_panels_sites){0};
}

int sp_panels_load(struct sp_host *h, const char *name, struct sp_panel *ret, struct sp_error *err)
{
    static const char *const dirs[] = {SP_PANELS_OWN, SP_PANELS_DIR};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    char path[SP_PATH_SIZE];

    if (sp_panel_check_name(name, err) < 0)
        return sp_field(err, "panel");
    for (size_t i = 0; i < SP_COUNT(dirs); i++) {
        (void)sp_str_format(path, sizeof(path), "%s/%s.conf", dirs[i], name);
        if (sp_fsat_read(h->root_fd, path, SP_PANEL_MAX_BYTES, &text, NULL, err) == 0)
            return sp_panel_parse(sp_buf_str(&text), text.len, ret, err) == 0 ? 0 : sp_field(err, "panel");
        if (err->code != SP_E_NOT_FOUND)
            return sp_field(err, "panel");
    }
    sp_fail(err, SP_E_NOT_FOUND, 0, "there is no preset for %s", name);
    sp_hint(err,
            "plesk, hestia, virtualmin, ispconfig, cpanel or generic, or write " SP_PANELS_OWN "/%s.conf",
            name);
    return sp_field(err, "panel");
}

/* A preset that cannot be read is no reason not to look at the others. */
static bool is_here(struct sp_host *h, const char *file, char name[SP_PANEL_SIZE])
{
    _cleanup_(sp_panel_clear) struct sp_panel p = {0};
    size_t n = strlen(file);
    struct sp_error ignored;

    return n > 5 && sp_streq(file + n - 5, ".conf") &&
           sp_str_format(name, SP_PANEL_SIZE, "%.*s", (int)n - 5, file) == 0 &&
           sp_panels_load(h, name, &p, &ignored) == 0 && p.detect[0] != '\0' &&
           sp_fsat_exists(h->root_fd, p.detect);
}

static int detect_in(struct sp_host *h, const char *path, char ret[SP_PANEL_SIZE], struct sp_error *err)
{
    _cleanup_closedir_ DIR *dir = sp_fsat_list(h->root_fd, path, SP_FSAT_NONE, err);
    const struct dirent *d;
    char name[SP_PANEL_SIZE];
    int rc;

    if (dir == NULL)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    while ((rc = sp_fsat_next(dir, path, &d, err)) > 0) {
        if (!is_here(h, d->d_name, name) || sp_streq(name, ret))
            continue;
        if (ret[0] != '\0') {
            sp_fail(err, SP_E_CONFLICT, 0, "this host has %s and %s", ret, name);
            sp_hint(err, "say which: --from %s", name);
            return sp_field(err, "panel");
        }
        (void)sp_str_copy(ret, SP_PANEL_SIZE, name);
    }
    return rc;
}

int sp_panels_detect(struct sp_host *h, char ret[SP_PANEL_SIZE], struct sp_error *err)
{
    ret[0] = '\0';
    if (detect_in(h, SP_PANELS_OWN, ret, err) < 0 || detect_in(h, SP_PANELS_DIR, ret, err) < 0)
        return -1;
    if (ret[0] != '\0')
        return 0;
    sp_fail(err, SP_E_NOT_FOUND, 0, "no panel was found on this host");
    sp_hint(err, "say which: --from plesk, or --from generic --document-root '/var/www/vhosts/*'");
    return sp_field(err, "panel");
}

struct scan {
    struct sp_engine *engine;
    const struct sp_panel_source *source;
    const struct sp_userlist *users;
    struct sp_panels_sites sites;
};

static void scan_clear(struct scan *s)
{
    sp_panels_sites_clear(&s->sites);
}

static int append(struct scan *s, const struct sp_panels_site *one, struct sp_error *err)
{
    if ((s->sites.n & (s->sites.n + 1)) == 0) { /* room for 1, 3, 7, 15, ... */
        struct sp_panels_site *grown = reallocarray(s->sites.v, 2 * s->sites.n + 1, sizeof(*grown));
        if (grown == NULL)
            return no_memory(err);
        s->sites.v = grown;
    }
    s->sites.v[s->sites.n++] = *one;
    return 0;
}

static int add_site(const struct sp_panel_record *r, void *data, struct sp_error *err)
{
    struct scan *s = data;
    struct sp_panels_site one = {.order = s->sites.n};
    int rc = sp_panel_site(s->source, r, &one.site, &one.why);

    if (rc == SP_PANEL_NO_SITE)
        return 0;
    one.problem = rc < 0;
    return append(s, &one, err);
}

/* Whose it is cannot be told, so no account is taken for it; but it is named. */
static int add_unknown(const struct sp_found_file *f, const struct sp_error *why, struct scan *s,
                       struct sp_error *err)
{
    struct sp_panels_site one = {.order = s->sites.n, .problem = 1, .why = *why};

    (void)sp_str_copy(one.site.domain, sizeof(one.site.domain), f->name);
    sp_str_make_printable(one.site.domain);
    return append(s, &one, err);
}

static int describe(const struct scan *s, const struct sp_found_file *f, struct sp_panel_record *r,
                    struct sp_error *err)
{
    size_t n = 0;
    struct sp_user *const *owner = sp_userlist_of_uid(s->users, f->st.st_uid, &n);
    char target[SP_PATH_SIZE];
    const char *path = f->path, *base = f->name;
    ssize_t len;

    if (s->source->format == SP_PANEL_LINK) {
        len = readlinkat(s->engine->host->root_fd, f->path + 1, target, sizeof(target) - 1);
        target[len > 0 ? len : 0] = '\0';
        while (len > 1 && target[len - 1] == '/')
            target[--len] = '\0';
        if (len < 0 && errno != ENOENT)
            return sp_fail(err, SP_E_IO, errno, "%s cannot be read", f->path);
        if (target[0] != '/')
            return 1; /* not one that a panel made */
        path = target;
        base = strrchr(target, '/') + 1;
    }
    for (size_t i = 0; i < f->captures->n; i++) {
        const char digit[2] = {(char)('1' + i), '\0'};
        if (sp_panel_record_set(r, digit, f->captures->v[i], strlen(f->captures->v[i]), err) < 0)
            return -1;
    }
    if (owner != NULL && sp_panel_record_set(r, "owner", owner[0]->name, strlen(owner[0]->name), err) < 0)
        return -1;
    return sp_panel_record_set(r, "path", path, strlen(path), err) < 0 ||
                   sp_panel_record_set(r, "name", f->name, strlen(f->name), err) < 0 ||
                   sp_panel_record_set(r, "base", base, strlen(base), err) < 0
               ? -1
               : 0;
}

/* A file of a panel's; root may have put a link there. One that may not be read has no sites. */
static int read_file(struct scan *s, const struct sp_found_file *f, const struct sp_panel_record *given,
                     struct sp_error *err)
{
    bool is_link = S_ISLNK(f->st.st_mode) && f->st.st_uid == 0;
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    _cleanup_close_ int fd = -1;
    struct sp_error why;

    if (!is_link && !S_ISREG(f->st.st_mode))
        return 0;
    fd = sp_fsat_open(s->engine->host->root_fd, f->path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0,
                      is_link ? SP_FSAT_FOLLOW : SP_FSAT_NONE, &why);
    if (fd < 0 || sp_fsat_read_fd(fd, f->path, PANEL_FILE_MAX, &text, NULL, &why) < 0)
        return sp_error_is_blind(&why) ? add_unknown(f, &why, s, err) : 0;
    return sp_panel_read(s->source, sp_buf_str(&text), text.len, given, add_site, s, err);
}

static int visit(const struct sp_found_file *f, void *data, struct sp_error *err)
{
    _cleanup_(sp_panel_record_clear) struct sp_panel_record r = {0};
    struct scan *s = data;
    int rc;

    if (f->unknown != NULL)
        return add_unknown(f, f->unknown, s, err);
    if ((s->source->format == SP_PANEL_DIRECTORY && !S_ISDIR(f->st.st_mode)) ||
        (s->source->format == SP_PANEL_LINK && !S_ISLNK(f->st.st_mode)))
        return 0;
    rc = describe(s, f, &r, err);
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    if (s->source->format == SP_PANEL_DIRECTORY || s->source->format == SP_PANEL_LINK)
        return add_site(&r, s, err);
    return read_file(s, f, &r, err);
}

static int by_domain(const void *a, const void *b)
{
    const struct sp_panels_site *x = a, *y = b;
    int order = strcmp(x->site.domain, y->site.domain);

    return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

static int by_user(const void *a, const void *b)
{
    const struct sp_panels_site *x = a, *y = b;
    int order = strcmp(x->site.user, y->site.user);

    return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

/* Sorted by domain. The same again is left out; another user's is kept, as a problem. */
static void settle(struct sp_panels_sites *s)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++) {
        struct sp_panels_site *before = n > 0 ? &s->v[n - 1] : NULL, *this = &s->v[i];
        if (before != NULL && sp_streq(before->site.domain, this->site.domain)) {
            if (before->problem && !this->problem)
                *before = *this;
            if (before == this || this->problem || sp_streq(before->site.user, this->site.user))
                continue;
            this->problem = 1;
            sp_fail(&this->why, SP_E_CONFLICT, 0, "the panel names %s for it first", before->site.user);
        }
        s->v[n++] = *this;
    }
    s->n = n;
}

int sp_panels_scan(struct sp_engine *e, const struct sp_panel *p, const char *files,
                   const struct sp_userlist *users, struct sp_panels_sites *ret, struct sp_error *err)
{
    _cleanup_(scan_clear) struct scan s = {.engine = e, .users = users};
    size_t n = files != NULL ? 1 : p->n_sources;

    for (size_t i = 0; i < n; i++) {
        s.source = &p->sources[i];
        if (sp_findfiles(e->host, files != NULL ? files : s.source->files, visit, &s, err) < 0)
            return -1;
    }
    if (s.sites.n > 0) {
        qsort(s.sites.v, s.sites.n, sizeof(*s.sites.v), by_domain);
        settle(&s.sites);
        qsort(s.sites.v, s.sites.n, sizeof(*s.sites.v), by_user);
    }
    *ret = s.sites;
    s.sites = (struct sp_panels_sites){0};
    return 0;
}
