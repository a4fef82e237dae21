/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/sshdconf.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"

void sp_sshdconf_clear(struct sp_sshdconf *c)
{
    free(c->text);
    free(c->v);
    *c = (struct sp_sshdconf){0};
}

/* One line in place: the keyword ends at the first blank, the value begins behind the blanks. */
static int split_line(char *line, struct sp_sshdconf_line *ret, struct sp_error *err)
{
    size_t n = strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    char *value = line + n;

    if (n == 0 || (*value != ' ' && *value != '\0') || !sp_str_is_clean(line, strlen(line))) {
        sp_fail(err, SP_E_INVALID, 0, "this is not what sshd -T prints");
        return sp_hint(err, "run sshd -T and look for a line that is no setting");
    }
    while (*value == ' ')
        *value++ = '\0';
    *ret = (struct sp_sshdconf_line){line, value};
    return 0;
}

static size_t count_lines(const char *bytes, size_t len)
{
    size_t n = 1;

    for (size_t i = 0; i < len; i++)
        n += bytes[i] == '\n';
    return n;
}

int sp_sshdconf_parse(const char *bytes, size_t len, struct sp_sshdconf *ret, struct sp_error *err)
{
    _cleanup_(sp_sshdconf_clear) struct sp_sshdconf c = {
        .text = malloc(len + 1), .v = calloc(count_lines(bytes, len), sizeof(*c.v))};
    char *rest, *line;

    if (c.text == NULL || c.v == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (len > 0)
        memcpy(c.text, bytes, len);
    c.text[len] = '\0';
    if (strlen(c.text) != len) {
        sp_fail(err, SP_E_INVALID, 0, "there is a NUL in what sshd -T printed");
        return sp_hint(err, "run sshd -T and look at it");
    }
    rest = c.text;
    while ((line = strsep(&rest, "\n")) != NULL)
        if (*line != '\0' && split_line(line, &c.v[c.n++], err) < 0)
            return -1;
    if (c.n == 0) {
        sp_fail(err, SP_E_INVALID, 0, "sshd -T printed nothing");
        return sp_hint(err, "run sshd -T and look at what it says");
    }
    *ret = c;
    c = (struct sp_sshdconf){0};
    return 0;
}

const char *sp_sshdconf_nth(const struct sp_sshdconf *c, const char *keyword, size_t i)
{
    for (size_t at = 0; at < c->n; at++)
        if (strcasecmp(c->v[at].keyword, keyword) == 0 && i-- == 0)
            return c->v[at].value;
    return NULL;
}

const char *sp_sshdconf_get(const struct sp_sshdconf *c, const char *keyword)
{
    return sp_sshdconf_nth(c, keyword, 0);
}

bool sp_sshdconf_next(const struct sp_sshdconf *c, const char *keyword, struct sp_sshdconf_words *w)
{
    for (;;) {
        size_t n;

        if (w->rest == NULL && (w->rest = sp_sshdconf_nth(c, keyword, w->line++)) == NULL)
            return false;
        w->rest += strspn(w->rest, " ");
        n = strcspn(w->rest, " ");
        if (n == 0) {
            w->rest = NULL;
            continue;
        }
        w->rest += n;
        if (sp_str_format(w->word, sizeof(w->word), "%.*s", (int)n, w->rest - n) == 0)
            return true;
    }
}

bool sp_sshdconf_has(const struct sp_sshdconf *c, const char *keyword, const char *word)
{
    struct sp_sshdconf_words w = {0};

    while (sp_sshdconf_next(c, keyword, &w))
        if (sp_streq(w.word, word))
            return true;
    return false;
}

const char *sp_sshdconf_subsystem(const struct sp_sshdconf *c, const char *name)
{
    const char *value, *rest;

    for (size_t i = 0; (value = sp_sshdconf_nth(c, "subsystem", i)) != NULL; i++)
        if (sp_str_prefix(value, name, &rest) && *rest == ' ')
            return rest + strspn(rest, " ");
    return NULL;
}
