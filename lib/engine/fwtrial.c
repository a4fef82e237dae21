/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/fwtrial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/sign.h"
#include "model/fwstate.h"
#include "model/json.h"
#include "model/when.h"

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* Is the policy that was on trial what the kernel has committed? */
static int is_committed(const struct sp_fwplan *p, bool *ret, struct sp_error *err)
{
    _cleanup_(sp_fw_compiled_clear) struct sp_fw_compiled want = {0}, del = {0}, add = {0};
    const struct sp_fw_policy *policy = &p->pending.policy;

    if (sp_fw_compile(policy, &p->config->always_allow, p->now, &want, err) < 0 ||
        sp_fw_diff(&p->before.allow, &want, &del, &add, err) < 0)
        return -1;
    *ret = p->before.body == sp_fwplan_body(policy->mode) && del.v4.n + del.v6.n + add.v4.n + add.v6.n == 0;
    return 0;
}

static int clear_away(struct sp_fwplan *p, struct sp_error *err)
{
    sp_fw_pending_clear(&p->pending);
    return (p->flags & SP_FIREWALL_DRY) != 0 ? 0 : sp_fwstore_drop_pending(p->host, err);
}

/* The kernel has it, and the file may not: the last step of a confirmation that was cut off. */
static int roll_forward(struct sp_fwplan *p, struct sp_error *err)
{
    if (sp_fwplan_warn(p, err, "a confirmation was cut off: the policy that was confirmed is stored now") <
        0)
        return -1;
    sp_fw_policy_clear(&p->old);
    if (sp_fw_policy_copy(&p->old, &p->pending.policy, err) < 0 ||
        ((p->flags & SP_FIREWALL_DRY) == 0 && sp_fwstore_save(p->host, &p->old, NULL, &p->sum, err) < 0))
        return -1;
    return clear_away(p, err);
}

int sp_fwtrial_settle(struct sp_fwplan *p, struct sp_error *err)
{
    char boot_id[SP_FW_BOOT_ID_SIZE];
    bool committed = false;

    if (sp_fwstore_load_pending(p->host, &p->pending, err) < 0)
        return err->code == SP_E_STATE ? clear_away(p, err) : -1;
    if (p->pending.token[0] == '\0')
        return 0;
    if (sp_fwstore_boot_id(p->host, boot_id, err) < 0)
        return -1;
    if (sp_streq(boot_id, p->pending.boot_id)) {
        if (sp_fwplan_read(p, err) < 0)
            return -1;
        if (p->before.trial.n_ports > 0) {
            p->trial = SP_FWTRIAL_RUNS;
            return 0;
        }
        if (p->pending.phase == SP_FW_CONFIRMING && is_committed(p, &committed, err) < 0)
            return -1;
        if (committed)
            return roll_forward(p, err);
    }
    if (sp_fwplan_warn(p, err, "a trial of %s was not confirmed: %s is in force",
                       sp_fw_mode_name(p->pending.policy.mode), sp_fw_mode_name(p->old.mode)) < 0)
        return -1;
    return clear_away(p, err);
}

int sp_fwtrial_refuse(const struct sp_fwplan *p, struct sp_error *err)
{
    (void)sp_fail(err, SP_E_CONFLICT, 0, "a policy is on trial (%s): confirm it or roll it back first",
                  sp_fw_mode_name(p->pending.policy.mode));
    return sp_hint(err,
                   "firewall.confirm (sallyport firewall confirm), firewall.rollback, or wait for its end");
}

static int make_token(char ret[SP_FW_TOKEN_SIZE], struct sp_error *err)
{
    uint64_t random;

    if (sp_sign_random(&random, sizeof(random), err) < 0)
        return -1;
    (void)sp_str_format(ret, SP_FW_TOKEN_SIZE, "%016llx", (unsigned long long)random);
    return 0;
}

static void add_ports(struct sp_nft_ruleset *t, const uint16_t *ports, size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)sp_fw_ports_add(t->ports, &t->n_ports, ports[i]);
}

/* What was planned is what is tried. */
static void move_to_trial(struct sp_fwplan *p)
{
    struct sp_nft_ruleset *t = &p->target;

    t->trial.body = t->body;
    memcpy(t->trial.ports, t->ports, sizeof(t->ports));
    t->trial.n_ports = t->n_ports;
    t->trial.left_ms = p->confirm_within * 1000;
    t->trial.allow = t->allow;
    t->allow = (struct sp_fw_compiled){0};
    p->pending.deadline = p->now + p->confirm_within;
    p->pending.policy = p->want;
    p->want = (struct sp_fw_policy){0};
}

int sp_fwtrial_start(struct sp_fwplan *p, struct sp_error *err)
{
    struct sp_nft_ruleset *t = &p->target;

    if (!p->kernel_changes && !p->state_changes)
        return 0;
    if (sp_fw_policy_own(&p->want, err) < 0 || make_token(p->pending.token, err) < 0 ||
        sp_fwstore_boot_id(p->host, p->pending.boot_id, err) < 0)
        return -1;
    move_to_trial(p);
    /* Behind it stands what is stored now. Unmanaged, that is a table that holds nobody back. */
    t->body = p->old.mode == SP_FW_UNMANAGED ? SP_NFT_OPEN : sp_fwplan_body(p->old.mode);
    if (p->before.body > SP_NFT_DAMAGED)
        add_ports(t, p->before.ports, p->before.n_ports);
    if (sp_fw_policy_copy(&p->want, &p->old, err) < 0 ||
        sp_fw_compile(&p->old, &p->config->always_allow, p->now, &t->allow, err) < 0)
        return -1;
    p->trial = SP_FWTRIAL_STARTS;
    p->state_changes = p->committed_changes = false;
    p->kernel_changes = p->rebuild = true;
    return 0;
}

/* The policy on trial with the domains' sources as they are now: they may have changed meanwhile. */
static int refresh_domains(struct sp_fwplan *p, const struct sp_fw_policy *now, struct sp_error *err)
{
    struct sp_fw_policy *tried = &p->pending.policy;
    _cleanup_free_ struct sp_fw_entry *theirs = calloc(now->n + 1, sizeof(*theirs));
    size_t n = 0;

    if (theirs == NULL)
        return no_memory(err);
    for (size_t i = tried->n; i-- > 0;)
        if (tried->v[i].owner[0] != '\0')
            (void)sp_fw_policy_drop(tried, &tried->v[i].source, tried->v[i].owner);
    /* Borrowed, and all at once: each call copies the whole policy. */
    for (size_t i = 0; i < now->n; i++)
        if (now->v[i].owner[0] != '\0')
            theirs[n++] = now->v[i];
    sp_fw_policy_drop_expired(tried, p->now);
    return sp_fw_policy_put(tried, theirs, n, 0, err);
}

int sp_fwtrial_keep(struct sp_fwplan *p, struct sp_error *err)
{
    struct sp_nft_ruleset *t = &p->target;
    const struct sp_nft_trial *is = &p->before.trial;

    if (refresh_domains(p, &p->want, err) < 0 ||
        sp_fw_compile(&p->pending.policy, &p->config->always_allow, p->now, &t->trial.allow, err) < 0)
        return -1;
    t->trial.body = is->body;
    t->trial.left_ms = is->left_ms;
    t->trial.proved = is->proved;
    memcpy(t->trial.ports, is->ports, sizeof(is->ports));
    t->trial.n_ports = is->n_ports;
    if (t->body == SP_NFT_ABSENT)
        t->body = SP_NFT_OPEN;
    add_ports(t, is->ports, is->n_ports);
    return 0;
}

int sp_fwtrial_differs(const struct sp_fwplan *p, bool *ret, struct sp_error *err)
{
    _cleanup_(sp_fw_compiled_clear) struct sp_fw_compiled del = {0}, add = {0};
    const struct sp_nft_trial *is = &p->before.trial, *want = &p->target.trial;

    if (sp_fw_diff(&is->allow, &want->allow, &del, &add, err) < 0)
        return -1;
    *ret = is->body != want->body || (is->n_ports > 0) != (want->n_ports > 0) ||
           del.v4.n + del.v6.n + add.v4.n + add.v6.n > 0;
    return 0;
}

void sp_fwtrial_describe(const struct sp_fwplan *p, struct sp_buf *out)
{
    char when[SP_WHEN_SIZE];

    if (p->pending.token[0] == '\0')
        return;
    sp_when_format(p->pending.deadline, when);
    sp_buf_puts(out, sp_fw_mode_name(p->pending.policy.mode));
    if (p->pending.policy.mode == SP_FW_RESTRICTED)
        sp_buf_printf(out, ", %zu source%s", p->pending.policy.n, p->pending.policy.n == 1 ? "" : "s");
    sp_buf_printf(out, ", until %s", when);
}

int sp_fwtrial_report(const struct sp_fwplan *p, cJSON *result, struct sp_error *err)
{
    const struct sp_nft_trial *t = &sp_fwplan_kernel(p)->trial;
    const struct sp_fw_policy *tried = &p->pending.policy;
    const int64_t left = (t->left_ms + 999) / 1000;
    cJSON *o, *ports, *sources;
    char when[SP_WHEN_SIZE];

    if (p->pending.token[0] == '\0' || t->n_ports == 0 || p->trial == SP_FWTRIAL_ENDS)
        return 0;
    sp_when_format(p->now + left, when);
    o = cJSON_AddObjectToObject(result, "pending");
    if (!cJSON_AddStringToObject(o, "mode", sp_fw_mode_name(tried->mode)) ||
        !cJSON_AddStringToObject(o, "token", p->pending.token) ||
        !cJSON_AddStringToObject(o, "expires_at", when) ||
        !cJSON_AddNumberToObject(o, "seconds_left", (double)left) ||
        !cJSON_AddNumberToObject(o, "connections", (double)t->proved))
        return no_memory(err);
    ports = cJSON_AddArrayToObject(o, "ports");
    sources = cJSON_AddArrayToObject(o, "sources");
    for (size_t i = 0; i < t->n_ports; i++)
        if (!cJSON_AddItemToArray(ports, cJSON_CreateNumber(t->ports[i])))
            return no_memory(err);
    for (size_t i = 0; i < tried->n; i++)
        if (!cJSON_AddItemToArray(sources, sp_fwstate_entry_json(&tried->v[i])))
            return no_memory(err);
    return sources != NULL ? 0 : no_memory(err);
}

static int no_trial(struct sp_error *err)
{
    (void)sp_fail(err, SP_E_NOT_FOUND, 0, "no policy is on trial: none was begun, or its time is over");
    return sp_hint(
        err, "firewall.get (sallyport firewall) shows what is in force; begin again with confirm_within");
}

/* Nobody can come in where nobody is let in: there the token is enough. */
static int check_proof(const struct sp_fwplan *p, const char *token, struct sp_error *err)
{
    const struct sp_nft_trial *t = &p->before.trial;
    bool nobody = t->body == SP_NFT_GUARDED && t->allow.v4.n + t->allow.v6.n == 0;

    if (!sp_streq(token, p->pending.token)) {
        (void)sp_fail(err, SP_E_CONFLICT, 0, "that token is of another trial");
        (void)sp_hint(err, "firewall.get shows the trial that runs");
        return sp_field(err, "token");
    }
    if (t->proved > 0 || nobody)
        return 0;
    (void)sp_fail(err, SP_E_LOCKOUT, 0,
                  "nobody has connected anew since the trial began; a session from before proves nothing");
    return sp_hint(err, "open a new SSH connection from where you will need one, then confirm");
}

/* State comes second here: the kernel alone can say whether the trial was still on. */
static int commit(struct sp_fwplan *p, struct sp_error *err)
{
    p->pending.phase = SP_FW_CONFIRMING;
    if (sp_fwstore_save_pending(p->host, &p->pending, err) < 0)
        return -1;
    if (sp_nft_commit(&p->nft, &p->before.trial, &p->target, p->now, err) < 0) {
        if (err->os_errno != ENOENT)
            return -1;
        return clear_away(p, err) < 0 ? -1 : no_trial(err);
    }
    if (sp_fwstore_save(p->host, &p->want, NULL, &p->sum, err) < 0 ||
        sp_fwstore_drop_pending(p->host, err) < 0)
        return -1;
    p->state_changes = p->kernel_changed = true;
    return sp_nft_read(&p->nft, p->now, &p->after, &p->generation, err);
}

int sp_firewall_confirm(struct sp_host *h, const struct sp_config *c, const char *token, cJSON *result,
                        struct sp_error *err)
{
    _cleanup_(sp_fwplan_clear) struct sp_fwplan p = {0};
    _cleanup_close_ int fd = -1;

    if (sp_fwplan_begin(&p, h, c, SP_FIREWALL_APPLY, result, err) < 0 || sp_fwplan_lock(&p, &fd, err) < 0 ||
        sp_fwplan_load(&p, SP_FWSTORE_CURRENT, err) < 0)
        return -1;
    if (p.trial != SP_FWTRIAL_RUNS)
        return no_trial(err);
    if (check_proof(&p, token, err) < 0 || refresh_domains(&p, &p.old, err) < 0 ||
        sp_fw_policy_check(&p.pending.policy, err) < 0)
        return -1;
    sp_fw_policy_clear(&p.want);
    p.trial = SP_FWTRIAL_ENDS;
    if (sp_fw_policy_copy(&p.want, &p.pending.policy, err) < 0 || sp_fwplan_look(&p, err) < 0 ||
        sp_fwplan_make(&p, SP_FWPLAN_CONFIRM, err) < 0 || commit(&p, err) < 0)
        return -1;
    return sp_fwreport(&p, SP_FWREPORT_CHANGES, result, err);
}

int sp_firewall_rollback(struct sp_host *h, const struct sp_config *c, cJSON *result, struct sp_error *err)
{
    _cleanup_(sp_fwplan_clear) struct sp_fwplan p = {0};
    _cleanup_close_ int fd = -1;

    if (sp_fwplan_begin(&p, h, c, SP_FIREWALL_APPLY, result, err) < 0 || sp_fwplan_lock(&p, &fd, err) < 0 ||
        sp_fwplan_load(&p, SP_FWSTORE_CURRENT, err) < 0)
        return -1;
    if (p.trial == SP_FWTRIAL_RUNS)
        p.trial = SP_FWTRIAL_ENDS;
    if (sp_fwplan_look(&p, err) < 0 || sp_fwplan_make(&p, SP_FWPLAN_RESTORE, err) < 0 ||
        sp_fwplan_apply(&p, err) < 0)
        return -1;
    if (p.trial == SP_FWTRIAL_ENDS && sp_fwstore_drop_pending(h, err) < 0)
        return -1;
    return sp_fwreport(&p, SP_FWREPORT_CHANGES, result, err);
}
