/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/fwfile.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/fwstate.h"
#include "model/json.h"
#include "model/siphash.h"
#include "model/when.h"

#define HEAD "{\"version\":"
#define SOURCES ",\"sources\":"
#define SUM ",\"sum\":\""
#define TAIL "\"}\n"
#define DIGITS 16
#define TAIL_SIZE (sizeof(SUM) - 1 + DIGITS + sizeof(TAIL) - 1)

/* Against damage, not against somebody: the key is no secret. */
static uint64_t sum_of(const char *bytes, size_t len)
{
    static const uint64_t key[2] = {UINT64_C(0x73616c6c79706f72), UINT64_C(0x742066697265776c)};

    return sp_siphash(key, bytes, len);
}

/* --- writing --- */

static void put_entry(const struct sp_fw_entry *e, struct sp_buf *out)
{
    static const char head[] = "{\"source\":\"";
    char line[sizeof(head) + 8 + SP_CIDR_SIZE], when[SP_WHEN_SIZE];
    size_t n = sizeof(head) - 1;

    memcpy(line, head, n);
    sp_cidr_format(&e->source, line + n);
    n += strlen(line + n);
    line[n++] = '"';
    sp_buf_add(out, line, n);
    if (e->comment[0] != '\0') {
        sp_buf_puts(out, ",\"comment\":");
        sp_json_put_text(out, e->comment);
    }
    if (e->expires_at != 0) {
        sp_when_format(e->expires_at, when);
        sp_buf_printf(out, ",\"expires_at\":\"%s\"", when);
    }
    if (e->owner[0] != '\0') {
        sp_buf_puts(out, ",\"owner\":");
        sp_json_put_text(out, e->owner);
    }
    sp_buf_add(out, "}", 1);
}

void sp_fwfile_put_sources(const struct sp_fw_policy *p, struct sp_buf *out)
{
    sp_buf_reserve(out, p->n * 48 + 256);
    sp_buf_add(out, "[", 1);
    for (size_t i = 0; i < p->n; i++) {
        if (i > 0)
            sp_buf_add(out, ",", 1);
        put_entry(&p->v[i], out);
    }
    sp_buf_add(out, "]", 1);
}

bool sp_fwfile_cut_sources(struct sp_buf *text)
{
    static const char word[] = SOURCES;
    const size_t len = text->len > TAIL_SIZE ? text->len - TAIL_SIZE : 0;
    const char *at = len > 0 ? memmem(text->data, len, word, sizeof(word) - 1) : NULL;

    /* The first: what stands before it is nobody's text. */
    if (at == NULL)
        return false;
    at += sizeof(word) - 1;
    text->len = len - (size_t)(at - text->data);
    memmove(text->data, at, text->len);
    text->data[text->len] = '\0';
    return true;
}

static int check(const struct sp_fw_policy *p, struct sp_error *err)
{
    for (size_t i = 0; i < p->n; i++)
        if (sp_fw_entry_check(&p->v[i], 0, err) < 0)
            return -1;
    return 0;
}

int sp_fwfile_seal(struct sp_buf *text, size_t from, uint64_t *ret_sum, struct sp_error *err)
{
    uint64_t sum;

    if (!sp_buf_ok(text))
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    sum = sum_of(sp_buf_str(text) + from, text->len - from);
    sp_buf_printf(text, SUM "%016llx" TAIL, (unsigned long long)sum);
    if (ret_sum != NULL)
        *ret_sum = sum;
    return sp_buf_ok(text) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

int sp_fwfile_format(const struct sp_fw_policy *p, struct sp_buf *out, uint64_t *ret_sum,
                     struct sp_error *err)
{
    size_t at = out->len;

    if (check(p, err) < 0)
        return -1;
    sp_buf_reserve(out, p->n * 48 + 512);
    sp_buf_printf(out, HEAD "%d,\"mode\":\"%s\",\"ports\":[", SP_FWFILE_VERSION, sp_fw_mode_name(p->mode));
    for (size_t i = 0; i < p->n_ports; i++)
        sp_buf_printf(out, "%s%u", i > 0 ? "," : "", p->ports[i]);
    sp_buf_printf(out, "],\"entries\":%zu" SOURCES, p->n);
    sp_fwfile_put_sources(p, out);
    return sp_fwfile_seal(out, at, ret_sum, err);
}

/* --- reading --- */

struct reader {
    const char *p, *end;
    char *text; /* room for one string after the other */
    struct sp_error *err;
};

static int broken(struct sp_error *err, const char *why)
{
    (void)sp_fail(err, SP_E_STATE, 0, "the firewall's state file is broken: %s", why);
    return sp_hint(err, "what is in force stays in force; firewall.json- is the last good copy");
}

/* True, and behind it, if `word` comes next. Inline, where its length is known. */
static inline bool take(struct reader *r, const char *word)
{
    const size_t n = strlen(word);

    if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0)
        return false;
    r->p += n;
    return true;
}

static bool take_number(struct reader *r, uint64_t max, uint64_t *ret)
{
    size_t n = 0;
    char digits[24];

    while (n < sizeof(digits) - 1 && r->p + n < r->end && r->p[n] >= '0' && r->p[n] <= '9')
        n++;
    memcpy(digits, r->p, n);
    digits[n] = '\0';
    r->p += n;
    return sp_str_to_u64(digits, max, ret) == 0;
}

/* Up to the closing quote, with escapes of '"' and '\' alone: we write no others. */
static bool take_text(struct reader *r, const char **ret)
{
    char *at = r->text;

    *ret = at;
    while (r->p < r->end && *r->p != '"') {
        if (*r->p == '\\' && (++r->p == r->end || (*r->p != '"' && *r->p != '\\')))
            return false;
        if (*r->p == '\0')
            return false;
        *at++ = *r->p++;
    }
    *at = '\0';
    r->text = at + 1;
    return take(r, "\"");
}

/* Into a place of its own: it is read and gone. */
static bool take_short(struct reader *r, char *out, size_t size)
{
    const char *quote = memchr(r->p, '"', (size_t)(r->end - r->p) < size ? (size_t)(r->end - r->p) : size);
    size_t n = quote != NULL ? (size_t)(quote - r->p) : size;

    if (n >= size)
        return false;
    memcpy(out, r->p, n);
    out[n] = '\0';
    r->p = quote + 1;
    return strlen(out) == n;
}

/* sp_cidr_check() and its like are the parsers' own: what they refuse, sp_fw_entry_check() need not see. */
static bool take_entry(struct reader *r, struct sp_fw_entry *e)
{
    char source[SP_CIDR_SIZE], when[SP_WHEN_SIZE + 1];

    *e = (struct sp_fw_entry){.comment = "", .owner = ""};
    if (!take(r, "{\"source\":\"") || !take_short(r, source, sizeof(source)) ||
        sp_cidr_parse(source, &e->source, r->err) < 0)
        return false;
    if (take(r, "}"))
        return true;
    if (take(r, ",\"comment\":\"") && !take_text(r, &e->comment))
        return false;
    if (take(r, ",\"expires_at\":\"") &&
        (!take_short(r, when, sizeof(when)) || sp_when_parse(when, &e->expires_at, r->err) < 0))
        return false;
    if (take(r, ",\"owner\":\"") && !take_text(r, &e->owner))
        return false;
    return take(r, "}") && sp_fw_entry_check(e, 0, r->err) == 0;
}

static int take_entries(struct reader *r, struct sp_fw_policy *p)
{
    for (size_t i = 0; i < p->n; i++) {
        if ((i > 0 && !take(r, ",")) || !take_entry(r, &p->v[i]))
            return broken(r->err, "an entry cannot be read");
        if (i > 0 && sp_fw_entry_compare(&p->v[i - 1], &p->v[i]) >= 0)
            return broken(r->err, "the entries are not in order");
    }
    return take(r, "]") ? 0 : broken(r->err, "there are more entries than it says");
}

static int take_head(struct reader *r, struct sp_fw_policy *p)
{
    char mode[16];
    uint64_t n;

    if (!take(r, ",\"mode\":\"") || !take_short(r, mode, sizeof(mode)) ||
        sp_fw_mode_parse(mode, &p->mode, r->err) < 0)
        return broken(r->err, "no mode");
    if (!take(r, ",\"ports\":["))
        return broken(r->err, "no ports");
    while (!take(r, "]")) {
        if ((p->n_ports > 0 && !take(r, ",")) || !take_number(r, 65535, &n) || n == 0 ||
            sp_fw_ports_add(p->ports, &p->n_ports, (uint16_t)n) < 0)
            return broken(r->err, "a port is out of range");
    }
    if (!take(r, ",\"entries\":") || !take_number(r, SP_FW_MAX_ENTRIES, &n) || !take(r, SOURCES "["))
        return broken(r->err, "no sources");
    p->n = n;
    return 0;
}

static int newer(struct sp_error *err)
{
    (void)sp_fail(err, SP_E_STATE, 0, "the firewall's state file is of a newer sallyport");
    return sp_hint(err, "use the sallyport that wrote it; nothing is changed until then");
}

static int check_sum(const char *bytes, size_t len, uint64_t *ret_sum, struct sp_error *err)
{
    char tail[TAIL_SIZE + 1];

    if (len <= TAIL_SIZE || len > SP_FWFILE_MAX_BYTES)
        return broken(err, "it has an impossible size");
    *ret_sum = sum_of(bytes, len - TAIL_SIZE);
    if (sp_str_format(tail, sizeof(tail), SUM "%016llx" TAIL, (unsigned long long)*ret_sum) < 0 ||
        memcmp(bytes + len - TAIL_SIZE, tail, TAIL_SIZE) != 0)
        return broken(err, "its checksum does not fit");
    return 0;
}

/* All strings lie in one block, none longer than it is in the file. */
static int parse_rest(struct reader *r, struct sp_fw_policy *p)
{
    size_t size = (size_t)(r->end - r->p);

    if (take_head(r, p) < 0)
        return -1;
    p->v = malloc((p->n + 1) * sizeof(*p->v));
    p->text = sp_fw_text_new(size + 1, NULL);
    if (p->v == NULL || p->text == NULL)
        return sp_fail(r->err, SP_E_NO_MEMORY, 0, "out of memory");
    r->text = sp_fw_text_room(p->text);
    if (take_entries(r, p) < 0)
        return -1;
    return r->p == r->end ? 0 : broken(r->err, "something stands behind the entries");
}

int sp_fwfile_parse(const char *bytes, size_t len, struct sp_fw_policy *ret, uint64_t *ret_sum,
                    struct sp_error *err)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {0};
    struct reader r = {.p = bytes, .end = bytes + len, .err = err};
    uint64_t version = 0, sum = 0;

    if (len == 0)
        return broken(err, "it is empty");
    if (!take(&r, HEAD) || !take_number(&r, UINT32_MAX, &version))
        return broken(err, "no version");
    if (version > SP_FWFILE_VERSION)
        return newer(err);
    if (version < SP_FWSTATE_VERSION)
        return broken(err, "no such version");
    if (version == SP_FWSTATE_VERSION) {
        if (sp_fwstate_parse(bytes, len, ret, err) < 0)
            return -1;
        sum = sum_of(bytes, len);
    } else {
        if (check_sum(bytes, len, &sum, err) < 0)
            return -1;
        r.end -= TAIL_SIZE;
        if (parse_rest(&r, &p) < 0)
            return -1;
        *ret = p;
        p = (struct sp_fw_policy){0};
    }
    if (ret_sum != NULL)
        *ret_sum = sum;
    return 0;
}
