/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/sshkey.h"

#include <md5.h>
#include <sha2.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/base64.h"
#include "model/keytext.h"
#include "model/name.h"
#include "model/sshblob.h"

#define MAX_TEXT 8192 /* the longest key allowed has 2,800 characters, and a comment */

void sp_sshkey_clear(struct sp_sshkey *k)
{
    free(k->blob);
    *k = (struct sp_sshkey){0};
}

int sp_sshkey_copy(struct sp_sshkey *dst, const struct sp_sshkey *src, struct sp_error *err)
{
    uint8_t *blob = malloc(src->blob_len + 1);

    if (blob == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (src->blob_len > 0)
        memcpy(blob, src->blob, src->blob_len);
    *dst = *src;
    dst->blob = blob;
    return 0;
}

int sp_sshkey_fingerprint(const uint8_t *blob, size_t len, char ret[SP_FINGERPRINT_SIZE])
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA2_CTX ctx;

    SHA256Init(&ctx);
    SHA256Update(&ctx, blob, len);
    SHA256Final(digest, &ctx);
    sp_buf_puts(&text, "SHA256:");
    sp_base64_encode(digest, sizeof(digest), &text);
    /* ssh-keygen leaves the padding out. */
    while (text.len > 0 && text.data[text.len - 1] == '=')
        text.data[--text.len] = '\0';
    return sp_buf_ok(&text) ? sp_str_copy(ret, SP_FINGERPRINT_SIZE, sp_buf_str(&text)) : -1;
}

void sp_sshkey_md5(const uint8_t *blob, size_t len, char ret[SP_MD5_SIZE])
{
    uint8_t digest[MD5_DIGEST_LENGTH];
    size_t used = strlen("MD5:");
    MD5_CTX ctx;

    MD5Init(&ctx);
    MD5Update(&ctx, blob, len);
    MD5Final(digest, &ctx);
    memcpy(ret, "MD5:", used + 1);
    for (size_t i = 0; i < sizeof(digest); i++) {
        (void)sp_str_format(ret + used, SP_MD5_SIZE - used, "%s%02x", i > 0 ? ":" : "", digest[i]);
        used += i > 0 ? 3 : 2;
    }
}

int sp_fingerprint_check(const char *text, struct sp_error *err)
{
    uint8_t digest[SP_BASE64_DECODED(44)];
    char padded[45];
    const char *rest;
    size_t n;

    if (sp_str_prefix(text, "SHA256:", &rest) && strlen(rest) == 43) {
        memcpy(padded, rest, 43);
        padded[43] = '=';
        if (sp_base64_decode(padded, 44, digest, &n) == 0)
            return 0;
    }
    sp_fail(err, SP_E_INVALID, 0, "this is not a fingerprint");
    return sp_hint(err, "send \"SHA256:\" and 43 characters, as ssh-keygen -lf prints it");
}

struct word {
    const char *p;
    size_t len;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct word next_word(struct word *rest)
{
    struct word w;

    while (rest->len > 0 && is_blank(*rest->p)) {
        rest->p++;
        rest->len--;
    }
    w = (struct word){rest->p, 0};
    while (w.len < rest->len && !is_blank(w.p[w.len]))
        w.len++;
    rest->p += w.len;
    rest->len -= w.len;
    return w;
}

static bool begins(struct word w, const char *prefix)
{
    return w.len >= strlen(prefix) && memcmp(w.p, prefix, strlen(prefix)) == 0;
}

static bool holds(struct word w, const char *part)
{
    return memmem(w.p, w.len, part, strlen(part)) != NULL;
}

/* "TYPE AAAA...": the base64 of every blob begins so, since its first length is below 2^16. */
static bool holds_key(struct word text)
{
    struct word before = next_word(&text);

    while (text.len > 0) {
        struct word w = next_word(&text);
        if (begins(w, "AAAA") && sp_sshblob_is_type(before.p, before.len))
            return true;
        before = w;
    }
    return false;
}

/* Texts that are no single line: which other thing was it? Nothing of the text reaches the error. */
static int check_shape(struct word *text, struct sp_error *err)
{
    if (holds(*text, "PRIVATE KEY") || holds(*text, "PuTTY-User-Key-File"))
        return sp_keytext_refuse_private(err);
    if (text->len > MAX_TEXT) {
        sp_fail(err, SP_E_INVALID, 0, "the key has more than %d bytes", MAX_TEXT);
        return sp_hint(err, "send one key, with a shorter comment");
    }
    while (text->len > 0 && strchr(" \t\r\n", *text->p) != NULL && *text->p != '\0') {
        text->p++;
        text->len--;
    }
    while (text->len > 0 && strchr(" \t\r\n", text->p[text->len - 1]) != NULL &&
           text->p[text->len - 1] != '\0')
        text->len--;
    if (text->len == 0) {
        sp_fail(err, SP_E_INVALID, 0, "the key is empty");
        return sp_hint(err, "paste the one line of a .pub file, such as ~/.ssh/id_ed25519.pub");
    }
    if (begins(*text, "---- BEGIN") || begins(*text, "-----BEGIN")) {
        sp_fail(err, SP_E_INVALID, 0, "this key is not in OpenSSH's form");
        return sp_hint(err, "convert it: ssh-keygen -i -f FILE (add -m PKCS8 for PEM)");
    }
    for (size_t i = 0; i < text->len; i++) {
        unsigned char c = (unsigned char)text->p[i];
        if (c == '\n' || c == '\r') {
            sp_fail(err, SP_E_INVALID, 0, "the key has a line break in it");
            return sp_hint(err, "send one key, on one line");
        }
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            sp_fail(err, SP_E_INVALID, 0, "the key has a control byte in it");
            return sp_hint(err, "paste the one line of the .pub file again");
        }
    }
    return 0;
}

static int check_type(struct word text, struct sp_error *err)
{
    struct word all = text, type = next_word(&text);

    if (sp_sshblob_is_type(type.p, type.len))
        return sp_sshblob_check_type(type.p, type.len, err);
    if (holds_key(all)) {
        sp_fail(err, SP_E_INVALID, 0, "something stands before the key, such as options");
        return sp_hint(err, "begin with the type; sources and expiry have fields: from, expires_at");
    }
    if (begins(type, "AAAA")) {
        sp_fail(err, SP_E_INVALID, 0, "the type before the key is missing");
        return sp_hint(err, "paste the whole line of the .pub file");
    }
    return sp_sshblob_check_type(type.p, type.len, err);
}

/* The comment as a label: whole characters only, and none that a label may not have. */
void sp_sshkey_label(const char *text, size_t len, char ret[SP_LABEL_SIZE])
{
    struct word c = {text, len};
    struct sp_error ignored;
    size_t used = 0, n;

    for (; c.len > 0; c.p += n, c.len -= n) {
        char one[5] = "";

        n = sp_str_utf8(c.p, c.len);
        if (n == 0) {
            n = 1;
            continue;
        }
        memcpy(one, c.p, n);
        if (is_blank(*one))
            *one = used > 0 ? ' ' : '\0';
        if (sp_name_check_label(one, &ignored) < 0)
            continue;
        if (used + n >= SP_LABEL_SIZE)
            break;
        memcpy(ret + used, one, *one != '\0' ? n : 0);
        used += *one != '\0' ? n : 0;
    }
    ret[used] = '\0';
}

/* Decode one word of base64 into a key that is not checked yet. */
static int decode(struct word type, struct word text, struct sp_sshkey *k, struct sp_error *err)
{
    if (text.len == 0 || type.len >= sizeof(k->type)) {
        sp_fail(err, SP_E_INVALID, 0, "the key is cut off after its type");
        return sp_hint(err, "paste the whole line of the .pub file");
    }
    k->blob = malloc(SP_BASE64_DECODED(text.len) + 1);
    if (k->blob == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (sp_base64_decode(text.p, text.len, k->blob, &k->blob_len) < 0) {
        sp_fail(err, SP_E_INVALID, 0, "the key is cut off or damaged: its %zu characters are not base64",
                text.len);
        return sp_hint(err, "paste the whole line of the .pub file again");
    }
    memcpy(k->type, type.p, type.len);
    k->type[type.len] = '\0';
    if (sp_sshkey_fingerprint(k->blob, k->blob_len, k->fingerprint) < 0)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    return 0;
}

int sp_sshkey_check(const struct sp_sshkey *k, struct sp_error *err)
{
    char fingerprint[SP_FINGERPRINT_SIZE];
    unsigned bits;

    if (sp_sshblob_check(k->type, k->blob, k->blob_len, &bits, err) < 0)
        return -1;
    if (sp_sshkey_fingerprint(k->blob, k->blob_len, fingerprint) < 0)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (!sp_streq(fingerprint, k->fingerprint))
        return sp_fail(err, SP_E_INTERNAL, 0, "the key is not the one of its fingerprint");
    return 0;
}

int sp_sshkey_from_blob(const char *type, const uint8_t *blob, size_t len, struct sp_sshkey *ret,
                        struct sp_error *err)
{
    _cleanup_(sp_sshkey_clear) struct sp_sshkey k = {0};
    size_t n = 0;
    const char *inside = sp_sshblob_type(blob, len, &n);

    if (type == NULL && inside != NULL && n < sizeof(k.type))
        memcpy(k.type, inside, n);
    else if (type != NULL && sp_str_copy(k.type, sizeof(k.type), type) < 0)
        return sp_sshblob_check_type(type, strlen(type), err);
    if (sp_sshblob_check(k.type, blob, len, &k.bits, err) < 0)
        return -1;
    k.blob = malloc(len);
    if (k.blob == NULL || sp_sshkey_fingerprint(blob, len, k.fingerprint) < 0)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    memcpy(k.blob, blob, len);
    k.blob_len = len;
    *ret = k;
    k = (struct sp_sshkey){0};
    return 0;
}

int sp_sshkey_parse(const char *text, size_t len, struct sp_sshkey *ret, char *ret_comment,
                    struct sp_error *err)
{
    _cleanup_(sp_sshkey_clear) struct sp_sshkey k = {0};
    struct word rest = {text, len}, type, base64;

    if (check_shape(&rest, err) < 0 || check_type(rest, err) < 0)
        return -1;
    type = next_word(&rest);
    base64 = next_word(&rest);
    if (decode(type, base64, &k, err) < 0 || sp_sshblob_check(k.type, k.blob, k.blob_len, &k.bits, err) < 0)
        return -1;
    if (holds_key(rest)) {
        sp_fail(err, SP_E_INVALID, 0, "there are two keys");
        return sp_hint(err, "send each key on its own");
    }
    if (ret_comment != NULL)
        sp_sshkey_label(rest.p, rest.len, ret_comment);
    *ret = k;
    k = (struct sp_sshkey){0};
    return 0;
}

/* sshd's base64 reader skips white space inside the word: a '\r' at the end of a line, above all. */
static struct word without_white(struct word w, char *copy)
{
    size_t n = 0;

    for (size_t i = 0; i < w.len; i++)
        if (w.p[i] != '\r' && w.p[i] != '\v' && w.p[i] != '\f')
            copy[n++] = w.p[i];
    return (struct word){copy, n};
}

int sp_sshkey_peek(const char *text, size_t len, char ret_type[SP_SSHKEY_TYPE_SIZE],
                   char ret_fingerprint[SP_FINGERPRINT_SIZE])
{
    _cleanup_(sp_sshkey_clear) struct sp_sshkey k = {0};
    _cleanup_free_ char *copy = NULL;
    struct word rest = {text, len}, type = next_word(&rest), base64 = next_word(&rest);
    struct sp_error ignored;
    const char *inside;
    size_t n;

    if (!sp_sshblob_is_type(type.p, type.len))
        return -1;
    copy = malloc(base64.len + 1);
    if (copy == NULL)
        return -2;
    if (decode(type, without_white(base64, copy), &k, &ignored) < 0)
        return ignored.code == SP_E_NO_MEMORY ? -2 : -1;
    inside = sp_sshblob_type(k.blob, k.blob_len, &n);
    if (inside == NULL || n >= SP_SSHKEY_TYPE_SIZE || !sp_sshblob_is_type(inside, n))
        return -1;
    memcpy(ret_type, inside, n);
    ret_type[n] = '\0';
    return sp_str_copy(ret_fingerprint, SP_FINGERPRINT_SIZE, k.fingerprint);
}

void sp_sshkey_format(const struct sp_sshkey *k, struct sp_buf *out)
{
    sp_buf_puts(out, k->type);
    sp_buf_add(out, " ", 1);
    sp_base64_encode(k->blob, k->blob_len, out);
}
