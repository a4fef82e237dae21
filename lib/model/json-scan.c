/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The strict scan of json.h: RFC 8259 to the byte, before any library sees the text. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/json.h"

/* A key seen in an object that is still open; the names are decoded into `names`. */
struct seen {
    uint32_t hash;
    uint32_t at, len; /* in names */
    unsigned depth;
};

struct scan {
    const unsigned char *bytes, *p, *end;
    unsigned depth;
    struct sp_buf names;
    struct seen *seen; /* owned: a stack, the keys of the innermost object on top */
    size_t n_seen, room;
    struct sp_error *err;
};

static int scan_value(struct scan *s);

static int fail(struct scan *s, const char *what)
{
    sp_fail(s->err, SP_E_PARSE, 0, "%s at byte %zu", what, (size_t)(s->p - s->bytes));
    return sp_hint(s->err, "send one JSON value (RFC 8259), as a JSON library writes it");
}

static void skip_blanks(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
        s->p++;
}

static bool take(struct scan *s, char c)
{
    if (s->p >= s->end || *s->p != (unsigned char)c)
        return false;
    s->p++;
    return true;
}

static int scan_hex4(struct scan *s, uint32_t *ret)
{
    *ret = 0;
    for (int i = 0; i < 4; i++, s->p++) {
        unsigned c = s->p < s->end ? *s->p : 0;
        unsigned digit = c - '0' <= 9 ? c - '0' : (c | 0x20) - 'a' <= 5 ? (c | 0x20) - 'a' + 10 : 16;

        if (digit > 15)
            return fail(s, "a \\u without four hexadecimal digits");
        *ret = *ret << 4 | digit;
    }
    return 0;
}

/* Behind "\u": one code point, of a surrogate pair if need be. */
static int scan_unicode(struct scan *s, struct sp_buf *out)
{
    uint32_t c, low;

    if (scan_hex4(s, &c) < 0)
        return -1;
    if (c == 0)
        return fail(s, "a \\u0000");
    if (c >= 0xdc00 && c <= 0xdfff)
        return fail(s, "a lone surrogate");
    if (c >= 0xd800 && c <= 0xdbff) {
        if (!take(s, '\\') || !take(s, 'u'))
            return fail(s, "a lone surrogate");
        if (scan_hex4(s, &low) < 0)
            return -1;
        if (low < 0xdc00 || low > 0xdfff)
            return fail(s, "a lone surrogate");
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    if (out != NULL)
        sp_buf_add_utf8(out, c);
    return 0;
}

static int scan_escape(struct scan *s, struct sp_buf *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *hit;

    if (take(s, 'u'))
        return scan_unicode(s, out);
    hit = s->p < s->end && *s->p != '\0' ? strchr(from, *s->p) : NULL;
    if (hit == NULL)
        return fail(s, "an unknown escape");
    s->p++;
    if (out != NULL)
        sp_buf_add(out, &to[hit - from], 1);
    return 0;
}

/* A string from its opening quote; decoded into *out if that is not NULL. The bytes are UTF-8 already. */
static int scan_string(struct scan *s, struct sp_buf *out)
{
    if (!take(s, '"'))
        return fail(s, "a string was expected");
    for (;;) {
        const unsigned char *run = s->p;

        while (s->p < s->end && *s->p >= 0x20 && *s->p != '"' && *s->p != '\\')
            s->p++;
        if (out != NULL)
            sp_buf_add(out, run, (size_t)(s->p - run));
        if (take(s, '"'))
            return 0;
        if (s->p >= s->end)
            return fail(s, "a string without its end");
        if (*s->p < 0x20)
            return fail(s, "a raw control byte in a string");
        s->p++;
        if (scan_escape(s, out) < 0)
            return -1;
    }
}

/* ASCII case is folded: cJSON's plain getters would take "User" for "user". FNV-1a. */
static uint32_t fold(char *name, size_t len)
{
    uint32_t hash = 2166136261U;

    for (size_t i = 0; i < len; i++) {
        if (name[i] >= 'A' && name[i] <= 'Z')
            name[i] = (char)(name[i] - 'A' + 'a');
        hash = (hash ^ (unsigned char)name[i]) * 16777619U;
    }
    return hash;
}

static int compare_seen(const void *a, const void *b, void *names)
{
    const struct seen *x = a, *y = b;

    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return memcmp((const char *)names + x->at, (const char *)names + y->at, x->len);
}

/* Push one key. The comparison waits for the object's end, where one sort keeps a hostile object of 100,000
 * keys from costing their square. */
static int scan_key(struct scan *s)
{
    size_t at = s->names.len;
    struct seen *grown;

    if (scan_string(s, &s->names) < 0)
        return -1;
    if (s->n_seen == s->room) {
        s->room = s->room != 0 ? s->room * 2 : 64;
        grown = reallocarray(s->seen, s->room, sizeof(*grown));
        if (grown == NULL)
            return sp_fail(s->err, SP_E_NO_MEMORY, 0, "out of memory");
        s->seen = grown;
    }
    if (!sp_buf_ok(&s->names))
        return sp_fail(s->err, SP_E_NO_MEMORY, 0, "out of memory");
    s->seen[s->n_seen++] = (struct seen){
        .hash = s->names.len > at ? fold(s->names.data + at, s->names.len - at) : 0,
        .at = (uint32_t)at,
        .len = (uint32_t)(s->names.len - at),
        .depth = s->depth,
    };
    return 0;
}

/* The object that began with `first` keys on the stack and `names` bytes of names is complete. */
static int close_object(struct scan *s, size_t first, size_t names)
{
    size_t n = s->n_seen - first;

    if (n > 1)
        qsort_r(s->seen + first, n, sizeof(*s->seen), compare_seen, s->names.data);
    for (size_t i = first + 1; i < s->n_seen; i++) {
        if (compare_seen(&s->seen[i - 1], &s->seen[i], s->names.data) == 0) {
            fail(s, "an object with a key twice ends");
            return sp_hint(s->err, "upper and lower case count as the same: \"%.*s\"", (int)s->seen[i].len,
                           s->names.data + s->seen[i].at);
        }
    }
    s->n_seen = first;
    s->names.len = names;
    return 0;
}

static int scan_object(struct scan *s)
{
    size_t first = s->n_seen, names = s->names.len;

    s->p++;
    skip_blanks(s);
    if (take(s, '}'))
        return 0;
    for (;;) {
        skip_blanks(s);
        if (scan_key(s) < 0)
            return -1;
        skip_blanks(s);
        if (!take(s, ':'))
            return fail(s, "a ':' was expected");
        if (scan_value(s) < 0)
            return -1;
        if (take(s, '}'))
            return close_object(s, first, names);
        if (!take(s, ','))
            return fail(s, "a ',' or '}' was expected");
    }
}

static int scan_array(struct scan *s)
{
    s->p++;
    skip_blanks(s);
    if (take(s, ']'))
        return 0;
    for (;;) {
        if (scan_value(s) < 0)
            return -1;
        if (take(s, ']'))
            return 0;
        if (!take(s, ','))
            return fail(s, "a ',' or ']' was expected");
    }
}

static size_t scan_digits(struct scan *s)
{
    const unsigned char *from = s->p;

    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    return (size_t)(s->p - from);
}

#define EXACT 9007199254740992 /* 2^53: up to here every integer is a double of its own */

/* The value of a number whose grammar was checked. Plain integers are counted in integers: as a double
 * 2^53+1 is 2^53. cJSON cuts what is longer than 63 characters. */
static int check_number(struct scan *s, const unsigned char *from)
{
    size_t len = (size_t)(s->p - from), n;
    const char *digits;
    char copy[64];
    double v;

    if (len >= sizeof(copy))
        return fail(s, "a number of more than 63 characters");
    memcpy(copy, from, len);
    copy[len] = '\0';
    digits = copy + (*copy == '-');
    n = strspn(digits, "0123456789");
    if (digits[n] == '\0')
        return n > 16 || strtoull(digits, NULL, 10) > EXACT ? fail(s, "an integer beyond 2^53") : 0;
    v = strtod(copy, NULL);
    if (v > (double)EXACT || v < -(double)EXACT)
        return fail(s, "a number beyond 2^53");
    if (v == 0 && strcspn(digits, "123456789") < strcspn(digits, "eE"))
        return fail(s, "a number too small to be held");
    return 0;
}

static int scan_number(struct scan *s)
{
    const unsigned char *from = s->p;
    bool zero;

    (void)take(s, '-');
    zero = s->p < s->end && *s->p == '0';
    if (zero)
        s->p++;
    if (!zero && scan_digits(s) == 0)
        return fail(s, "a value was expected");
    if (zero && s->p < s->end && *s->p >= '0' && *s->p <= '9')
        return fail(s, "a number with a leading zero");
    if (take(s, '.') && scan_digits(s) == 0)
        return fail(s, "a number that ends with its dot");
    if (take(s, 'e') || take(s, 'E')) {
        if (!take(s, '+'))
            (void)take(s, '-');
        if (scan_digits(s) == 0)
            return fail(s, "a number without its exponent");
    }
    return check_number(s, from);
}

static int scan_word(struct scan *s, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
        return fail(s, "a value was expected");
    s->p += n;
    return 0;
}

static int scan_nested(struct scan *s)
{
    int r;

    if (s->depth == SP_JSON_MAX_DEPTH)
        return fail(s, "more than 16 levels");
    s->depth++;
    r = *s->p == '{' ? scan_object(s) : scan_array(s);
    s->depth--;
    return r;
}

/* One value and the blanks around it. */
static int scan_value(struct scan *s)
{
    int r;

    skip_blanks(s);
    if (s->p >= s->end)
        return fail(s, "the text ends too early");
    switch (*s->p) {
    case '{':
    case '[':
        r = scan_nested(s);
        break;
    case '"':
        r = scan_string(s, NULL);
        break;
    case 't':
        r = scan_word(s, "true");
        break;
    case 'f':
        r = scan_word(s, "false");
        break;
    case 'n':
        r = scan_word(s, "null");
        break;
    default:
        r = scan_number(s);
    }
    if (r == 0)
        skip_blanks(s);
    return r;
}

bool sp_json_is_text(const char *bytes, size_t len)
{
    size_t from = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c >= 0x20 && c != 0x7f)
            continue;
        if (!sp_str_is_clean(bytes + from, i - from))
            return false;
        from = i + 1;
    }
    return sp_str_is_clean(bytes + from, len - from);
}

int sp_json_scan_large(const char *bytes, size_t len, size_t max, struct sp_error *err)
{
    const unsigned char *p = (const unsigned char *)bytes;
    _cleanup_(sp_buf_wipe) struct sp_buf names = {0};
    _cleanup_free_ struct seen *seen = NULL;
    struct scan s = {.bytes = p, .p = p, .end = p + len, .err = err};
    int r;

    if (len > max) {
        sp_fail(err, SP_E_PARSE, 0, "more than %zu bytes", max);
        return sp_hint(err, "send it in parts");
    }
    if (len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
        sp_fail(err, SP_E_PARSE, 0, "a byte order mark at byte 0");
        return sp_hint(err, "send UTF-8 without it");
    }
    if (!sp_json_is_text(bytes, len)) {
        sp_fail(err, SP_E_PARSE, 0, "the text is not UTF-8");
        return sp_hint(err, "send one JSON value in UTF-8");
    }
    r = scan_value(&s);
    names = s.names;
    seen = s.seen;
    if (r == 0 && s.p < s.end)
        r = fail(&s, "something follows the value");
    return r;
}

int sp_json_scan(const char *bytes, size_t len, struct sp_error *err)
{
    return sp_json_scan_large(bytes, len, SP_JSON_MAX_BYTES, err);
}
