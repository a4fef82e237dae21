/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * domain.rebind: a domain gets another name, another document root, or its user another name. Keys, sources
 * and the shell stay with it. The first two are one edit of the desired account, so that a crash leaves the
 * old or the new; the third is adopt.c's, before it.
 */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/adopt.h"
#include "engine/logins.h"
#include "engine/methods.h"
#include "engine/sources.h"

/* What is asked, and what the edit met. */
struct rebinding {
    const struct sp_params *params;
    bool renamed, moved;
    char old_root[SP_PATH_SIZE];
};

static const char *new_name(const struct sp_params *p)
{
    return p->new_domain[0] != '\0' ? p->new_domain : p->domain;
}

static int not_found(const struct sp_params *p, struct sp_error *err)
{
    sp_fail(err, SP_E_NOT_FOUND, 0, "%s has no SSH access from sallyport", p->domain);
    sp_hint(err, "domain.list (sallyport list) shows what has; name the domain as it was before");
    return sp_field(err, "domain");
}

static int taken(const struct sp_params *p, const char *user, struct sp_error *err)
{
    sp_fail(err, SP_E_CONFLICT, 0, "%s has SSH access of its own, by the user %s", p->new_domain, user);
    sp_hint(err, "domain.remove one of the two first");
    return sp_field(err, "new_domain");
}

static int edit_rebind(struct sp_engine *e, struct sp_account *a, const struct sp_user *user, void *data,
                       struct sp_error *err)
{
    struct rebinding *r = data;
    const struct sp_params *p = r->params;
    struct sp_domain *d = sp_account_find(a, p->domain), *there = sp_account_find(a, new_name(p));

    (void)e;
    (void)user;
    if (d != NULL && there != NULL && d != there)
        return taken(p, a->user, err);
    if (d == NULL) { /* the same request a second time: then all of it is so already */
        if (there == NULL ||
            (p->document_root[0] != '\0' && !sp_streq(there->document_root, p->document_root)))
            return not_found(p, err);
        return 0;
    }
    (void)sp_str_copy(r->old_root, sizeof(r->old_root), d->document_root);
    r->renamed = d != there;
    r->moved = p->document_root[0] != '\0' && !sp_streq(p->document_root, d->document_root);
    if (r->moved)
        (void)sp_str_copy(d->document_root, sizeof(d->document_root), p->document_root);
    return sp_str_copy(d->name, sizeof(d->name), new_name(p));
}

static int find_owner(struct sp_engine *e, const struct sp_params *p, char ret[SP_USER_SIZE],
                      struct sp_error *err)
{
    char other[SP_USER_SIZE] = "";

    if (sp_store_owner(e->host, p->domain, ret, err) < 0 ||
        sp_store_owner(e->host, new_name(p), other, err) < 0)
        return -1;
    if (ret[0] == '\0')
        (void)sp_str_copy(ret, SP_USER_SIZE, other);
    if (ret[0] == '\0')
        return not_found(p, err);
    if (p->new_domain[0] == '\0' && p->document_root[0] == '\0' && p->user[0] == '\0') {
        sp_fail(err, SP_E_INVALID, 0, "nothing to rebind %s to", p->domain);
        sp_hint(err,
                "name a new_domain, a document_root, or the user by his new name (sallyport: --to, "
                "--document-root, --user)");
        return sp_field(err, "new_domain");
    }
    if (p->user[0] != '\0' && (p->new_domain[0] != '\0' || p->document_root[0] != '\0')) {
        sp_fail(err, SP_E_INVALID, 0, "the user's new name comes alone");
        sp_hint(err, "send it first; then a second request with the rest");
        return sp_field(err, "user");
    }
    return other[0] == '\0' || sp_streq(other, ret) ? 0 : taken(p, other, err);
}

/* Neither is a resource's: the name and the root stand in our records alone. */
static int report(const struct rebinding *r, const struct sp_outcome *o, cJSON *result,
                  struct sp_error *err)
{
    const struct sp_params *p = r->params;
    const struct sp_domain *d = sp_account_find(&o->state.desired, new_name(p));

    if (d == NULL)
        return sp_fail(err, SP_E_INTERNAL, 0, "the domain is not there under its new name");
    if (r->moved && sp_report_first(result, "document_root", d->name, r->old_root, p->document_root,
                                    p->dry_run ? NULL : d->document_root, err) < 0)
        return -1;
    return r->renamed ? sp_report_first(result, "domain", p->new_domain, p->domain, p->new_domain,
                                        p->dry_run ? NULL : d->name, err)
                      : 0;
}

static int run(struct sp_engine *e, const char *user, const struct sp_params *p, const struct sp_run *how,
               cJSON *result, struct sp_error *err)
{
    const struct sp_logins_rename name = {p->domain, new_name(p)};
    _cleanup_(sp_hold_end) struct sp_hold hold = {0};
    _cleanup_(sp_outcome_clear) struct sp_outcome o = {0};

    if (sp_engine_hold(e, user, how, &hold, err) < 0 || sp_engine_run(e, user, how, &o, err) < 0 ||
        sp_report_outcome(&o, result, err) < 0 || report(how->data, &o, result, err) < 0)
        return -1;
    if (!p->dry_run && (sp_logins_follow_all(e, &o, &name, result, err) < 0 ||
                        sp_store_tidy_index(e->host, p->domain, err) < 0))
        return -1;
    return sp_sources_rename(e, &o, p, new_name(p), result, err);
}

SP_METHOD(sp_domain_rebind)
{
    struct rebinding r = {.params = p};
    struct sp_run how = {p->dry_run ? SP_RUN_DRY : SP_RUN_APPLY, p->has_generation, p->if_generation,
                         edit_rebind, &r};
    char user[SP_USER_SIZE];
    enum sp_adopted adopted = SP_ADOPTED_NOTHING;

    (void)raw;
    if (find_owner(e, p, user, err) < 0)
        return -1;
    if (cJSON_AddStringToObject(result, "domain", new_name(p)) == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (p->user[0] != '\0' && sp_adopt(e, user, p->user, &how, &adopted, err) < 0)
        return -1;
    if (adopted == SP_ADOPTED_WOULD)
        return sp_adopt_report_dry(e, user, p->user, result, err);
    if (adopted == SP_ADOPTED_DONE)
        how.has_generation = false; /* compared before the account was taken over */
    if (run(e, p->user[0] != '\0' ? p->user : user, p, &how, result, err) < 0)
        return -1;
    return adopted == SP_ADOPTED_DONE ? sp_adopt_report(user, p->user, result, err) : 0;
}
