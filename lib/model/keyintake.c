/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/keyintake.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/base64.h"
#include "model/keyscan.h"
#include "model/keytext.h"
#include "model/sshblob.h"

void sp_keyintake_clear(struct sp_keyintake *k)
{
    sp_sshkey_clear(&k->key);
    *k = (struct sp_keyintake){0};
}

struct span {
    const char *p;
    size_t len;
};

static void trim(struct span *s, const char *what)
{
    while (s->len > 0 && strchr(what, s->p[0]) != NULL) {
        s->p++;
        s->len--;
    }
    while (s->len > 0 && strchr(what, s->p[s->len - 1]) != NULL)
        s->len--;
}

static int refuse_authority(struct sp_error *err)
{
    sp_fail(err, SP_E_INVALID, 0, "this is a certificate; paste id_....pub");
    return sp_hint(err, "the line trusts a certificate authority and whatever it signs, not one key");
}

/* What stands before the key on its line: nothing, a list's mark, options; else it is not for us to say
 * what was meant. */
static int judge_prefix(struct span s, struct sp_keyintake *k, struct sp_error *err)
{
    unsigned options = 0;

    trim(&s, " \t>-*|`");
    if (s.len > 0 && memmem(s.p, s.len, "cert-authority", 14) != NULL)
        return refuse_authority(err);
    if (s.len > 0 && s.p[0] == '#') {
        sp_fail(err, SP_E_INVALID, 0, "the key is a comment: there is a # before it");
        return sp_hint(err, "take the # away if this key is meant");
    }
    if (s.len == 0 || (s.len == 1 && (*s.p == '"' || *s.p == '\'')))
        return 0;
    if (sp_keynotes_options(s.p, &options) == s.len) {
        if (sp_keynotes_trusts_authority(options))
            return refuse_authority(err);
        k->notes.bits |= SP_KEYNOTE_OPTIONS;
        k->notes.options |= options;
        return 0;
    }
    sp_fail(err, SP_E_INVALID, 0, "something stands before the key, and it is no option of a key");
    return sp_hint(err, "begin with the type; sources and expiry have fields: from, expires_at");
}

/* The comment stands behind the key on its line, or alone on the next one where a mail broke the line. */
static struct span find_comment(const char *text, const struct sp_keyfound *f, const char **ret_behind)
{
    struct span s = {text + f->end, strcspn(text + f->end, "\n")}, next;

    *ret_behind = s.p + s.len;
    trim(&s, " \t\"'`,;");
    if (s.len >= 2 && memcmp(s.p + s.len - 2, "\\n", 2) == 0) /* copied out of JSON */
        s.len -= 2;
    if (s.len > 0)
        return s;
    next.p = *ret_behind + strspn(*ret_behind, " \t\n");
    next.len = strcspn(next.p, " \t\n");
    if (next.len < 2 || next.p[next.len + strspn(next.p + next.len, " \t\n")] != '\0')
        return s;
    *ret_behind = next.p + next.len;
    return next;
}

static bool is_blank(const char *from, const char *to)
{
    while (from < to && (strchr(" \t\n>\"'`", *from) != NULL || strncmp(from, "\\n", 2) == 0))
        from += *from == '\\' ? 2 : 1;
    return from >= to;
}

/* The lines around one key, its options and its comment. */
static int read_around(const char *text, const struct sp_keyfound *f, struct sp_keyintake *k,
                       struct sp_error *err)
{
    const char *start = text + f->start, *line = start, *behind = text + f->end;
    struct span comment = {f->comment, f->comment_len};

    if (!f->armoured) {
        while (line > text && line[-1] != '\n')
            line--;
        if (judge_prefix((struct span){line, (size_t)(start - line)}, k, err) < 0)
            return -1;
        comment = find_comment(text, f, &behind);
    }
    if (comment.len > 0)
        sp_sshkey_label(comment.p, comment.len, k->label);
    if (!is_blank(text, line) || !is_blank(behind, behind + strlen(behind)))
        k->notes.bits |= SP_KEYNOTE_AROUND;
    return 0;
}

/* Which one? Their fingerprints tell, and their types are words of ours. */
static int refuse_several(const struct sp_keyscan *s, struct sp_error *err)
{
    char list[300] = "";
    size_t used = 0, shown = 0;

    for (; shown < s->n; shown++) {
        const struct sp_sshkey *k = &s->v[shown].key;
        const char *between = shown > 0 ? ", " : "";
        int r = s->v[shown].good
                    ? sp_str_format(list + used, sizeof(list) - used, "%s%s %s", between, k->type,
                                    k->fingerprint)
                    : sp_str_format(list + used, sizeof(list) - used, "%s%s (refused)", between,
                                    k->fingerprint[0] != '\0' ? k->fingerprint : "another");
        if (r < 0)
            break;
        used += strlen(list + used);
    }
    sp_fail(err, SP_E_INVALID, 0, "there are %zu%s keys: %s%s; which one is meant?", s->n,
            s->more ? " or more" : "", list, shown < s->n ? ", ..." : "");
    return sp_hint(err, "send each key on its own");
}

static bool all_the_same(const struct sp_keyscan *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (!s->v[i].good || !sp_streq(s->v[i].key.fingerprint, s->v[0].key.fingerprint))
            return false;
    return !s->more;
}

/* What people send that is no key at all. */
static const struct {
    const char *begin, *end; /* of the text; NULL: anything */
    const char *text, *hint;
} mistaken[] = {
    {"SHA256:", NULL, "this is a key's fingerprint, not the key", "paste the one line of the .pub file"},
    {"MD5:", NULL, "this is a key's fingerprint, not the key", "paste the one line of the .pub file"},
    {"+-", "-+", "this is the picture of a fingerprint, not the key",
     "paste the one line of the .pub file"},
    {NULL, ".pub", "this is the name of a file, not what stands in it",
     "open the file and paste its one line"},
    {"ssh-keygen", NULL, "this is a command, not its result",
     "run it, and paste the .pub file that it made"},
    {"{", "}", "this is JSON, and no key stands in it alone", "paste the one line of a .pub file"},
};

static bool ends_with(struct span s, const char *end)
{
    return s.len >= strlen(end) && memcmp(s.p + s.len - strlen(end), end, strlen(end)) == 0;
}

static int refuse_no_key(const char *text, struct sp_error *err)
{
    struct span s = {text, strlen(text)};
    size_t digits;

    trim(&s, " \t\n\"'`");
    for (size_t i = 0; i < SP_COUNT(mistaken); i++) {
        if ((mistaken[i].begin != NULL && !sp_str_prefix(s.p, mistaken[i].begin, NULL)) ||
            (mistaken[i].end != NULL && !ends_with(s, mistaken[i].end)))
            continue;
        sp_fail(err, SP_E_INVALID, 0, "%s", mistaken[i].text);
        return sp_hint(err, "%s", mistaken[i].hint);
    }
    /* BITS EXPONENT MODULUS */
    digits = strspn(s.p, "0123456789 ");
    if (digits == s.len || (digits > 300 && s.p[0] != ' ')) {
        sp_fail(err, SP_E_INVALID, 0,
                "this is a key of SSH's first protocol, which nobody speaks any more");
        return sp_hint(err, "make a new pair: ssh-keygen -t ed25519");
    }
    if (s.len > 50 && memmem(s.p, s.len < 20 ? s.len : 20, " SHA256:", 8) != NULL) {
        sp_fail(err, SP_E_INVALID, 0, "this is a key's fingerprint, not the key");
        return sp_hint(err, "paste the one line of the .pub file");
    }
    return sp_sshblob_check_type("", 0, err);
}

/* Nothing looked like a key. The base64 of a PEM block may stand there without BEGIN and END. */
static int try_bare(const char *text, struct sp_keyscan *s, struct sp_error *err)
{
    const char *p = text + strspn(text, " \t\n");
    size_t n = 0;

    while (p[n] != '\0' && (sp_base64_is_char(p[n]) || strchr(" \t\n=", p[n]) != NULL))
        n++;
    if (*p != 'M' || p[n] != '\0' || n < 40)
        return refuse_no_key(text, err);
    sp_keyarmour_bare(text, &s->v[0]);
    s->n = 1;
    return 0;
}

static int judge(const char *text, unsigned notes, struct sp_keyintake *k, struct sp_error *err)
{
    _cleanup_(sp_keyscan_clear) struct sp_keyscan s = {0};

    if (sp_keyscan_find(text, &s, err) < 0 || (s.n == 0 && try_bare(text, &s, err) < 0))
        return -1;
    k->notes.bits = notes | s.v[0].notes;
    if (s.n > 1 && !all_the_same(&s))
        return refuse_several(&s, err);
    if (read_around(text, &s.v[0], k, err) < 0)
        return -1;
    if (!s.v[0].good) {
        *err = s.v[0].err;
        return -1;
    }
    if (s.n > 1)
        k->notes.bits = (k->notes.bits & ~(unsigned)SP_KEYNOTE_AROUND) | SP_KEYNOTE_TWICE;
    k->key = s.v[0].key;
    s.v[0].key = (struct sp_sshkey){0};
    return 0;
}

int sp_keyintake_read(const char *bytes, size_t len, struct sp_keyintake *ret, struct sp_error *err)
{
    _cleanup_(sp_buf_wipe) struct sp_buf utf8 = {0}, text = {0};
    _cleanup_(sp_keyintake_clear) struct sp_keyintake k = {0};
    unsigned notes = 0;

    if (sp_keytext_utf8(bytes, len, &utf8, err) < 0 ||
        sp_keytext_clean(sp_buf_str(&utf8), utf8.len, &text, &notes, err) < 0)
        return -1;
    if (sp_keytext_is_private(sp_buf_str(&text)))
        return sp_keytext_refuse_private(err);
    if (sp_keytext_check(sp_buf_str(&text), text.len, err) < 0 ||
        judge(sp_buf_str(&text), notes, &k, err) < 0)
        return -1;
    *ret = k;
    k = (struct sp_keyintake){0};
    return 0;
}
