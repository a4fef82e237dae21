/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/keytext.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/keynotes.h"

#define MAX_TEXT 8192 /* the longest key allowed has 2,800 characters, and a comment */
#define BOM 0xfeff
#define REPLACEMENT 0xfffd

int sp_keytext_refuse_private(struct sp_error *err)
{
    sp_fail(err, SP_E_INVALID, 0,
            "this is your PRIVATE key; it was not kept; make a new pair and paste the .pub file");
    return sp_hint(err, "ssh-keygen -t ed25519 makes a new pair: this one has been shown");
}

int sp_keytext_refuse_cut(size_t characters, struct sp_error *err)
{
    sp_fail(err, SP_E_INVALID, 0, "the key is cut off after %zu characters", characters);
    return sp_hint(err, "paste the whole line of the .pub file again");
}

static int refuse_nul(struct sp_error *err)
{
    sp_fail(err, SP_E_INVALID, 0, "the text has a NUL byte in it");
    return sp_hint(err, "paste the one line of the .pub file again");
}

enum order { ORDER_NONE, ORDER_LITTLE, ORDER_BIG };

/* Every text that is a key in UTF-16 begins with ASCII: one of each two bytes is zero. */
static enum order utf16_order(const uint8_t *b, size_t len)
{
    if (len >= 2 && b[0] == 0xff && b[1] == 0xfe)
        return ORDER_LITTLE;
    if (len >= 2 && b[0] == 0xfe && b[1] == 0xff)
        return ORDER_BIG;
    if (len >= 4 && b[0] != 0 && b[1] == 0 && b[2] != 0 && b[3] == 0)
        return ORDER_LITTLE;
    if (len >= 4 && b[0] == 0 && b[1] != 0 && b[2] == 0 && b[3] != 0)
        return ORDER_BIG;
    return ORDER_NONE;
}

static uint32_t unit(const uint8_t *b, enum order order)
{
    return order == ORDER_LITTLE ? (uint32_t)b[1] << 8 | b[0] : (uint32_t)b[0] << 8 | b[1];
}

/* RFC 2781. A lone byte at the end is what an editor or echo put there. */
static int from_utf16(const uint8_t *b, size_t len, enum order order, struct sp_buf *out,
                      struct sp_error *err)
{
    size_t i = unit(b, order) == BOM ? 2 : 0;

    sp_buf_add_utf8(out, BOM);
    for (; i + 1 < len; i += 2) {
        uint32_t c = unit(b + i, order);
        if (c == 0)
            return refuse_nul(err);
        if (c >= 0xd800 && c < 0xe000) {
            uint32_t low = c < 0xdc00 && i + 3 < len ? unit(b + i + 2, order) : 0;
            if (low < 0xdc00 || low >= 0xe000)
                c = REPLACEMENT;
            else {
                c = 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff));
                i += 2;
            }
        }
        sp_buf_add_utf8(out, c);
    }
    return 0;
}

int sp_keytext_utf8(const char *bytes, size_t len, struct sp_buf *out, struct sp_error *err)
{
    enum order order = utf16_order((const uint8_t *)bytes, len);

    if (order != ORDER_NONE) {
        if (from_utf16((const uint8_t *)bytes, len, order, out, err) < 0)
            return -1;
    } else if (len > 0 && memchr(bytes, '\0', len) != NULL)
        return refuse_nul(err);
    else
        sp_buf_add(out, bytes, len);
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* What becomes of a character that is no plain one; `as` 0: it goes. Sorted. */
static const struct range {
    uint32_t from, to;
    char as;
    unsigned note;
} ranges[] = {
    {0x85, 0x85, '\n', SP_KEYNOTE_BLANKS},     {0xa0, 0xa0, ' ', SP_KEYNOTE_BLANKS},
    {0xab, 0xab, '"', SP_KEYNOTE_QUOTES},      {0xad, 0xad, 0, SP_KEYNOTE_INVISIBLE},
    {0xbb, 0xbb, '"', SP_KEYNOTE_QUOTES},      {0x1680, 0x1680, ' ', SP_KEYNOTE_BLANKS},
    {0x180e, 0x180e, 0, SP_KEYNOTE_INVISIBLE}, {0x2000, 0x200a, ' ', SP_KEYNOTE_BLANKS},
    {0x200b, 0x200f, 0, SP_KEYNOTE_INVISIBLE}, {0x2010, 0x2015, '-', SP_KEYNOTE_QUOTES},
    {0x2018, 0x201b, '\'', SP_KEYNOTE_QUOTES}, {0x201c, 0x201f, '"', SP_KEYNOTE_QUOTES},
    {0x2028, 0x2029, '\n', SP_KEYNOTE_BLANKS}, {0x202a, 0x202e, 0, SP_KEYNOTE_INVISIBLE},
    {0x202f, 0x202f, ' ', SP_KEYNOTE_BLANKS},  {0x2032, 0x2032, '\'', SP_KEYNOTE_QUOTES},
    {0x2033, 0x2033, '"', SP_KEYNOTE_QUOTES},  {0x2039, 0x203a, '\'', SP_KEYNOTE_QUOTES},
    {0x205f, 0x205f, ' ', SP_KEYNOTE_BLANKS},  {0x2060, 0x206f, 0, SP_KEYNOTE_INVISIBLE},
    {0x2212, 0x2212, '-', SP_KEYNOTE_QUOTES},  {0x3000, 0x3000, ' ', SP_KEYNOTE_BLANKS},
    {0xfe00, 0xfe0f, 0, SP_KEYNOTE_INVISIBLE}, {0xfe58, 0xfe58, '-', SP_KEYNOTE_QUOTES},
    {0xfe63, 0xfe63, '-', SP_KEYNOTE_QUOTES},  {BOM, BOM, 0, SP_KEYNOTE_INVISIBLE},
    {0xff0d, 0xff0d, '-', SP_KEYNOTE_QUOTES},
};

/* The character at s, of *ret_n bytes. A byte that is no UTF-8 is read as Windows-1252, where that has a
 * quote, a dash or a blank; any other is no character (0). */
static uint32_t char_at(const char *s, size_t left, size_t *ret_n)
{
    static const uint8_t lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    static const uint16_t windows[] = {0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014};
    size_t n = sp_str_utf8(s, left);
    unsigned char first = (unsigned char)*s;
    uint32_t c;

    *ret_n = n > 0 ? n : 1;
    if (n == 0)
        return first >= 0x91 && first <= 0x97 ? windows[first - 0x91] : first == 0xa0 ? first : 0;
    c = first & lead[n];
    for (size_t i = 1; i < n; i++)
        c = c << 6 | ((unsigned char)s[i] & 0x3f);
    return c;
}

static const struct range *find_range(uint32_t c)
{
    for (size_t i = 0; i < SP_COUNT(ranges) && c >= ranges[i].from; i++)
        if (c <= ranges[i].to)
            return &ranges[i];
    return NULL;
}

int sp_keytext_clean(const char *text, size_t len, struct sp_buf *out, unsigned *ret_notes,
                     struct sp_error *err)
{
    size_t n = 0;

    sp_buf_reserve(out, len);
    for (size_t i = 0; i < len; i += n) {
        uint32_t c = char_at(text + i, len - i, &n);
        const struct range *r = find_range(c);

        if (r != NULL) {
            *ret_notes |= c == BOM && i == 0 ? SP_KEYNOTE_ENCODING : r->note;
            sp_buf_add(out, &r->as, r->as != 0 ? 1 : 0);
        } else if (c == '\r') {
            if (i + 1 == len || text[i + 1] != '\n')
                sp_buf_add(out, "\n", 1);
        } else
            sp_buf_add(out, text + i, n);
    }
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* "PRIVATE KEY" in a line of armour: "BEGIN" or "END" and at most 40 bytes before it, or dashes behind it.
 * A comment like "my private key" is none. */
static bool is_armour(const char *text, const char *at, const char *behind)
{
    static const char *const words[] = {"BEGIN", "END"};
    const char *from = at - text > 40 ? at - 40 : text;

    if (strncmp(behind, "--", 2) == 0 || strncasecmp(behind, " FILE FORMAT", 12) == 0)
        return true;
    for (const char *p = from; p < at; p++)
        for (size_t i = 0; i < SP_COUNT(words); i++) {
            const char *before = p;
            while (before > text && before[-1] == ' ')
                before--;
            if (strncasecmp(p, words[i], strlen(words[i])) == 0 && before > text && before[-1] == '-')
                return true;
        }
    return false;
}

bool sp_keytext_is_private(const char *text)
{
    /* PuTTY's file, its inner lines, `openssl pkey -text`, and the base64 of "openssh-key-v1" and of
     * SSH.com's magic number without their armour. */
    static const char *const marks[] = {
        "PuTTY-User-Key-File-", "Private-Lines:",      "Private-MAC:", "Private-Key:",
        "privateExponent:",     "b3BlbnNzaC1rZXktdjE", "P2/56wAA",
    };

    for (size_t i = 0; i < SP_COUNT(marks); i++)
        if (strcasestr(text, marks[i]) != NULL)
            return true;
    if (strstr(text, "\"kty\"") != NULL && strstr(text, "\"d\"") != NULL) /* RFC 7517 */
        return true;
    for (const char *p = text; (p = strcasestr(p, "PRIVATE")) != NULL; p += strlen("PRIVATE")) {
        const char *key = p + strlen("PRIVATE");
        key += strspn(key, " \t\n_");
        if (strncasecmp(key, "KEY", 3) == 0 && is_armour(text, p, key + 3))
            return true;
    }
    return false;
}

int sp_keytext_check(const char *text, size_t len, struct sp_error *err)
{
    if (len > MAX_TEXT) {
        sp_fail(err, SP_E_INVALID, 0, "the key has more than %d bytes", MAX_TEXT);
        return sp_hint(err, "send one key, with a shorter comment");
    }
    if (text[strspn(text, " \t\n")] == '\0') {
        sp_fail(err, SP_E_INVALID, 0, "the key is empty");
        return sp_hint(err, "paste the one line of a .pub file, such as ~/.ssh/id_ed25519.pub");
    }
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if ((c < 0x20 && c != '\t' && c != '\n') || c == 0x7f) {
            sp_fail(err, SP_E_INVALID, 0, "the key has a control byte in it");
            return sp_hint(err, "paste the one line of the .pub file again");
        }
    }
    return 0;
}
