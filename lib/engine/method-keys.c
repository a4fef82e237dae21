/* SPDX-License-Identifier: GPL-3.0-or-later */
/* key.inspect: what a pasted text holds. keys.list, keys.add, keys.remove: one domain's keys, named by
 * their fingerprint. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/intake.h"
#include "engine/keyuse.h"
#include "engine/methods.h"
#include "model/json.h"
#include "resource/keys.h"

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

SP_METHOD(sp_key_inspect)
{
    const struct sp_key *k = &p->keys.v[0];
    _cleanup_(sp_buf_clear) struct sp_buf line = {0};
    char md5[SP_MD5_SIZE];

    (void)raw;
    if (sp_intake_check(e, &p->keys, SP_INTAKE_KEY, err) < 0)
        return -1;
    sp_sshkey_format(&k->key, &line);
    sp_sshkey_md5(k->key.blob, k->key.blob_len, md5);
    if (!sp_buf_ok(&line) || !cJSON_AddStringToObject(result, "type", k->key.type) ||
        !cJSON_AddNumberToObject(result, "bits", k->key.bits) ||
        !cJSON_AddStringToObject(result, "fingerprint", k->key.fingerprint) ||
        !cJSON_AddStringToObject(result, "fingerprint_md5", md5) ||
        !cJSON_AddStringToObject(result, "label", k->label) ||
        !cJSON_AddStringToObject(result, "key", sp_buf_str(&line)))
        return no_memory(err);
    return sp_intake_warn(&p->keys, SP_INTAKE_KEY, result, err);
}

static int edit_add(struct sp_engine *e, struct sp_account *a, const struct sp_user *user, void *data,
                    struct sp_error *err)
{
    const struct sp_params *p = data;
    struct sp_domain *d = sp_account_find(a, p->domain);
    const struct sp_key *key = &p->keys.v[0];
    const struct sp_ctx c = {.host = e->host, .config = e->config, .user = user, .desired = a};
    _cleanup_(sp_key_list_clear) struct sp_key_list one = {0};

    if (key->expires_at != 0 && key->expires_at <= e->host->ops->now(e->host)) {
        sp_fail(err, SP_E_INVALID, 0, "it has passed already");
        sp_hint(err, "give a time to come, in UTC");
        return sp_field(err, "expires_at");
    }
    if (d == NULL)
        return sp_fail(err, SP_E_NOT_FOUND, 0, "%s was removed meanwhile", p->domain);
    if (sp_keys_check_command(&c, key, err) < 0 || sp_key_list_add(&one, key, err) < 0)
        return -1;
    sp_keyuse_stamp(e, &d->keys, &one);
    return sp_key_list_add(&d->keys, &one.v[0], err);
}

SP_METHOD(sp_keys_add)
{
    const struct sp_run run = {p->dry_run ? SP_RUN_DRY : SP_RUN_APPLY, p->has_generation, p->if_generation,
                               edit_add, (void *)p};
    char user[SP_USER_SIZE];

    (void)raw;
    if (sp_owner_required(e, p, user, err) < 0 || sp_intake_check(e, &p->keys, SP_INTAKE_KEY, err) < 0 ||
        sp_run_and_report(e, user, &run, p, result, err) < 0 ||
        sp_intake_warn(&p->keys, SP_INTAKE_KEY, result, err) < 0)
        return -1;
    return cJSON_AddStringToObject(result, "fingerprint", p->keys.v[0].key.fingerprint) != NULL
               ? 0
               : no_memory(err);
}

static int edit_remove(struct sp_engine *e, struct sp_account *a, const struct sp_user *user, void *data,
                       struct sp_error *err)
{
    const struct sp_params *p = data;
    struct sp_domain *d = sp_account_find(a, p->domain);
    struct sp_key *key = d != NULL ? (struct sp_key *)sp_key_list_find(&d->keys, p->fingerprint) : NULL;

    (void)e;
    (void)user;
    (void)err;
    (void)sp_found_drop_key(&a->found, p->fingerprint);
    if (key == NULL)
        return 0;
    sp_key_clear(key);
    memmove(key, key + 1, (size_t)(&d->keys.v[d->keys.n] - (key + 1)) * sizeof(*key));
    d->keys.n--;
    return 0;
}

SP_METHOD(sp_keys_remove)
{
    const struct sp_run run = {(p->dry_run ? SP_RUN_DRY : SP_RUN_APPLY) | SP_RUN_WITHDRAWS |
                                   (p->keep_sessions ? SP_RUN_KEEP_SESSIONS : 0),
                               p->has_generation, p->if_generation, edit_remove, (void *)p};
    char user[SP_USER_SIZE];

    (void)raw;
    if (sp_owner_required(e, p, user, err) < 0)
        return -1;
    return sp_run_and_report(e, user, &run, p, result, err);
}

struct lister {
    const struct sp_account *account; /* whose keys are no news; NULL: all are shown */
    const char *file;
    cJSON *foreign;
};

static int list_foreign(const struct sp_authkeys_entry *entry, void *data)
{
    struct lister *l = data;
    cJSON *o;

    if (entry->unread)
        return -1;
    if (entry->fingerprint[0] == '\0')
        return 0;
    for (size_t i = 0; l->account != NULL && i < l->account->n_domains; i++)
        if (sp_key_list_find(&l->account->domains[i].keys, entry->fingerprint) != NULL)
            return 0;
    o = cJSON_CreateObject();
    if (cJSON_AddStringToObject(o, "fingerprint", entry->fingerprint) &&
        cJSON_AddStringToObject(o, "type", entry->type) &&
        cJSON_AddNumberToObject(o, "line", (double)entry->line_number) &&
        cJSON_AddStringToObject(o, "file", l->file) && cJSON_AddItemToArray(l->foreign, o))
        return 0;
    cJSON_Delete(o);
    return -1;
}

/* What cannot be looked at hides nothing that can be. */
static int add_other(const struct sp_ctx *c, cJSON *foreign, struct sp_error *err)
{
    _cleanup_(sp_home_keys_clear) struct sp_home_keys have = {0};
    struct lister l = {NULL, sp_keys_other_file(c), foreign};

    if (l.file == NULL || sp_home_read(c->host, c->user, l.file, &have, err) < 0)
        return 0;
    return sp_authkeys_each(sp_buf_str(&have.bytes), have.bytes.len, list_foreign, &l) == 0
               ? 0
               : no_memory(err);
}

/* Whose keys sshd reads beside ours: malware plants keys too. */
static int add_foreign(struct sp_engine *e, const struct sp_outcome *o, cJSON *result, struct sp_error *err)
{
    _cleanup_(sp_home_keys_clear) struct sp_home_keys have = {0};
    const struct sp_ctx c = {
        .host = e->host, .config = e->config, .user = &o->passwd, .desired = &o->state.desired};
    bool home = e->config->key_store == SP_KEY_STORE_HOME;
    struct lister l = {&o->state.desired, home ? SP_KEYS_HOME_FILE : SP_KEYS_ROOT_DIR,
                       cJSON_AddArrayToObject(result, "foreign_keys")};

    if (l.foreign == NULL)
        return no_memory(err);
    if (o->user_missing)
        return 0;
    if (sp_keys_read(&c, &have, err) < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    if (sp_authkeys_each(sp_buf_str(&have.bytes), have.bytes.len, list_foreign, &l) != 0)
        return no_memory(err);
    return add_other(&c, l.foreign, err);
}

SP_METHOD(sp_keys_list)
{
    const struct sp_run run = {.flags = SP_RUN_DRY};
    _cleanup_(sp_outcome_clear) struct sp_outcome o = {0};
    char user[SP_USER_SIZE];
    const struct sp_domain *d;
    cJSON *keys;

    (void)raw;
    if (sp_owner_required(e, p, user, err) < 0 || sp_engine_run(e, user, &run, &o, err) < 0)
        return -1;
    d = sp_account_find(&o.state.desired, p->domain);
    keys = cJSON_AddArrayToObject(result, "keys");
    if (keys == NULL || !cJSON_AddStringToObject(result, "domain", p->domain) ||
        !cJSON_AddStringToObject(result, "user", user))
        return no_memory(err);
    for (size_t i = 0; d != NULL && i < d->keys.n; i++) {
        cJSON *key = NULL;
        if (sp_key_to_json(&d->keys.v[i], &key, err) < 0)
            return -1;
        (void)cJSON_AddItemToArray(keys, key);
    }
    if (sp_keyuse_add(e, user, keys, err) < 0)
        return -1;
    return add_foreign(e, &o, result, err);
}
