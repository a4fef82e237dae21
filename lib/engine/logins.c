/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/logins.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/loginlog.h"
#include "host/audit.h"
#include "host/fsat.h"
#include "host/lock.h"
#include "host/replace.h"
#include "resource/extra.h"

static int add_name(struct sp_users *u, const char *name, struct sp_error *err)
{
    void *grown = realloc(u->v, (u->n + 1) * sizeof(*u->v));

    if (grown == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    u->v = grown;
    return sp_str_copy(u->v[u->n++], SP_USER_SIZE, name);
}

int sp_logins_of(struct sp_host *h, uint32_t owner_uid, struct sp_users *ret, struct sp_error *err)
{
    _cleanup_(sp_users_clear) struct sp_users users = {0};
    _cleanup_closedir_ DIR *dir = NULL;
    const struct dirent *entry;
    char path[SP_PATH_SIZE];
    int rc;

    sp_extra_dir(owner_uid, path);
    dir = sp_fsat_list(h->root_fd, path, SP_FSAT_NONE, err);
    if (dir == NULL)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    while ((rc = sp_fsat_next(dir, path, &entry, err)) > 0)
        if (entry->d_name[0] != '.' && sp_name_check_user(entry->d_name, err) == 0 &&
            add_name(&users, entry->d_name, err) < 0)
            return -1;
    if (rc < 0)
        return -1;
    if (users.n > 0)
        qsort(users.v, users.n, sizeof(*users.v), (int (*)(const void *, const void *))strcmp);
    *ret = users;
    users = (struct sp_users){0};
    return 0;
}

int sp_logins_is_of(struct sp_engine *e, const char *user, const char *domain, bool *ret,
                    struct sp_error *err)
{
    _cleanup_(sp_state_clear) struct sp_state s = {0};

    *ret = false;
    if (sp_store_load(e->host, user, &s, err) < 0)
        return sp_error_is_blind(err) ? -1 : 0;
    *ret = s.exists && sp_extra_is(&s.desired.extra) && sp_account_find(&s.desired, domain) != NULL;
    return 0;
}

/* 1: the user is the one whom the account is of. A passwd that cannot be read tells of nobody that he is
 * gone: his logins would go with him. */
static int is_owner(struct sp_engine *e, const struct sp_extra *l, const struct sp_state *s,
                    struct sp_user *ret_user, struct sp_error *err)
{
    if (!s->exists || s->desired.uid != l->owner_uid || sp_extra_is(&s->desired.extra))
        return 0;
    if (sp_userdb_get(e->host, s->desired.user, ret_user, err) < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    return ret_user->uid == l->owner_uid;
}

/* By the name that the login knows, or by the one that his uid has now: usermod -l. */
int sp_logins_owner(struct sp_engine *e, const struct sp_extra *l, struct sp_state *ret,
                    struct sp_user *ret_user, struct sp_error *err)
{
    const char *name = l->owner;
    char now[64];
    int rc;

    for (int turn = 0; turn < 2; turn++) {
        if (sp_store_load(e->host, name, ret, err) < 0)
            return -1;
        rc = is_owner(e, l, ret, ret_user, err);
        if (rc != 0)
            return rc < 0 ? -1 : 0;
        sp_state_clear(ret);
        if (turn == 1)
            return 0;
        if (sp_userdb_find_name(e->host, l->owner_uid, now, err) < 0)
            return err->code == SP_E_NOT_FOUND ? 0 : -1;
        name = now;
    }
    return 0;
}

static bool is_shut(struct sp_engine *e, const struct sp_account *owner)
{
    return owner->shell == SP_SHELL_NONE || sp_access_is_shut(&owner->access, e->host->ops->now(e->host));
}

int sp_logins_inherit(struct sp_engine *e, struct sp_account *login, const struct sp_account *owner,
                      const struct sp_user *user, const struct sp_domain *d, struct sp_error *err)
{
    struct sp_domain *mine = &login->domains[0];

    if (sp_str_copy(login->extra.owner, sizeof(login->extra.owner), user->name) < 0 ||
        sp_str_copy(login->extra.owner_home, sizeof(login->extra.owner_home), user->home) < 0 ||
        sp_str_copy(mine->name, sizeof(mine->name), d->name) < 0 ||
        sp_str_copy(mine->document_root, sizeof(mine->document_root), d->document_root) < 0)
        return sp_fail(err, SP_E_INVALID, 0, "the home of %s is too long a path", user->name);
    login->extra.owner_uid = user->uid;
    login->extra.owner_gid = user->gid;
    login->shell = mine->shell = is_shut(e, owner) ? SP_SHELL_NONE : SP_SHELL_CHROOT;
    login->tmp_mib = owner->tmp_mib;
    login->limits = owner->limits;
    memcpy(login->profiles, owner->profiles, sizeof(login->profiles));
    login->n_profiles = owner->n_profiles;
    sp_cidr_list_clear(&mine->sources);
    if (sp_cidr_list_copy(&mine->sources, &d->sources, err) < 0)
        return -1;
    return sp_account_add_profile(login, "base", err);
}

struct following {
    const struct sp_account *owner; /* NULL: the login is given up */
    const struct sp_user *user;
    const struct sp_domain *domain;
};

static int edit_follow(struct sp_engine *e, struct sp_account *a, const struct sp_user *user, void *data,
                       struct sp_error *err)
{
    const struct following *f = data;

    (void)user;
    if (f->owner != NULL && a->n_domains > 0)
        return sp_logins_inherit(e, a, f->owner, f->user, f->domain, err);
    while (a->n_domains > 0)
        sp_account_detach(a, a->domains[0].name);
    return 0;
}

static int log_removal(struct sp_engine *e, const struct sp_account *a, const char *reason,
                       struct sp_error *err)
{
    const char *domain = a->n_domains > 0 ? a->domains[0].name : "";
    const struct sp_audit_field fields[] = {{"METHOD", "user.remove"}, {"DOMAIN", domain},
                                            {"USER", a->user},         {"REASON", reason},
                                            {"LABEL", a->extra.label}, {NULL, NULL}};
    _cleanup_close_ int lock = sp_lock_take(e->host, SP_LOGINLOG_LOCK, SP_LOCK_DEADLINE_MS, err);
    char message[512];

    if (lock < 0 || sp_loginlog_add(e->host, a, reason, err) < 0)
        return -1;
    (void)sp_str_format(message, sizeof(message), "the extra login %s of %s: %s", a->user, domain, reason);
    sp_audit(e->host, message, fields);
    return 0;
}

int sp_logins_tidy(struct sp_host *h, uint32_t owner_uid, struct sp_error *err)
{
    char dir[SP_PATH_SIZE];

    sp_extra_dir(owner_uid, dir);
    return sp_replace_remove_empty(h, dir, err);
}

int sp_logins_remove(struct sp_engine *e, const struct sp_state *login, const struct sp_run *run,
                     const char *reason, struct sp_outcome *ret, struct sp_error *err)
{
    struct following f = {0};
    const struct sp_run gone = {(run->flags & SP_RUN_DRY) | SP_RUN_WITHDRAWS, run->has_generation,
                                run->if_generation, edit_follow, &f};

    if ((run->flags & SP_RUN_DRY) == 0 && login->desired.n_domains > 0 &&
        log_removal(e, &login->desired, reason, err) < 0)
        return -1;
    if (sp_engine_run(e, login->desired.user, &gone, ret, err) < 0)
        return -1;
    return (run->flags & SP_RUN_DRY) != 0 ? 0
                                          : sp_logins_tidy(e->host, login->desired.extra.owner_uid, err);
}

/* By its name, by the one that it has got, or by its document root. */
static const struct sp_domain *find_domain(const struct sp_account *owner, const struct sp_domain *mine,
                                           const struct sp_logins_rename *renamed)
{
    const struct sp_domain *d;

    if (renamed != NULL && sp_streq(mine->name, renamed->from))
        return sp_account_find(owner, renamed->to);
    d = sp_account_find(owner, mine->name);
    for (size_t i = 0; d == NULL && i < owner->n_domains; i++)
        if (sp_streq(owner->domains[i].document_root, mine->document_root))
            d = &owner->domains[i];
    return d;
}

static const char *why_gone(struct sp_engine *e, const struct sp_account *a, const struct sp_state *owner,
                            const struct sp_domain *d)
{
    struct sp_error err;
    struct sp_user passwd;

    if (a->n_domains == 0)
        return "removed";
    if (a->access.valid_until != 0 && a->access.valid_until <= e->host->ops->now(e->host))
        return "expired";
    if (!owner->exists)
        return "the owner of the files is gone";
    if (d == NULL)
        return "the domain is gone";
    if (sp_userdb_get(e->host, a->user, &passwd, &err) < 0 && err.code == SP_E_NOT_FOUND)
        return "its system user is gone";
    return "";
}

int sp_logins_follow(struct sp_engine *e, const struct sp_state *login, const struct sp_run *run,
                     const struct sp_logins_rename *renamed, struct sp_outcome *ret,
                     char ret_why[SP_LOGINS_WHY], struct sp_error *err)
{
    const struct sp_account *a = &login->desired;
    _cleanup_(sp_state_clear) struct sp_state owner = {0};
    struct sp_user user = {0};
    struct following f = {0};
    struct sp_run follow = *run;
    const struct sp_domain *d = NULL;

    if (sp_logins_owner(e, &a->extra, &owner, &user, err) < 0)
        return -1;
    if (owner.exists && a->n_domains > 0)
        d = find_domain(&owner.desired, &a->domains[0], renamed);
    (void)sp_str_copy(ret_why, SP_LOGINS_WHY, why_gone(e, a, &owner, d));
    if (ret_why[0] != '\0')
        return sp_logins_remove(e, login, run, ret_why, ret, err);
    f = (struct following){&owner.desired, &user, d};
    follow.edit = edit_follow;
    follow.data = &f;
    return sp_engine_run(e, a->user, &follow, ret, err);
}

static int tell(cJSON *result, const char *login, const char *why, const struct sp_outcome *o,
                struct sp_error *err)
{
    cJSON *warnings = cJSON_GetObjectItemCaseSensitive(result, "warnings");
    char text[256];

    if (!o->changed)
        return 0;
    (void)sp_str_format(text, sizeof(text), "the extra login %s %s%s%s", login,
                        why[0] != '\0' ? "was removed" : "followed", why[0] != '\0' ? ": " : "", why);
    if (warnings == NULL)
        warnings = cJSON_AddArrayToObject(result, "warnings");
    if (warnings == NULL || !cJSON_AddItemToArray(warnings, cJSON_CreateString(text)))
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    return 0;
}

static int follow_one(struct sp_engine *e, const char *name, const struct sp_logins_rename *renamed,
                      cJSON *result, struct sp_error *err)
{
    const struct sp_run run = {.flags = SP_RUN_APPLY};
    _cleanup_(sp_outcome_clear) struct sp_outcome o = {0};
    _cleanup_(sp_state_clear) struct sp_state login = {0};
    char why[SP_LOGINS_WHY] = "";

    if (sp_store_load(e->host, name, &login, err) < 0)
        return -1;
    if (!login.exists || !sp_extra_is(&login.desired.extra)) /* one that is about to be made */
        return 0;
    if (sp_logins_follow(e, &login, &run, renamed, &o, why, err) < 0)
        return -1;
    return tell(result, name, why, &o, err);
}

int sp_logins_follow_all(struct sp_engine *e, const struct sp_outcome *owner,
                         const struct sp_logins_rename *renamed, cJSON *result, struct sp_error *err)
{
    const struct sp_run run = {.flags = SP_RUN_APPLY};
    _cleanup_(sp_users_clear) struct sp_users logins = {0};
    _cleanup_(sp_hold_end) struct sp_hold hold = {0};
    uint32_t uid = owner->state.desired.uid;
    struct sp_error first;
    int rc = 0;

    if (sp_extra_is(&owner->state.desired.extra) || sp_logins_of(e->host, uid, &logins, err) < 0)
        return sp_extra_is(&owner->state.desired.extra) ? 0 : -1;
    if (logins.n == 0)
        return 0;
    if (!e->holds && sp_engine_hold(e, owner->user, &run, &hold, err) < 0)
        return -1;
    for (size_t i = 0; i < logins.n; i++)
        if (follow_one(e, logins.v[i], renamed, result, err) < 0) {
            if (rc == 0)
                first = *err;
            rc = -1;
        }
    if (rc < 0)
        *err = first;
    return rc;
}
