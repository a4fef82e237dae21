/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/keyscan.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/base64.h"
#include "model/keynotes.h"
#include "model/keytext.h"
#include "model/sshblob.h"

#define AROUND_WORDS " \t\n\"'`<>()[]{},;"

void sp_keyscan_clear(struct sp_keyscan *s)
{
    for (size_t i = 0; i < s->n; i++)
        sp_sshkey_clear(&s->v[i].key);
    *s = (struct sp_keyscan){0};
}

int sp_keyfound_judge(struct sp_keyfound *found, const char *type, const uint8_t *blob, size_t len)
{
    size_t n = 0;
    const char *inside = sp_sshblob_type(blob, len, &n);

    if (sp_sshkey_from_blob(type, blob, len, &found->key, &found->err) == 0)
        return 0;
    /* A list of several keys names the refused ones too. */
    if (inside != NULL && sp_sshblob_is_type(inside, n))
        (void)sp_sshkey_fingerprint(blob, len, found->key.fingerprint);
    return -1;
}

struct word {
    const char *p;
    size_t len;
};

/* The word that ends before `at`, over blanks and quotes; empty at the beginning of the text. */
static struct word word_before(const char *text, const char *at)
{
    const char *end = at, *p;

    while (end > text && strchr(AROUND_WORDS, end[-1]) != NULL)
        end--;
    for (p = end; p > text && strchr(AROUND_WORDS, p[-1]) == NULL;)
        p--;
    return (struct word){p, (size_t)(end - p)};
}

/* A word as a type in small letters, "" where it is too long for one. */
static void lower(struct word w, char ret[SP_SSHKEY_TYPE_SIZE])
{
    size_t n = w.len < SP_SSHKEY_TYPE_SIZE ? w.len : 0;

    for (size_t i = 0; i < n; i++)
        ret[i] = (char)tolower((unsigned char)w.p[i]);
    ret[n] = '\0';
}

/* Is this word, in front of a key, its type? The first letters may have been missed when it was marked, and
 * a telephone begins with a capital. Then the type inside counts (*ret_type is ""). */
static bool is_type_of(struct word w, const char *inside, size_t n, char ret_type[SP_SSHKEY_TYPE_SIZE],
                       unsigned *notes)
{
    lower(w, ret_type);
    if (sp_sshblob_is_type(ret_type, strlen(ret_type))) {
        if (memcmp(ret_type, w.p, w.len) != 0)
            *notes |= SP_KEYNOTE_TYPE;
        return true;
    }
    *notes |= SP_KEYNOTE_TYPE;
    if (w.len >= 3 && w.len < n && strncasecmp(inside + n - w.len, w.p, w.len) == 0) {
        ret_type[0] = '\0';
        return true;
    }
    ret_type[0] = '\0';
    return false;
}

/* A key whose base64 begins at `p`. 0 where it is none: a word that happens to begin with AAAA. */
static int read_line_key(const char *text, const char *p, struct sp_keyfound *ret)
{
    _cleanup_(sp_keychars_wipe) struct sp_keychars c = {0};
    struct word before = word_before(text, p);
    char type[SP_SSHKEY_TYPE_SIZE];
    _cleanup_free_ uint8_t *blob = NULL;
    bool whole = sp_keychars_collect(p, &c, &ret->err) == 0, typed;
    const char *inside;
    size_t len, n = 0;

    blob = malloc(c.text.len + 3);
    if (blob == NULL) {
        sp_fail(&ret->err, SP_E_NO_MEMORY, 0, "out of memory");
        return 1;
    }
    len = sp_base64_decode_some(sp_buf_str(&c.text), c.text.len, blob);
    inside = sp_sshblob_type(blob, len, &n);
    typed = is_type_of(before, inside, inside != NULL ? n : 0, type, &ret->notes);
    if (!(inside != NULL && sp_sshblob_is_type(inside, n)) && !(typed && type[0] != '\0'))
        return 0;
    ret->start = (size_t)((typed ? before.p : p) - text);
    ret->end = (size_t)(c.end - text);
    ret->notes |= c.notes;
    /* What a refused type looks like inside is nobody's business. */
    if (inside != NULL && sp_sshblob_is_type(inside, n) && sp_sshblob_check_type(inside, n, &ret->err) < 0)
        return 1;
    if (typed && type[0] != '\0' && sp_sshblob_check_type(type, strlen(type), &ret->err) < 0)
        return 1;
    else if (whole)
        ret->good = sp_keyfound_judge(ret, type[0] != '\0' ? type : NULL, blob, len) == 0;
    return 1;
}

/* A line that begins like a key and holds none. */
static int read_lone_type(const char *text, struct word w, struct sp_keyfound *ret)
{
    const char *behind = w.p + w.len;

    ret->start = (size_t)(w.p - text);
    ret->end = ret->start + w.len;
    if (sp_sshblob_check_type(w.p, w.len, &ret->err) < 0)
        return 1;
    if (behind[strspn(behind, " \t\n")] == '\0') {
        sp_fail(&ret->err, SP_E_INVALID, 0, "the key is cut off after its type");
        sp_hint(&ret->err, "paste the whole line of the .pub file");
        return 1;
    }
    sp_fail(&ret->err, SP_E_INVALID, 0, "the key is damaged: what follows its type is not base64 of a key");
    sp_hint(&ret->err, "paste the whole line of the .pub file again");
    return 1;
}

static bool begins_line(const char *text, const char *p)
{
    while (p > text && strchr(" \t\"'`>", p[-1]) != NULL)
        p--;
    return p == text || p[-1] == '\n';
}

static bool is_begin(const char *text, struct word w)
{
    const char *p = w.p + strspn(w.p, "-"), *before = w.p;

    while (before > text && before[-1] == ' ')
        before--;
    /* Its line ends with dashes as well: a comment may say "- begin". */
    return strncasecmp(p, "BEGIN ", 6) == 0 && p[strcspn(p, "-\n")] == '-' &&
           (p > w.p || (before > text && before[-1] == '-'));
}

/* What the word at w begins: 1 a key in *ret, 0 nothing. *ret_next is where to read on. */
static int look(const char *text, struct word w, struct sp_keyfound *ret, const char **ret_next,
                struct sp_error *err)
{
    const char *behind = w.p + w.len + strspn(w.p + w.len, AROUND_WORDS);
    int r = 0;

    *ret_next = w.p + w.len;
    if (is_begin(text, w))
        return sp_keyarmour_read(text, w.p + strspn(w.p, "-"), ret, ret_next, err);
    if (strncmp(w.p, "AAAA", 4) == 0)
        r = read_line_key(text, w.p, ret);
    else if (sp_sshblob_is_type(w.p, w.len) && begins_line(text, w.p) && strncmp(behind, "AAAA", 4) != 0)
        r = read_lone_type(text, w, ret);
    if (r > 0 && text + ret->end > *ret_next)
        *ret_next = text + ret->end;
    return r;
}

int sp_keyscan_find(const char *text, struct sp_keyscan *ret, struct sp_error *err)
{
    const char *p = text;

    for (;;) {
        struct sp_keyfound found = {0};
        unsigned ignored = 0;
        struct word w;
        int r;

        p += strspn(p, AROUND_WORDS);
        if (begins_line(text, p)) /* in whose quotes anything may stand */
            p += sp_keynotes_options(p, &ignored);
        p += strspn(p, AROUND_WORDS);
        w = (struct word){p, strcspn(p, AROUND_WORDS)};
        if (w.len == 0)
            return 0;
        r = look(text, w, &found, &p, err);
        if (r < 0)
            return -1;
        if (r > 0 && found.err.code == SP_E_NO_MEMORY && !found.good) {
            *err = found.err;
            return -1;
        }
        if (r > 0 && ret->n < SP_KEYSCAN_MAX)
            ret->v[ret->n++] = found;
        else if (r > 0) {
            sp_sshkey_clear(&found.key);
            ret->more = true;
        }
    }
}
