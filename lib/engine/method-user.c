/* SPDX-License-Identifier: GPL-3.0-or-later */
/* user.add, user.list, user.remove: extra logins on the files of a domain. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/intake.h"
#include "engine/loginlog.h"
#include "engine/logins.h"
#include "engine/methods.h"
#include "host/fsat.h"
#include "host/idmap.h"
#include "host/lock.h"
#include "host/mend.h"
#include "host/replace.h"
#include "host/userlogin.h"
#include "model/json.h"
#include "model/when.h"
#include "resource/extra.h"

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* What a request on a login is about. */
struct subject {
    const struct sp_params *params;
    char owner_name[SP_USER_SIZE];
    struct sp_state owner, login;
    struct sp_user owner_user;
    const struct sp_domain *domain; /* of the owner's desire */
};

static void clear(struct subject *s)
{
    sp_state_clear(&s->owner);
    sp_state_clear(&s->login);
}

static int not_ours(const char *name, const char *what, struct sp_error *err)
{
    sp_fail(err, SP_E_CONFLICT, 0, "%s is %s", name, what);
    sp_hint(err, "an extra login needs a name that nobody has: sallyport makes the system user");
    return sp_field(err, "user");
}

static int look(struct sp_engine *e, struct subject *s, struct sp_error *err)
{
    const struct sp_params *p = s->params;
    const struct sp_account *l = &s->login.desired;

    clear(s);
    if (sp_store_load(e->host, s->owner_name, &s->owner, err) < 0 ||
        sp_userdb_get(e->host, s->owner_name, &s->owner_user, err) < 0 ||
        sp_store_load(e->host, p->user, &s->login, err) < 0)
        return -1;
    s->domain = sp_account_find(&s->owner.desired, p->domain);
    if (s->domain == NULL)
        return sp_fail(err, SP_E_NOT_FOUND, 0, "%s was removed meanwhile", p->domain);
    if (s->owner_user.uid != s->owner.desired.uid)
        return sp_fail(err, SP_E_CONFLICT, 0, "%s has another uid than the account", s->owner_name);
    if (!s->login.exists)
        return 0;
    if (!sp_extra_is(&l->extra))
        return not_ours(p->user, "an account of its own", err);
    if (l->extra.owner_uid != s->owner.desired.uid)
        return not_ours(p->user, "an extra login of another account", err);
    if (l->n_domains > 0 && !sp_streq(l->domains[0].name, p->domain))
        return not_ours(p->user, "an extra login of another domain", err);
    return 0;
}

/* The owner's lock is his logins', too. */
static int begin(struct sp_engine *e, struct subject *s, const struct sp_run *run, struct sp_hold *hold,
                 struct sp_error *err)
{
    if (sp_owner_required(e, s->params, s->owner_name, err) < 0 ||
        sp_engine_hold(e, s->owner_name, run, hold, err) < 0)
        return -1;
    return look(e, s, err);
}

static int edit_login(struct sp_engine *e, struct sp_account *a, const struct sp_user *user, void *data,
                      struct sp_error *err)
{
    const struct subject *s = data;
    const struct sp_params *p = s->params;
    struct sp_domain *d = a->n_domains > 0 ? &a->domains[0] : NULL;

    (void)user;
    if (d == NULL && sp_account_attach(a, s->domain->name, s->domain->document_root, &d, err) < 0)
        return -1;
    if (sp_logins_inherit(e, a, &s->owner.desired, &s->owner_user, s->domain, err) < 0)
        return -1;
    if (p->has_label)
        (void)sp_str_copy(a->extra.label, sizeof(a->extra.label), p->label);
    if (p->has_access)
        a->extra.access = p->access_to_files;
    if (p->has_valid_until)
        a->access.valid_until = p->access.valid_until;
    if (p->forwarding != SP_FORWARDING_UNSET)
        a->forwarding = p->forwarding;
    if (p->has_keys)
        sp_key_list_clear(&d->keys);
    for (size_t i = 0; p->has_keys && i < p->keys.n; i++)
        if (sp_key_list_add(&d->keys, &p->keys.v[i], err) < 0)
            return -1;
    return 0;
}

static int check_request(struct sp_engine *e, const struct sp_params *p, struct sp_error *err)
{
    if (p->shell != SP_SHELL_UNSET && p->shell != SP_SHELL_CHROOT) {
        sp_fail(err, SP_E_UNSUPPORTED, 0, "an extra login has no shell but the jail's");
        sp_hint(
            err,
            "the files are his own through a mount of the jail; outside of it he is a stranger to them");
        return sp_field(err, "shell");
    }
    if (p->has_valid_until && p->access.valid_until != 0 &&
        p->access.valid_until <= e->host->ops->now(e->host)) {
        sp_fail(err, SP_E_INVALID, 0, "it has passed already");
        sp_hint(err, "give a time to come, in UTC; user.remove takes a login away at once");
        return sp_field(err, "expires_at");
    }
    if (sp_words_have(&e->config->denied_users, p->user)) {
        sp_fail(err, SP_E_FORBIDDEN, 0, "%s is one of denied_users", p->user);
        return sp_field(err, "user");
    }
    return sp_intake_check(e, &p->keys, SP_INTAKE_LIST, err);
}

/* The login walks to the document root as himself: the map begins there. */
static int check_way(struct sp_engine *e, const struct sp_user *owner, const char *root,
                     struct sp_error *err)
{
    char way[SP_PATH_SIZE];

    (void)sp_str_copy(way, sizeof(way), root);
    for (char *slash = strchr(way + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        struct stat st;
        *slash = '\0';
        if (fstatat(e->host->root_fd, way + 1, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return sp_fail(err, SP_E_IO, errno, "cannot look at %s", way);
        if ((st.st_mode & S_IXOTH) == 0) {
            sp_fail(err, SP_E_UNSUPPORTED, 0,
                    "others may not go through %s, and an extra login is one of them", way);
            return sp_mend_hint(e->host, owner, SP_MEND_PASS, way, "", err);
        }
        *slash = '/';
    }
    return 0;
}

/* The desire, and nothing in force: what a crash leaves is found by reconcile, which takes it away. */
static int save_first(struct sp_engine *e, const struct subject *s, uint32_t uid, struct sp_error *err)
{
    _cleanup_(sp_state_clear) struct sp_state first = {.exists = true, .pending = true, .generation = 1};
    struct sp_account *a = &first.desired;

    (void)sp_str_copy(first.original_shell, sizeof(first.original_shell), "/bin/false");
    (void)sp_str_copy(a->user, sizeof(a->user), s->params->user);
    a->uid = uid;
    a->extra.added_at = e->host->ops->now(e->host);
    if (edit_login(e, a, NULL, (void *)s, err) < 0)
        return -1;
    first.applied = (struct sp_account){.uid = uid, .tmp_mib = a->tmp_mib};
    (void)sp_str_copy(first.applied.user, sizeof(first.applied.user), a->user);
    if (sp_store_save(e->host, a->user, &first, err) < 0)
        return -1;
    return sp_loginlog_set_last(e->host, uid, err);
}

/* Does the filesystem take the map? Asked before anything else is made. */
static int try_map(struct sp_engine *e, const struct subject *s, uint32_t uid, struct sp_error *err)
{
    const struct sp_idmap map = {s->owner_user.uid, s->owner_user.gid, uid, uid};
    struct sp_error ignored;

    if (sp_idmap_keep(e->host, &map, err) == 0 &&
        sp_idmap_try(e->host, &map, s->domain->document_root, err) == 0)
        return 0;
    (void)sp_idmap_drop(e->host, &map, &ignored);
    return sp_field(err, "domain");
}

static int make_home(struct sp_engine *e, const struct subject *s, char home[SP_PATH_SIZE],
                     struct sp_error *err)
{
    char dir[SP_PATH_SIZE];
    _cleanup_close_ int parent = -1, fd = -1;

    sp_extra_dir(s->owner_user.uid, dir);
    if (sp_str_format(home, SP_PATH_SIZE, "%s/%s", dir, s->params->user) < 0)
        return sp_fail(err, SP_E_INTERNAL, 0, "path too long");
    parent = sp_fsat_make_dirs(e->host->root_fd, dir, 0711, err);
    fd = parent < 0 ? -1 : sp_fsat_make_dirs(e->host->root_fd, home, 0755, err);
    return fd < 0 ? -1 : 0;
}

/* The system user. Under one lock for the host, so that two do not get one uid. */
static int make_user(struct sp_engine *e, struct subject *s, uint32_t *ret_uid, struct sp_error *err)
{
    _cleanup_close_ int lock = -1, store = -1;
    char home[SP_PATH_SIZE];
    uint32_t last = 0;
    bool named = false;

    if (check_way(e, &s->owner_user, s->domain->document_root, err) < 0)
        return sp_field(err, "domain");
    store = sp_fsat_make_dirs(e->host->root_fd, SP_LOGINS_DIR, 0711, err);
    lock = store < 0 ? -1 : sp_lock_take(e->host, SP_LOGINLOG_LOCK, SP_LOCK_DEADLINE_MS, err);
    if (lock < 0 || sp_userlogin_is_named(e->host, s->params->user, &named, err) < 0)
        return -1;
    if (named)
        return not_ours(s->params->user, "a user or group of this host already", err);
    if (sp_loginlog_last(e->host, &last, err) < 0 ||
        sp_userlogin_choose(e->host, e->config->login_uid_min, e->config->login_uid_max, last, ret_uid,
                            err) < 0 ||
        try_map(e, s, *ret_uid, err) < 0 || make_home(e, s, home, err) < 0 ||
        save_first(e, s, *ret_uid, err) < 0)
        return -1;
    return sp_userlogin_add(e->host, s->params->user, *ret_uid, home, err);
}

/* Nothing is half done: what of a new login came to stand goes again, and the error stays. */
static void undo(struct sp_engine *e, const char *name)
{
    const struct sp_run run = {.flags = SP_RUN_APPLY};
    _cleanup_(sp_outcome_clear) struct sp_outcome o = {0};
    _cleanup_(sp_state_clear) struct sp_state login = {0};
    struct sp_error ignored;

    if (sp_store_load(e->host, name, &login, &ignored) < 0 || !login.exists ||
        !sp_extra_is(&login.desired.extra))
        return;
    sp_domain_clear(&login.desired.domains[0]); /* it never was: nothing for the log */
    login.desired.n_domains = 0;
    (void)sp_logins_remove(e, &login, &run, "", &o, &ignored);
}

/* A first request that was cut off before there was the system user: what it left goes, and all is made
 * anew. */
static int begin_anew(struct sp_engine *e, struct subject *s, struct sp_error *err)
{
    struct sp_user user;

    if (s->params->dry_run || !s->login.exists || !s->login.pending ||
        sp_userdb_get(e->host, s->params->user, &user, err) == 0)
        return 0;
    if (err->code != SP_E_NOT_FOUND)
        return -1;
    undo(e, s->params->user);
    return look(e, s, err);
}

static int report_user(const struct sp_params *p, uint32_t uid, cJSON *result, struct sp_error *err)
{
    char text[32] = "made";

    if (uid != 0)
        (void)snprintf(text, sizeof(text), "uid %u", uid);
    return sp_report_first(result, "user", p->user, "", text, uid != 0 ? text : NULL, err);
}

/* Without the user there is nothing that the rest could be compared with. */
static int report_dry(const struct subject *s, cJSON *result, struct sp_error *err)
{
    cJSON *warnings = cJSON_AddArrayToObject(result, "warnings");

    if (!cJSON_AddStringToObject(result, "user", s->params->user) ||
        !cJSON_AddNumberToObject(result, "generation", 0) || !cJSON_AddTrueToObject(result, "changed") ||
        !cJSON_AddArrayToObject(result, "changes") || warnings == NULL ||
        !cJSON_AddItemToArray(warnings, cJSON_CreateString("what else changes is known when there is the "
                                                           "system user")))
        return no_memory(err);
    return report_user(s->params, 0, result, err);
}

SP_METHOD(sp_user_add)
{
    _cleanup_(clear) struct subject s = {.params = p};
    const struct sp_run run = {p->dry_run ? SP_RUN_DRY : SP_RUN_APPLY, p->has_generation, p->if_generation,
                               edit_login, &s};
    _cleanup_(sp_outcome_clear) struct sp_outcome o = {0};
    _cleanup_(sp_hold_end) struct sp_hold hold = {0};
    uint32_t uid = 0;
    bool is_new;

    (void)raw;
    if (check_request(e, p, err) < 0 || begin(e, &s, &run, &hold, err) < 0 || begin_anew(e, &s, err) < 0)
        return -1;
    if (!cJSON_AddStringToObject(result, "domain", p->domain))
        return no_memory(err);
    is_new = !s.login.exists;
    if (is_new && p->dry_run)
        return report_dry(&s, result, err);
    if ((is_new && make_user(e, &s, &uid, err) < 0) || sp_engine_run(e, p->user, &run, &o, err) < 0) {
        if (is_new)
            undo(e, p->user);
        return -1;
    }
    if (sp_report_outcome(&o, result, err) < 0 || (is_new && report_user(p, uid, result, err) < 0))
        return -1;
    return sp_intake_warn(&p->keys, SP_INTAKE_LIST, result, err);
}

static int report_absent(const struct sp_params *p, cJSON *result, struct sp_error *err)
{
    if (!cJSON_AddStringToObject(result, "user", p->user) ||
        !cJSON_AddNumberToObject(result, "generation", 0) || !cJSON_AddFalseToObject(result, "changed") ||
        !cJSON_AddArrayToObject(result, "changes") || !cJSON_AddArrayToObject(result, "warnings"))
        return no_memory(err);
    return 0;
}

/* What a removal leaves that was cut off behind its last step. */
static int tidy(struct sp_engine *e, const struct subject *s, struct sp_error *err)
{
    return s->params->dry_run ? 0 : sp_logins_tidy(e->host, s->owner_user.uid, err);
}

SP_METHOD(sp_user_remove)
{
    _cleanup_(clear) struct subject s = {.params = p};
    const struct sp_run run = {.flags = p->dry_run ? SP_RUN_DRY : SP_RUN_APPLY,
                               .has_generation = p->has_generation,
                               .if_generation = p->if_generation};
    _cleanup_(sp_outcome_clear) struct sp_outcome o = {0};
    _cleanup_(sp_hold_end) struct sp_hold hold = {0};

    (void)raw;
    if (begin(e, &s, &run, &hold, err) < 0)
        return -1;
    if (!cJSON_AddStringToObject(result, "domain", p->domain))
        return no_memory(err);
    if (!s.login.exists)
        return tidy(e, &s, err) < 0 ? -1 : report_absent(p, result, err);
    if (sp_logins_remove(e, &s.login, &run, "removed", &o, err) < 0)
        return -1;
    return sp_report_outcome(&o, result, err);
}

static cJSON *when(int64_t t)
{
    char text[SP_WHEN_SIZE];

    sp_when_format(t, text);
    return t != 0 ? cJSON_CreateString(text) : cJSON_CreateNull();
}

static int list_one(const struct sp_state *s, cJSON *array, struct sp_error *err)
{
    const struct sp_account *a = &s->desired;
    cJSON *o = cJSON_CreateObject(), *keys;

    if (o == NULL || !cJSON_AddItemToArray(array, o)) {
        cJSON_Delete(o);
        return no_memory(err);
    }
    keys = cJSON_AddArrayToObject(o, "authorized_keys");
    if (keys == NULL || !cJSON_AddStringToObject(o, "user", a->user) ||
        !cJSON_AddNumberToObject(o, "uid", a->uid) ||
        !cJSON_AddStringToObject(o, "label", a->extra.label) ||
        !cJSON_AddBoolToObject(o, "read_only", a->extra.access == SP_EXTRA_READS) ||
        !cJSON_AddStringToObject(o, "shell", sp_shell_name(a->shell)) ||
        !cJSON_AddStringToObject(o, "forwarding", sp_forwarding_name(a->forwarding)) ||
        !cJSON_AddItemToObject(o, "added_at", when(a->extra.added_at)) ||
        !cJSON_AddItemToObject(o, "expires_at", when(a->access.valid_until)) ||
        !cJSON_AddNumberToObject(o, "generation", (double)s->generation) ||
        !cJSON_AddBoolToObject(o, "pending", s->pending))
        return no_memory(err);
    for (size_t i = 0; i < a->domains[0].keys.n; i++) {
        cJSON *key = NULL;
        if (sp_key_to_json(&a->domains[0].keys.v[i], &key, err) < 0)
            return -1;
        (void)cJSON_AddItemToArray(keys, key);
    }
    return 0;
}

SP_METHOD(sp_user_list)
{
    cJSON *now = cJSON_AddArrayToObject(result, "users"), *past = cJSON_AddArrayToObject(result, "past");
    _cleanup_(sp_users_clear) struct sp_users logins = {0};
    _cleanup_(sp_state_clear) struct sp_state owner = {0};
    char name[SP_USER_SIZE];

    (void)raw;
    if (now == NULL || past == NULL || !cJSON_AddStringToObject(result, "domain", p->domain))
        return no_memory(err);
    /* A domain that is gone has a past. */
    if (sp_store_owner(e->host, p->domain, name, err) < 0)
        return -1;
    if (name[0] != '\0' && (sp_store_load(e->host, name, &owner, err) < 0 ||
                            sp_logins_of(e->host, owner.desired.uid, &logins, err) < 0))
        return -1;
    for (size_t i = 0; i < logins.n; i++) {
        _cleanup_(sp_state_clear) struct sp_state s = {0};
        if (sp_store_load(e->host, logins.v[i], &s, err) < 0)
            return -1;
        if (s.exists && sp_extra_is(&s.desired.extra) && s.desired.n_domains > 0 &&
            sp_streq(s.desired.domains[0].name, p->domain) && list_one(&s, now, err) < 0)
            return -1;
    }
    if (sp_loginlog_list(e->host, p->domain, past, err) < 0)
        return -1;
    /* Neither of today nor of before: the same answer as everywhere. */
    return name[0] == '\0' && cJSON_GetArraySize(past) == 0 ? sp_owner_required(e, p, name, err) : 0;
}
