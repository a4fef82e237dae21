/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/keynotes.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"

static const char *const option_names[] = {
    "agent-forwarding",
    "cert-authority",
    "command",
    "environment",
    "expiry-time",
    "from",
    "no-agent-forwarding",
    "no-port-forwarding",
    "no-pty",
    "no-touch-required",
    "no-user-rc",
    "no-x11-forwarding",
    "permitlisten",
    "permitopen",
    "port-forwarding",
    "principals",
    "pty",
    "restrict",
    "tunnel",
    "user-rc",
    "verify-required",
    "x11-forwarding",
};

static const struct {
    enum sp_keynote note;
    const char *sentence;
} sentences[] = {
    {SP_KEYNOTE_ENCODING, "the text was UTF-16, or had a byte order mark in front; it was converted"},
    {SP_KEYNOTE_BLANKS, "the text had blanks that are no plain ones (no-break spaces); they were replaced"},
    {SP_KEYNOTE_INVISIBLE, "the text had characters that cannot be seen (zero-width); they were dropped"},
    {SP_KEYNOTE_QUOTES, "the text had typographic quotes or dashes; they were replaced by plain ones"},
    {SP_KEYNOTE_JOINED, "the key was broken over several lines and was joined: compare its fingerprint"},
    {SP_KEYNOTE_TYPE,
     "the type in front of the key was missing or misspelt; the one inside the key was taken"},
    {SP_KEYNOTE_PADDING, "the = at the end of the key was missing and was put back"},
    {SP_KEYNOTE_OPTIONS, "the options in front of the key were dropped"},
    {SP_KEYNOTE_CONVERTED, "the key was not in OpenSSH's form and was converted"},
    {SP_KEYNOTE_AROUND, "text around the key was dropped"},
    {SP_KEYNOTE_TWICE, "the same key stood there more than once; it was taken once"},
};

static int find_option(const char *name, size_t len)
{
    for (size_t i = 0; i < SP_COUNT(option_names); i++)
        if (strlen(option_names[i]) == len && strncasecmp(option_names[i], name, len) == 0)
            return (int)i;
    return -1;
}

/* Behind ="VALUE"; NULL where the quotes do not close on this line. */
static const char *skip_value(const char *p)
{
    if (*p != '"')
        return NULL;
    for (p++; *p != '"'; p++) {
        if (*p == '\\' && p[1] != '\0')
            p++;
        if (*p == '\0' || *p == '\n')
            return NULL;
    }
    return p + 1;
}

size_t sp_keynotes_options(const char *p, unsigned *ret)
{
    const char *start = p;
    unsigned found = 0;

    for (;; p++) {
        size_t n = strcspn(p, "=, \t\n");
        int option = find_option(p, n);

        if (option < 0)
            return 0;
        found |= 1U << option;
        p += n;
        if (*p == '=')
            p = skip_value(p + 1);
        if (p == NULL)
            return 0;
        if (*p != ',')
            break;
    }
    if (*p != '\0' && strchr(" \t\n", *p) == NULL)
        return 0;
    *ret |= found;
    return (size_t)(p - start);
}

bool sp_keynotes_trusts_authority(unsigned options)
{
    static const char *const names[] = {"cert-authority", "principals"};

    for (size_t i = 0; i < SP_COUNT(names); i++) {
        int option = find_option(names[i], strlen(names[i]));

        if (option >= 0 && (options & 1U << option) != 0)
            return true;
    }
    return false;
}

/* Which ones, and where those go that have a field: a key that was bound to one address must not be free
 * without a word. */
static void name_options(unsigned options, struct sp_buf *out)
{
    const char *between = " (";

    for (size_t i = 0; i < SP_COUNT(option_names); i++)
        if ((options & 1U << i) != 0) {
            sp_buf_printf(out, "%s%s", between, option_names[i]);
            between = ", ";
        }
    sp_buf_puts(out,
                "): sources, expiry and a forced command have fields of their own, from, expires_at and "
                "command");
}

bool sp_keynotes_sentence(const struct sp_keynotes *n, size_t i, struct sp_buf *out)
{
    for (size_t s = 0; s < SP_COUNT(sentences); s++) {
        if ((n->bits & sentences[s].note) == 0 || i-- > 0)
            continue;
        sp_buf_puts(out, sentences[s].sentence);
        if (sentences[s].note == SP_KEYNOTE_OPTIONS)
            name_options(n->options, out);
        return true;
    }
    return false;
}
