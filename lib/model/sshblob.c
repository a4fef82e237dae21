/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/sshblob.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/sshwire.h"

#define RSA_MIN 2048
#define RSA_MAX 16384 /* OPENSSL_RSA_MAX_MODULUS_BITS: sshd cannot use a longer one */

struct type {
    const char *name;
    int (*check)(const struct type *t, struct sp_sshwire *c, unsigned *ret_bits, struct sp_error *err);
    const char *curve; /* ECDSA: its name in the blob */
    unsigned bits;
    unsigned strings; /* how many follow the type */
};

static int damaged(struct sp_error *err, const char *what)
{
    sp_fail(err, SP_E_INVALID, 0, "the key is damaged: %s", what);
    return sp_hint(err, "paste the whole line of the .pub file again");
}

static int cut_off(struct sp_error *err)
{
    return damaged(err, "it is cut off");
}

/* A positive mpint in its only form: no needless zero in front, not negative. */
static bool is_mpint(const struct sp_sshwire_bytes *m)
{
    return m->len > 0 && m->p[0] < 0x80 && (m->p[0] != 0 || (m->len > 1 && m->p[1] >= 0x80));
}

static unsigned mpint_bits(const struct sp_sshwire_bytes *m)
{
    size_t skip = m->p[0] == 0 ? 1 : 0;

    return (unsigned)((m->len - skip) * 8) - ((unsigned)__builtin_clz(m->p[skip]) - 24);
}

static uint32_t mpint_mod(const struct sp_sshwire_bytes *m, uint32_t by)
{
    uint64_t r = 0;
    size_t i = 0;

    for (; i < m->len % 4; i++)
        r = r << 8 | m->p[i];
    for (r %= by; i < m->len; i += 4)
        r = (r << 32 | (uint64_t)m->p[i] << 24 | (uint64_t)m->p[i + 1] << 16 | (uint64_t)m->p[i + 2] << 8 |
             m->p[i + 3]) %
            by;
    return (uint32_t)r;
}

/* Is r a power of 65537 modulo p? */
static bool is_power(uint32_t r, uint32_t p)
{
    uint32_t x = 1;

    do {
        if (x == r)
            return true;
        x = x * (65537 % p) % p;
    } while (x != 1);
    return false;
}

/* ROCA (CVE-2017-15361): the primes of a faulty generator are powers of 65537 modulo many small primes, and
 * so is their product. These are the primes where that says something; grouped so that one division serves
 * several. By chance a sound key passes all of them once in more than 10^8. */
static bool is_roca(const struct sp_sshwire_bytes *n)
{
    static const uint8_t groups[][6] = {
        {11, 13, 17, 19, 37, 53}, {61, 71, 73, 79, 97}, {103, 107, 109, 127}, {151, 157}};

    for (size_t g = 0; g < SP_COUNT(groups); g++) {
        uint32_t product = 1, r;

        for (size_t i = 0; i < SP_COUNT(groups[g]) && groups[g][i] != 0; i++)
            product *= groups[g][i];
        r = mpint_mod(n, product);
        for (size_t i = 0; i < SP_COUNT(groups[g]) && groups[g][i] != 0; i++)
            if (!is_power(r % groups[g][i], groups[g][i]))
                return false;
    }
    return true;
}

static int weak(struct sp_error *err, const char *what)
{
    sp_fail(err, SP_E_INVALID, 0, "%s", what);
    return sp_hint(err, "make a new pair: ssh-keygen -t ed25519");
}

static int check_rsa(const struct type *t, struct sp_sshwire *c, unsigned *ret_bits, struct sp_error *err)
{
    struct sp_sshwire_bytes e, n;
    unsigned bits;

    (void)t;
    if (!sp_sshwire_take(c, &e) || !sp_sshwire_take(c, &n))
        return cut_off(err);
    if (!is_mpint(&e) || !is_mpint(&n))
        return damaged(err, "a number in it is not in its canonical form");
    bits = mpint_bits(&n);
    if (bits < RSA_MIN || bits > RSA_MAX) {
        sp_fail(err, SP_E_INVALID, 0, "the RSA key has %u bits, %d to %d are allowed", bits, RSA_MIN,
                RSA_MAX);
        return sp_hint(err, "make a new pair: ssh-keygen -t ed25519");
    }
    if (n.p[n.len - 1] % 2 == 0)
        return weak(err, "the RSA modulus is even");
    if (e.p[e.len - 1] % 2 == 0 || (e.len == 1 && e.p[0] < 3))
        return weak(err, "the RSA exponent is below 3 or even");
    if (mpint_bits(&e) > 64)
        return weak(err, "the RSA exponent has more than 64 bits, which OpenSSL does not use");
    if (is_roca(&n))
        return weak(err, "the RSA key comes from a faulty generator (ROCA, CVE-2017-15361)");
    *ret_bits = bits;
    return 0;
}

static int check_ed25519(const struct type *t, struct sp_sshwire *c, unsigned *ret_bits,
                         struct sp_error *err)
{
    static const uint8_t zeros[32];
    struct sp_sshwire_bytes pk;

    if (!sp_sshwire_take(c, &pk))
        return cut_off(err);
    if (pk.len != sizeof(zeros))
        return damaged(err, "an ed25519 key has 32 bytes");
    if (memcmp(pk.p, zeros, sizeof(zeros)) == 0)
        return weak(err, "the ed25519 key is all zeros");
    *ret_bits = t->bits;
    return 0;
}

/* The point uncompressed, as SEC 1 section 2.3.3 writes it and OpenSSH alone takes it: 4, x, y. */
static int check_ecdsa(const struct type *t, struct sp_sshwire *c, unsigned *ret_bits, struct sp_error *err)
{
    size_t size = (t->bits + 7) / 8;
    struct sp_sshwire_bytes curve, q;

    if (!sp_sshwire_take(c, &curve) || !sp_sshwire_take(c, &q))
        return cut_off(err);
    if (curve.len != strlen(t->curve) || memcmp(curve.p, t->curve, curve.len) != 0)
        return damaged(err, "the curve inside is not the one of its type");
    if (q.len != 1 + 2 * size || q.p[0] != 4)
        return damaged(err, "its point is not an uncompressed one of the curve");
    *ret_bits = t->bits;
    return 0;
}

static int check_application(struct sp_sshwire *c, struct sp_error *err)
{
    struct sp_sshwire_bytes app;

    if (!sp_sshwire_take(c, &app))
        return cut_off(err);
    if (app.len == 0 || app.len > 255 || !sp_str_is_clean((const char *)app.p, app.len))
        return damaged(err, "the application of a security key is a short text, as \"ssh:\"");
    return 0;
}

static int check_sk_ed25519(const struct type *t, struct sp_sshwire *c, unsigned *ret_bits,
                            struct sp_error *err)
{
    return check_ed25519(t, c, ret_bits, err) < 0 ? -1 : check_application(c, err);
}

static int check_sk_ecdsa(const struct type *t, struct sp_sshwire *c, unsigned *ret_bits,
                          struct sp_error *err)
{
    return check_ecdsa(t, c, ret_bits, err) < 0 ? -1 : check_application(c, err);
}

static const struct type types[] = {
    {"ssh-ed25519", check_ed25519, NULL, 256, 1},
    {"ssh-rsa", check_rsa, NULL, 0, 2},
    {"ecdsa-sha2-nistp256", check_ecdsa, "nistp256", 256, 2},
    {"ecdsa-sha2-nistp384", check_ecdsa, "nistp384", 384, 2},
    {"ecdsa-sha2-nistp521", check_ecdsa, "nistp521", 521, 2},
    {"sk-ssh-ed25519@openssh.com", check_sk_ed25519, NULL, 256, 2},
    {"sk-ecdsa-sha2-nistp256@openssh.com", check_sk_ecdsa, "nistp256", 256, 3},
};

#define NEW_PAIR "make a new pair: ssh-keygen -t ed25519"

/* Types that sshd, or somebody's tool, knows and that get a reason of their own. */
static const struct refused {
    const char *name, *what, *hint;
    unsigned strings; /* 0: nobody has to know */
} refused[] = {
    {"ssh-dss", "DSA keys are too weak, and OpenSSH gave them up", NEW_PAIR, 4},
    {"ssh-ed448", "ssh-ed448 is not known to OpenSSH", NEW_PAIR, 1},
    {"ssh-xmss@openssh.com", "XMSS keys are an experiment of OpenSSH", NEW_PAIR},
    {"rsa-sha2-256", "rsa-sha2-256 names a signature, not a key", "the type of the key is ssh-rsa"},
    {"rsa-sha2-512", "rsa-sha2-512 names a signature, not a key", "the type of the key is ssh-rsa"},
    {"webauthn-sk-ecdsa-sha2-nistp256@openssh.com", "this type names a signature, not a key",
     "the type of the key is sk-ecdsa-sha2-nistp256@openssh.com"},
};

static bool is_certificate(const char *type, size_t n)
{
    return memmem(type, n, "-cert-v0", 8) != NULL;
}

static const struct type *find_type(const char *name, size_t n)
{
    for (size_t i = 0; i < SP_COUNT(types); i++)
        if (strlen(types[i].name) == n && memcmp(types[i].name, name, n) == 0)
            return &types[i];
    return NULL;
}

static const struct refused *find_refused(const char *name, size_t n)
{
    for (size_t i = 0; i < SP_COUNT(refused); i++)
        if (strlen(refused[i].name) == n && memcmp(refused[i].name, name, n) == 0)
            return &refused[i];
    return NULL;
}

bool sp_sshblob_is_type(const char *word, size_t n)
{
    return find_type(word, n) != NULL || find_refused(word, n) != NULL || is_certificate(word, n);
}

int sp_sshblob_check_type(const char *type, size_t n, struct sp_error *err)
{
    const struct refused *r = find_refused(type, n);

    if (find_type(type, n) != NULL)
        return 0;
    if (r != NULL) {
        sp_fail(err, SP_E_INVALID, 0, "%s", r->what);
        return sp_hint(err, "%s", r->hint);
    }
    if (is_certificate(type, n)) {
        sp_fail(err, SP_E_INVALID, 0, "this is a certificate; paste id_....pub");
        return sp_hint(err, "the key itself stands in id_....pub; the certificate is id_...-cert.pub");
    }
    sp_fail(err, SP_E_INVALID, 0, "this is not an SSH public key");
    return sp_hint(err, "paste the one line of a .pub file, such as ~/.ssh/id_ed25519.pub");
}

const char *sp_sshblob_type(const uint8_t *blob, size_t len, size_t *ret_len)
{
    struct sp_sshwire c = {blob, len};
    struct sp_sshwire_bytes type;

    if (!sp_sshwire_take(&c, &type))
        return NULL;
    *ret_len = type.len;
    return (const char *)type.p;
}

int sp_sshblob_check(const char *type, const uint8_t *blob, size_t len, unsigned *ret_bits,
                     struct sp_error *err)
{
    const struct type *t = find_type(type, strlen(type));
    struct sp_sshwire c = {blob, len};
    struct sp_sshwire_bytes inside;

    if (t == NULL)
        return sp_sshblob_check_type(type, strlen(type), err);
    if (!sp_sshwire_take(&c, &inside))
        return cut_off(err);
    if (inside.len != strlen(type) || memcmp(inside.p, type, inside.len) != 0) {
        sp_fail(err, SP_E_INVALID, 0, "the line says %s, but the key inside is of another type", type);
        return sp_hint(err, "paste the line of the .pub file as it is");
    }
    if (t->check(t, &c, ret_bits, err) < 0)
        return -1;
    return c.left == 0 ? 0 : damaged(err, "something follows the key inside");
}

size_t sp_sshblob_extent(const uint8_t *blob, size_t len)
{
    struct sp_sshwire c = {blob, len};
    const struct refused *r;
    const struct type *t;
    unsigned strings = 0;
    struct sp_sshwire_bytes s;

    if (!sp_sshwire_take(&c, &s))
        return 0;
    t = find_type((const char *)s.p, s.len);
    r = find_refused((const char *)s.p, s.len);
    strings = t != NULL ? t->strings : r != NULL ? r->strings : 0;
    if (strings == 0)
        return len;
    while (strings-- > 0) {
        /* The last one need not be whole: its length tells. */
        if (strings == 0 && c.left >= 4) {
            size_t n = sp_sshwire_u32(c.p);
            return len - c.left + 4 + n;
        }
        if (!sp_sshwire_take(&c, &s))
            return 0;
    }
    return 0;
}
