/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The base64 of one key in a text, broken over lines or not (keyscan.h). */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/base64.h"
#include "model/keynotes.h"
#include "model/keyscan.h"
#include "model/keytext.h"
#include "model/sshblob.h"

/* A piece behind a plain blank may be the comment's first word; one of this length is none. */
#define SURE_PIECE 16

void sp_keychars_wipe(struct sp_keychars *c)
{
    sp_buf_wipe(&c->text);
}

static size_t run_of_base64(const char *p)
{
    size_t n = 0;

    while (sp_base64_is_char(p[n]))
        n++;
    return n;
}

/* How many characters the whole blob has, without padding; 0: not known yet. */
static size_t needed(const struct sp_buf *chars, struct sp_error *err)
{
    _cleanup_free_ uint8_t *bytes = malloc(chars->len + 3);
    size_t extent;

    if (bytes == NULL) {
        sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
        return 0;
    }
    extent = sp_sshblob_extent(bytes, sp_base64_decode_some(chars->data, chars->len, bytes));
    return (extent * 4 + 2) / 3;
}

static int damaged(struct sp_error *err, const char *what)
{
    sp_fail(err, SP_E_INVALID, 0, "the key is damaged: %s", what);
    return sp_hint(err, "paste the whole line of the .pub file again");
}

/* Whole: the padding behind it, and what may stand there at all. */
static int finish(const char *p, struct sp_keychars *c, struct sp_error *err)
{
    size_t want = (4 - c->text.len % 4) % 4, have = strspn(p, "=");
    const char *further = p + have + strspn(p + have, " \t\n>");

    c->end = p + have;
    if (have < want && *further == '=') { /* the line was broken right there */
        have += strspn(further, "=");
        c->end = further + strspn(further, "=");
    }
    if (have > want)
        return damaged(err, "there are too many = at its end");
    if (have < want)
        c->notes |= SP_KEYNOTE_PADDING;
    if (*c->end != '\0' && strchr(" \t\n\"'`<>,;)]}\\", *c->end) == NULL && strncmp(c->end, "--", 2) != 0)
        return damaged(err, "something follows the key inside");
    return 0;
}

/* Where the base64 goes on behind a line end, a quoting mark of a mail or a blank; NULL: nowhere. */
static const char *next_piece(const char *p)
{
    size_t blanks = strspn(p, " \t\n"), n;
    bool broken = memchr(p, '\n', blanks) != NULL;

    p += blanks;
    if (broken)
        p += strspn(p, "> \t|");
    n = run_of_base64(p);
    if (blanks == 0 || n == 0 || (p[n] != '\0' && strchr(" \t\n=\"'`<\\", p[n]) == NULL))
        return NULL;
    return broken || n >= SURE_PIECE || p[n] == '=' ? p : NULL;
}

/* The characters ended before the key did. */
static int refuse_short(const char *p, const struct sp_keychars *c, struct sp_error *err)
{
    bool ends = *p == '\0' || strchr(" \t\n=.\"'`<>,;)]}\\", *p) != NULL;

    if (ends || strncmp(p, "\xe2\x80\xa6", 3) == 0) /* the ellipsis of a web page */
        return sp_keytext_refuse_cut(c->text.len, err);
    sp_fail(err, SP_E_INVALID, 0, "the key is damaged: what follows its first %zu characters is not base64",
            c->text.len);
    return sp_hint(err, "paste the whole line of the .pub file again");
}

int sp_keychars_collect(const char *p, struct sp_keychars *ret, struct sp_error *err)
{
    for (;;) {
        size_t n = run_of_base64(p), before = ret->text.len, need;
        const char *next;

        sp_buf_add(&ret->text, p, n);
        p += n;
        ret->end = p;
        err->code = SP_OK;
        need = sp_buf_ok(&ret->text) && ret->text.len > 0 ? needed(&ret->text, err) : 0;
        if (!sp_buf_ok(&ret->text) || err->code == SP_E_NO_MEMORY)
            return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
        if (need == ret->text.len && need > 0)
            return finish(p, ret, err);
        if (need > 0 && need < ret->text.len) {
            /* What overshoots in a further piece was no piece of the key. */
            return before > 0 ? sp_keytext_refuse_cut(before, err)
                              : damaged(err, "something follows the key inside");
        }
        next = next_piece(p);
        if (next == NULL)
            return refuse_short(p, ret, err);
        ret->notes |= SP_KEYNOTE_JOINED;
        p = next;
    }
}
