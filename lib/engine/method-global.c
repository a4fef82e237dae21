/* SPDX-License-Identifier: GPL-3.0-or-later */
/* global_keys.*: an admin's keys, good for every managed account or for those of a group of the host's. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/certs.h"
#include "engine/intake.h"
#include "engine/methods.h"
#include "host/fsat.h"
#include "model/globalrequest.h"
#include "model/json.h"
#include "resource/globalkeys.h"
#include "resource/logins.h"
#include "resource/sshd.h"

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

SP_METHOD(sp_global_keys_list)
{
    _cleanup_(sp_globals_clear) struct sp_globals g = {0};
    cJSON *array = cJSON_AddArrayToObject(result, "keys");

    (void)p;
    (void)raw;
    if (array == NULL)
        return no_memory(err);
    if (sp_globals_read(e->host, &g, err) < 0)
        return -1;
    for (size_t i = 0; i < g.n; i++)
        for (size_t k = 0; k < g.v[i].keys.n; k++) {
            cJSON *key = NULL;
            if (sp_key_to_json(&g.v[i].keys.v[k], &key, err) < 0)
                return -1;
            if (!cJSON_AddItemToArray(array, key) || !cJSON_AddStringToObject(key, "group", g.v[i].group))
                return no_memory(err);
        }
    return 0;
}

/* The key as a list of one, which may be had here, for a group that there is. */
static int take_in(struct sp_engine *e, const struct sp_global_request *r, struct sp_key_list *ret,
                   struct sp_error *err)
{
    gid_t gid = 0;

    if (sp_key_list_add(ret, &r->key, err) < 0 || sp_intake_check(e, ret, SP_INTAKE_KEY, err) < 0)
        return -1;
    if (r->group[0] == '\0' || sp_userdb_group_gid(e->host, r->group, &gid, err) == 0)
        return 0;
    return sp_field(err, "group");
}

static struct sp_global_class *class_of(struct sp_globals *g, const char *group)
{
    size_t i = 0;

    while (i < g->n && !sp_streq(g->v[i].group, group))
        i++;
    if (i == SP_GLOBAL_GROUPS_MAX)
        return NULL;
    if (i == g->n)
        (void)sp_str_copy(g->v[g->n++].group, SP_USER_SIZE, group);
    return &g->v[i];
}

/* Stands it there as it was given, label and rules too? */
static int is_there(const struct sp_global_class *class, const struct sp_key *key, bool *ret,
                    struct sp_error *err)
{
    const struct sp_key *had = sp_key_list_find(&class->keys, key->key.fingerprint);
    _cleanup_json_ cJSON *a = NULL, *b = NULL;

    *ret = false;
    if (had == NULL)
        return 0;
    if (sp_key_to_json(had, &a, err) < 0 || sp_key_to_json(key, &b, err) < 0)
        return -1;
    *ret = cJSON_Compare(a, b, true);
    return 0;
}

static int put_in_force(struct sp_engine *e, const struct sp_globals *g, bool *ret_changed,
                        struct sp_error *err)
{
    const struct sp_ctx c = {.host = e->host, .config = e->config};

    if (sp_userdb_ensure_group(e->host, SP_GROUP_ALL, err) < 0 || sp_globals_save(e->host, g, err) < 0 ||
        sp_globals_write(e->host, g, SP_GLOBALS_MEND, ret_changed, err) < 0)
        return -1;
    return sp_sshd_write_dropin(&c, err);
}

static int report(cJSON *result, const char *fingerprint, const char *from, const char *to, bool changed,
                  bool dry, struct sp_error *err)
{
    if (!cJSON_AddBoolToObject(result, "changed", changed) || !cJSON_AddArrayToObject(result, "changes") ||
        !cJSON_AddArrayToObject(result, "warnings"))
        return no_memory(err);
    return changed ? sp_report_first(result, "global_key", fingerprint, from, to, dry ? NULL : to, err) : 0;
}

SP_METHOD(sp_global_keys_add)
{
    _cleanup_(sp_globals_clear) struct sp_globals g = {0};
    _cleanup_(sp_global_request_clear) struct sp_global_request r = {0};
    _cleanup_(sp_key_list_clear) struct sp_key_list keys = {0};
    const struct sp_ctx c = {.host = e->host, .config = e->config};
    _cleanup_close_ int lock = -1;
    struct sp_global_class *class;
    bool there, changed;

    (void)p;
    if (sp_global_request_decode(raw, &r, err) < 0 || take_in(e, &r, &keys, err) < 0 ||
        sp_globals_conflict(&c, err) < 0)
        return -1;
    if (!r.dry_run && (lock = sp_globals_lock(e->host, err)) < 0)
        return -1;
    if (sp_globals_read(e->host, &g, err) < 0)
        return -1;
    class = class_of(&g, r.group);
    if (class == NULL)
        return sp_fail(err, SP_E_INVALID, 0, "keys of more than %d groups", SP_GLOBAL_GROUPS_MAX - 1);
    if (is_there(class, &keys.v[0], &there, err) < 0)
        return -1;
    changed = !there;
    if (sp_key_list_add(&class->keys, &keys.v[0], err) < 0 ||
        (!r.dry_run && put_in_force(e, &g, &changed, err) < 0) ||
        report(result, keys.v[0].key.fingerprint, "",
               r.group[0] != '\0' ? r.group : "every managed account", changed, r.dry_run, err) < 0)
        return -1;
    return sp_intake_warn(&keys, SP_INTAKE_KEY, result, err);
}

static bool opened_by(const struct sp_sshdlog *l, void *data)
{
    return !l->is_certificate && sp_streq(l->fingerprint, data);
}

/* Out of every list it stands in; a list without keys goes. */
static bool take_out(struct sp_globals *g, const char *fingerprint)
{
    bool found = false;

    for (size_t i = g->n; i > 0; i--) {
        struct sp_key_list *l = &g->v[i - 1].keys;
        struct sp_key *key = (struct sp_key *)sp_key_list_find(l, fingerprint);
        if (key != NULL) {
            found = true;
            sp_key_clear(key);
            memmove(key, key + 1, (size_t)(&l->v[l->n] - (key + 1)) * sizeof(*key));
            l->n--;
        }
        if (l->n == 0) {
            sp_key_list_clear(l);
            memmove(&g->v[i - 1], &g->v[i], (g->n - i) * sizeof(g->v[0]));
            g->n--;
        }
    }
    return found;
}

static int end_account(struct sp_engine *e, const char *user, char *fingerprint, size_t *unknown,
                       struct sp_error *err)
{
    struct sp_user u;
    size_t more = 0;

    if (sp_userdb_get(e->host, user, &u, err) < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    if (sp_logins_end_known(e->host, e->config, u.name, u.uid, opened_by, fingerprint, &more, err) < 0)
        return -1;
    *unknown += more;
    return 0;
}

/* One that fails keeps no other's sessions; the first failure is told. */
static int end_sessions(struct sp_engine *e, char *fingerprint, size_t *unknown, struct sp_error *err)
{
    _cleanup_(sp_users_clear) struct sp_users users = {0};
    struct sp_error why;
    int rc = 0;

    if (sp_store_users(e->host, &users, err) < 0)
        return -1;
    for (size_t i = 0; i < users.n; i++) {
        if (end_account(e, users.v[i], fingerprint, unknown, &why) == 0)
            continue;
        if (rc == 0)
            *err = why;
        rc = -1;
    }
    return rc;
}

/* A request that was cut off may have taken it from the record alone: then it still opens every account. */
static int finish(struct sp_engine *e, const struct sp_globals *g, bool *ret_changed, struct sp_error *err)
{
    if (sp_fsat_is_missing(e->host->root_fd, SP_GLOBAL_DIR))
        return 0;
    return sp_globals_write(e->host, g, SP_GLOBALS_MEND, ret_changed, err) < 0
               ? -1
               : sp_sshd_tidy(e->host, e->config, err);
}

static int warn_unknown(size_t n, cJSON *result, struct sp_error *err)
{
    cJSON *warnings = cJSON_GetObjectItemCaseSensitive(result, "warnings");
    char text[160];

    (void)sp_str_format(text, sizeof(text),
                        "sshd's log does not tell what opened %zu connections: they go on; sessions.list "
                        "shows them",
                        n);
    return cJSON_AddItemToArray(warnings, cJSON_CreateString(text)) ? 0 : no_memory(err);
}

SP_METHOD(sp_global_keys_remove)
{
    _cleanup_(sp_globals_clear) struct sp_globals g = {0};
    _cleanup_close_ int lock = -1;
    char fingerprint[SP_FINGERPRINT_SIZE];
    bool found, changed = false;
    size_t unknown = 0;

    (void)raw;
    if (!p->dry_run && (lock = sp_globals_lock(e->host, err)) < 0)
        return -1;
    if (sp_globals_read(e->host, &g, err) < 0)
        return -1;
    (void)sp_str_copy(fingerprint, sizeof(fingerprint), p->fingerprint);
    found = take_out(&g, fingerprint);
    if (!p->dry_run && ((found ? put_in_force(e, &g, &changed, err) : finish(e, &g, &changed, err)) < 0 ||
                        end_sessions(e, fingerprint, &unknown, err) < 0))
        return -1;
    if (report(result, fingerprint, "installed", "", found || changed, p->dry_run, err) < 0)
        return -1;
    return unknown == 0 ? 0 : warn_unknown(unknown, result, err);
}

int sp_reconcile_globals(struct sp_engine *e, enum sp_run_flags flags, cJSON *result, struct sp_error *err)
{
    enum sp_globals_how how = (flags & SP_RUN_DRY) != 0 ? SP_GLOBALS_LOOK : SP_GLOBALS_MEND;
    _cleanup_(sp_globals_clear) struct sp_globals g = {0};
    _cleanup_close_ int lock = -1;
    bool changed = false;

    if (sp_fsat_is_missing(e->host->root_fd, SP_GLOBAL_DIR))
        return 0;
    if (how == SP_GLOBALS_MEND && (lock = sp_globals_lock(e->host, err)) < 0)
        return -1;
    if (sp_globals_read(e->host, &g, err) < 0 || sp_globals_write(e->host, &g, how, &changed, err) < 0)
        return -1;
    return cJSON_AddBoolToObject(result, "global_keys_mended", changed) != NULL ? 0 : no_memory(err);
}
