/* SPDX-License-Identifier: GPL-3.0-or-later */
/* account.suspend, account.resume, password.lock, password.unlock: what a whole account may, beside its
 * desired state and without touching it. */
#include "base/mem.h"
#include "base/str.h"
#include "engine/logins.h"
#include "engine/methods.h"
#include "model/when.h"

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

static int is_managed(struct sp_engine *e, const char *user, struct sp_error *err)
{
    _cleanup_(sp_state_clear) struct sp_state s = {0};

    if (sp_store_load(e->host, user, &s, err) < 0)
        return -1;
    if (s.exists)
        return 0;
    sp_fail(err, SP_E_NOT_FOUND, 0, "%s has no SSH access from sallyport", user);
    sp_hint(err, "domain.list (sallyport list) shows who has");
    return sp_field(err, "user");
}

int sp_account_required(struct sp_engine *e, const struct sp_params *p, char ret_user[SP_USER_SIZE],
                        struct sp_error *err)
{
    bool is_extra;

    if (p->domain[0] == '\0' && p->user[0] != '\0') {
        (void)sp_str_copy(ret_user, SP_USER_SIZE, p->user);
        return is_managed(e, p->user, err);
    }
    if (sp_owner_required(e, p, ret_user, err) < 0)
        return -1;
    if (p->user[0] == '\0' || sp_streq(p->user, ret_user))
        return 0;
    if (sp_logins_is_of(e, p->user, p->domain, &is_extra, err) < 0)
        return -1;
    if (is_extra) {
        (void)sp_str_copy(ret_user, SP_USER_SIZE, p->user);
        return 0;
    }
    sp_fail(err, SP_E_CONFLICT, 0, "%s belongs to the user %s", p->domain, ret_user);
    sp_hint(err, "name the domain or the user: one is enough");
    return sp_field(err, "user");
}

int sp_access_edit(struct sp_account *a, const struct sp_params *p, struct sp_error *err)
{
    if (p->access.authentication != SP_AUTH_UNSET)
        a->access.authentication = p->access.authentication;
    if (p->has_valid_from)
        a->access.valid_from = p->access.valid_from;
    if (p->has_valid_until)
        a->access.valid_until = p->access.valid_until;
    return sp_access_check(&a->access, err);
}

int sp_access_report(const struct sp_access *a, cJSON *result, struct sp_error *err)
{
    char from[SP_WHEN_SIZE], until[SP_WHEN_SIZE];

    sp_when_format(a->valid_from, from);
    sp_when_format(a->valid_until, until);
    if (!cJSON_AddBoolToObject(result, "suspended", a->suspended) ||
        !cJSON_AddBoolToObject(result, "password_locked", a->password_locked) ||
        !cJSON_AddStringToObject(result, "authentication", sp_authentication_name(a->authentication)) ||
        !(a->valid_from != 0 ? cJSON_AddStringToObject(result, "valid_from", from)
                             : cJSON_AddNullToObject(result, "valid_from")) ||
        !(a->valid_until != 0 ? cJSON_AddStringToObject(result, "valid_until", until)
                              : cJSON_AddNullToObject(result, "valid_until")))
        return no_memory(err);
    return 0;
}

/* An extra login goes by its owner, under his lock. */
static int hold_owner(struct sp_engine *e, const char *user, const struct sp_run *run, struct sp_hold *hold,
                      struct sp_error *err)
{
    _cleanup_(sp_state_clear) struct sp_state s = {0};

    if (sp_store_load(e->host, user, &s, err) < 0)
        return -1;
    return sp_extra_is(&s.desired.extra) ? sp_engine_hold(e, s.desired.extra.owner, run, hold, err) : 0;
}

static int run(struct sp_engine *e, const struct sp_params *p, enum sp_run_flags flags,
               int (*edit)(struct sp_engine *, struct sp_account *, const struct sp_user *, void *,
                           struct sp_error *),
               cJSON *result, struct sp_error *err)
{
    const struct sp_run how = {(p->dry_run ? SP_RUN_DRY : SP_RUN_APPLY) | flags, p->has_generation,
                               p->if_generation, edit, NULL};
    _cleanup_(sp_outcome_clear) struct sp_outcome o = {0};
    _cleanup_(sp_hold_end) struct sp_hold hold = {0};
    char user[SP_USER_SIZE];

    if (sp_account_required(e, p, user, err) < 0 || hold_owner(e, user, &how, &hold, err) < 0 ||
        sp_engine_run(e, user, &how, &o, err) < 0 || sp_report_outcome(&o, result, err) < 0)
        return -1;
    if (!p->dry_run && sp_logins_follow_all(e, &o, NULL, result, err) < 0)
        return -1;
    return sp_access_report(&o.state.desired.access, result, err);
}

static int suspend(struct sp_engine *e, struct sp_account *a, const struct sp_user *user, void *data,
                   struct sp_error *err)
{
    (void)e;
    (void)user;
    (void)data;
    (void)err;
    a->access.suspended = true;
    return 0;
}

static int resume(struct sp_engine *e, struct sp_account *a, const struct sp_user *user, void *data,
                  struct sp_error *err)
{
    (void)e;
    (void)user;
    (void)data;
    (void)err;
    a->access.suspended = false;
    return 0;
}

static int lock(struct sp_engine *e, struct sp_account *a, const struct sp_user *user, void *data,
                struct sp_error *err)
{
    (void)e;
    (void)user;
    (void)data;
    a->access.password_locked = true;
    return sp_access_check(&a->access, err);
}

static int unlock(struct sp_engine *e, struct sp_account *a, const struct sp_user *user, void *data,
                  struct sp_error *err)
{
    (void)e;
    (void)user;
    (void)data;
    (void)err;
    a->access.password_locked = false;
    return 0;
}

SP_METHOD(sp_account_suspend)
{
    (void)raw;
    return run(e, p, SP_RUN_WITHDRAWS, suspend, result, err);
}

SP_METHOD(sp_account_resume)
{
    (void)raw;
    return run(e, p, SP_RUN_APPLY, resume, result, err);
}

SP_METHOD(sp_password_lock)
{
    (void)raw;
    return run(e, p, SP_RUN_WITHDRAWS | SP_RUN_LEAVE_HOME, lock, result, err);
}

SP_METHOD(sp_password_unlock)
{
    (void)raw;
    return run(e, p, SP_RUN_APPLY, unlock, result, err);
}
