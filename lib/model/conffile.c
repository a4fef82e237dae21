/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/conffile.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define BLANK " \t\r"

struct reader {
    const char *file;
    size_t line;
    struct sp_words seen; /* the names that this file has set */
};

static void clear(struct reader *r)
{
    sp_words_clear(&r->seen);
}

/* The text between the blanks at both ends. */
static char *trim(char *s)
{
    char *end;

    s += strspn(s, BLANK);
    for (end = s + strlen(s); end > s && strchr(BLANK, end[-1]) != NULL; end--)
        ;
    *end = '\0';
    return s;
}

/* In front of what is wrong stands where. */
static int place(const struct reader *r, struct sp_error *err)
{
    const struct sp_error why = *err;

    sp_fail(err, why.code, why.os_errno, "%s, line %zu: %s", r->file, r->line, why.text);
    sp_hint(err, "%s", why.hint[0] != '\0' ? why.hint : "see sallyport.conf(5); lines are NAME = VALUE");
    return sp_field(err, "%s", why.field);
}

static int wrong(const struct reader *r, const char *what, const char *hint, struct sp_error *err)
{
    sp_fail(err, SP_E_INVALID, 0, "%s", what);
    sp_hint(err, "%s", hint);
    return place(r, err);
}

static int set(struct reader *r, const char *name, const char *value, struct sp_config *c,
               struct sp_error *err)
{
    if (sp_words_have(&r->seen, name))
        return wrong(r, "the option stands here a second time", "leave one of the two", err);
    if (strpbrk(value, "\"'") != NULL)
        return wrong(r, "quotes are not taken off", "write the value without", err);
    if (sp_words_add(&r->seen, name, strlen(name), err) < 0)
        return -1;
    return sp_config_set(c, name, value, err) < 0 ? place(r, err) : 0;
}

static int read_line(struct reader *r, char *line, struct sp_config *c, struct sp_error *err)
{
    char *value;

    line[strcspn(line, "#")] = '\0';
    line = trim(line);
    if (line[0] == '\0')
        return 0;
    if (line[0] == '[')
        return wrong(r, "there are no sections", "take the line out: what stands below it counts then",
                     err);
    value = strchr(line, '=');
    if (value == NULL || value == line)
        return wrong(r, "no NAME = VALUE", "a line is NAME = VALUE, and '#' begins a comment", err);
    *value++ = '\0';
    return set(r, trim(line), trim(value), c, err);
}

int sp_conffile_parse(const char *file, const char *text, size_t len, struct sp_config *c,
                      struct sp_error *err)
{
    _cleanup_(clear) struct reader r = {.file = file};
    _cleanup_free_ char *copy = strndup(text, len);
    char *rest = copy, *line;

    if (copy == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for %s", file);
    if (strlen(copy) != len)
        return wrong(&r, "there is a NUL byte", "it is no text: write it anew", err);
    while ((line = strsep(&rest, "\n")) != NULL) {
        r.line++;
        if (read_line(&r, line, c, err) < 0)
            return -1;
    }
    return 0;
}
