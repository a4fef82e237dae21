/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sessions.list, sessions.end: who is in over SSH, and the way out. What is shown is asked of the kernel;
 * only what opened a login is asked of sshd's log, where pid, user and port must fit. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/logins.h"
#include "engine/methods.h"
#include "host/loginlist.h"
#include "host/loginlog.h"
#include "host/proctable.h"
#include "model/json.h"
#include "model/sshdlog.h"
#include "model/when.h"
#include "resource/globalkeys.h"

#define END_DEADLINE_MS 5000
#define LOG_SLACK_S 120

/* How a login proved itself; the first proof too where sshd wanted two. */
struct proof {
    struct sp_sshdlog last, part; /* pid 0: not known */
};

struct found {
    struct sp_host *host;
    struct sp_logins logins;
    struct proof *proofs; /* owned; one for each */
};

static void found_clear(struct found *f)
{
    sp_logins_clear(&f->logins);
    free(f->proofs);
}

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* An account whose user is gone has nobody in. */
static int add_account(struct sp_engine *e, const struct sp_proctable *t, const char *user,
                       struct sp_logins *ret, struct sp_error *err)
{
    struct sp_user u;

    if (sp_userdb_get(e->host, user, &u, err) < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    return u.uid != 0 ? sp_loginlist_add(e->host, t, user, u.uid, ret, err) : 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static bool is_known(const struct sp_users *users, const char *name)
{
    return users->n > 0 && bsearch(name, users->v, users->n, sizeof(*users->v), by_name) != NULL;
}

static int add_name(struct sp_users *names, const char *name, struct sp_error *err)
{
    void *grown;

    for (size_t i = 0; i < names->n; i++)
        if (sp_streq(names->v[i], name))
            return 0;
    grown = reallocarray(names->v, names->n + 1, sizeof(*names->v));
    if (grown == NULL)
        return no_memory(err);
    names->v = grown;
    return sp_str_copy(names->v[names->n++], SP_USER_SIZE, name) == 0 ? 0 : no_memory(err);
}

/* Of all the accounts there are, those that have a process: few, and the processes say which. */
static int running_accounts(struct sp_engine *e, const struct sp_proctable *t, struct sp_users *ret,
                            struct sp_error *err)
{
    _cleanup_(sp_users_clear) struct sp_users all = {0};
    uid_t last = 0;

    if (sp_store_users(e->host, &all, err) < 0)
        return -1;
    for (size_t i = 0; i < t->n; i++) {
        char name[64];
        uid_t uid = t->procs[i].uid;
        if (uid == 0 || uid == last)
            continue;
        last = uid;
        if (sp_userdb_find_name(e->host, uid, name, err) < 0) {
            if (err->code == SP_E_NOT_FOUND)
                continue;
            return -1;
        }
        if (is_known(&all, name) && add_name(ret, name, err) < 0)
            return -1;
    }
    return 0;
}

/* The account of a domain, and the extra logins on the domain's files; or the user alone. */
static int named_accounts(struct sp_engine *e, const struct sp_params *p, struct sp_users *ret,
                          struct sp_error *err)
{
    _cleanup_(sp_users_clear) struct sp_users extra = {0};
    char user[SP_USER_SIZE];
    struct sp_user u;

    if (sp_account_required(e, p, user, err) < 0 || add_name(ret, user, err) < 0)
        return -1;
    if (p->user[0] != '\0')
        return 0;
    if (sp_userdb_get(e->host, user, &u, err) < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    if (sp_logins_of(e->host, u.uid, &extra, err) < 0)
        return -1;
    for (size_t i = 0; i < extra.n; i++) {
        bool is_of;
        if (sp_logins_is_of(e, extra.v[i], p->domain, &is_of, err) < 0 ||
            (is_of && add_name(ret, extra.v[i], err) < 0))
            return -1;
    }
    return 0;
}

/* Pids come again: the log's last line of this pid, this user and this port is the one. */
static void look(const char *line, size_t len, void *data)
{
    struct found *f = data;
    struct sp_sshdlog l;

    if (line == NULL || !sp_sshdlog_parse(line, len, &l) ||
        (l.kind != SP_SSHDLOG_ACCEPTED && l.kind != SP_SSHDLOG_PARTIAL))
        return;
    for (size_t i = 0; i < f->logins.n; i++) {
        const struct sp_login *one = &f->logins.v[i];
        if (!one->connected || (uint32_t)one->pid != l.pid || !sp_streq(one->user, l.user) ||
            (one->has_peer && one->peer.port != l.port) ||
            !sp_loginlog_fits(one->since, sp_loginlog_when(f->host, l.at)))
            continue;
        if (l.kind == SP_SSHDLOG_PARTIAL)
            f->proofs[i].part = l;
        else
            f->proofs[i].last = l;
    }
}

/* Without a log nothing is known of what opened them: that is no failure. */
static int ask_log(struct sp_engine *e, struct found *f, struct sp_error *err)
{
    int64_t oldest = INT64_MAX;
    struct sp_error no_log;

    f->proofs = calloc(f->logins.n + 1, sizeof(*f->proofs));
    if (f->proofs == NULL)
        return no_memory(err);
    for (size_t i = 0; i < f->logins.n; i++)
        if (f->logins.v[i].connected && f->logins.v[i].since < oldest)
            oldest = f->logins.v[i].since;
    f->host = e->host;
    if (oldest != INT64_MAX)
        (void)sp_loginlog_each(e->host, e->config->auth_log, oldest - LOG_SLACK_S, look, f, &no_log);
    return 0;
}

static int find(struct sp_engine *e, const struct sp_params *p, struct found *ret, struct sp_error *err)
{
    _cleanup_(sp_proctable_clear) struct sp_proctable t = {0};
    _cleanup_(sp_users_clear) struct sp_users names = {0};
    bool named = p->domain[0] != '\0' || p->user[0] != '\0';

    if (sp_loginlist_table(e->host, &t, err) < 0)
        return -1;
    if ((named ? named_accounts(e, p, &names, err) : running_accounts(e, &t, &names, err)) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++)
        if (add_account(e, &t, names.v[i], &ret->logins, err) < 0)
            return -1;
    return ask_log(e, ret, err);
}

/* Whose key it is: the account's, or a global one. "" where nobody knows. */
static void label_of(struct sp_engine *e, const struct sp_account *a, const char *fingerprint,
                     char ret[SP_LABEL_SIZE])
{
    _cleanup_(sp_globals_clear) struct sp_globals g = {0};
    const struct sp_key *key = NULL;
    struct sp_error ignored;

    for (size_t i = 0; key == NULL && i < a->n_domains; i++)
        key = sp_key_list_find(&a->domains[i].keys, fingerprint);
    if (key == NULL && sp_globals_read(e->host, &g, &ignored) == 0)
        for (size_t i = 0; key == NULL && i < g.n; i++)
            key = sp_key_list_find(&g.v[i].keys, fingerprint);
    (void)sp_str_copy(ret, SP_LABEL_SIZE, key != NULL ? key->label : "");
}

static bool put_text(cJSON *o, const char *name, const char *text)
{
    return text[0] != '\0' ? cJSON_AddStringToObject(o, name, text) != NULL
                           : cJSON_AddNullToObject(o, name) != NULL;
}

static bool put_proof(struct sp_engine *e, const struct proof *proof, const struct sp_account *a, cJSON *o)
{
    const struct sp_sshdlog *l = &proof->last;
    const struct sp_sshdlog *key = l->fingerprint[0] != '\0' ? l : &proof->part;
    char label[SP_LABEL_SIZE] = "";
    cJSON *auth;

    if (l->pid == 0)
        return cJSON_AddNullToObject(o, "authentication") != NULL;
    if (key->fingerprint[0] != '\0')
        label_of(e, a, key->fingerprint, label);
    auth = cJSON_AddObjectToObject(o, "authentication");
    return cJSON_AddStringToObject(auth, "method", l->method) &&
           put_text(auth, "fingerprint", key->fingerprint) && put_text(auth, "label", label) &&
           put_text(auth, "key_id", key->key_id) &&
           sp_json_put(auth, "serial",
                       key->is_certificate ? cJSON_CreateNumber((double)key->serial) : cJSON_CreateNull());
}

static bool put_peer(const struct sp_login *l, cJSON *o)
{
    char address[SP_CIDR_SIZE] = "";

    if (l->has_peer)
        sp_cidr_format(&l->peer.address, address);
    return put_text(o, "from", address) &&
           sp_json_put(o, "port", l->has_peer ? cJSON_CreateNumber(l->peer.port) : cJSON_CreateNull());
}

/* A list of words at commas. */
static bool put_words(cJSON *o, const char *name, const char *words)
{
    cJSON *array = cJSON_AddArrayToObject(o, name);
    char word[96];

    while (array != NULL && words[0] != '\0') {
        size_t n = strcspn(words, ",");
        if (sp_str_format(word, sizeof(word), "%.*s", (int)n, words) < 0 ||
            !cJSON_AddItemToArray(array, cJSON_CreateString(word)))
            return false;
        words += n + (words[n] == ',');
    }
    return array != NULL;
}

static bool put_lists(const struct sp_login *l, const struct sp_account *a, cJSON *o)
{
    cJSON *domains = cJSON_AddArrayToObject(o, "domains"),
          *programs = cJSON_AddArrayToObject(o, "programs");
    bool ok = domains != NULL && programs != NULL;

    for (size_t i = 0; ok && i < a->n_domains; i++)
        ok = cJSON_AddItemToArray(domains, cJSON_CreateString(a->domains[i].name));
    for (size_t i = 0; ok && i < l->n_programs; i++) {
        char name[sizeof(l->programs[i])];
        (void)sp_str_copy(name, sizeof(name), l->programs[i]);
        sp_str_make_printable(name); /* whoever runs it says how it is called */
        ok = cJSON_AddItemToArray(programs, cJSON_CreateString(name));
    }
    return ok && put_words(o, "terminals", l->terminals);
}

static int report_one(struct sp_engine *e, const struct sp_login *l, const struct proof *proof,
                      cJSON *sessions, struct sp_error *err)
{
    _cleanup_(sp_state_clear) struct sp_state s = {0};
    cJSON *o = cJSON_CreateObject();
    char since[SP_WHEN_SIZE];
    struct sp_error broken;

    if (!cJSON_AddItemToArray(sessions, o))
        return no_memory(err);
    (void)sp_store_load(e->host, l->user, &s, &broken);
    sp_when_format(l->since, since);
    return cJSON_AddStringToObject(o, "id", l->id) && cJSON_AddStringToObject(o, "user", l->user) &&
                   cJSON_AddStringToObject(o, "state", l->connected ? "connected" : "left_behind") &&
                   cJSON_AddStringToObject(o, "since", since) && put_peer(l, o) &&
                   cJSON_AddBoolToObject(o, "jailed", l->n_processes > 0 && l->n_outside == 0) &&
                   cJSON_AddNumberToObject(o, "processes", (double)l->n_processes) &&
                   put_lists(l, &s.desired, o) && put_proof(e, proof, &s.desired, o)
               ? 0
               : no_memory(err);
}

static int report(struct sp_engine *e, const struct found *f, cJSON *result, struct sp_error *err)
{
    cJSON *sessions = cJSON_AddArrayToObject(result, "sessions");

    if (sessions == NULL)
        return no_memory(err);
    for (size_t i = 0; i < f->logins.n; i++)
        if (report_one(e, &f->logins.v[i], &f->proofs[i], sessions, err) < 0)
            return -1;
    return 0;
}

SP_METHOD(sp_sessions_list)
{
    _cleanup_(found_clear) struct found f = {0};

    (void)raw;
    return find(e, p, &f, err) < 0 ? -1 : report(e, &f, result, err);
}

/* Nobody ends every session of a host by leaving something out. */
static int check_target(const struct sp_params *p, struct sp_error *err)
{
    bool narrow =
        p->domain[0] != '\0' || p->user[0] != '\0' || p->session[0] != '\0' || p->fingerprint[0] != '\0';

    if (narrow != p->all)
        return 0;
    sp_fail(err, SP_E_INVALID, 0, narrow ? "all goes with no other choice" : "nothing says whose sessions");
    return sp_hint(err, "name a domain, user, session or fingerprint, or say all");
}

static bool is_meant(const struct sp_params *p, const struct sp_login *l, const struct proof *proof)
{
    if (p->session[0] != '\0' && !sp_streq(p->session, l->id))
        return false;
    return p->fingerprint[0] == '\0' || sp_streq(p->fingerprint, proof->last.fingerprint) ||
           sp_streq(p->fingerprint, proof->part.fingerprint);
}

/* Keep those that are meant. *ret_unknown: connections that might be, if the log told of them. */
static void choose(const struct sp_params *p, struct found *f, size_t *ret_unknown)
{
    size_t kept = 0;

    *ret_unknown = 0;
    for (size_t i = 0; i < f->logins.n; i++) {
        struct sp_login *l = &f->logins.v[i];
        if (is_meant(p, l, &f->proofs[i])) {
            struct sp_login meant = *l;
            *l = f->logins.v[kept];
            f->logins.v[kept] = meant;
            f->proofs[kept++] = f->proofs[i];
            continue;
        }
        *ret_unknown += p->fingerprint[0] != '\0' && l->connected && f->proofs[i].last.pid == 0;
    }
    while (f->logins.n > kept)
        sp_sessions_clear(&f->logins.v[--f->logins.n].procs);
}

static int report_changes(const struct found *f, const struct sp_params *p, size_t unknown, cJSON *result,
                          struct sp_error *err)
{
    cJSON *warnings;
    char text[160], address[SP_CIDR_SIZE];

    if (!cJSON_AddBoolToObject(result, "changed", false) || !cJSON_AddArrayToObject(result, "changes"))
        return no_memory(err);
    warnings = cJSON_AddArrayToObject(result, "warnings");
    for (size_t i = f->logins.n; i > 0; i--) {
        const struct sp_login *l = &f->logins.v[i - 1];
        (void)sp_str_copy(address, sizeof(address), "");
        if (l->has_peer)
            sp_cidr_format(&l->peer.address, address);
        (void)sp_str_format(text, sizeof(text), "%s%s%s, processes: %zu", l->id,
                            address[0] != '\0' ? " from " : "", address, l->n_processes);
        if (sp_report_first(result, "sessions", l->user, text, "ended", p->dry_run ? NULL : "ended", err) <
            0)
            return -1;
    }
    (void)sp_str_format(text, sizeof(text),
                        "sshd's log does not tell what opened %zu other logins: they go on", unknown);
    return unknown == 0 || cJSON_AddItemToArray(warnings, cJSON_CreateString(text)) ? 0 : no_memory(err);
}

SP_METHOD(sp_sessions_end_method)
{
    _cleanup_(found_clear) struct found f = {0};
    size_t unknown = 0;

    (void)raw;
    if (check_target(p, err) < 0 || find(e, p, &f, err) < 0)
        return -1;
    choose(p, &f, &unknown);
    if (p->session[0] != '\0' && f.logins.n == 0) {
        sp_fail(err, SP_E_NOT_FOUND, 0, "there is no login %s any more", p->session);
        sp_hint(err, "sessions.list (sallyport sessions) shows who is in");
        return sp_field(err, "session");
    }
    if (report(e, &f, result, err) < 0)
        return -1;
    if (!p->dry_run && f.logins.n > 0 && sp_loginlist_end(e->host, &f.logins, END_DEADLINE_MS, err) < 0)
        return -1;
    return report_changes(&f, p, unknown, result, err);
}
