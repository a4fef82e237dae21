/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Running logins that a key opened which goes: they end with it. Which key opened a login stands in sshd's
 * log, by the pid of root's half of the connection: nothing of the user's own is asked. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "resource/logins.h"
#include "resource/resource.h"

/* The fingerprints that were in force, or may have been, and that nobody wants now. Borrowed. */
struct gone {
    const char **v; /* owned */
    size_t n;
};

static void gone_clear(struct gone *g)
{
    free(g->v);
}

static bool is_listed(const struct sp_account *a, const char *fingerprint)
{
    for (size_t i = 0; i < a->n_domains; i++)
        if (sp_key_list_find(&a->domains[i].keys, fingerprint) != NULL)
            return true;
    return false;
}

/* One that has expired is still listed: reconcile looks for its logins, a request does not wait for that.
 */
static int find_gone(const struct sp_ctx *c, struct gone *ret, struct sp_error *err)
{
    _cleanup_(sp_key_list_clear) struct sp_key_list want = {0};
    size_t keys, sources;

    sp_account_count(c->applied, &keys, &sources);
    ret->v = calloc(keys + c->applied->found.n_keys + 1, sizeof(*ret->v));
    if (ret->v == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (c->thorough &&
        sp_account_effective_keys(c->desired, c->host->ops->now(c->host), &want, NULL, NULL, err) < 0)
        return -1;
    for (size_t i = 0; i < c->applied->n_domains; i++)
        for (size_t k = 0; k < c->applied->domains[i].keys.n; k++) {
            const char *fingerprint = c->applied->domains[i].keys.v[k].key.fingerprint;
            if (!sp_account_leaves_key(c->desired, fingerprint) &&
                (c->thorough ? sp_key_list_find(&want, fingerprint) == NULL
                             : !is_listed(c->desired, fingerprint)))
                ret->v[ret->n++] = fingerprint;
        }
    for (size_t i = 0; i < c->applied->found.n_keys; i++) {
        const char *fingerprint = c->applied->found.keys[i].fingerprint;
        if (!sp_found_has_key(&c->desired->found, fingerprint) && !is_listed(c->desired, fingerprint))
            ret->v[ret->n++] = fingerprint;
    }
    return 0;
}

/* Where every login ends anyway, sessions.c sees to it. */
static bool is_concerned(const struct sp_ctx *c)
{
    return c->user != NULL && !c->keep_sessions && !sp_ctx_absent(c) && !sp_ctx_shut(c);
}

static bool opened_it(const struct sp_sshdlog *l, void *data)
{
    const struct gone *g = data;

    for (size_t i = 0; !l->is_certificate && i < g->n; i++)
        if (sp_streq(l->fingerprint, g->v[i]))
            return true;
    return false;
}

static int count(const struct sp_ctx *c, size_t *ret, struct sp_error *err)
{
    _cleanup_(gone_clear) struct gone gone = {0};

    *ret = 0;
    if (find_gone(c, &gone, err) < 0)
        return -1;
    return gone.n == 0 ? 0
                       : sp_logins_count(c->host, c->config, c->user->name, c->user->uid, opened_it, &gone,
                                         ret, err);
}

static int key_logins_plan(const struct sp_ctx *c, struct sp_plan *p, struct sp_error *err)
{
    struct sp_change *change;
    size_t n = 0;

    if (!is_concerned(c))
        return 0;
    if (count(c, &n, err) < 0)
        return -1;
    if (n == 0)
        return 0;
    change = sp_plan_add(p, &sp_resource_key_logins, SP_NARROW, SP_TIGHTENS, 0, err);
    if (change == NULL)
        return -1;
    (void)sp_str_copy(change->target, sizeof(change->target), c->user->name);
    (void)sp_str_format(change->from, sizeof(change->from), "logins: %zu", n);
    return sp_str_copy(change->to, sizeof(change->to), "ended");
}

/* Planned or not: who was on his way in with the key when the plan was made has arrived by now. */
static int key_logins_apply(const struct sp_ctx *c, const struct sp_plan *p, enum sp_phase phase,
                            struct sp_error *err)
{
    _cleanup_(gone_clear) struct gone gone = {0};
    size_t n = 0, ended = 0;

    (void)p;
    if (phase != SP_NARROW || !is_concerned(c))
        return 0;
    /* What other logins left behind is not ended for a key that nobody came in with. */
    if (count(c, &n, err) < 0 || (n > 0 && find_gone(c, &gone, err) < 0))
        return -1;
    return n == 0 ? 0
                  : sp_logins_end(c->host, c->config, c->user->name, c->user->uid, opened_it, &gone, &ended,
                                  err);
}

static int key_logins_read_back(const struct sp_ctx *c, struct sp_change *change, struct sp_error *err)
{
    size_t n = 0;

    if (count(c, &n, err) < 0)
        return -1;
    return n == 0 ? sp_str_copy(change->read_back, sizeof(change->read_back), "ended")
                  : sp_str_format(change->read_back, sizeof(change->read_back), "logins: %zu", n);
}

const struct sp_resource sp_resource_key_logins = {"sessions", key_logins_plan, key_logins_apply,
                                                   key_logins_read_back, NULL};
