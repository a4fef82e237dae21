/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A preset as a value, and what sallyport.conf needs beside it. */
#include "model/panel.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static void clear_source(struct sp_panel_source *s)
{
    sp_words_clear(&s->separators);
    sp_words_clear(&s->fields);
    sp_words_clear(&s->domain);
    sp_words_clear(&s->user);
    sp_words_clear(&s->document_root);
    sp_words_clear(&s->unless);
}

void sp_panel_clear(struct sp_panel *p)
{
    for (size_t i = 0; i < p->n_sources; i++)
        clear_source(&p->sources[i]);
    sp_words_clear(&p->groups);
    sp_words_clear(&p->excluded_users);
    sp_words_clear(&p->document_roots);
    *p = (struct sp_panel){0};
}

static int set_text(char *dst, size_t size, const char *value, struct sp_error *err)
{
    if (value[0] != '\0' && sp_str_is_clean(value, strlen(value)) && sp_str_copy(dst, size, value) == 0)
        return 0;
    return sp_fail(err, SP_E_INVALID, 0, "empty, or too long");
}

/* A pattern goes down from the root, and never up again. */
static int set_pattern(char *dst, const char *value, struct sp_error *err)
{
    if (value[0] != '/' || strstr(value, "/.") != NULL || strstr(value, "//") != NULL ||
        value[strlen(value) - 1] == '/')
        return sp_fail(err, SP_E_INVALID, 0, "no absolute pattern");
    return set_text(dst, SP_PANEL_VALUE, value, err);
}

static int set_format(enum sp_panel_format *ret, const char *value, struct sp_error *err)
{
    static const char *const names[] = {[SP_PANEL_DIRECTORY] = "directory",
                                        [SP_PANEL_LINK] = "link",
                                        [SP_PANEL_SETTINGS] = "settings",
                                        [SP_PANEL_VARIABLES] = "variables",
                                        [SP_PANEL_FIELDS] = "fields"};

    for (size_t i = 0; i < SP_COUNT(names); i++)
        if (sp_streq(names[i], value)) {
            *ret = (enum sp_panel_format)i;
            return 0;
        }
    return sp_fail(err, SP_E_INVALID, 0, "directory, link, settings, variables or fields");
}

static int set_uid(uint32_t *ret, const char *value, struct sp_error *err)
{
    uint64_t n;

    if (sp_str_to_u64(value, INT32_MAX, &n) < 0 || n == 0)
        return sp_fail(err, SP_E_INVALID, 0, "no uid");
    *ret = (uint32_t)n;
    return 0;
}

static int begin_source(struct sp_panel *p, const char *value, struct sp_error *err)
{
    if (p->n_sources == SP_PANEL_SOURCES_MAX)
        return sp_fail(err, SP_E_INVALID, 0, "more than %d", SP_PANEL_SOURCES_MAX);
    return set_pattern(p->sources[p->n_sources++].files, value, err);
}

static int set_panel(struct sp_panel *p, const char *name, const char *value, struct sp_error *err)
{
    const struct {
        const char *name;
        struct sp_words *words;
        const char *separators;
    } lists[] = {{"groups", &p->groups, " ,\t"},
                 {"excluded_users", &p->excluded_users, " ,\t"},
                 {"document_roots", &p->document_roots, " :\t"}};

    if (sp_streq(name, "title"))
        return set_text(p->title, sizeof(p->title), value, err);
    if (sp_streq(name, "detect"))
        return set_pattern(p->detect, value, err);
    if (sp_streq(name, "files"))
        return begin_source(p, value, err);
    if (sp_streq(name, "uid_min"))
        return set_uid(&p->uid_min, value, err);
    if (sp_streq(name, "uid_max"))
        return set_uid(&p->uid_max, value, err);
    for (size_t i = 0; i < SP_COUNT(lists); i++)
        if (sp_streq(name, lists[i].name))
            return sp_words_split(value, lists[i].separators, lists[i].words, err);
    return 1;
}

static int set_source(struct sp_panel_source *s, const char *name, const char *value, struct sp_error *err)
{
    const struct {
        const char *name;
        struct sp_words *words;
    } lists[] = {{"separators", &s->separators},
                 {"fields", &s->fields},
                 {"domain", &s->domain},
                 {"user", &s->user},
                 {"document_root", &s->document_root},
                 {"unless", &s->unless}};

    if (sp_streq(name, "under"))
        return set_pattern(s->under, value, err);
    if (sp_streq(name, "format"))
        return set_format(&s->format, value, err);
    for (size_t i = 0; i < SP_COUNT(lists); i++)
        if (sp_streq(name, lists[i].name))
            return sp_words_split(value, " \t", lists[i].words, err);
    return sp_fail(err, SP_E_INVALID, 0, "no such setting");
}

static int set(struct sp_panel *p, const char *name, const char *value, struct sp_error *err)
{
    int rc = set_panel(p, name, value, err);

    if (rc <= 0)
        return rc;
    if (p->n_sources == 0)
        return sp_fail(err, SP_E_INVALID, 0, "no such setting, or it stands before its `files`");
    return set_source(&p->sources[p->n_sources - 1], name, value, err);
}

static int parse_line(struct sp_panel *p, char *line, struct sp_error *err)
{
    char *name = line + strspn(line, " \t"), *end, *value;
    size_t n = strcspn(name, " \t=");

    if (name[0] == '\0' || name[0] == '#')
        return 0;
    value = name + n + strspn(name + n, " \t");
    if (n == 0 || *value != '=')
        return sp_fail(err, SP_E_INVALID, 0, "not NAME = VALUE");
    value += 1 + strspn(value + 1, " \t");
    for (end = value + strlen(value); end > value && strchr(" \t\r", end[-1]) != NULL;)
        *--end = '\0';
    name[n] = '\0';
    return set(p, name, value, err) == 0 ? 0 : sp_field(err, "%.60s", name);
}

static int check(const struct sp_panel *p, struct sp_error *err)
{
    if (p->title[0] == '\0' || p->n_sources == 0)
        return sp_fail(err, SP_E_INVALID, 0, "a preset needs a title and files");
    for (size_t i = 0; i < p->n_sources; i++) {
        const struct sp_panel_source *s = &p->sources[i];
        if (s->domain.n == 0 || s->user.n == 0 || s->document_root.n == 0 ||
            (s->format == SP_PANEL_FIELDS && (s->fields.n == 0 || s->separators.n == 0)))
            return sp_fail(err, SP_E_INVALID, 0,
                           "%.200s: domain, user, document_root or fields are missing", s->files);
    }
    return 0;
}

int sp_panel_parse(const char *bytes, size_t len, struct sp_panel *ret, struct sp_error *err)
{
    _cleanup_(sp_panel_clear) struct sp_panel p = {.uid_min = 1000, .uid_max = INT32_MAX};
    _cleanup_free_ char *copy = strndup(bytes, len);
    char *rest = copy, *line;
    unsigned number = 0;

    if (copy == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    while (rest != NULL && (line = strsep(&rest, "\n")) != NULL) {
        char field[sizeof(err->field)], text[200];
        number++;
        if (parse_line(&p, line, err) == 0)
            continue;
        if (err->code == SP_E_NO_MEMORY) /* no fault of the preset's */
            return -1;
        (void)sp_str_format(field, sizeof(field), "%s", err->field);
        (void)sp_str_format(text, sizeof(text), "%.180s", err->text);
        sp_fail(err, SP_E_INVALID, 0, "line %u of the preset: %s%s%s", number, field,
                field[0] != '\0' ? ": " : "", text);
        return sp_hint(err, "sallyport-adopt(8) tells what a preset may say");
    }
    if (check(&p, err) < 0)
        return -1;
    *ret = p;
    p = (struct sp_panel){0};
    return 0;
}

static void put_list(struct sp_buf *out, const char *name, const struct sp_words *first,
                     const struct sp_words *more, const char *separator)
{
    const char *between = "";

    sp_buf_printf(out, "%s = ", name);
    for (size_t i = 0; i < first->n; i++, between = separator)
        sp_buf_printf(out, "%s%s", between, first->v[i]);
    for (size_t i = 0; more != NULL && i < more->n; i++)
        if (!sp_words_have(first, more->v[i])) {
            sp_buf_printf(out, "%s%s", between, more->v[i]);
            between = separator;
        }
    sp_buf_puts(out, "\n");
}

int sp_panel_suggest(const struct sp_panel *p, const char *name, const struct sp_config *c,
                     struct sp_buf *out, struct sp_error *err)
{
    sp_buf_printf(out, "# %s: what requests may name. /etc/sallyport/sallyport.conf.d/%s.conf\n", p->title,
                  name);
    if (p->document_roots.n > 0)
        put_list(out, "document_roots", &p->document_roots, NULL, ":");
    sp_buf_printf(out, "uid_min = %u\n", p->uid_min);
    if (p->uid_max != INT32_MAX)
        sp_buf_printf(out, "uid_max = %u\n", p->uid_max);
    if (p->groups.n > 0)
        put_list(out, "required_groups", &p->groups, NULL, ",");
    if (p->excluded_users.n > 0)
        put_list(out, "denied_users", &c->denied_users, &p->excluded_users, ",");
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

const struct sp_panel_jail *sp_panel_jail(const char *shell)
{
    static const char copies[] =
        "its copies of programs in the document root or home are not used by "
        "sallyport's jail and can be removed afterwards";
    static const char jailkit[] =
        "the panel's jailkit setting makes it again: switch that off first; then "
        "ask for the shell chroot";
    static const char plesk[] =
        "set SSH access to Forbidden in Plesk, or it writes this shell again; then "
        "ask for the shell chroot";
    static const struct sp_panel_jail jails[] = {
        {"/usr/local/psa/bin/chrootsh", "Plesk chrootsh", plesk},
        {"/opt/psa/bin/chrootsh", "Plesk chrootsh", plesk},
        {"/usr/sbin/jk_chrootsh", "jailkit", jailkit},
        {"/usr/sbin/jk_lsh", "jailkit", jailkit},
        {"/usr/local/cpanel/bin/jailshell", "cPanel jailshell",
         "disable shell access in WHM, or cPanel writes this shell again; then ask for the shell chroot"},
        {"/usr/local/cpanel/bin/noshell", "cPanel noshell", "it lets nobody in, as shell none does"},
        {"/usr/bin/jailbash", "HestiaCP jailbash", copies},
        {"/usr/sbin/jailbash", "HestiaCP jailbash", copies},
        {"/usr/bin/rssh", "rssh", copies},
        {"/usr/bin/scponly", "scponly", copies},
        {"/usr/sbin/scponlyc", "scponly", copies},
        {"/usr/bin/lshell", "lshell",
         "it confines by filtering words; the shell chroot confines by the kernel"},
        {"/usr/bin/mysecureshell", "MySecureShell",
         "it serves sftp alone; the shell chroot serves sftp too"},
    };

    for (size_t i = 0; i < SP_COUNT(jails); i++)
        if (sp_streq(jails[i].shell, shell))
            return &jails[i];
    return NULL;
}
