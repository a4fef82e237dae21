/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/keyder.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/keytext.h"

/* Tags of X.690 section 8. */
enum { INTEGER = 0x02, BIT_STRING = 0x03, OCTET_STRING = 0x04, OID = 0x06, SEQUENCE = 0x30 };

struct der {
    const uint8_t *p;
    size_t left;
    bool cut; /* an element said that it was longer than what is left */
};

/* The next element: its tag, and its content as *ret. Lengths of up to three bytes are more than any key
 * has. -1: none is left, or it is no DER. */
static int take(struct der *d, struct der *ret)
{
    size_t n = 0, head = 2;
    int tag;

    if (d->left < 2) {
        d->cut = true;
        return -1;
    }
    tag = d->p[0];
    n = d->p[1];
    if (n >= 0x80) {
        size_t bytes = n & 0x7f;
        if (bytes == 0 || bytes > 3)
            return -1;
        d->cut = d->left < head + bytes;
        if (d->cut)
            return -1;
        n = 0;
        for (size_t i = 0; i < bytes; i++)
            n = n << 8 | d->p[head + i];
        head += bytes;
    }
    d->cut = n > d->left - head;
    *ret = (struct der){d->p + head, d->cut ? d->left - head : n, false};
    d->p += head + ret->left;
    d->left -= head + ret->left;
    return tag;
}

static bool take_as(struct der *d, int tag, struct der *ret)
{
    return take(d, ret) == tag && !d->cut;
}

static void put_string(struct sp_buf *blob, const void *bytes, size_t len)
{
    const uint8_t n[4] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};

    sp_buf_add(blob, n, sizeof(n));
    sp_buf_add(blob, bytes, len);
}

static void put_text(struct sp_buf *blob, const char *text)
{
    put_string(blob, text, strlen(text));
}

static int damaged(struct sp_error *err)
{
    sp_fail(err, SP_E_INVALID, 0, "the key is damaged: what it holds is no public key");
    return sp_hint(err, "paste the whole block again, from the line of BEGIN to the line of END");
}

/* RSAPublicKey: modulus and exponent, in the other order than SSH's. Both write a number in the same way.
 */
static int read_rsa(struct der *key, struct sp_buf *blob, struct sp_error *err)
{
    struct der n, e;

    if (!take_as(key, INTEGER, &n) || !take_as(key, INTEGER, &e) || key->left != 0)
        return damaged(err);
    put_text(blob, "ssh-rsa");
    put_string(blob, e.p, e.left);
    put_string(blob, n.p, n.left);
    return 0;
}

struct oid {
    uint8_t len, bytes[10];
};

static bool is_oid(const struct der *d, const struct oid *oid)
{
    return d->left == oid->len && memcmp(d->p, oid->bytes, oid->len) == 0;
}

static int read_rsa_key(struct der *params, struct der *key, struct sp_buf *blob, struct sp_error *err)
{
    struct der sequence;

    (void)params;
    if (!take_as(key, SEQUENCE, &sequence) || key->left != 0)
        return damaged(err);
    return read_rsa(&sequence, blob, err);
}

static const struct curve {
    struct oid oid;
    const char *type, *name;
} curves[] = {
    {{8, {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}}, "ecdsa-sha2-nistp256", "nistp256"},
    {{5, {0x2b, 0x81, 0x04, 0x00, 0x22}}, "ecdsa-sha2-nistp384", "nistp384"},
    {{5, {0x2b, 0x81, 0x04, 0x00, 0x23}}, "ecdsa-sha2-nistp521", "nistp521"},
};

static int read_ec(struct der *params, struct der *key, struct sp_buf *blob, struct sp_error *err)
{
    struct der name;
    bool named = take_as(params, OID, &name);

    for (size_t i = 0; named && i < SP_COUNT(curves); i++) {
        if (!is_oid(&name, &curves[i].oid))
            continue;
        if (key->left > 0 && (key->p[0] == 2 || key->p[0] == 3)) {
            sp_fail(err, SP_E_INVALID, 0, "the key's point is compressed, which OpenSSH does not take");
            return sp_hint(err, "write it anew: openssl pkey -pubin -in FILE -ec_conv_form uncompressed");
        }
        put_text(blob, curves[i].type);
        put_text(blob, curves[i].name);
        put_string(blob, key->p, key->left);
        return 0;
    }
    sp_fail(err, SP_E_INVALID, 0, "the key's curve is none that OpenSSH knows (P-256, P-384, P-521)");
    return sp_hint(err, "make a new pair: ssh-keygen -t ed25519");
}

static int read_ed25519(struct der *params, struct der *key, struct sp_buf *blob, struct sp_error *err)
{
    (void)params;
    (void)err;
    put_text(blob, "ssh-ed25519");
    put_string(blob, key->p, key->left);
    return 0;
}

static const struct algorithm {
    struct oid oid;
    int (*read)(struct der *params, struct der *key, struct sp_buf *blob, struct sp_error *err);
    const char *refused; /* why, where there is no reader */
} algorithms[] = {
    {{9, {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01}}, read_rsa_key, NULL},
    {{7, {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01}}, read_ec, NULL},
    {{3, {0x2b, 0x65, 0x70}}, read_ed25519, NULL},
    {{3, {0x2b, 0x65, 0x71}}, NULL, "ssh-ed448 is not known to OpenSSH"},
    {{3, {0x2b, 0x65, 0x6e}},
     NULL,
     "an X25519 key agrees on secrets and cannot sign: it is none for logins"},
    {{3, {0x2b, 0x65, 0x6f}}, NULL, "an X448 key agrees on secrets and cannot sign: it is none for logins"},
    {{7, {0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01}},
     NULL,
     "DSA keys are too weak, and OpenSSH gave them up"},
    {{9, {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a}},
     NULL,
     "an RSA key bound to PSS is none that SSH has a type for"},
};

/* SubjectPublicKeyInfo: SEQUENCE { SEQUENCE { algorithm, parameters }, BIT STRING }. The BIT STRING's first
 * byte counts the bits unused at its end. */
static int read_spki(struct der *info, struct der *algorithm, struct sp_buf *blob, struct sp_error *err)
{
    struct der oid, key;

    if (!take_as(algorithm, OID, &oid) || !take_as(info, BIT_STRING, &key) || info->left != 0 ||
        key.left < 2 || key.p[0] != 0)
        return damaged(err);
    key.p++;
    key.left--;
    for (size_t i = 0; i < SP_COUNT(algorithms); i++) {
        if (!is_oid(&oid, &algorithms[i].oid))
            continue;
        if (algorithms[i].read != NULL)
            return algorithms[i].read(algorithm, &key, blob, err);
        sp_fail(err, SP_E_INVALID, 0, "%s", algorithms[i].refused);
        return sp_hint(err, "make a new pair: ssh-keygen -t ed25519");
    }
    sp_fail(err, SP_E_INVALID, 0, "the key is of a kind that SSH does not know");
    return sp_hint(err, "make a new pair: ssh-keygen -t ed25519");
}

/* PKCS#1, SEC 1 and PKCS#8 begin with a small version number; an encrypted PKCS#8 key is an algorithm and
 * an OCTET STRING. No public key has either. What is cut off is recognised too. */
bool sp_keyder_is_private(const uint8_t *der, size_t len)
{
    struct der d = {der, len, false}, whole, first, second;
    int tag;

    if (take(&d, &whole) != SEQUENCE)
        return false;
    tag = take(&whole, &first);
    if (tag == INTEGER)
        return first.left == 1 && !whole.cut;
    return tag == SEQUENCE && !whole.cut && take(&whole, &second) == OCTET_STRING;
}

int sp_keyder_read(const uint8_t *der, size_t len, size_t characters, struct sp_buf *blob,
                   struct sp_error *err)
{
    struct der d = {der, len, false}, whole, first;
    int tag;

    if (sp_keyder_is_private(der, len))
        return sp_keytext_refuse_private(err);
    if (take(&d, &whole) != SEQUENCE)
        return len < 2 ? sp_keytext_refuse_cut(characters, err) : damaged(err);
    if (d.cut)
        return sp_keytext_refuse_cut(characters, err);
    if (d.left != 0)
        return damaged(err);
    /* RSAPublicKey begins with its modulus. */
    if (whole.left > 0 && whole.p[0] == INTEGER)
        return read_rsa(&whole, blob, err);
    tag = take(&whole, &first);
    return tag == SEQUENCE && !whole.cut ? read_spki(&whole, &first, blob, err) : damaged(err);
}
