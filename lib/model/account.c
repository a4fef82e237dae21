/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/account.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

void sp_domain_clear(struct sp_domain *d)
{
    sp_key_list_clear(&d->keys);
    sp_cidr_list_clear(&d->sources);
    *d = (struct sp_domain){0};
}

void sp_account_clear(struct sp_account *a)
{
    for (size_t i = 0; i < a->n_domains; i++)
        sp_domain_clear(&a->domains[i]);
    free(a->domains);
    sp_found_clear(&a->found);
    *a = (struct sp_account){0};
}

static int copy_domain(struct sp_domain *dst, const struct sp_domain *src, struct sp_error *err)
{
    *dst = *src;
    dst->keys = (struct sp_key_list){0};
    dst->sources = (struct sp_cidr_list){0};
    for (size_t i = 0; i < src->keys.n; i++)
        if (sp_key_list_add(&dst->keys, &src->keys.v[i], err) < 0)
            return -1;
    return sp_cidr_list_copy(&dst->sources, &src->sources, err);
}

int sp_account_copy(struct sp_account *dst, const struct sp_account *src, struct sp_error *err)
{
    struct sp_account a = *src;

    a.n_domains = 0;
    a.domains = NULL;
    if (sp_found_copy(&a.found, &src->found, err) < 0)
        return -1;
    a.domains = calloc(src->n_domains + 1, sizeof(*a.domains));
    if (a.domains == NULL) {
        sp_found_clear(&a.found);
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    }
    for (size_t i = 0; i < src->n_domains; i++) {
        a.n_domains++;
        if (copy_domain(&a.domains[i], &src->domains[i], err) < 0) {
            sp_account_clear(&a);
            return -1;
        }
    }
    *dst = a;
    return 0;
}

int sp_account_merge(struct sp_account *dst, const struct sp_account *src, struct sp_error *err)
{
    if (src->shell != SP_SHELL_UNSET)
        dst->shell = src->shell;
    dst->access.suspended |= src->access.suspended;
    for (size_t i = 0; i < src->n_domains; i++) {
        const struct sp_domain *from = &src->domains[i];
        struct sp_domain *to = sp_account_find(dst, from->name);
        if (to == NULL && sp_account_attach(dst, from->name, from->document_root, &to, err) < 0)
            return -1;
        for (size_t k = 0; k < from->keys.n; k++)
            if (sp_key_list_find(&to->keys, from->keys.v[k].key.fingerprint) == NULL &&
                sp_key_list_add(&to->keys, &from->keys.v[k], err) < 0)
                return -1;
    }
    return 0;
}

struct sp_domain *sp_account_find(const struct sp_account *a, const char *domain)
{
    for (size_t i = 0; i < a->n_domains; i++)
        if (sp_streq(a->domains[i].name, domain))
            return &a->domains[i];
    return NULL;
}

bool sp_account_leaves_key(const struct sp_account *a, const char *fingerprint)
{
    for (size_t i = 0; i < a->n_domains; i++)
        if (sp_key_list_find(&a->domains[i].keys, fingerprint) != NULL)
            return false;
    return sp_found_has_key(&a->found, fingerprint);
}

int sp_account_attach(struct sp_account *a, const char *domain, const char *document_root,
                      struct sp_domain **ret, struct sp_error *err)
{
    struct sp_domain *grown, *d;

    if (sp_name_check_domain(domain, err) < 0)
        return sp_field_prefix(err, "domain");
    if (sp_name_check_path(document_root, err) < 0)
        return sp_field_prefix(err, "document_root");
    if (a->n_domains >= SP_DOMAINS_MAX)
        return sp_fail(err, SP_E_INVALID, 0, "more than %d domains on one account", SP_DOMAINS_MAX);
    grown = realloc(a->domains, (a->n_domains + 1) * sizeof(*grown));
    if (grown == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    a->domains = grown;
    d = &grown[a->n_domains++];
    *d = (struct sp_domain){0};
    (void)sp_str_copy(d->name, sizeof(d->name), domain);
    (void)sp_str_copy(d->document_root, sizeof(d->document_root), document_root);
    *ret = d;
    return 0;
}

void sp_account_detach(struct sp_account *a, const char *domain)
{
    struct sp_domain *d = sp_account_find(a, domain);
    size_t at;

    if (d == NULL)
        return;
    at = (size_t)(d - a->domains);
    sp_domain_clear(d);
    memmove(d, d + 1, (a->n_domains - at - 1) * sizeof(*d));
    a->n_domains--;
}

void sp_account_count(const struct sp_account *a, size_t *ret_keys, size_t *ret_sources)
{
    *ret_keys = *ret_sources = 0;
    for (size_t i = 0; i < a->n_domains; i++) {
        const struct sp_domain *d = &a->domains[i];
        *ret_keys += d->keys.n;
        *ret_sources += d->sources.n;
        for (size_t k = 0; k < d->keys.n; k++)
            *ret_sources += d->keys.v[k].from.n;
    }
}

int sp_account_add_profile(struct sp_account *a, const char *name, struct sp_error *err)
{
    size_t at = 0;

    while (at < a->n_profiles && strcmp(a->profiles[at], name) < 0)
        at++;
    if (at < a->n_profiles && sp_streq(a->profiles[at], name))
        return 0;
    if (a->n_profiles == SP_PROFILES_MAX || strlen(name) >= SP_PROFILE_NAME_SIZE)
        return sp_fail(err, SP_E_INVALID, 0, "at most %d profiles, each name below %d bytes",
                       SP_PROFILES_MAX, SP_PROFILE_NAME_SIZE);
    memmove(a->profiles[at + 1], a->profiles[at], (a->n_profiles - at) * SP_PROFILE_NAME_SIZE);
    (void)sp_str_copy(a->profiles[at], SP_PROFILE_NAME_SIZE, name);
    a->n_profiles++;
    return 0;
}

void sp_account_set_name(const struct sp_account *a, char out[SP_PROFILES_MAX * SP_PROFILE_NAME_SIZE])
{
    size_t used = 0;

    (void)sp_str_copy(out, SP_PROFILE_NAME_SIZE, "base");
    for (size_t i = 0; i < a->n_profiles; i++) {
        size_t n = strlen(a->profiles[i]);
        if (used > 0)
            out[used++] = '+';
        memcpy(out + used, a->profiles[i], n + 1);
        used += n;
    }
}

size_t sp_account_roots(const struct sp_account *a, const char *roots[SP_ROOTS_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < a->n_domains && n < SP_ROOTS_MAX; i++) {
        size_t k = 0;
        while (k < n && !sp_streq(roots[k], a->domains[i].document_root))
            k++;
        if (k == n)
            roots[n++] = a->domains[i].document_root;
    }
    return n;
}

/* One key of two domains: from anywhere if either says so, else from both lists; the later expiry. */
static int widen_key(struct sp_key *have, const struct sp_key *more, const char **why, struct sp_error *err)
{
    *why = sp_keyrules_widen(&have->rules, &more->rules);
    if (*why != NULL)
        return 0;
    if (have->expires_at != 0 && (more->expires_at == 0 || more->expires_at > have->expires_at))
        have->expires_at = more->expires_at;
    if (have->from.n == 0 || more->from.n == 0) {
        sp_cidr_list_clear(&have->from);
        return 0;
    }
    for (size_t i = 0; i < more->from.n; i++)
        if (sp_cidr_list_add(&have->from, &more->from.v[i], err) < 0)
            return -1;
    return 0;
}

static int add_effective(const struct sp_domain *d, const struct sp_key *k, int64_t until,
                         struct sp_key_list *ret, const char **why, struct sp_error *err)
{
    _cleanup_(sp_key_clear) struct sp_key cut = {0};
    struct sp_key *have;

    if (sp_key_copy(&cut, k, err) < 0)
        return -1;
    sp_cidr_list_clear(&cut.from);
    if (until != 0 && (cut.expires_at == 0 || cut.expires_at > until))
        cut.expires_at = until;
    if (sp_cidr_list_intersect(&k->from, &d->sources, &cut.from, err) < 0)
        return -1;
    if (cut.from.n == 0 && (k->from.n != 0 || d->sources.n != 0)) {
        *why = "none of its sources lies within the domain's sources";
        return 0;
    }
    have = (struct sp_key *)sp_key_list_find(ret, k->key.fingerprint);
    return have != NULL ? widen_key(have, &cut, why, err) : sp_key_list_add(ret, &cut, err);
}

int sp_account_effective_keys(const struct sp_account *a, int64_t now, struct sp_key_list *ret,
                              void (*skipped)(const struct sp_domain *, const struct sp_key *,
                                              const char *why, void *),
                              void *data, struct sp_error *err)
{
    for (size_t i = 0; i < a->n_domains; i++) {
        const struct sp_domain *d = &a->domains[i];
        for (size_t k = 0; k < d->keys.n; k++) {
            const char *why = NULL;
            if (d->keys.v[k].expires_at != 0 && d->keys.v[k].expires_at <= now)
                why = "it has expired";
            else if (a->access.valid_until != 0 && a->access.valid_until <= now)
                why = "the account's time is over";
            else if (add_effective(d, &d->keys.v[k], a->access.valid_until, ret, &why, err) < 0)
                return -1;
            if (why != NULL && skipped != NULL)
                skipped(d, &d->keys.v[k], why, data);
        }
    }
    return 0;
}

static const char *const shell_names[] = {"unset", "none", "bash", "chroot"};
static const char *const forwarding_names[] = {"unset", "none", "local", "all"};

static int parse_name(const char *const *names, size_t n, const char *text, const char *what, int *ret,
                      struct sp_error *err)
{
    for (size_t i = 1; i < n; i++)
        if (sp_streq(names[i], text)) {
            *ret = (int)i;
            return 0;
        }
    sp_fail(err, SP_E_INVALID, 0, "\"%.40s\" is no %s", text, what);
    return sp_hint(err, "one of %s, %s, %s", names[1], names[2], names[3]);
}

const char *sp_shell_name(enum sp_shell s)
{
    return shell_names[s];
}

int sp_shell_parse(const char *text, enum sp_shell *ret, struct sp_error *err)
{
    int v = 0;

    if (parse_name(shell_names, SP_COUNT(shell_names), text, "shell", &v, err) < 0)
        return -1;
    *ret = (enum sp_shell)v;
    return 0;
}

const char *sp_forwarding_name(enum sp_forwarding f)
{
    return forwarding_names[f];
}

int sp_forwarding_parse(const char *text, enum sp_forwarding *ret, struct sp_error *err)
{
    int v = 0;

    if (parse_name(forwarding_names, SP_COUNT(forwarding_names), text, "forwarding", &v, err) < 0)
        return -1;
    *ret = (enum sp_forwarding)v;
    return 0;
}
