/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/adoption.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/check.h"
#include "host/alive.h"
#include "host/bulk.h"
#include "host/fsat.h"
#include "host/homepath.h"
#include "host/lock.h"
#include "model/json.h"
#include "resource/keys.h"

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

static bool put_error(cJSON *o, const struct sp_error *why)
{
    return cJSON_AddStringToObject(o, "reason", sp_code_name(why->code)) &&
           cJSON_AddStringToObject(o, "error", why->text) && cJSON_AddStringToObject(o, "hint", why->hint);
}

int sp_adoption_report(cJSON *report, enum sp_adoption_result result, const struct sp_error *why,
                       struct sp_error *err)
{
    static const char *const names[] = {[SP_ADOPTION_TAKEN] = "taken",
                                        [SP_ADOPTION_KNOWN] = "known",
                                        [SP_ADOPTION_PASSED] = "passed_over",
                                        [SP_ADOPTION_FAILED] = "failed"};

    cJSON_DeleteItemFromObjectCaseSensitive(report, "result");
    if (!cJSON_AddStringToObject(report, "result", names[result]))
        return no_memory(err);
    return (result != SP_ADOPTION_FAILED && result != SP_ADOPTION_PASSED) || put_error(report, why)
               ? 0
               : no_memory(err);
}

bool sp_adoption_is_named(const cJSON *names, const char *user, const struct sp_account *a)
{
    const cJSON *one = NULL;

    if (cJSON_GetArraySize(names) == 0)
        return true;
    cJSON_ArrayForEach(one, names) if (sp_streq(one->valuestring, user) ||
                                       sp_account_find(a, one->valuestring) != NULL) return true;
    return false;
}

static bool note(cJSON *report, const char *text)
{
    cJSON *notes = cJSON_GetObjectItemCaseSensitive(report, "notes");

    if (notes == NULL)
        notes = cJSON_AddArrayToObject(report, "notes");
    return notes != NULL && cJSON_AddItemToArray(notes, cJSON_CreateString(text));
}

/* Is he one of the panel's customers, as the preset tells them? */
static int is_customer(const struct sp_adoption *a, const struct sp_user *u, struct sp_error *err)
{
    bool member = a->panel->groups.n == 0;
    struct sp_error why;

    if (sp_words_have(&a->panel->excluded_users, u->name))
        return sp_fail(err, SP_E_FORBIDDEN, 0, "%s is the panel's own", u->name);
    if (u->uid < a->panel->uid_min || u->uid > a->panel->uid_max)
        return sp_fail(err, SP_E_FORBIDDEN, 0, "the uid %u is none of a customer's of %s", u->uid,
                       a->panel->title);
    for (size_t i = 0; !member && i < a->panel->groups.n; i++) {
        const char *group = a->panel->groups.v[i];
        gid_t gid;
        if (sp_userdb_group_gid(a->engine->host, group, &gid, &why) == 0 &&
            sp_userdb_in_group(a->engine->host, group, u->name, &member, &why) == 0)
            member = member || gid == u->gid;
        else if (sp_error_is_blind(&why)) {
            *err = why;
            return -1;
        }
    }
    return member ? 0
                  : sp_fail(err, SP_E_FORBIDDEN, 0, "%s is in none of the groups of a customer's of %s",
                            u->name, a->panel->title);
}

struct keys_found {
    struct sp_found *found;
    struct sp_error *err;
    size_t left_out;
};

static int add_key(const struct sp_authkeys_entry *entry, void *data)
{
    struct keys_found *k = data;

    if (entry->unread)
        return sp_fail(k->err, SP_E_NO_MEMORY, 0, "out of memory");
    if (entry->fingerprint[0] == '\0' ||
        sp_found_add_key(k->found, entry->fingerprint, entry->type, k->err) == 0)
        return 0;
    k->left_out++;
    return sp_error_is_blind(k->err) ? -1 : 0;
}

/* Most homes have no such file: that is seen without a process of the user's. */
static bool has_file(const struct sp_adoption *a, const struct sp_user *u)
{
    struct sp_error why;
    _cleanup_close_ int home =
        sp_fsat_open(a->engine->host->root_fd, u->home, O_PATH | O_DIRECTORY, 0, SP_FSAT_NONE, &why);
    _cleanup_close_ int file = -1;

    if (home < 0)
        return sp_error_is_blind(&why);
    file = sp_fsat_open(home, SP_KEYS_HOME_FILE, O_PATH, 0, SP_FSAT_NO_XDEV, &why);
    return file >= 0 || why.code != SP_E_NOT_FOUND;
}

/* What its owner has made of it is said, and the account is taken all the same. 1: the host is to blame,
 * and *why says how. */
static int find_keys(const struct sp_adoption *a, const struct sp_user *u, struct sp_found *f,
                     cJSON *report, struct sp_error *why, struct sp_error *err)
{
    _cleanup_(sp_home_keys_clear) struct sp_home_keys have = {0};
    struct keys_found keys = {.found = f, .err = why};
    char text[512];

    if (!has_file(a, u))
        return 0;
    if (sp_home_read(a->engine->host, u, SP_KEYS_HOME_FILE, &have, why) < 0) {
        if (sp_error_is_blind(why))
            return 1;
        (void)snprintf(text, sizeof(text), "the keys in the home could not be looked at: %.300s",
                       why->text);
        return note(report, text) ? 0 : no_memory(err);
    }
    if (sp_authkeys_each(sp_buf_str(&have.bytes), have.bytes.len, add_key, &keys) < 0)
        return 1;
    (void)snprintf(text, sizeof(text), "%zu more keys stand in the home than the record holds",
                   keys.left_out);
    return keys.left_out == 0 || note(report, text) ? 0 : no_memory(err);
}

#define OTHERS_SHOWN 8

/* Other tools' jails, and logins that share the uid: what a jail of ours would not hold. */
static int note_others(const struct sp_adoption *a, const struct sp_user *u, cJSON *report,
                       struct sp_error *err)
{
    const struct sp_panel_jail *jail = sp_panel_jail(u->shell);
    size_t n = 0, others = 0;
    struct sp_user *const *same = sp_userlist_of_uid(a->users, u->uid, &n);
    char text[1024];

    if (jail != NULL) {
        (void)snprintf(text, sizeof(text), "the shell is %s's: %s", jail->tool, jail->advice);
        if (!cJSON_AddStringToObject(report, "shell_of", jail->tool) || !note(report, text))
            return no_memory(err);
    }
    for (size_t i = 0; i < n; i++) {
        const struct sp_panel_jail *his = sp_panel_jail(same[i]->shell);
        if (sp_streq(same[i]->name, u->name) || ++others > OTHERS_SHOWN)
            continue;
        (void)snprintf(
            text, sizeof(text),
            "%.64s logs in with the same uid (%.200s%s%s) and is not managed: lock it before you "
            "count on a jail",
            same[i]->name, same[i]->shell, his != NULL ? ", " : "", his != NULL ? his->tool : "");
        if (!note(report, text))
            return no_memory(err);
    }
    (void)snprintf(text, sizeof(text), "%zu logins more have the same uid", others - OTHERS_SHOWN);
    return others <= OTHERS_SHOWN || note(report, text) ? 0 : no_memory(err);
}

static int leave_out(cJSON *report, const struct sp_panel_site *site, const struct sp_error *why,
                     struct sp_error *err)
{
    cJSON *left = cJSON_GetObjectItemCaseSensitive(report, "left_out"), *o = cJSON_CreateObject();

    if (left == NULL)
        left = cJSON_AddArrayToObject(report, "left_out");
    if (left == NULL || o == NULL || !cJSON_AddItemToArray(left, o)) {
        cJSON_Delete(o);
        return no_memory(err);
    }
    return cJSON_AddStringToObject(o, "domain", site->domain) && put_error(o, why) ? 0 : no_memory(err);
}

/* One domain onto the account; as a first request for it would be judged. */
static int add_domain(const struct sp_adoption *a, const struct sp_user *u,
                      const struct sp_panel_site *site, struct sp_account *account, struct sp_error *err)
{
    static const struct sp_account nothing = {0};
    char owner[SP_USER_SIZE];
    struct sp_domain *d = NULL;

    if (sp_store_owner(a->engine->host, site->domain, owner, err) < 0)
        return -1;
    if (owner[0] != '\0' && !sp_streq(owner, u->name)) {
        sp_fail(err, SP_E_CONFLICT, 0, "it is attached to the user %s", owner);
        return sp_hint(err, "sallyport remove %.100s, if that is wrong", site->domain);
    }
    if (sp_account_attach(account, site->domain, site->document_root, &d, err) < 0)
        return -1;
    if (sp_check_new_roots(a->engine, &nothing, account, u, err) == 0)
        return 0;
    sp_account_detach(account, site->domain);
    return -1;
}

static int add_domains(const struct sp_adoption *a, const struct sp_user *u,
                       const struct sp_panels_site *sites, size_t n, struct sp_account *account,
                       cJSON *report, struct sp_error *ret_first, struct sp_error *err)
{
    cJSON *domains = cJSON_AddArrayToObject(report, "domains");

    for (size_t i = 0; domains != NULL && i < n; i++) {
        struct sp_error why = sites[i].why;
        cJSON *o;
        if (sites[i].problem || add_domain(a, u, &sites[i].site, account, &why) < 0) {
            if (why.code == SP_E_NO_MEMORY || leave_out(report, &sites[i].site, &why, err) < 0)
                return no_memory(err);
            if (ret_first->code == SP_OK)
                *ret_first = why;
            continue;
        }
        o = cJSON_CreateObject();
        if (o == NULL || !cJSON_AddItemToArray(domains, o) ||
            !cJSON_AddStringToObject(o, "domain", sites[i].site.domain) ||
            !cJSON_AddStringToObject(o, "document_root", sites[i].site.document_root))
            return no_memory(err);
    }
    return domains != NULL ? 0 : no_memory(err);
}

static int describe(const struct sp_user *found, cJSON *report, struct sp_error *err)
{
    return cJSON_AddNumberToObject(report, "uid", found->uid) &&
                   cJSON_AddStringToObject(report, "shell", found->shell) &&
                   cJSON_AddStringToObject(report, "home", found->home)
               ? 0
               : no_memory(err);
}

static int fill(const struct sp_adoption *a, const struct sp_user *found, const struct sp_user *u,
                struct sp_state *s, cJSON *report, struct sp_error *why, struct sp_error *err)
{
    struct sp_account *d = &s->desired;
    int rc;

    s->exists = true;
    s->generation = a->generation;
    d->found.held = true;
    d->found.at = a->engine->host->ops->now(a->engine->host);
    if (sp_str_copy(d->found.panel, sizeof(d->found.panel), a->name) < 0 ||
        sp_str_copy(d->found.shell, sizeof(d->found.shell), found->shell) < 0 ||
        sp_str_copy(d->found.home, sizeof(d->found.home), found->home) < 0 ||
        sp_str_copy(s->original_shell, sizeof(s->original_shell), found->shell) < 0) {
        sp_fail(why, SP_E_INVALID, 0, "its line of passwd is too long");
        return 1;
    }
    rc = find_keys(a, u, &d->found, report, why, err);
    if (rc != 0 || note_others(a, found, report, err) < 0)
        return rc != 0 ? rc : -1;
    return cJSON_AddNumberToObject(report, "keys", (double)d->found.n_keys) ? 0 : no_memory(err);
}

/* 1: it has a state. -1: nobody knows. */
static int is_known(const struct sp_adoption *a, const char *user, struct sp_error *why)
{
    _cleanup_close_ int fd = -1;
    char path[SP_PATH_SIZE];

    if (sp_str_format(path, sizeof(path), SP_STORE_STATES "/%s.json", user) < 0)
        return sp_fail(why, SP_E_INVALID, 0, "the name %s is too long", user);
    fd = sp_fsat_open(a->engine->host->root_fd, path, O_PATH, 0, SP_FSAT_NONE, why);
    return fd >= 0 ? 1 : why->code == SP_E_NOT_FOUND ? 0 : -1;
}

/* 0: go on. 1: *ret_result is settled, and for FAILED and PASSED *why. */
static int judge_person(const struct sp_adoption *a, const struct sp_panels_site *sites,
                        const struct sp_user **ret, enum sp_adoption_result *ret_result,
                        struct sp_error *why)
{
    int known;

    *ret_result = SP_ADOPTION_FAILED;
    if (sp_name_check_user(sites[0].site.user, why) < 0) {
        if (sites[0].problem)
            *why = sites[0].why;
        return 1;
    }
    if (sp_userlist_find(a->users, sites[0].site.user, ret, why) < 0) {
        if (why->code == SP_E_NOT_FOUND)
            sp_hint(why, "the panel's files name an account that the system does not have");
        return 1;
    }
    if (is_customer(a, *ret, why) < 0) {
        if (why->code == SP_E_FORBIDDEN)
            *ret_result = SP_ADOPTION_PASSED;
        return 1;
    }
    known = is_known(a, (*ret)->name, why);
    if (known > 0)
        *ret_result = SP_ADOPTION_KNOWN;
    return known != 0;
}

/* One that hangs is told, and the next one is looked at. */
static int ask_alive(const struct sp_adoption *a, const struct sp_user *found,
                     const struct sp_panels_site *sites, size_t n, struct sp_error *why)
{
    _cleanup_free_ const char **paths = calloc(n + 1, sizeof(*paths));

    if (paths == NULL)
        return sp_fail(why, SP_E_NO_MEMORY, 0, "out of memory");
    paths[0] = found->home;
    for (size_t i = 0; i < n; i++)
        paths[i + 1] = sites[i].site.document_root;
    return sp_alive_ask(a->engine->host, paths, n + 1, why);
}

static int judge_account(const struct sp_adoption *a, const struct sp_user *found,
                         const struct sp_panels_site *sites, size_t n, struct sp_state *s, cJSON *report,
                         struct sp_error *why, struct sp_error *err)
{
    struct sp_account *d = &s->desired;
    struct sp_user u = *found;

    why->code = SP_OK;
    if (ask_alive(a, found, sites, n, why) < 0)
        return 1;
    sp_homepath_resolve(a->engine->host, &u);
    (void)sp_str_copy(d->user, sizeof(d->user), u.name);
    d->uid = u.uid;
    d->tmp_mib = a->engine->config->tmp_mib;
    if (add_domains(a, &u, sites, n, d, report, why, err) < 0)
        return -1;
    if (d->n_domains == 0)
        return 1;
    if (sp_check_account(a->engine, d, &u, why) < 0)
        return 1;
    return fill(a, found, &u, s, report, why, err);
}

int sp_adoption_judge(const struct sp_adoption *a, const struct sp_panels_site *sites, size_t n,
                      struct sp_state *ret, cJSON *report, enum sp_adoption_result *ret_result,
                      struct sp_error *err)
{
    _cleanup_(sp_state_clear) struct sp_state s = {0};
    const struct sp_user *found = NULL;
    struct sp_error why = {0};
    int rc = judge_person(a, sites, &found, ret_result, &why);

    if (!cJSON_AddStringToObject(report, "user", sites[0].site.user))
        return no_memory(err);
    if (found != NULL && describe(found, report, err) < 0)
        return -1;
    if (rc == 0 && found != NULL) {
        rc = judge_account(a, found, sites, n, &s, report, &why, err);
        if (rc < 0)
            return -1;
        *ret_result = rc == 0 ? SP_ADOPTION_TAKEN : SP_ADOPTION_FAILED;
    }
    if (*ret_result == SP_ADOPTION_FAILED && why.hint[0] == '\0')
        sp_hint(&why, "mend it and adopt again: what is taken stays");
    if (sp_adoption_report(report, *ret_result, &why, err) < 0)
        return -1;
    *ret = s;
    s = (struct sp_state){0};
    return 0;
}
