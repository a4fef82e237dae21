/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A plan of the SSH port as JSON. What was changed is shown as the kernel, or where the kernel has no part
 * in it the state file, tells it afterwards. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/fwplan.h"
#include "engine/fwtrial.h"
#include "model/fwstate.h"
#include "model/json.h"
#include "model/when.h"

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* NULL text is null. */
static bool put(cJSON *object, const char *name, const char *text)
{
    return (text != NULL ? cJSON_AddStringToObject(object, name, text)
                         : cJSON_AddNullToObject(object, name)) != NULL;
}

static bool put_item(cJSON *array, cJSON *item)
{
    if (item != NULL && cJSON_AddItemToArray(array, item))
        return true;
    cJSON_Delete(item);
    return false;
}

static int put_state(const struct sp_fwplan *p, cJSON *result, struct sp_error *err)
{
    const struct sp_nft_ruleset *kernel = sp_fwplan_kernel(p);
    bool dry = (p->flags & SP_FIREWALL_DRY) != 0;
    const uint16_t *ports = kernel->n_ports > 0 && !dry ? kernel->ports : p->target.ports;
    size_t n_ports = kernel->n_ports > 0 && !dry ? kernel->n_ports : p->target.n_ports;
    const struct sp_cidr_list *always = &p->config->always_allow;
    cJSON *list;

    if (!put(result, "mode", sp_fw_mode_name(p->want.mode)))
        return no_memory(err);
    list = cJSON_AddArrayToObject(result, "ports");
    for (size_t i = 0; i < n_ports; i++)
        if (!put_item(list, cJSON_CreateNumber(ports[i])))
            return no_memory(err);
    list = cJSON_AddArrayToObject(result, "sources");
    for (size_t i = 0; i < p->want.n; i++)
        if (!put_item(list, sp_fwstate_entry_json(&p->want.v[i])))
            return no_memory(err);
    list = cJSON_AddArrayToObject(result, "always_allow");
    for (size_t i = 0; i < always->n; i++) {
        char text[SP_CIDR_SIZE];
        sp_cidr_format(&always->v[i], text);
        if (!put_item(list, cJSON_CreateString(text)))
            return no_memory(err);
    }
    if (list == NULL || !cJSON_AddBoolToObject(result, "in_force", sp_fwplan_in_force(p)))
        return no_memory(err);
    return sp_fwbeside_report(&p->beside, result, err) < 0 ? -1 : sp_fwtrial_report(p, result, err);
}

static int put_change(cJSON *changes, const char *target, const char *from, const char *to,
                      const char *read_back, struct sp_error *err)
{
    cJSON *j = cJSON_CreateObject();

    if (put(j, "resource", "firewall") && put(j, "target", target) && put(j, "from", from) &&
        put(j, "to", to) && put(j, "read_back", read_back))
        return put_item(changes, j) ? 0 : no_memory(err);
    cJSON_Delete(j);
    return no_memory(err);
}

/* The mode that a table stands for; restricted and closed differ in what is stored only. */
static const char *mode_of_table(const struct sp_fwplan *p, const struct sp_nft_ruleset *r)
{
    switch (r->body) {
    case SP_NFT_ABSENT:
        return sp_fw_mode_name(SP_FW_UNMANAGED);
    case SP_NFT_OPEN:
        return sp_fw_mode_name(SP_FW_OPEN);
    case SP_NFT_GUARDED:
        return sp_fw_mode_name(p->want.mode == SP_FW_CLOSED ? SP_FW_CLOSED : SP_FW_RESTRICTED);
    default:
        return "damaged";
    }
}

static const char *read_back_mode(const struct sp_fwplan *p)
{
    return (p->flags & SP_FIREWALL_DRY) != 0 ? NULL : mode_of_table(p, sp_fwplan_kernel(p));
}

/* The mode, or the table that is not what the unchanged mode asks for. */
static int put_mode(const struct sp_fwplan *p, cJSON *changes, struct sp_error *err)
{
    const char *want = sp_fw_mode_name(p->want.mode);
    char from[300];

    if (p->old.mode != p->want.mode)
        return put_change(changes, "mode", sp_fw_mode_name(p->old.mode), want, read_back_mode(p), err);
    if (!p->committed_changes || (p->before.body == p->target.body && p->state_changes))
        return 0;
    if (p->before.body == SP_NFT_DAMAGED)
        (void)sp_str_format(from, sizeof(from), "damaged: %s", p->before.why);
    else if (p->before.body == SP_NFT_ABSENT)
        (void)sp_str_copy(from, sizeof(from), "missing");
    else if (p->before.body != p->target.body)
        (void)sp_str_copy(from, sizeof(from), mode_of_table(p, &p->before));
    else
        (void)sp_str_copy(from, sizeof(from), "other elements");
    return put_change(changes, "table", from, want, read_back_mode(p), err);
}

static void ports_text(const uint16_t *ports, size_t n, struct sp_buf *out)
{
    for (size_t i = 0; i < n; i++)
        sp_buf_printf(out, "%s%u", i > 0 ? "," : "", ports[i]);
}

static int put_ports(const struct sp_fwplan *p, cJSON *changes, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf from = {0}, to = {0}, back = {0};
    const struct sp_nft_ruleset *kernel = sp_fwplan_kernel(p);

    ports_text(p->old.ports, p->old.n_ports, &from);
    ports_text(p->want.ports, p->want.n_ports, &to);
    ports_text(kernel->ports, kernel->n_ports, &back);
    if (sp_streq(sp_buf_str(&from), sp_buf_str(&to)))
        return 0;
    return put_change(changes, "ports", from.len > 0 ? from.data : NULL, to.len > 0 ? to.data : NULL,
                      (p->flags & SP_FIREWALL_DRY) == 0 && back.len > 0 ? back.data : NULL, err);
}

/* "allowed until 2027-01-01T00:00:00Z (office)" */
static void value_text(const struct sp_fw_entry *e, struct sp_buf *out)
{
    char when[SP_WHEN_SIZE];

    sp_buf_puts(out, "allowed");
    if (e->expires_at != 0) {
        sp_when_format(e->expires_at, when);
        sp_buf_printf(out, " until %s", when);
    }
    if (e->comment[0] != '\0')
        sp_buf_printf(out, " (%s)", e->comment);
}

/* What is to be seen of a source now. In `restricted` the kernel knows; else the state file alone does. */
static void read_back_source(const struct sp_fwplan *p, const struct sp_fw_entry *e,
                             const struct sp_fw_entry *to, struct sp_buf *out)
{
    const struct sp_fw_policy *stored = p->state_changes ? &p->stored : &p->old;
    const struct sp_fw_entry *found = sp_fw_policy_find(stored, &e->source, e->owner);
    int64_t until = 0;

    if ((p->flags & SP_FIREWALL_DRY) != 0)
        return;
    if (p->want.mode != SP_FW_RESTRICTED) {
        if (found != NULL)
            value_text(found, out);
        return;
    }
    if (!sp_fw_covers(&sp_fwplan_kernel(p)->allow, &e->source, &until))
        return;
    /* As long as it should, or longer, since another source covers it. */
    if (to != NULL && found != NULL &&
        (until == 0 || (to->expires_at != 0 && until >= to->expires_at - SP_FW_SLACK)))
        value_text(found, out);
    else
        value_text(&(struct sp_fw_entry){.expires_at = until, .comment = (char *)""}, out);
}

/* `e` is the one of the two that is not NULL, or `to`. */
static int put_source(const struct sp_fwplan *p, cJSON *changes, const struct sp_fw_entry *e,
                      const struct sp_fw_entry *from, const struct sp_fw_entry *to, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf before = {0}, after = {0}, back = {0};
    char source[SP_CIDR_SIZE], target[SP_CIDR_SIZE + 300];

    sp_cidr_format(&e->source, source);
    if (e->owner[0] == '\0')
        (void)sp_str_copy(target, sizeof(target), source);
    else
        (void)sp_str_format(target, sizeof(target), "%s of %s", source, e->owner);
    if (from != NULL)
        value_text(from, &before);
    if (to != NULL)
        value_text(to, &after);
    read_back_source(p, e, to, &back);
    if (!sp_buf_ok(&before) || !sp_buf_ok(&after) || !sp_buf_ok(&back))
        return no_memory(err);
    return put_change(changes, target, from != NULL ? before.data : NULL, to != NULL ? after.data : NULL,
                      back.len > 0 ? back.data : NULL, err);
}

static int put_trial(const struct sp_fwplan *p, cJSON *changes, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    bool differs = false, is_there;

    sp_fwtrial_describe(p, &text);
    if (p->trial == SP_FWTRIAL_STARTS) {
        is_there = p->kernel_changed && p->after.trial.n_ports > 0;
        return put_change(changes, "trial", NULL, sp_buf_str(&text), is_there ? sp_buf_str(&text) : NULL,
                          err);
    }
    if (p->trial == SP_FWTRIAL_RUNS)
        return 0;
    if (sp_fwtrial_differs(p, &differs, err) < 0)
        return -1;
    if (!differs)
        return 0;
    return put_change(changes, "trial", text.len > 0 ? text.data : "over", NULL, NULL, err);
}

static int put_others(const struct sp_fwplan *p, cJSON *changes, struct sp_error *err)
{
    const bool dry = (p->flags & SP_FIREWALL_DRY) != 0;

    for (size_t i = 0; i < p->beside.n_changes; i++) {
        const struct sp_fwbeside_change *c = &p->beside.changes[i];
        char target[SP_FWOPEN_TARGET], to[32];

        sp_fwopen_target(&c->what, target);
        (void)sp_str_format(to, sizeof(to), "%u/tcp open", c->what.port);
        if (put_change(changes, target, c->opens ? NULL : to, c->opens ? to : NULL,
                       c->done == c->opens && !dry ? to : NULL, err) < 0)
            return -1;
    }
    return 0;
}

static int put_changes(const struct sp_fwplan *p, cJSON *result, struct sp_error *err)
{
    cJSON *changes = cJSON_AddArrayToObject(result, "changes");

    if (changes == NULL ||
        !cJSON_AddBoolToObject(result, "changed",
                               p->state_changes || p->kernel_changes || p->beside.n_changes > 0))
        return no_memory(err);
    for (size_t i = 0; i < p->old.n; i++) {
        const struct sp_fw_entry *e = &p->old.v[i];
        if (sp_fw_policy_find(&p->want, &e->source, e->owner) == NULL &&
            put_source(p, changes, e, e, NULL, err) < 0)
            return -1;
    }
    if (put_trial(p, changes, err) < 0 || put_mode(p, changes, err) < 0 || put_ports(p, changes, err) < 0)
        return -1;
    for (size_t i = 0; i < p->want.n; i++) {
        const struct sp_fw_entry *e = &p->want.v[i];
        const struct sp_fw_entry *was = sp_fw_policy_find(&p->old, &e->source, e->owner);
        if ((was == NULL || !sp_fw_entry_equal(was, e)) && put_source(p, changes, e, was, e, err) < 0)
            return -1;
    }
    return put_others(p, changes, err);
}

int sp_fwreport(const struct sp_fwplan *p, enum sp_fwreport_kind kind, cJSON *result, struct sp_error *err)
{
    if (kind == SP_FWREPORT_CHANGES && put_changes(p, result, err) < 0)
        return -1;
    return put_state(p, result, err);
}
