/* SPDX-License-Identifier: GPL-3.0-or-later */
/* login.diagnose: "why can't I log in?" The walk itself is lib/doctor. */
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "doctor/doctor.h"
#include "engine/check.h"
#include "engine/fwstore.h"
#include "engine/methods.h"
#include "model/doctorrequest.h"

#define BATCH_MS 20000

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* The domain's account, or the user that was named. */
static int find_user(struct sp_engine *e, struct sp_doctor_request *q, struct sp_error *err)
{
    struct sp_params p = {0};
    char owner[SP_USER_SIZE];

    if (q->domain[0] == '\0' && q->user[0] != '\0')
        return 0;
    (void)sp_str_copy(p.domain, sizeof(p.domain), q->domain);
    if (sp_owner_required(e, &p, owner, err) < 0)
        return -1;
    if (q->user[0] == '\0')
        return sp_str_copy(q->user, sizeof(q->user), owner);
    if (sp_streq(owner, q->user))
        return 0;
    sp_fail(err, SP_E_CONFLICT, 0, "%s belongs to the user %s", q->domain, owner);
    return sp_field(err, "user");
}

/* Safe is what reconcile would do for this account: what is loose or missing is put right, what somebody
 * tightened stays. */
static int fix(struct sp_engine *e, const struct sp_doctor_request *q, cJSON *result, struct sp_error *err)
{
    const struct sp_run run = {.flags = SP_RUN_THOROUGH | SP_RUN_KEEP_TIGHT};
    _cleanup_(sp_outcome_clear) struct sp_outcome o = {0};
    struct sp_error why;

    if (sp_engine_run(e, q->user, &run, &o, &why) < 0)
        return cJSON_AddStringToObject(result, "fix_failed", why.text) != NULL ? 0 : no_memory(err);
    return sp_report_changes(&o.plan, result, "fixed", err);
}

/* What stands on the host beside what was asked for. */
static int add_drift(struct sp_engine *e, const struct sp_doctor_request *q, const struct sp_finding *stop,
                     cJSON *result, struct sp_error *err)
{
    const struct sp_run run = {.flags = SP_RUN_DRY | SP_RUN_THOROUGH};
    _cleanup_(sp_outcome_clear) struct sp_outcome o = {0};
    struct sp_error why;

    if (stop != NULL && sp_streq(stop->check, "home")) /* it would be waited for once more */
        return cJSON_AddStringToObject(result, "drift_unknown", stop->text) != NULL ? 0 : no_memory(err);
    if (sp_engine_run(e, q->user, &run, &o, &why) < 0)
        return cJSON_AddStringToObject(result, "drift_unknown", why.text) != NULL ? 0 : no_memory(err);
    return sp_report_changes(&o.plan, result, "drift", err);
}

static cJSON *finding_json(const struct sp_finding *f)
{
    cJSON *j = cJSON_CreateObject();

    if (cJSON_AddStringToObject(j, "check", f->check) != NULL &&
        cJSON_AddStringToObject(j, "state", sp_finding_state_name(f->state)) != NULL &&
        cJSON_AddStringToObject(j, "text", f->text) != NULL &&
        (f->mend[0] != '\0' ? cJSON_AddStringToObject(j, "mend", f->mend)
                            : cJSON_AddNullToObject(j, "mend")) != NULL)
        return j;
    cJSON_Delete(j);
    return NULL;
}

static bool put(cJSON *array, cJSON *item)
{
    if (item != NULL && cJSON_AddItemToArray(array, item))
        return true;
    cJSON_Delete(item);
    return false;
}

static int add_findings(const struct sp_findings *f, cJSON *result, struct sp_error *err)
{
    const struct sp_finding *stop = sp_findings_first_stop(f);
    cJSON *checks = cJSON_AddArrayToObject(result, "checks");
    const char *verdict = stop != NULL ? "refused" : "lets_in";

    for (size_t i = 0; i < f->n; i++) {
        if (stop == NULL && f->v[i].state == SP_FINDING_UNKNOWN)
            verdict = "unknown";
        if (!put(checks, finding_json(&f->v[i])))
            return no_memory(err);
    }
    if (cJSON_AddStringToObject(result, "verdict", verdict) == NULL ||
        (stop == NULL && cJSON_AddNullToObject(result, "stop") == NULL))
        return no_memory(err);
    if (stop != NULL && !cJSON_AddItemToObject(result, "stop", finding_json(stop)))
        return no_memory(err);
    return 0;
}

/* What sshd itself said of him lately: it alone knows which key or certificate a client offered. */
static int add_refusals(struct sp_engine *e, const char *user, cJSON *result, struct sp_error *err)
{
    cJSON *array = cJSON_AddArrayToObject(result, "refusals");
    struct sp_error why;

    if (array == NULL)
        return no_memory(err);
    if (sp_explain_refusals(e, user, array, &why) == 0)
        return 0;
    return cJSON_AddStringToObject(result, "log_unknown", why.text) != NULL ? 0 : no_memory(err);
}

static int put_head(const struct sp_doctor_request *q, cJSON *result, struct sp_error *err)
{
    bool ok = cJSON_AddStringToObject(result, "user", q->user) != NULL;

    ok = ok && (q->domain[0] == '\0' || cJSON_AddStringToObject(result, "domain", q->domain) != NULL);
    ok = ok && (q->from[0] != '\0' ? cJSON_AddStringToObject(result, "from", q->from)
                                   : cJSON_AddNullToObject(result, "from")) != NULL;
    ok = ok && (q->has_key ? cJSON_AddStringToObject(result, "key", q->key.key.fingerprint)
                           : cJSON_AddNullToObject(result, "key")) != NULL;
    return ok ? 0 : no_memory(err);
}

/* The walk tells of a password and runs a shell: a panel has that of those alone whom it may name. One that
 * does not exist is told as such. */
static int check_stranger(struct sp_engine *e, const char *name, struct sp_error *err)
{
    struct sp_error missing;
    struct sp_user user;

    if (sp_userdb_get(e->host, name, &user, &missing) < 0)
        return 0;
    return sp_check_person(e, name, user.uid, err);
}

/* One deadline for all that a batch asks: a shell that hangs is waited for once. */
static int take_time(struct sp_engine *e, unsigned *ret_ms, struct sp_error *err)
{
    struct timespec ts;
    int64_t now;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    now = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
    if (e->doctor_until == 0)
        e->doctor_until = now + BATCH_MS;
    if (now >= e->doctor_until) {
        sp_fail(err, SP_E_BUSY, 0, "the %d s that one call may ask login.diagnose for are over",
                BATCH_MS / 1000);
        return sp_hint(err, "ask for this user in a call of its own");
    }
    *ret_ms = (unsigned)(e->doctor_until - now);
    return 0;
}

/* What is in force stays in force where it cannot be: the admin is told. */
static bool is_policy_read(struct sp_engine *e, struct sp_error *why)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy policy = {0};
    uint64_t sum;

    return sp_fwstore_load(e->host, SP_FWSTORE_CURRENT, &policy, &sum, why) == 0;
}

static int diagnose(struct sp_engine *e, struct sp_doctor_request *q, cJSON *result, struct sp_error *err)
{
    _cleanup_(sp_state_clear) struct sp_state state = {0};
    _cleanup_(sp_findings_clear) struct sp_findings findings = {0};
    struct sp_login login = {
        .host = e->host, .config = e->config, .user = q->user, .port = (uint16_t)q->port};
    struct sp_error broken, policy;
    bool known, managed;

    /* A state that cannot be read is reported by list and reconcile; the walk goes on without it. */
    known = sp_store_load(e->host, q->user, &state, &broken) == 0;
    managed = known && state.exists;
    if (!managed && e->for_panel && check_stranger(e, q->user, err) < 0)
        return -1;
    if (take_time(e, &login.shell_ms, err) < 0 || put_head(q, result, err) < 0)
        return -1;
    if (q->fix && !known && cJSON_AddStringToObject(result, "fix_failed", broken.text) == NULL)
        return no_memory(err);
    if (managed && q->fix && fix(e, q, result, err) < 0)
        return -1;
    login.account = managed ? &state.desired : NULL;
    login.address = q->from[0] != '\0' ? q->from : NULL;
    login.key = q->has_key ? &q->key.key : NULL;
    login.policy = is_policy_read(e, &policy) ? NULL : &policy;
    if (sp_doctor_examine(&login, &findings, err) < 0 || add_findings(&findings, result, err) < 0 ||
        add_refusals(e, q->user, result, err) < 0)
        return -1;
    return managed ? add_drift(e, q, sp_findings_first_stop(&findings), result, err) : 0;
}

SP_METHOD(sp_login_diagnose)
{
    _cleanup_(sp_doctor_request_clear) struct sp_doctor_request q = {0};

    (void)p;
    if (sp_doctor_request_decode(raw, &q, err) < 0 || find_user(e, &q, err) < 0)
        return -1;
    return diagnose(e, &q, result, err);
}
