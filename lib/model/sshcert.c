/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/sshcert.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/base64.h"
#include "model/sshwire.h"
#include "model/when.h"

#define USER_CERTIFICATE 1
#define CERT_SUFFIX "-cert-v01@openssh.com"

static void put_u32(struct sp_buf *out, uint32_t n)
{
    const uint8_t bytes[] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};

    sp_buf_add(out, bytes, sizeof(bytes));
}

static void put_u64(struct sp_buf *out, uint64_t n)
{
    put_u32(out, (uint32_t)(n >> 32));
    put_u32(out, (uint32_t)n);
}

/* string of RFC 4251 section 5 */
static void put_bytes(struct sp_buf *out, const void *bytes, size_t len)
{
    put_u32(out, (uint32_t)len);
    sp_buf_add(out, bytes, len);
}

static void put_text(struct sp_buf *out, const char *text)
{
    put_bytes(out, text, strlen(text));
}

/* "ssh-ed25519" -> "ssh-ed25519-cert-v01@openssh.com"; a type of OpenSSH's own loses its "@openssh.com"
 * first. */
static void cert_type(const struct sp_sshkey *key, struct sp_buf *out)
{
    sp_buf_printf(out, "%.*s" CERT_SUFFIX, (int)strcspn(key->type, "@"), key->type);
}

int sp_sshcert_check(const struct sp_sshcert *c, struct sp_error *err)
{
    if (sp_sshkey_check(c->key, err) < 0)
        return sp_field(err, "key");
    if (c->principal[0] == '\0' || c->key_id[0] == '\0' || c->serial == 0)
        return sp_fail(err, SP_E_INTERNAL, 0, "a certificate without principal, id or serial");
    if (c->valid_from <= 0 || c->valid_to <= c->valid_from || c->valid_to > SP_WHEN_MAX)
        return sp_fail(err, SP_E_INTERNAL, 0, "a certificate without an end");
    for (size_t i = 0; i < c->from->n; i++)
        if (sp_cidr_check(&c->from->v[i], err) < 0)
            return sp_field(err, "from[%zu]", i);
    if (sp_str_is_clean(c->key_id, strlen(c->key_id)) && sp_str_is_clean(c->command, strlen(c->command)))
        return 0;
    sp_fail(err, SP_E_INVALID, 0, "a control byte in the command");
    return sp_field(err, "command");
}

const char *const *sp_sshcert_extensions(const struct sp_sshcert *c)
{
    /* In the order of their bytes, as PROTOCOL.certkeys wants them. */
    static const char *const all[] = {"permit-agent-forwarding", "permit-port-forwarding", "permit-pty",
                                      NULL};

    return c->command[0] != '\0' ? &all[2] : all;
}

void sp_sshcert_sources(const struct sp_cidr_list *from, struct sp_buf *out)
{
    char text[SP_CIDR_SIZE];

    for (size_t i = 0; i < from->n; i++) {
        sp_cidr_format(&from->v[i], text);
        sp_buf_printf(out, "%s%s", i > 0 ? "," : "", text);
    }
}

/* The value of an option is a string within a string. */
static void put_option(struct sp_buf *out, const char *name, const char *value)
{
    put_text(out, name);
    put_u32(out, (uint32_t)strlen(value) + 4);
    put_text(out, value);
}

static bool put_options(const struct sp_sshcert *c, struct sp_buf *out)
{
    _cleanup_(sp_buf_clear) struct sp_buf critical = {0}, extensions = {0}, sources = {0};

    if (c->command[0] != '\0')
        put_option(&critical, "force-command", c->command);
    sp_sshcert_sources(c->from, &sources);
    if (c->from->n > 0)
        put_option(&critical, "source-address", sp_buf_str(&sources));
    for (const char *const *name = sp_sshcert_extensions(c); *name != NULL; name++) {
        put_text(&extensions, *name);
        put_u32(&extensions, 0);
    }
    put_bytes(out, sp_buf_str(&critical), critical.len);
    put_bytes(out, sp_buf_str(&extensions), extensions.len);
    return sp_buf_ok(&critical) && sp_buf_ok(&extensions) && sp_buf_ok(&sources);
}

int sp_sshcert_body(const struct sp_sshcert *c, const struct sp_sshkey *ca, struct sp_buf *out,
                    struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf type = {0}, principals = {0};
    size_t skip = 4 + strlen(c->key->type); /* the type inside the key's own blob */

    if (sp_sshcert_check(c, err) < 0)
        return -1;
    cert_type(c->key, &type);
    put_text(&principals, c->principal);
    put_text(out, sp_buf_str(&type));
    put_bytes(out, c->nonce, sizeof(c->nonce));
    sp_buf_add(out, c->key->blob + skip, c->key->blob_len - skip);
    put_u64(out, c->serial);
    put_u32(out, USER_CERTIFICATE);
    put_text(out, c->key_id);
    put_bytes(out, sp_buf_str(&principals), principals.len);
    put_u64(out, (uint64_t)c->valid_from);
    put_u64(out, (uint64_t)c->valid_to);
    if (!put_options(c, out) || !sp_buf_ok(&type) || !sp_buf_ok(&principals))
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    put_u32(out, 0); /* reserved */
    put_bytes(out, ca->blob, ca->blob_len);
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

int sp_sshcert_line(const struct sp_sshkey *key, const struct sp_buf *body,
                    const uint8_t signature[SP_ED25519_SIGNATURE], struct sp_buf *out, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf blob = {0}, signed_by = {0};

    put_text(&signed_by, "ssh-ed25519");
    put_bytes(&signed_by, signature, SP_ED25519_SIGNATURE);
    sp_buf_add(&blob, body->data, body->len);
    put_bytes(&blob, sp_buf_str(&signed_by), signed_by.len);
    cert_type(key, out);
    sp_buf_puts(out, " ");
    sp_base64_encode((const uint8_t *)sp_buf_str(&blob), blob.len, out);
    return sp_buf_ok(&blob) && sp_buf_ok(&signed_by) && sp_buf_ok(out)
               ? 0
               : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* --- the CA's own key --- */

static bool take_word(struct sp_sshwire *c, const char *word)
{
    struct sp_sshwire_bytes b;

    return sp_sshwire_take(c, &b) && b.len == strlen(word) && memcmp(b.p, word, b.len) == 0;
}

static bool skip(struct sp_sshwire *c, size_t n)
{
    if (c->left < n)
        return false;
    c->p += n;
    c->left -= n;
    return true;
}

/* PROTOCOL.key: cipher and kdf "none", one key; then twice the same number, type, public half, secret. */
static bool read_secret(const uint8_t *bytes, size_t len, uint8_t ret[SP_ED25519_SECRET])
{
    static const char magic[] = "openssh-key-v1"; /* with its NUL */
    struct sp_sshwire c = {bytes, len};
    struct sp_sshwire_bytes b;

    if (len < sizeof(magic) || memcmp(bytes, magic, sizeof(magic)) != 0 || !skip(&c, sizeof(magic)) ||
        !take_word(&c, "none") || !take_word(&c, "none") || !sp_sshwire_take(&c, &b) || !skip(&c, 4) ||
        !sp_sshwire_take(&c, &b) || !sp_sshwire_take(&c, &b))
        return false;
    c = (struct sp_sshwire){b.p, b.len};
    if (!skip(&c, 8) || !take_word(&c, "ssh-ed25519") || !sp_sshwire_take(&c, &b) || b.len != 32 ||
        !sp_sshwire_take(&c, &b) || b.len != SP_ED25519_SECRET)
        return false;
    memcpy(ret, b.p, b.len);
    return true;
}

int sp_sshcert_secret(const char *text, size_t len, uint8_t ret[SP_ED25519_SECRET], struct sp_error *err)
{
    static const char begin[] = "-----BEGIN OPENSSH PRIVATE KEY-----";
    char base64[4096];
    uint8_t bytes[SP_BASE64_DECODED(sizeof(base64))];
    size_t n = 0, decoded = 0, at = sizeof(begin) - 1;
    bool good = len > at && memcmp(text, begin, at) == 0;

    for (; good && at < len && text[at] != '-'; at++)
        if (sp_base64_is_char(text[at]) || text[at] == '=') {
            if (n == sizeof(base64))
                break;
            base64[n++] = text[at];
        }
    good = good && sp_base64_decode(base64, n, bytes, &decoded) == 0 && read_secret(bytes, decoded, ret);
    explicit_bzero(base64, sizeof(base64));
    explicit_bzero(bytes, sizeof(bytes));
    return good ? 0 : sp_fail(err, SP_E_UNSUPPORTED, 0, "no ed25519 key without a passphrase");
}
