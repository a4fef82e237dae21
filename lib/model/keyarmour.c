/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Blocks with BEGIN and END: RFC 4716 (PuTTYgen, ssh-keygen -e), and RFC 7468's PUBLIC KEY (keyscan.h). */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "model/base64.h"
#include "model/keyder.h"
#include "model/keynotes.h"
#include "model/keyscan.h"
#include "model/sshblob.h"

struct block {
    const char *begin; /* the first dash of BEGIN's line */
    const char *body;
    const char *end;  /* the first dash of END's line, or the end of the text */
    const char *next; /* behind END's line */
};

/* RFC 4716 section 3.3.2. The value may be quoted, and go on behind a '\' at the end of the line: such a
 * line is cut there, since a label needs no more. */
static void find_comment(const char *from, const char *to, struct sp_keyfound *ret)
{
    const char *p = strcasestr(from, "Comment:");
    size_t n;

    if (p == NULL || p >= to)
        return;
    p += strlen("Comment:");
    p += strspn(p, " \t");
    n = strcspn(p, "\n");
    if (n > (size_t)(to - p))
        n = (size_t)(to - p);
    while (n > 0 && strchr(" \t\\\"", p[n - 1]) != NULL)
        n--;
    if (n > 0 && *p == '"') {
        p++;
        n--;
    }
    ret->comment = p;
    ret->comment_len = n;
}

/* Behind the headers, where there are any, the blob's base64 begins as that of every SSH key. */
static int read_rfc4716(const struct block *b, struct sp_keyfound *ret)
{
    _cleanup_(sp_keychars_wipe) struct sp_keychars c = {0};
    _cleanup_free_ uint8_t *blob = NULL;
    const char *p = b->body;
    size_t len;

    while ((p = strstr(p, "AAAA")) != NULL && p > b->body && strchr(" \t\n>\"", p[-1]) == NULL)
        p++;
    if (p == NULL || p >= b->end) {
        sp_fail(&ret->err, SP_E_INVALID, 0, "there is no key between BEGIN and END");
        return sp_hint(&ret->err, "paste the whole block again, from BEGIN to END");
    }
    find_comment(b->body, p, ret);
    if (sp_keychars_collect(p, &c, &ret->err) < 0)
        return -1;
    blob = malloc(c.text.len + 3);
    if (blob == NULL)
        return sp_fail(&ret->err, SP_E_NO_MEMORY, 0, "out of memory");
    len = sp_base64_decode_some(c.text.data, c.text.len, blob);
    return sp_keyfound_judge(ret, NULL, blob, len);
}

static int read_der(const struct block *b, struct sp_keyfound *ret)
{
    _cleanup_(sp_buf_wipe) struct sp_buf chars = {0}, blob = {0};
    _cleanup_free_ uint8_t *der = NULL;

    for (const char *p = b->body; p < b->end; p++) {
        bool escaped = p[0] == '\\' && (p[1] == 'n' || p[1] == 'r'); /* copied out of JSON */

        if (sp_base64_is_char(*p))
            sp_buf_add(&chars, p, 1);
        else if (strchr(" \t\n=>|\"'", *p) == NULL && !escaped) {
            sp_fail(&ret->err, SP_E_INVALID, 0,
                    "the key is damaged: its base64 has other characters in it");
            return sp_hint(&ret->err, "paste the whole block again, from BEGIN to END");
        }
        p += escaped ? 1 : 0;
    }
    der = malloc(chars.len + 3);
    if (der == NULL || !sp_buf_ok(&chars))
        return sp_fail(&ret->err, SP_E_NO_MEMORY, 0, "out of memory");
    if (sp_keyder_read(der, sp_base64_decode_some(sp_buf_str(&chars), chars.len, der), chars.len, &blob,
                       &ret->err) < 0)
        return -1;
    if (!sp_buf_ok(&blob))
        return sp_fail(&ret->err, SP_E_NO_MEMORY, 0, "out of memory");
    return sp_keyfound_judge(ret, NULL, (const uint8_t *)blob.data, blob.len);
}

static const struct form {
    const char *title;
    int (*read)(const struct block *b, struct sp_keyfound *ret);
    const char *refused, *hint;
} forms[] = {
    {"PGP", NULL, "this is a PGP key, and SSH has keys of its own", "paste the one line of a .pub file"},
    {"SSH2 PUBLIC KEY", read_rfc4716, NULL, NULL},
    {"RSA PUBLIC KEY", read_der, NULL, NULL},
    {"PUBLIC KEY", read_der, NULL, NULL},
    {"CERTIFICATE", NULL, "this is a certificate; paste id_....pub",
     "an X.509 certificate logs nobody in: make a pair with ssh-keygen -t ed25519"},
    {"", NULL, "this block is no public key", "paste the one line of a .pub file"},
};

static bool title_has(const char *title, size_t n, const char *word)
{
    for (size_t i = 0; i + strlen(word) <= n; i++)
        if (strncasecmp(title + i, word, strlen(word)) == 0)
            return true;
    return false;
}

/* END's line, and where the text goes on behind it. */
static void find_end(struct block *b)
{
    const char *p = b->body;

    b->end = b->next = b->body + strlen(b->body);
    for (; (p = strcasestr(p, "END")) != NULL; p++) {
        const char *dash = p;
        size_t dashes = 0;
        while (dash > b->body && dash[-1] == ' ')
            dash--;
        for (; dash > b->body && dash[-1] == '-'; dash--)
            dashes++;
        /* A comment may say "front-end". */
        if (dashes == 0 || (dashes == 1 && dash > b->body && strchr(" \t\n", dash[-1]) == NULL))
            continue;
        b->end = dash;
        b->next = p + strcspn(p, "-\n");
        b->next += strspn(b->next, "-");
        return;
    }
}

void sp_keyarmour_bare(const char *text, struct sp_keyfound *ret)
{
    const struct block b = {text, text, text + strlen(text), text + strlen(text)};

    ret->armoured = true;
    ret->notes |= SP_KEYNOTE_CONVERTED;
    ret->end = strlen(text);
    ret->good = read_der(&b, ret) == 0;
}

int sp_keyarmour_read(const char *text, const char *begin, struct sp_keyfound *ret, const char **ret_next,
                      struct sp_error *err)
{
    const char *title = begin + strlen("BEGIN");
    size_t n = strcspn(title, "-\n");
    struct block b = {.begin = begin, .body = title + n};

    while (b.begin > text && (b.begin[-1] == '-' || b.begin[-1] == ' '))
        b.begin--;
    b.begin += strspn(b.begin, " ");
    b.body += strspn(b.body, "-");
    find_end(&b);
    for (size_t i = 0; i < SP_COUNT(forms); i++) {
        if (!title_has(title, n, forms[i].title))
            continue;
        if (forms[i].read == NULL) {
            sp_fail(err, SP_E_INVALID, 0, "%s", forms[i].refused);
            return sp_hint(err, "%s", forms[i].hint);
        }
        ret->armoured = true;
        ret->notes |= SP_KEYNOTE_CONVERTED;
        ret->start = (size_t)(b.begin - text);
        ret->end = (size_t)(b.next - text);
        *ret_next = b.next;
        ret->good = forms[i].read(&b, ret) == 0;
        return 1;
    }
    return -1;
}
