/* SPDX-License-Identifier: GPL-3.0-or-later */
/* domain.apply, domain.get, domain.list, domain.remove. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/intake.h"
#include "engine/keyuse.h"
#include "engine/methods.h"
#include "engine/sources.h"
#include "host/fsat.h"
#include "host/layout.h"
#include "host/slice.h"
#include "model/json.h"
#include "resource/profiles.h"

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

static int find_or_attach(struct sp_account *a, const struct sp_params *p, struct sp_domain **ret,
                          struct sp_error *err)
{
    struct sp_domain *d = sp_account_find(a, p->domain);

    *ret = d;
    if (sp_extra_is(&a->extra)) {
        sp_fail(err, SP_E_CONFLICT, 0, "%s is an extra login on the files of %s", a->user, a->extra.owner);
        sp_hint(err, "name the owner of the files; user.add changes an extra login");
        return sp_field(err, "user");
    }
    if (d == NULL && p->document_root[0] == '\0') {
        sp_fail(err, SP_E_INVALID, 0, "missing: the first request for a domain names its document root");
        sp_hint(err, "send domain, user and document_root (sallyport: --user, --document-root)");
        return sp_field(err, "document_root");
    }
    if (d == NULL)
        return sp_account_attach(a, p->domain, p->document_root, ret, err);
    if (p->document_root[0] == '\0' || sp_streq(p->document_root, d->document_root))
        return 0;
    sp_fail(err, SP_E_CONFLICT, 0, "%s has the document root %.200s", p->domain, d->document_root);
    sp_hint(err, "domain.rebind (sallyport rebind %.80s --document-root ...) moves it", p->domain);
    return sp_field(err, "document_root");
}

/* The shell is the account's. A domain may move it only where no other has asked for something else. */
static int set_shell(struct sp_account *a, struct sp_domain *d, const struct sp_params *p,
                     struct sp_error *err)
{
    if (p->shell == SP_SHELL_UNSET)
        return 0;
    for (size_t i = 0; i < a->n_domains; i++) {
        struct sp_domain *other = &a->domains[i];
        if (other == d || other->shell == SP_SHELL_UNSET || other->shell == p->shell)
            continue;
        if (p->account_wide) {
            other->shell = p->shell;
            continue;
        }
        sp_fail(err, SP_E_CONFLICT, 0, "%s shares the user %s and asked for the shell %s", other->name,
                a->user, sp_shell_name(other->shell));
        sp_hint(err,
                "the login shell belongs to the user: send \"account_wide\":true to change it for all his "
                "domains");
        return sp_field(err, "shell");
    }
    d->shell = p->shell;
    a->shell = p->shell;
    return 0;
}

/* Are these the account's profiles already? Then the files need not be read: what they require was added
 * when they were first named. */
static int are_there(const struct sp_account *a, const struct sp_params *p, bool *ret, struct sp_error *err)
{
    struct sp_account want = {0};

    memcpy(want.profiles, p->jail.profiles, sizeof(want.profiles));
    want.n_profiles = p->jail.n_profiles;
    if (sp_account_add_profile(&want, "base", err) < 0)
        return -1;
    *ret =
        want.n_profiles == a->n_profiles && memcmp(want.profiles, a->profiles, sizeof(want.profiles)) == 0;
    return 0;
}

/* "base" is part of every jail, and what a profile requires comes with it. */
static int set_profiles(struct sp_engine *e, struct sp_account *a, const struct sp_params *p,
                        struct sp_error *err)
{
    _cleanup_(sp_profiles_clear) struct sp_profiles loaded = {0};

    bool there = false;

    if (p->has_profiles && are_there(a, p, &there, err) < 0)
        return -1;
    if (p->has_profiles && !there) {
        memcpy(a->profiles, p->jail.profiles, sizeof(a->profiles));
        a->n_profiles = p->jail.n_profiles;
        if (sp_profiles_load(e->host, e->config, a, &loaded, err) < 0)
            return -1;
        for (size_t i = 0; i < loaded.n; i++)
            if (sp_account_add_profile(a, loaded.v[i]->name, err) < 0)
                return sp_field(err, "jail.profiles");
    } else if (!there && a->shell == SP_SHELL_CHROOT && sp_account_add_profile(a, "base", err) < 0)
        return -1;
    if (p->jail.tmp_mib != 0)
        a->tmp_mib = p->jail.tmp_mib;
    if (p->has_agent)
        a->agent = p->jail.agent;
    return 0;
}

static int replace_keys(struct sp_engine *e, struct sp_domain *d, const struct sp_params *p,
                        struct sp_error *err)
{
    if (p->has_keys) {
        _cleanup_(sp_key_list_clear) struct sp_key_list before = d->keys;
        d->keys = (struct sp_key_list){0};
        for (size_t i = 0; i < p->keys.n; i++)
            if (sp_key_list_add(&d->keys, &p->keys.v[i], err) < 0)
                return -1;
        sp_keyuse_stamp(e, &before, &d->keys);
    }
    if (!p->has_sources)
        return 0;
    sp_cidr_list_clear(&d->sources);
    return sp_cidr_list_copy(&d->sources, &p->sources, err);
}

/* Refused before anything is written down as desired. */
static int check_shell(struct sp_engine *e, const struct sp_params *p, struct sp_error *err)
{
    if (p->shell != SP_SHELL_BASH && p->shell != SP_SHELL_CHROOT)
        return 0;
    return sp_shell_check(e->host, p->shell == SP_SHELL_BASH ? SP_BASH : SP_CHROOT_BASH, err);
}

/* A change of the shell alone leaves the list: it is in force while the shell is bash. */
static int set_sudo(struct sp_account *a, const struct sp_params *p, struct sp_error *err)
{
    if (!p->has_sudo)
        return 0;
    if (p->sudo.n > 0 && a->shell != SP_SHELL_BASH) {
        sp_fail(err, SP_E_UNSUPPORTED, 0, "sudo is for plain bash%s",
                a->shell == SP_SHELL_CHROOT
                    ? ": in a jail no_new_privs takes every setuid program its right"
                    : "");
        sp_hint(err, "send \"shell\":\"bash\", or an empty list");
        return sp_field(err, "sudo");
    }
    a->sudo = p->sudo;
    return 0;
}

static int edit_apply(struct sp_engine *e, struct sp_account *a, const struct sp_user *user, void *data,
                      struct sp_error *err)
{
    const struct sp_params *p = data;
    struct sp_domain *d = NULL;

    (void)user;
    if (find_or_attach(a, p, &d, err) < 0 || check_shell(e, p, err) < 0 || set_shell(a, d, p, err) < 0 ||
        replace_keys(e, d, p, err) < 0 || sp_access_edit(a, p, err) < 0 || set_sudo(a, p, err) < 0)
        return -1;
    if (p->forwarding != SP_FORWARDING_UNSET)
        a->forwarding = p->forwarding;
    if (p->limits != NULL && sp_limits_from_json(p->limits, &a->limits, err) < 0)
        return sp_field_prefix(err, "limits");
    return set_profiles(e, a, p, err);
}

/* The same uid, and nobody has the old name any more: usermod -l. */
static bool is_renamed(struct sp_engine *e, const char *old, const char *new)
{
    _cleanup_(sp_state_clear) struct sp_state s = {0};
    struct sp_error ignored;
    struct sp_user user;

    return sp_userdb_get(e->host, old, &user, &ignored) < 0 &&
           sp_userdb_get(e->host, new, &user, &ignored) == 0 &&
           sp_store_load(e->host, old, &s, &ignored) == 0 && s.desired.uid == user.uid;
}

static int choose_user(struct sp_engine *e, const struct sp_params *p, char ret[SP_USER_SIZE],
                       struct sp_error *err)
{
    if (sp_store_owner(e->host, p->domain, ret, err) < 0)
        return -1;
    if (ret[0] == '\0' && p->user[0] == '\0') {
        sp_fail(err, SP_E_INVALID, 0, "missing: the first request for a domain names its system user");
        sp_hint(err, "send domain, user and document_root (sallyport: --user, --document-root)");
        return sp_field(err, "user");
    }
    if (ret[0] == '\0')
        return sp_str_copy(ret, SP_USER_SIZE, p->user);
    if (p->user[0] == '\0' || sp_streq(p->user, ret))
        return 0;
    sp_fail(err, SP_E_CONFLICT, 0, "%s belongs to the user %s", p->domain, ret);
    if (is_renamed(e, ret, p->user))
        sp_hint(err,
                "if he was renamed (usermod -l): domain.rebind it with \"user\":\"%s\"; else domain.remove",
                p->user);
    else
        sp_hint(err, "domain.remove it from %s first", ret);
    return sp_field(err, "user");
}

static enum sp_run_flags dry(const struct sp_params *p)
{
    return (p->dry_run ? SP_RUN_DRY : SP_RUN_APPLY) | (p->keep_sessions ? SP_RUN_KEEP_SESSIONS : 0);
}

SP_METHOD(sp_domain_apply)
{
    const enum sp_run_flags withdraws = p->shell == SP_SHELL_NONE ? SP_RUN_WITHDRAWS : SP_RUN_APPLY;
    const struct sp_run run = {dry(p) | withdraws, p->has_generation, p->if_generation, edit_apply,
                               (void *)p};
    _cleanup_(sp_hold_end) struct sp_hold hold = {0};
    _cleanup_json_ cJSON *part = NULL;
    char user[SP_USER_SIZE];

    (void)raw;
    if (choose_user(e, p, user, err) < 0 || sp_intake_check(e, &p->keys, SP_INTAKE_LIST, err) < 0 ||
        sp_engine_hold(e, user, &run, &hold, err) < 0 ||
        sp_sources_narrow(e, user, &run, p, SP_SOURCES_APPLY, &part, err) < 0 ||
        sp_run_and_report(e, user, &run, p, result, err) < 0)
        return -1;
    sp_sources_join(result, part);
    return sp_intake_warn(&p->keys, SP_INTAKE_LIST, result, err);
}

static int edit_remove(struct sp_engine *e, struct sp_account *a, const struct sp_user *user, void *data,
                       struct sp_error *err)
{
    const struct sp_params *p = data;
    enum sp_shell stated = SP_SHELL_UNSET;

    (void)e;
    (void)user;
    (void)err;
    sp_account_detach(a, p->domain);
    /* The shell stays what those who remain asked for, or what it is. */
    for (size_t i = 0; i < a->n_domains; i++)
        if (a->domains[i].shell != SP_SHELL_UNSET)
            stated = a->domains[i].shell;
    if (stated != SP_SHELL_UNSET)
        a->shell = stated;
    return 0;
}

SP_METHOD(sp_domain_remove)
{
    const struct sp_run run = {dry(p) | SP_RUN_WITHDRAWS | SP_RUN_FORGETS, p->has_generation,
                               p->if_generation, edit_remove, (void *)p};
    _cleanup_(sp_hold_end) struct sp_hold hold = {0};
    _cleanup_json_ cJSON *part = NULL;
    char user[SP_USER_SIZE];
    cJSON *warnings;

    (void)raw;
    if (sp_store_owner(e->host, p->domain, user, err) < 0)
        return -1;
    if (user[0] != '\0') {
        if (sp_engine_hold(e, user, &run, &hold, err) < 0 ||
            sp_sources_narrow(e, user, &run, p, SP_SOURCES_REMOVE, &part, err) < 0 ||
            sp_run_and_report(e, user, &run, p, result, err) < 0)
            return -1;
        sp_sources_join(result, part);
        return 0;
    }
    /* Removed already, or never there: the same request twice is no mistake. */
    if (!p->dry_run && sp_store_tidy_index(e->host, p->domain, err) < 0)
        return -1;
    if (cJSON_AddStringToObject(result, "domain", p->domain) == NULL ||
        !cJSON_AddNullToObject(result, "user") || !cJSON_AddNumberToObject(result, "generation", 0) ||
        !cJSON_AddFalseToObject(result, "changed") || !cJSON_AddArrayToObject(result, "changes"))
        return no_memory(err);
    warnings = cJSON_AddArrayToObject(result, "warnings");
    if (warnings == NULL ||
        !cJSON_AddItemToArray(warnings, cJSON_CreateString("the domain has no SSH access from sallyport")))
        return no_memory(err);
    return 0;
}

/* What holds, whoever said it; 0: no limit. */
static int add_limits(struct sp_engine *e, const struct sp_account *a, cJSON *result, struct sp_error *err)
{
    const struct sp_limits l = sp_policy_limits(e->config, a);
    const char *why = "";
    cJSON *o = sp_limits_to_json(&l);

    if (o == NULL || !cJSON_AddItemToObject(result, "limits", o) ||
        !cJSON_AddBoolToObject(o, "in_slice", sp_slice_usable(e->host, &why)))
        return no_memory(err);
    return 0;
}

/* The jail as the account has it: what was asked for, and the layout that a login would get now. */
static int add_jail(struct sp_engine *e, const struct sp_outcome *o, cJSON *result, struct sp_error *err)
{
    const struct sp_account *a = &o->state.desired;
    const char *paths[SP_ROOTS_MAX + 1];
    size_t n = sp_account_roots(a, paths);
    cJSON *jail = cJSON_AddObjectToObject(result, "jail"), *profiles;
    _cleanup_close_ int fd = -1;
    char why[300] = "";

    profiles = jail != NULL ? cJSON_AddArrayToObject(jail, "profiles") : NULL;
    if (profiles == NULL || !cJSON_AddNumberToObject(jail, "tmp_mib", a->tmp_mib) ||
        !cJSON_AddBoolToObject(jail, "agent", a->agent))
        return no_memory(err);
    for (size_t i = 0; i < a->n_profiles; i++)
        if (!cJSON_AddItemToArray(profiles, cJSON_CreateString(a->profiles[i])))
            return no_memory(err);
    if (a->shell != SP_SHELL_CHROOT || n == 0)
        return 0;
    paths[n++] = o->passwd.home;
    fd = sp_fsat_open_dir(e->host->root_fd, paths[0], SP_FSAT_NONE, err);
    if (fd < 0)
        return cJSON_AddStringToObject(jail, "problem", err->text) != NULL ? 0 : no_memory(err);
    if (sp_layout_probe(fd, paths, n, why) == SP_LAYOUT_ROOT)
        return cJSON_AddStringToObject(jail, "layout", "root") != NULL ? 0 : no_memory(err);
    return cJSON_AddStringToObject(jail, "layout", "path") &&
                   cJSON_AddStringToObject(jail, "layout_reason", why)
               ? 0
               : no_memory(err);
}

static int add_domain(const struct sp_domain *d, cJSON *result, struct sp_error *err)
{
    cJSON *keys = cJSON_AddArrayToObject(result, "authorized_keys");

    if (keys == NULL || cJSON_AddStringToObject(result, "document_root", d->document_root) == NULL ||
        !cJSON_AddItemToObject(result, "sources", sp_cidrs_to_json(&d->sources)))
        return no_memory(err);
    for (size_t i = 0; i < d->keys.n; i++) {
        cJSON *key = NULL;
        if (sp_key_to_json(&d->keys.v[i], &key, err) < 0)
            return -1;
        (void)cJSON_AddItemToArray(keys, key);
    }
    return 0;
}

static int add_account(const struct sp_outcome *o, cJSON *result, struct sp_error *err)
{
    const struct sp_account *a = &o->state.desired;
    cJSON *domains = cJSON_AddArrayToObject(result, "domains");
    bool ok =
        domains != NULL && cJSON_AddStringToObject(result, "user", o->user) &&
        cJSON_AddNumberToObject(result, "uid", a->uid) &&
        cJSON_AddStringToObject(result, "shell",
                                o->user_missing ? "none" : sp_loginshell_class(o->passwd.shell)) &&
        cJSON_AddStringToObject(result, "login_shell", o->passwd.shell) &&
        cJSON_AddStringToObject(result, "desired_shell", sp_shell_name(a->shell)) &&
        cJSON_AddStringToObject(result, "forwarding", sp_forwarding_name(a->forwarding)) &&
        cJSON_AddNumberToObject(result, "generation", (double)o->state.generation) &&
        cJSON_AddBoolToObject(result, "pending", o->state.pending) &&
        cJSON_AddBoolToObject(result, "in_force", o->plan.n == 0 && !o->state.pending && !o->user_missing);

    for (size_t i = 0; ok && i < a->n_domains; i++)
        ok = cJSON_AddItemToArray(domains, cJSON_CreateString(a->domains[i].name));
    if (ok && sp_found_is(&a->found)) {
        cJSON *adopted = cJSON_AddObjectToObject(result, "adopted");
        return adopted != NULL ? sp_found_to_json(&a->found, adopted, err) : no_memory(err);
    }
    return ok ? 0 : no_memory(err);
}

/* A shell of `none` is shown as such even where the shell that stood before us is a wide one: sshd turns
 * the account away. */
static void show_gate(const struct sp_outcome *o, cJSON *result)
{
    bool shut = o->state.desired.shell == SP_SHELL_NONE;

    for (size_t i = 0; i < o->plan.n; i++)
        if (o->plan.v[i].resource == &sp_resource_gate && sp_streq(o->plan.v[i].to, "shut"))
            shut = false;
    if (shut)
        (void)cJSON_ReplaceItemInObjectCaseSensitive(result, "shell", cJSON_CreateString("none"));
}

SP_METHOD(sp_domain_get)
{
    const struct sp_run run = {.flags = SP_RUN_DRY | SP_RUN_SHOW};
    _cleanup_(sp_outcome_clear) struct sp_outcome o = {0};
    char user[SP_USER_SIZE];
    const struct sp_domain *d;

    (void)raw;
    if (sp_owner_required(e, p, user, err) < 0 || sp_engine_run(e, user, &run, &o, err) < 0)
        return -1;
    d = sp_account_find(&o.state.desired, p->domain);
    if (cJSON_AddStringToObject(result, "domain", p->domain) == NULL)
        return no_memory(err);
    if (add_account(&o, result, err) < 0 || (d != NULL && add_domain(d, result, err) < 0) ||
        add_jail(e, &o, result, err) < 0 || add_limits(e, &o.state.desired, result, err) < 0 ||
        sp_access_report(&o.state.desired.access, result, err) < 0)
        return -1;
    if (!cJSON_AddItemToObject(result, "sudo", sp_sudo_to_json(&o.state.desired.sudo)))
        return no_memory(err);
    show_gate(&o, result);
    if (sp_report_changes(&o.plan, result, "drift", err) < 0)
        return -1;
    return d != NULL ? sp_sources_drift(e, &o.state.desired, d, result, err) : 0;
}

static int list_account(struct sp_engine *e, const char *user, cJSON *domains, cJSON *broken,
                        struct sp_error *err)
{
    _cleanup_(sp_state_clear) struct sp_state s = {0};
    struct sp_error why;

    if (sp_store_load(e->host, user, &s, &why) < 0) { /* one broken state hides no other account */
        cJSON *o = cJSON_CreateObject();
        if (!cJSON_AddStringToObject(o, "user", user) || !cJSON_AddStringToObject(o, "error", why.text) ||
            !cJSON_AddItemToArray(broken, o))
            return no_memory(err);
        return 0;
    }
    for (size_t i = 0; i < s.desired.n_domains && !sp_extra_is(&s.desired.extra); i++) {
        const struct sp_domain *d = &s.desired.domains[i];
        cJSON *o = cJSON_CreateObject();
        if (!cJSON_AddStringToObject(o, "domain", d->name) || !cJSON_AddStringToObject(o, "user", user) ||
            !cJSON_AddStringToObject(o, "document_root", d->document_root) ||
            !cJSON_AddStringToObject(o, "shell", sp_shell_name(s.desired.shell)) ||
            !cJSON_AddNumberToObject(o, "keys", (double)d->keys.n) ||
            !cJSON_AddBoolToObject(o, "suspended", s.desired.access.suspended) ||
            (s.desired.found.held && !cJSON_AddTrueToObject(o, "adopted")) ||
            !cJSON_AddBoolToObject(o, "pending", s.pending) || !cJSON_AddItemToArray(domains, o))
            return no_memory(err);
    }
    return 0;
}

SP_METHOD(sp_domain_list)
{
    _cleanup_(sp_users_clear) struct sp_users users = {0};
    cJSON *domains = cJSON_AddArrayToObject(result, "domains"),
          *broken = cJSON_AddArrayToObject(result, "broken");

    (void)p;
    (void)raw;
    if (domains == NULL || broken == NULL)
        return no_memory(err);
    if (sp_store_users(e->host, &users, err) < 0)
        return -1;
    for (size_t i = 0; i < users.n; i++)
        if (list_account(e, users.v[i], domains, broken, err) < 0)
            return -1;
    return 0;
}
