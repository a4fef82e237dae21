/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/authkeys.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/name.h"
#include "model/when.h"

void sp_key_clear(struct sp_key *k)
{
    sp_sshkey_clear(&k->key);
    sp_cidr_list_clear(&k->from);
    *k = (struct sp_key){0};
}

int sp_key_copy(struct sp_key *dst, const struct sp_key *src, struct sp_error *err)
{
    _cleanup_(sp_key_clear) struct sp_key k = *src;

    k.key = (struct sp_sshkey){0};
    k.from = (struct sp_cidr_list){0};
    if (sp_sshkey_copy(&k.key, &src->key, err) < 0 || sp_cidr_list_copy(&k.from, &src->from, err) < 0)
        return -1;
    *dst = k;
    k = (struct sp_key){0};
    return 0;
}

void sp_key_list_clear(struct sp_key_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        sp_key_clear(&l->v[i]);
    free(l->v);
    *l = (struct sp_key_list){0};
}

static size_t find(const struct sp_key_list *l, const char *fingerprint)
{
    size_t i = 0;

    while (i < l->n && !sp_streq(l->v[i].key.fingerprint, fingerprint))
        i++;
    return i;
}

const struct sp_key *sp_key_list_find(const struct sp_key_list *l, const char *fingerprint)
{
    size_t i = find(l, fingerprint);

    return i < l->n ? &l->v[i] : NULL;
}

int sp_key_list_add(struct sp_key_list *l, const struct sp_key *k, struct sp_error *err)
{
    _cleanup_(sp_key_clear) struct sp_key copy = {0};
    size_t at = find(l, k->key.fingerprint);
    struct sp_key *grown;

    if (sp_key_copy(&copy, k, err) < 0)
        return -1;
    if (at == l->n) {
        grown = reallocarray(l->v, l->n + 1, sizeof(*grown));
        if (grown == NULL)
            return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
        l->v = grown;
        l->v[l->n++] = (struct sp_key){0};
    }
    sp_key_clear(&l->v[at]);
    l->v[at] = copy;
    copy = (struct sp_key){0};
    return 0;
}

/* What a line is made of, checked where it is written: no caller can skip it. */
static int check_key(const struct sp_key *k, struct sp_error *err)
{
    if (sp_sshkey_check(&k->key, err) < 0)
        return sp_field(err, "key");
    if (sp_name_check_label(k->label, err) < 0)
        return sp_field(err, "label");
    if (sp_keyrules_check(&k->rules, err) < 0)
        return -1;
    for (size_t i = 0; i < k->from.n; i++)
        if (sp_cidr_check(&k->from.v[i], err) < 0)
            return sp_field(err, "from[%zu]", i);
    if (k->expires_at < 0 || k->expires_at > SP_WHEN_MAX) {
        sp_fail(err, SP_E_INVALID, 0, "the expiry lies outside the years 1970 to 9999");
        sp_hint(err, "leave it out if the key never expires");
        return sp_field(err, "expires_at");
    }
    return 0;
}

static void put_from(const struct sp_cidr_list *from, struct sp_buf *out)
{
    char text[SP_CIDR_SIZE];

    for (size_t i = 0; i < from->n; i++) {
        sp_cidr_format(&from->v[i], text);
        sp_buf_printf(out, "%s%s", i == 0 ? "from=\"" : ",", text);
    }
    if (from->n > 0)
        sp_buf_puts(out, "\"");
}

/* "YYYYMMDDHHMMSSZ": the digits of RFC 3339. */
static void put_expiry(int64_t when, struct sp_buf *out)
{
    char text[SP_WHEN_SIZE];

    sp_when_format(when, text);
    sp_buf_puts(out, "expiry-time=\"");
    for (const char *p = text; *p; p++)
        if (*p >= '0' && *p <= '9')
            sp_buf_add(out, p, 1);
    sp_buf_puts(out, "Z\"");
}

int sp_authkeys_line(const struct sp_key *k, struct sp_buf *out, struct sp_error *err)
{
    size_t start = out->len;

    if (check_key(k, err) < 0)
        return -1;
    put_from(&k->from, out);
    if (k->expires_at != 0) {
        sp_buf_puts(out, k->from.n > 0 ? "," : "");
        put_expiry(k->expires_at, out);
    }
    if (!sp_keyrules_is_plain(&k->rules))
        sp_buf_puts(out, out->len > start ? "," : "");
    sp_keyrules_put(&k->rules, out);
    sp_buf_puts(out, out->len > start ? " " : "");
    sp_sshkey_format(&k->key, out);
    if (k->label[0] != '\0')
        sp_buf_printf(out, " %s", k->label);
    sp_buf_puts(out, "\n");
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

static size_t skip_blanks(const char *line, size_t len, size_t at)
{
    while (at < len && (line[at] == ' ' || line[at] == '\t'))
        at++;
    return at;
}

/* sshkey_advance_past_options() of OpenSSH's sshkey.c: blanks end the options, but not within quotes, where
 * \" is no end. */
static bool skip_options(const char *line, size_t len, size_t *at)
{
    bool quoted = false;
    size_t i = *at;

    for (; i < len && (quoted || (line[i] != ' ' && line[i] != '\t')); i++) {
        if (line[i] == '\\' && i + 1 < len && line[i + 1] == '"')
            i++;
        else if (line[i] == '"')
            quoted = !quoted;
    }
    *at = i;
    return !quoted;
}

/* auth_check_authkey_line() of auth2-pubkeyfile.c: a key, or else options and a key. Measured with 9.2: the
 * line ends for sshd at a NUL, and a '\r' behind the key does no harm. */
static void read_entry(struct sp_authkeys_entry *e)
{
    const char *nul = e->line_len > 0 ? memchr(e->line, '\0', e->line_len) : NULL;
    size_t len = nul != NULL ? (size_t)(nul - e->line) : e->line_len;
    size_t at = skip_blanks(e->line, len, 0);
    int found;

    e->fingerprint[0] = e->type[0] = '\0';
    if (at == len || e->line[at] == '#')
        return;
    found = sp_sshkey_peek(e->line + at, len - at, e->type, e->fingerprint);
    if (found == -1 && skip_options(e->line, len, &at)) {
        at = skip_blanks(e->line, len, at);
        found = sp_sshkey_peek(e->line + at, len - at, e->type, e->fingerprint);
    }
    e->unread = found == -2;
}

int sp_authkeys_each(const char *bytes, size_t len, int (*visit)(const struct sp_authkeys_entry *, void *),
                     void *data)
{
    size_t number = 0;

    for (size_t at = 0; at < len;) {
        const char *end = memchr(bytes + at, '\n', len - at);
        struct sp_authkeys_entry e = {
            .line = bytes + at,
            .line_len = end != NULL ? (size_t)(end - bytes) - at : len - at,
            .line_number = ++number,
        };
        int r;

        read_entry(&e);
        r = visit(&e, data);
        if (r != 0)
            return r;
        at += e.line_len + 1;
    }
    return 0;
}

struct edit {
    const char *old;
    size_t old_len;
    const struct sp_key_list *want;
    const char *const *drop;
    size_t n_drop;
    bool *written; /* one for each of want */
    struct sp_buf *out;
    struct sp_error *err;
};

static bool is_dropped(const struct edit *e, const char *fingerprint)
{
    for (size_t i = 0; i < e->n_drop; i++)
        if (sp_streq(e->drop[i], fingerprint))
            return true;
    return false;
}

/* As it stands, with its newline if it has one. */
static void keep(const struct edit *e, const struct sp_authkeys_entry *entry)
{
    size_t end = (size_t)(entry->line - e->old) + entry->line_len;

    sp_buf_add(e->out, entry->line, entry->line_len + (end < e->old_len ? 1 : 0));
}

/* Our line in place of this one. A line that says the same already is kept, so that a last line without
 * newline is no change. */
static int put_ours(const struct edit *e, const struct sp_authkeys_entry *entry, const struct sp_key *k)
{
    _cleanup_(sp_buf_clear) struct sp_buf line = {0};

    if (sp_authkeys_line(k, &line, e->err) < 0)
        return -1;
    if (line.len == entry->line_len + 1 && memcmp(line.data, entry->line, entry->line_len) == 0)
        keep(e, entry);
    else
        sp_buf_add(e->out, line.data, line.len);
    return 0;
}

static int visit_line(const struct sp_authkeys_entry *entry, void *data)
{
    struct edit *e = data;
    size_t i = entry->fingerprint[0] != '\0' ? find(e->want, entry->fingerprint) : e->want->n;

    if (entry->unread) /* kept, it would stand without limits beside the one that has them */
        return sp_fail(e->err, SP_E_NO_MEMORY, 0, "out of memory");
    if (i < e->want->n) {
        if (e->written[i])
            return 0;
        e->written[i] = true;
        return put_ours(e, entry, &e->want->v[i]);
    }
    if (entry->fingerprint[0] == '\0' || !is_dropped(e, entry->fingerprint))
        keep(e, entry);
    return 0;
}

static int append_missing(struct edit *e)
{
    for (size_t i = 0; i < e->want->n; i++) {
        if (e->written[i])
            continue;
        if (e->out->len > 0 && e->out->data[e->out->len - 1] != '\n')
            sp_buf_add(e->out, "\n", 1);
        if (sp_authkeys_line(&e->want->v[i], e->out, e->err) < 0)
            return sp_field_prefix(e->err, "[%zu]", i);
    }
    return 0;
}

int sp_authkeys_edit(const char *old, size_t old_len, const struct sp_key_list *want,
                     const char *const *drop, size_t n_drop, struct sp_buf *out, struct sp_error *err)
{
    _cleanup_free_ bool *written = calloc(want->n + 1, sizeof(*written));
    struct edit e = {old, old_len, want, drop, n_drop, written, out, err};

    if (written == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    for (size_t i = 0; i < want->n; i++)
        if (check_key(&want->v[i], err) < 0)
            return sp_field_prefix(err, "[%zu]", i);
    if (sp_authkeys_each(old, old_len, visit_line, &e) != 0 || append_missing(&e) < 0)
        return -1;
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}
