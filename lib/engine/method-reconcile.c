/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * system.reconcile: every account through the same path. What loosened is mended; what somebody tightened
 * is reported and kept, unless restore_access; one account that fails never stops the others.
 */
#include <time.h>

#include "base/mem.h"
#include "engine/certs.h"
#include "engine/logins.h"
#include "engine/methods.h"
#include "engine/metrics.h"
#include "engine/refresh.h"
#include "engine/seen.h"
#include "engine/sources.h"
#include "host/home.h"
#include "model/json.h"
#include "resource/sshd.h"

struct totals {
    int accounts, mended, kept, failed;
    struct sp_sources_look sources;
};

static void totals_clear(struct totals *t)
{
    sp_sources_look_clear(&t->sources);
}

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* Only accounts that have something to tell are listed. `part` is what the firewall lacked; or NULL. */
static int report(const struct sp_outcome *o, cJSON *part, cJSON *details, struct totals *t,
                  struct sp_error *err)
{
    cJSON *item;

    t->mended += o->plan.n > 0 || o->changed || part != NULL;
    t->kept += o->kept.n > 0;
    if (o->plan.n == 0 && o->kept.n == 0 && !o->user_missing && part == NULL)
        return 0;
    item = cJSON_CreateObject();
    if (item == NULL || !cJSON_AddItemToArray(details, item) ||
        !cJSON_AddBoolToObject(item, "user_missing", o->user_missing))
        return no_memory(err);
    if (sp_report_outcome(o, item, err) < 0)
        return -1;
    sp_sources_join(item, part);
    return sp_report_changes(&o->kept, item, "kept", err);
}

static int report_failure(const char *user, const struct sp_error *why, cJSON *details, struct totals *t,
                          struct sp_error *err)
{
    cJSON *item = cJSON_CreateObject();

    t->failed++;
    if (item == NULL || !cJSON_AddItemToArray(details, item) ||
        !cJSON_AddStringToObject(item, "user", user) ||
        !cJSON_AddStringToObject(item, "reason", sp_code_name(why->code)) ||
        !cJSON_AddStringToObject(item, "error", why->text) ||
        !cJSON_AddStringToObject(item, "hint", why->hint))
        return no_memory(err);
    return 0;
}

/* An extra login goes by its owner, under his lock. */
static int run_one(struct sp_engine *e, const char *user, const struct sp_run *run, struct sp_outcome *ret,
                   struct sp_error *err)
{
    _cleanup_(sp_state_clear) struct sp_state s = {0};
    _cleanup_(sp_hold_end) struct sp_hold hold = {0};
    char why[SP_LOGINS_WHY];

    if (sp_store_load(e->host, user, &s, err) < 0)
        return -1;
    if (!sp_extra_is(&s.desired.extra))
        return sp_engine_run(e, user, run, ret, err);
    if (sp_engine_hold(e, s.desired.extra.owner, run, &hold, err) < 0)
        return -1;
    sp_state_clear(&s); /* as it is now that nobody else is at it */
    if (sp_store_load(e->host, user, &s, err) < 0)
        return -1;
    return s.exists ? sp_logins_follow(e, &s, run, NULL, ret, why, err) : 0;
}

static int one(struct sp_engine *e, const char *user, const struct sp_run *run, cJSON *details,
               struct totals *t, struct sp_error *err)
{
    _cleanup_(sp_outcome_clear) struct sp_outcome o = {0};
    _cleanup_json_ cJSON *part = NULL;
    struct sp_error why;

    t->accounts++;
    if (run_one(e, user, run, &o, &why) < 0 || sp_sources_mend(e, &o, run, &t->sources, &part, &why) < 0)
        return report_failure(user, &why, details, t, err);
    return report(&o, part, details, t, err);
}

/* Before the accounts, and once for all of them. */
static int refresh(struct sp_engine *e, bool dry, cJSON *result, bool *ret_changed, struct sp_error *err)
{
    cJSON *jails = cJSON_AddObjectToObject(result, "jails");

    if (jails == NULL)
        return no_memory(err);
    if (sp_refresh_sets(e, SP_REFRESH_YIELD | (dry ? SP_REFRESH_DRY : SP_REFRESH_APPLY), jails, err) < 0)
        return -1;
    *ret_changed = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(jails, "changed"));
    return 0;
}

/* What is no account's, but the host's: its failure stops nothing either. */
static int problem(const char *part, const struct sp_error *why, cJSON *result, struct sp_error *err)
{
    cJSON *list = cJSON_GetObjectItemCaseSensitive(result, "problems"), *item = cJSON_CreateObject();

    if (list == NULL)
        list = cJSON_AddArrayToObject(result, "problems");
    if (item == NULL || !cJSON_AddItemToArray(list, item) || !cJSON_AddStringToObject(item, "part", part) ||
        !cJSON_AddStringToObject(item, "reason", sp_code_name(why->code)) ||
        !cJSON_AddStringToObject(item, "error", why->text) ||
        !cJSON_AddStringToObject(item, "hint", why->hint))
        return no_memory(err);
    return 0;
}

static int parts(struct sp_engine *e, const struct sp_run *run, cJSON *result, bool *ret_refreshed,
                 struct sp_error *err)
{
    enum sp_store_mend how = (run->flags & SP_RUN_DRY) != 0 ? SP_STORE_LOOK : SP_STORE_MEND;
    struct sp_error why;
    int rights = 0;

    if (sp_store_mend_rights(e->host, how, &rights, &why) < 0 && problem("store", &why, result, err) < 0)
        return -1;
    if (how == SP_STORE_MEND && sp_store_tidy_states(e->host, &why) < 0 &&
        problem("store", &why, result, err) < 0)
        return -1;
    if (how == SP_STORE_MEND && sp_userdb_tidy(e->host, &why) < 0 &&
        problem("account_files", &why, result, err) < 0)
        return -1;
    if (rights > 0 && !cJSON_AddNumberToObject(result, "store_mended", rights))
        return no_memory(err);
    if (sp_reconcile_certificates(e, run->flags, result, &why) < 0 &&
        problem("certificates", &why, result, err) < 0)
        return -1;
    if (sp_reconcile_globals(e, run->flags, result, &why) < 0 &&
        problem("global_keys", &why, result, err) < 0)
        return -1;
    if (refresh(e, (run->flags & SP_RUN_DRY) != 0, result, ret_refreshed, &why) < 0 &&
        problem("jails", &why, result, err) < 0)
        return -1;
    return 0;
}

/* Not even tried: it would hold up all behind it. */
static void hangs(const char *user, struct sp_error *err)
{
    sp_fail(err, SP_E_BUSY, 0, "a file of %s did not answer within 2 s", user);
    sp_hint(err, "is the file system of the home or of a document root alive?");
}

static int accounts(struct sp_engine *e, struct sp_run *run, cJSON *details, struct totals *t,
                    struct sp_error *err)
{
    _cleanup_(sp_users_clear) struct sp_users users = {0};
    _cleanup_(sp_seen_end) struct sp_seen *seen = NULL;
    struct sp_error why;

    if (sp_store_users(e->host, &users, err) < 0)
        return -1;
    seen = sp_seen_begin(e, &users, err);
    if (seen == NULL)
        return -1;
    run->seen = seen;
    for (size_t i = 0; i < users.n; i++) {
        enum sp_seen_verdict verdict = sp_seen_verdict(seen, i);

        sp_engine_progress(e, i, users.n, users.v[i]);
        if (verdict == SP_SEEN_CLEAN) {
            t->accounts++;
            continue;
        }
        sp_seen_open(seen);
        if (verdict == SP_SEEN_HANGS) {
            hangs(users.v[i], &why);
            t->accounts++;
        }
        if ((verdict == SP_SEEN_HANGS ? report_failure(users.v[i], &why, details, t, err)
                                      : one(e, users.v[i], run, details, t, err)) < 0)
            return -1;
    }
    sp_engine_progress(e, users.n, users.n, "");
    /* Only a memory: without it the next run takes longer. */
    if ((run->flags & SP_RUN_DRY) == 0)
        (void)sp_seen_save(seen, &why);
    return 0;
}

static int firewall(struct sp_engine *e, const struct sp_run *run, const struct sp_sources_look *sources,
                    cJSON *result, struct sp_error *err)
{
    _cleanup_json_ cJSON *gone = NULL;
    struct sp_error why;

    if (sp_sources_forget_gone(e, run, sources, &gone, &why) < 0 &&
        problem("firewall", &why, result, err) < 0)
        return -1;
    if (sp_reconcile_firewall(e, run->flags, result, &why) < 0)
        return problem("firewall", &why, result, err);
    sp_sources_join(cJSON_GetObjectItemCaseSensitive(result, "firewall"), gone);
    return 0;
}

static bool is_set(const cJSON *object, const char *name)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, name));
}

/* What is no account's. */
static bool hosts_part_changed(const cJSON *result)
{
    const cJSON *certificates = cJSON_GetObjectItemCaseSensitive(result, "certificates");

    return cJSON_HasObjectItem(result, "store_mended") || is_set(result, "global_keys_mended") ||
           is_set(certificates, "trusted_mended") || is_set(certificates, "revoked_mended") ||
           is_set(cJSON_GetObjectItemCaseSensitive(result, "firewall"), "changed");
}

static int reconcile(struct sp_engine *e, const struct sp_params *p, cJSON *result, struct sp_error *err)
{
    struct sp_run run = {.flags = (p->dry_run ? SP_RUN_DRY : 0) | SP_RUN_THOROUGH |
                                  (p->restore_access ? 0 : SP_RUN_KEEP_TIGHT)};
    cJSON *details = cJSON_AddArrayToObject(result, "details");
    _cleanup_(totals_clear) struct totals t = {0};
    bool refreshed = false;
    struct sp_error why;
    int rc;

    if (details == NULL)
        return no_memory(err);
    /* The list of revoked ones first: broken, it keeps everybody out. */
    if (parts(e, &run, result, &refreshed, err) < 0)
        return -1;
    sp_sources_look(e, &t.sources);
    sp_userdb_keep(e->host);
    sp_home_keep(e->host);
    rc = accounts(e, &run, details, &t, err);
    if (sp_home_settle(e->host, &why) < 0 && rc == 0)
        rc = problem("homes", &why, result, err);
    sp_home_forget(e->host);
    sp_userdb_forget(e->host);
    if (rc < 0)
        return -1;
    if (!p->dry_run && sp_sshd_tidy(e->host, e->config, &why) < 0 &&
        problem("sshd_policy", &why, result, err) < 0)
        return -1;
    if (!cJSON_AddNumberToObject(result, "accounts", t.accounts) ||
        !cJSON_AddNumberToObject(result, "mended", t.mended) ||
        !cJSON_AddNumberToObject(result, "kept", t.kept) ||
        !cJSON_AddNumberToObject(result, "failed", t.failed))
        return no_memory(err);
    if (firewall(e, &run, &t.sources, result, err) < 0)
        return -1;
    return cJSON_AddBoolToObject(result, "changed",
                                 t.mended > 0 || refreshed || hosts_part_changed(result)) != NULL
               ? 0
               : no_memory(err);
}

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Also of a run that broke off: a monitor shall hear of it. */
SP_METHOD(sp_system_reconcile)
{
    struct sp_metrics m = {.seconds = now()};
    int rc = reconcile(e, p, result, err);
    struct sp_error why;

    (void)raw;
    m.result = rc == 0 ? result : NULL;
    m.ended = e->host->ops->now(e->host);
    m.seconds = now() - m.seconds;
    if (p->dry_run || sp_metrics_write(e, &m, &why) == 0)
        return rc;
    return rc < 0 || cJSON_AddStringToObject(result, "metrics_error", why.text) ? rc : no_memory(err);
}
