/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The files of a panel: one reader a format, and templates that make a site of what they hold. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/panel.h"

typedef int visitor(const struct sp_panel_record *, void *, struct sp_error *);

static const char name_bytes[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";

void sp_panel_record_clear(struct sp_panel_record *r)
{
    free(r->v);
    *r = (struct sp_panel_record){0};
}

static const struct sp_panel_field *find(const struct sp_panel_record *r, const char *name)
{
    for (size_t i = 0; i < r->n; i++)
        if (sp_streq(r->v[i].name, name))
            return &r->v[i];
    return NULL;
}

const char *sp_panel_record_get(const struct sp_panel_record *r, const char *name)
{
    const struct sp_panel_field *f = find(r, name);

    return f != NULL ? f->value : "";
}

int sp_panel_record_set(struct sp_panel_record *r, const char *name, const char *value, size_t len,
                        struct sp_error *err)
{
    struct sp_panel_field *grown;

    if (find(r, name) != NULL || strlen(name) >= sizeof(grown->name) || len >= sizeof(grown->value))
        return 0;
    grown = reallocarray(r->v, r->n + 1, sizeof(*grown));
    if (grown == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    r->v = grown;
    (void)sp_str_copy(grown[r->n].name, sizeof(grown->name), name);
    memcpy(grown[r->n].value, value, len);
    grown[r->n++].value[len] = '\0';
    return 0;
}

static int set_named(struct sp_panel_record *r, const char *name, size_t name_len, const char *value,
                     size_t len, struct sp_error *err)
{
    char text[sizeof(r->v->name)];

    if (sp_str_format(text, sizeof(text), "%.*s", (int)name_len, name) < 0)
        return 0;
    return sp_panel_record_set(r, text, value, len, err);
}

static size_t trimmed(const char *value)
{
    size_t n = strlen(value);

    while (n > 0 && strchr(" \t\r", value[n - 1]) != NULL)
        n--;
    return n;
}

static int start(struct sp_panel_record *r, const struct sp_panel_record *given, struct sp_error *err)
{
    for (size_t i = 0; given != NULL && i < given->n; i++)
        if (sp_panel_record_set(r, given->v[i].name, given->v[i].value, strlen(given->v[i].value), err) < 0)
            return -1;
    return 0;
}

/* NAME=VALUE, NAME: VALUE: all to the end of the line. NAME VALUE: the first word. Quotes hold one value.
 */
static int read_setting(struct sp_panel_record *r, const char *line, struct sp_error *err)
{
    const char *name = line + strspn(line, " \t"), *value;
    size_t n = strspn(name, name_bytes), len;

    value = name + n + strspn(name + n, " \t");
    if (n == 0 || (value == name + n && *value != '=' && *value != ':'))
        return 0;
    if (*value == '=' || *value == ':') {
        value += 1 + strspn(value + 1, " \t");
        len = trimmed(value);
    } else
        len = strcspn(value, " \t\r");
    if (*value == '"' || *value == '\'') {
        const char *end = strchr(value + 1, *value);
        len = end != NULL ? (size_t)(end - ++value) : 0;
    }
    return set_named(r, name, n, value, len, err);
}

/* NAME='VALUE' NAME="VALUE": what stands between is passed over. */
static int read_variables(struct sp_panel_record *r, const char *line, struct sp_error *err)
{
    while (*line != '\0') {
        const char *name = line + strcspn(line, name_bytes), *end;
        size_t n = strspn(name, name_bytes);
        const char quote = name[n] == '=' ? name[n + 1] : '\0';

        line = name + n;
        if (quote != '\'' && quote != '"')
            continue;
        end = strchr(name + n + 2, quote);
        if (end == NULL)
            return 0;
        if (set_named(r, name, n, name + n + 2, (size_t)(end - (name + n + 2)), err) < 0)
            return -1;
        line = end + 1;
    }
    return 0;
}

/* The nearest separator; the longest where several begin there. */
static const char *next_separator(const char *text, const struct sp_words *separators, size_t *ret_len)
{
    const char *best = NULL;

    for (size_t i = 0; i < separators->n; i++) {
        const char *at = strstr(text, separators->v[i]);
        size_t len = strlen(separators->v[i]);
        if (at == NULL || (best != NULL && (at > best || (at == best && len < *ret_len))))
            continue;
        best = at;
        *ret_len = len;
    }
    return best;
}

static int read_fields(struct sp_panel_record *r, const struct sp_panel_source *s, const char *line,
                       struct sp_error *err)
{
    for (size_t i = 0; i < s->fields.n && line != NULL; i++) {
        size_t skip = 0, len;
        const char *end = next_separator(line, &s->separators, &skip);

        line += strspn(line, " \t");
        len = end != NULL && end > line ? (size_t)(end - line) : end != NULL ? 0 : trimmed(line);
        while (len > 0 && strchr(" \t\r", line[len - 1]) != NULL)
            len--;
        if (sp_panel_record_set(r, s->fields.v[i], line, len, err) < 0)
            return -1;
        line = end != NULL ? end + skip : NULL;
    }
    return 0;
}

static int read_line(const struct sp_panel_source *s, const char *line, const struct sp_panel_record *given,
                     visitor *visit, void *data, struct sp_error *err)
{
    _cleanup_(sp_panel_record_clear) struct sp_panel_record r = {0};
    const char *text = line + strspn(line, " \t\r");

    if (text[0] == '\0' || text[0] == '#')
        return 0;
    if ((s->format == SP_PANEL_FIELDS ? read_fields(&r, s, text, err) : read_variables(&r, text, err)) <
            0 ||
        start(&r, given, err) < 0)
        return -1;
    return visit(&r, data, err);
}

int sp_panel_read(const struct sp_panel_source *s, const char *bytes, size_t len,
                  const struct sp_panel_record *given, visitor *visit, void *data, struct sp_error *err)
{
    _cleanup_(sp_panel_record_clear) struct sp_panel_record r = {0};
    _cleanup_free_ char *copy = strndup(bytes, len);
    char *rest = copy, *line;
    int rc = 0;

    if (copy == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    while (rc == 0 && rest != NULL && (line = strsep(&rest, "\n")) != NULL)
        rc = s->format == SP_PANEL_SETTINGS ? read_setting(&r, line, err)
                                            : read_line(s, line, given, visit, data, err);
    if (rc != 0 || s->format != SP_PANEL_SETTINGS)
        return rc;
    return start(&r, given, err) < 0 ? -1 : visit(&r, data, err);
}

/* "" where a field of the template is missing or empty, or where it does not fit. */
static void expand(const char *template, const struct sp_panel_record *r, char *out, size_t size)
{
    size_t at = 0;

    out[0] = '\0';
    while (*template != '\0') {
        const char *end = template[0] == '{' ? strchr(template, '}') : NULL, *value = template;
        size_t len = 1;
        char name[64];

        if (end != NULL &&
            sp_str_format(name, sizeof(name), "%.*s", (int)(end - template - 1), template + 1) == 0) {
            value = sp_panel_record_get(r, name);
            len = strlen(value);
        }
        if (len == 0 || at + len >= size) {
            out[0] = '\0';
            return;
        }
        memcpy(out + at, value, len);
        at += len;
        template = end != NULL ? end + 1 : template + 1;
    }
    out[at] = '\0';
}

static void first_of(const struct sp_words *templates, const struct sp_panel_record *r, char *out,
                     size_t size)
{
    out[0] = '\0';
    for (size_t i = 0; i < templates->n && out[0] == '\0'; i++)
        expand(templates->v[i], r, out, size);
}

/* "Example.COM:443" of a web server's ServerName. */
static void mend_domain(char *domain)
{
    char *colon = strchr(domain, ':');

    if (colon != NULL && colon[1 + strspn(colon + 1, "0123456789")] == '\0')
        *colon = '\0';
    for (char *c = domain; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
}

/* "/home/a//web/" as sallyport writes paths. */
static void mend_path(char *path)
{
    char *to = path;

    for (const char *from = path; *from != '\0'; from++)
        if (*from != '/' || to == path || to[-1] != '/')
            *to++ = *from;
    while (to > path + 1 && to[-1] == '/')
        to--;
    *to = '\0';
}

int sp_panel_site(const struct sp_panel_source *s, const struct sp_panel_record *r,
                  struct sp_panel_site *ret, struct sp_error *err)
{
    char domain[SP_PATH_SIZE], user[SP_PATH_SIZE], skip[SP_PATH_SIZE];
    const char *rest = NULL;
    bool tree = s->format == SP_PANEL_DIRECTORY || s->format == SP_PANEL_LINK;

    *ret = (struct sp_panel_site){0};
    first_of(&s->unless, r, skip, sizeof(skip));
    first_of(&s->domain, r, domain, sizeof(domain));
    first_of(&s->user, r, user, sizeof(user));
    first_of(&s->document_root, r, ret->document_root, sizeof(ret->document_root));
    if (skip[0] != '\0' || domain[0] == '\0' || ret->document_root[0] == '\0')
        return SP_PANEL_NO_SITE;
    mend_domain(domain);
    mend_path(ret->document_root);
    if (s->under[0] != '\0' &&
        (!sp_str_prefix(ret->document_root, s->under, &rest) || (rest[0] != '/' && rest[0] != '\0')))
        return SP_PANEL_NO_SITE;
    if (sp_name_check_domain(domain, err) < 0 && tree) /* "system", "default": no customer's */
        return SP_PANEL_NO_SITE;
    (void)snprintf(ret->domain, sizeof(ret->domain), "%.253s", domain);
    (void)snprintf(ret->user, sizeof(ret->user), "%.32s", user);
    sp_str_make_printable(ret->domain);
    sp_str_make_printable(ret->user);
    if (sp_name_check_domain(domain, err) < 0)
        return sp_field(err, "domain");
    if (sp_name_check_user(user, err) < 0)
        return sp_field(err, "user");
    if (sp_name_check_path(ret->document_root, err) < 0) {
        ret->document_root[0] = '\0';
        return sp_field(err, "document_root");
    }
    return SP_PANEL_SITE;
}

bool sp_panel_match(const char *pattern, const char *name, struct sp_panel_captures *captures)
{
    size_t was = captures->n;

    if (name[0] == '.' && pattern[0] != '.')
        return false;
    while (*pattern != '\0' && *pattern != '*')
        if (*pattern++ != *name++)
            return false;
    if (*pattern == '\0')
        return *name == '\0';
    if (captures->n == SP_PANEL_CAPTURES)
        return false;
    captures->n++;
    for (size_t n = strlen(name) + 1; n-- > 0;) { /* the longest first */
        if (sp_str_format(captures->v[was], sizeof(captures->v[was]), "%.*s", (int)n, name) == 0 && n > 0 &&
            (pattern[1] == '\0' ? name[n] == '\0'
                                : name[n] == pattern[1] && sp_panel_match(pattern + 1, name + n, captures)))
            return true;
        captures->n = was + 1;
    }
    captures->n = was;
    return false;
}
