/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A plan of the SSH port as JSON. What was changed is shown as the kernel, or where the kernel has no part
 * in it the state file, tells it afterwards. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/fwplan.h"
#include "engine/fwtrial.h"
#include "model/fwfile.h"
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

/* Text of JSON as a member: SP_FIREWALL_TEXT. */
static int put_raw(cJSON *result, const char *name, struct sp_buf *text, size_t n, struct sp_error *err)
{
    if (!sp_json_put_raw(result, name, text))
        return no_memory(err);
    cJSON_GetObjectItemCaseSensitive(result, name)->valuedouble = (double)n;
    return 0;
}

/* The whole list at once. */
static int put_sources(struct sp_fwplan *p, cJSON *result, struct sp_error *err)
{
    cJSON *list;

    if ((p->flags & SP_FIREWALL_TEXT) != 0) {
        _cleanup_(sp_buf_clear) struct sp_buf text = p->stored;
        p->stored = (struct sp_buf){0};
        /* What was just written has them already. */
        if (!sp_fwfile_cut_sources(&text)) {
            sp_buf_clear(&text);
            sp_fwfile_put_sources(&p->want, &text);
        }
        return put_raw(result, "sources", &text, p->want.n, err);
    }
    list = cJSON_AddArrayToObject(result, "sources");
    for (size_t i = 0; i < p->want.n; i++)
        if (!put_item(list, sp_fwstate_entry_json(&p->want.v[i])))
            return no_memory(err);
    return list != NULL ? 0 : no_memory(err);
}

static int put_state(struct sp_fwplan *p, cJSON *result, struct sp_error *err)
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
    if (put_sources(p, result, err) < 0)
        return -1;
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

/* result.changes on its way: an array, or its text. */
struct changes {
    const struct sp_fwplan *plan;
    struct sp_error *err;
    cJSON *array; /* borrowed; NULL: text */
    struct sp_buf text;
    size_t n;
    struct sp_buf from, to, back; /* of one source after the other */
    struct sp_fw_place place;     /* in what the kernel has */
};

static void changes_clear(struct changes *c)
{
    sp_buf_clear(&c->text);
    sp_buf_clear(&c->from);
    sp_buf_clear(&c->to);
    sp_buf_clear(&c->back);
}

/* Behind `before`; NULL is null. */
static void put_word(struct sp_buf *out, const char *before, const char *text)
{
    sp_buf_puts(out, before);
    if (text != NULL)
        sp_json_put_text(out, text);
    else
        sp_buf_puts(out, "null");
}

static int put_change(struct changes *c, const char *target, const char *from, const char *to,
                      const char *read_back)
{
    cJSON *j;

    if (c->array == NULL) {
        put_word(&c->text, &",{\"resource\":\"firewall\",\"target\":"[c->n == 0], target);
        put_word(&c->text, ",\"from\":", from);
        put_word(&c->text, ",\"to\":", to);
        put_word(&c->text, ",\"read_back\":", read_back);
        sp_buf_puts(&c->text, "}");
        c->n++;
        return 0;
    }
    j = cJSON_CreateObject();
    if (put(j, "resource", "firewall") && put(j, "target", target) && put(j, "from", from) &&
        put(j, "to", to) && put(j, "read_back", read_back))
        return put_item(c->array, j) ? 0 : no_memory(c->err);
    cJSON_Delete(j);
    return no_memory(c->err);
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
static int put_mode(struct changes *c)
{
    const struct sp_fwplan *p = c->plan;
    const char *want = sp_fw_mode_name(p->want.mode);
    char from[300];

    if (p->old.mode != p->want.mode)
        return put_change(c, "mode", sp_fw_mode_name(p->old.mode), want, read_back_mode(p));
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
    return put_change(c, "table", from, want, read_back_mode(p));
}

static void ports_text(const uint16_t *ports, size_t n, struct sp_buf *out)
{
    for (size_t i = 0; i < n; i++)
        sp_buf_printf(out, "%s%u", i > 0 ? "," : "", ports[i]);
}

static int put_ports(struct changes *c)
{
    _cleanup_(sp_buf_clear) struct sp_buf from = {0}, to = {0}, back = {0};
    const struct sp_fwplan *p = c->plan;
    const struct sp_nft_ruleset *kernel = sp_fwplan_kernel(p);

    ports_text(p->old.ports, p->old.n_ports, &from);
    ports_text(p->want.ports, p->want.n_ports, &to);
    ports_text(kernel->ports, kernel->n_ports, &back);
    if (sp_streq(sp_buf_str(&from), sp_buf_str(&to)))
        return 0;
    return put_change(c, "ports", from.len > 0 ? from.data : NULL, to.len > 0 ? to.data : NULL,
                      (p->flags & SP_FIREWALL_DRY) == 0 && back.len > 0 ? back.data : NULL);
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

/* What is to be seen of a source now, which is `to` where it is stored. In `restricted` the kernel knows;
 * else the state file alone does, which was read back. */
static void read_back_source(struct changes *c, const struct sp_cidr *source, const struct sp_fw_entry *to,
                             struct sp_buf *out)
{
    const struct sp_fwplan *p = c->plan;
    int64_t until = 0;

    if ((p->flags & SP_FIREWALL_DRY) != 0)
        return;
    if (p->want.mode != SP_FW_RESTRICTED) {
        if (to != NULL)
            value_text(to, out);
        return;
    }
    if (!sp_fw_covers_next(&sp_fwplan_kernel(p)->allow, source, &c->place, &until))
        return;
    /* As long as it should, or longer, since another source covers it. */
    if (to != NULL && (until == 0 || (to->expires_at != 0 && until >= to->expires_at - SP_FW_SLACK)))
        value_text(to, out);
    else
        value_text(&(struct sp_fw_entry){.expires_at = until, .comment = ""}, out);
}

static void begin_again(struct sp_buf *b)
{
    b->len = 0;
    sp_buf_add(b, "", 0);
}

/* `e` is the one of the two that is not NULL, or `to`. */
static int put_source(struct changes *c, const struct sp_fw_entry *e, const struct sp_fw_entry *from,
                      const struct sp_fw_entry *to)
{
    char source[SP_CIDR_SIZE], target[SP_CIDR_SIZE + 300];

    begin_again(&c->from);
    begin_again(&c->to);
    begin_again(&c->back);
    sp_cidr_format(&e->source, source);
    if (e->owner[0] == '\0')
        (void)sp_str_copy(target, sizeof(target), source);
    else
        (void)sp_str_format(target, sizeof(target), "%s of %s", source, e->owner);
    if (from != NULL)
        value_text(from, &c->from);
    if (to != NULL)
        value_text(to, &c->to);
    read_back_source(c, &e->source, to, &c->back);
    if (!sp_buf_ok(&c->from) || !sp_buf_ok(&c->to) || !sp_buf_ok(&c->back))
        return no_memory(c->err);
    return put_change(c, target, from != NULL ? c->from.data : NULL, to != NULL ? c->to.data : NULL,
                      c->back.len > 0 ? c->back.data : NULL);
}

static int put_gone(void *data, const struct sp_fw_entry *from, const struct sp_fw_entry *to)
{
    return to == NULL ? put_source(data, from, from, to) : 0;
}

static int put_new(void *data, const struct sp_fw_entry *from, const struct sp_fw_entry *to)
{
    return to != NULL ? put_source(data, to, from, to) : 0;
}

static int put_trial(struct changes *c)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    const struct sp_fwplan *p = c->plan;
    bool differs = false, is_there;

    sp_fwtrial_describe(p, &text);
    if (p->trial == SP_FWTRIAL_STARTS) {
        is_there = p->kernel_changed && p->after.trial.n_ports > 0;
        return put_change(c, "trial", NULL, sp_buf_str(&text), is_there ? sp_buf_str(&text) : NULL);
    }
    if (p->trial == SP_FWTRIAL_RUNS)
        return 0;
    if (sp_fwtrial_differs(p, &differs, c->err) < 0)
        return -1;
    if (!differs)
        return 0;
    return put_change(c, "trial", text.len > 0 ? text.data : "over", NULL, NULL);
}

static int put_others(struct changes *c)
{
    const struct sp_fwbeside *b = &c->plan->beside;
    const bool dry = (c->plan->flags & SP_FIREWALL_DRY) != 0;

    for (size_t i = 0; i < b->n_changes; i++) {
        const struct sp_fwbeside_change *one = &b->changes[i];
        char target[SP_FWOPEN_TARGET], to[32];

        sp_fwopen_target(&one->what, target);
        (void)sp_str_format(to, sizeof(to), "%u/tcp open", one->what.port);
        if (put_change(c, target, one->opens ? NULL : to, one->opens ? to : NULL,
                       one->done == one->opens && !dry ? to : NULL) < 0)
            return -1;
    }
    return 0;
}

static int put_each(struct changes *c)
{
    const struct sp_fwplan *p = c->plan;

    if (sp_fw_policy_diff(&p->old, &p->want, put_gone, c) < 0 || put_trial(c) < 0 || put_mode(c) < 0 ||
        put_ports(c) < 0 || sp_fw_policy_diff(&p->old, &p->want, put_new, c) < 0)
        return -1;
    return put_others(c);
}

#define CHANGE_SIZE 112 /* of one without a comment */

static int put_changes(const struct sp_fwplan *p, cJSON *result, struct sp_error *err)
{
    _cleanup_(changes_clear) struct changes c = {.plan = p, .err = err};
    const bool as_text = (p->flags & SP_FIREWALL_TEXT) != 0;
    const size_t edits = p->del.v4.n + p->del.v6.n + p->add.v4.n + p->add.v6.n;

    if (as_text) {
        sp_buf_reserve(&c.text, edits * CHANGE_SIZE);
        sp_buf_puts(&c.text, "[");
    } else if ((c.array = cJSON_AddArrayToObject(result, "changes")) == NULL)
        return no_memory(err);
    if (put_each(&c) < 0)
        return -1;
    sp_buf_puts(&c.text, "]");
    if (as_text && put_raw(result, "changes", &c.text, c.n, err) < 0)
        return -1;
    return cJSON_AddBoolToObject(result, "changed",
                                 p->state_changes || p->kernel_changes || p->beside.n_changes > 0) != NULL
               ? 0
               : no_memory(err);
}

int sp_fwreport(struct sp_fwplan *p, enum sp_fwreport_kind kind, cJSON *result, struct sp_error *err)
{
    if (kind == SP_FWREPORT_CHANGES && put_changes(p, result, err) < 0)
        return -1;
    return put_state(p, result, err);
}
