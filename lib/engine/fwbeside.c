/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/fwbeside.h"

#include "base/mem.h"
#include "base/str.h"
#include "engine/fwopened.h"
#include "engine/fwplan.h"
#include "host/diag.h"

#define ASKED_SOURCES 32 /* of a long list the first ones are asked for */

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

void sp_fwbeside_clear(struct sp_fwbeside *b)
{
    sp_firewalls_clear(&b->others);
    *b = (struct sp_fwbeside){0};
}

/* --- looking --- */

static bool is_known(const struct sp_fwbeside *b, const struct sp_firewall_block *one)
{
    for (size_t i = 0; i < b->n_blocks; i++)
        if (b->blocks[i].by == one->by && b->blocks[i].port == one->port &&
            b->blocks[i].certain == one->certain && sp_streq(b->blocks[i].where, one->where))
            return true;
    return false;
}

static int ask(struct sp_fwbeside *b, const struct sp_nftverdict_packet *packet, struct sp_error *err)
{
    struct sp_firewall_block one;
    int found = sp_firewalls_judge(&b->others, packet, &one, err);

    if (found > 0 && !is_known(b, &one) && b->n_blocks < SP_FWBESIDE_MAX)
        b->blocks[b->n_blocks++] = one;
    return found < 0 ? -1 : 0;
}

/* One address stands for its block. */
static int ask_for(struct sp_fwbeside *b, const struct sp_cidr *source, uint16_t port, struct sp_error *err)
{
    struct sp_cidr address = *source;
    struct sp_nftverdict_packet packet = {.from = &address, .port = port};

    address.prefix = address.family == 4 ? 32 : 128;
    return ask(b, &packet, err);
}

/* Open: for anybody. Restricted: for those who are let in. */
static int ask_port(struct sp_fwplan *p, uint16_t port, struct sp_error *err)
{
    struct sp_fwbeside *b = &p->beside;

    if (p->want.mode == SP_FW_OPEN) {
        for (uint8_t any = 4; any <= 6; any += 2) {
            struct sp_nftverdict_packet packet = {.any = any, .port = port};
            if (ask(b, &packet, err) < 0)
                return -1;
        }
        return 0;
    }
    for (size_t i = 0; i < p->want.n && i < ASKED_SOURCES; i++)
        if (ask_for(b, &p->want.v[i].source, port, err) < 0)
            return -1;
    for (size_t i = 0; i < p->config->always_allow.n && i < ASKED_SOURCES; i++)
        if (ask_for(b, &p->config->always_allow.v[i], port, err) < 0)
            return -1;
    return 0;
}

/* Whoever asks is told that he is banned, though everybody else is not. */
static int ask_caller(struct sp_fwplan *p, struct sp_error *err)
{
    struct sp_diag_peer caller;
    struct sp_error ignored;
    bool found = false;

    if (sp_diag_caller(p->host, &caller, &found, &ignored) < 0 || !found ||
        sp_fwbeside_is_blocked(&p->beside))
        return 0;
    return ask_for(&p->beside, &caller.address, caller.local_port, err);
}

static int ask_all(struct sp_fwplan *p, struct sp_error *err)
{
    const bool lets_in = p->want.mode == SP_FW_OPEN || p->want.mode == SP_FW_RESTRICTED;

    p->beside.n_blocks = p->beside.n_general = 0;
    for (size_t i = 0; lets_in && i < p->target.n_ports; i++)
        if (ask_port(p, p->target.ports[i], err) < 0)
            return -1;
    p->beside.n_general = p->beside.n_blocks;
    return ask_caller(p, err);
}

int sp_fwbeside_look(struct sp_fwplan *p, struct sp_error *err)
{
    struct sp_error why;

    sp_firewalls_clear(&p->beside.others);
    if (sp_firewalls_look(p->host, &p->beside.others, &why) < 0)
        return sp_fwplan_warn(p, err, "the firewalls of others cannot be read: %s", why.text);
    p->beside.looked = true;
    return ask_all(p, err);
}

bool sp_fwbeside_is_blocked(const struct sp_fwbeside *b)
{
    for (size_t i = 0; i < b->n_general; i++)
        if (b->blocks[i].certain)
            return true;
    return false;
}

/* --- opening --- */

static bool is_planned(const struct sp_fwbeside *b, const struct sp_fwopen *o)
{
    for (size_t i = 0; i < b->n_changes; i++)
        if (sp_fwopen_equal(&b->changes[i].what, o))
            return true;
    return false;
}

/* What can be opened of what stops the port; what cannot is said. */
static int plan(struct sp_fwplan *p, struct sp_error *err)
{
    struct sp_fwbeside *b = &p->beside;
    struct sp_error why;

    for (size_t i = 0; i < b->n_general; i++) {
        const struct sp_firewall_block *block = &b->blocks[i];
        struct sp_fwopen o;

        if (!block->certain || block->by == SP_FIREWALL_NFTABLES || block->by == SP_FIREWALL_FAIL2BAN ||
            block->by == SP_FIREWALL_CROWDSEC)
            continue;
        if (sp_fwopen_plan(p->host, block, &o, &why) < 0) {
            if (sp_fwplan_warn(p, err, "%s was not changed: %s", sp_firewall_kind_name(block->by),
                               why.text) < 0)
                return -1;
        } else if (!is_planned(b, &o) && b->n_changes < SP_FWBESIDE_MAX)
            b->changes[b->n_changes++] = (struct sp_fwbeside_change){.what = o, .opens = true};
    }
    return 0;
}

static int warn_lasting(struct sp_fwplan *p, const struct sp_fwopen *o, struct sp_error *err)
{
    if (o->by != SP_FIREWALL_IPTABLES && o->by != SP_FIREWALL_IPTABLES_LEGACY)
        return 0;
    return sp_fwplan_warn(p, err,
                          "a rule of iptables is gone at the next start of the host unless it is saved: "
                          "netfilter-persistent save");
}

int sp_fwbeside_open(struct sp_fwplan *p, struct sp_error *err)
{
    struct sp_fwbeside *b = &p->beside;
    struct sp_fwopened opened;
    struct sp_error why;

    if (!b->looked || !sp_fwbeside_is_blocked(b))
        return 0;
    if (plan(p, err) < 0)
        return -1;
    if (b->n_changes == 0 || (p->flags & SP_FIREWALL_DRY) != 0)
        return 0;
    if (sp_fwopened_load(p->host, &opened, err) < 0)
        return -1;
    for (size_t i = 0; i < b->n_changes; i++)
        if (sp_fwopened_add(&opened, &b->changes[i].what, err) < 0)
            return -1;
    if (sp_fwopened_save(p->host, &opened, err) < 0) /* first: what is opened is never forgotten */
        return -1;
    for (size_t i = 0; i < b->n_changes; i++) {
        b->changes[i].done = sp_fwopen_open(p->host, &b->changes[i].what, &why) == 0;
        if (!b->changes[i].done && sp_fwplan_warn(p, err, "%s", why.text) < 0)
            return -1;
        if (b->changes[i].done && warn_lasting(p, &b->changes[i].what, err) < 0)
            return -1;
    }
    return sp_fwbeside_look(p, err);
}

/* --- taking back --- */

int sp_fwbeside_check_take_back(struct sp_fwplan *p, struct sp_error *err)
{
    _cleanup_(sp_diag_peers_clear) struct sp_diag_peers peers = {0};
    struct sp_fwopened opened;
    uint16_t ports[SP_FWOPENED_MAX];
    char address[SP_CIDR_SIZE], target[SP_FWOPEN_TARGET];

    if (sp_fwopened_load(p->host, &opened, err) < 0)
        return -1;
    if (opened.n == 0 || (p->flags & SP_FIREWALL_FORCE) != 0)
        return 0;
    for (size_t i = 0; i < opened.n; i++)
        ports[i] = opened.v[i].port;
    if (sp_diag_established(p->host, ports, opened.n, &peers, err) < 0)
        return -1;
    if (peers.n == 0)
        return 0;
    sp_cidr_format(&peers.v[0].address, address);
    sp_fwopen_target(&opened.v[0], target);
    (void)sp_fail(err, SP_E_LOCKOUT, 0,
                  "what sallyport opened in %s would be taken back, and %s is connected", target, address);
    (void)sp_hint(err, "keep_opened true leaves it open for good; force true takes it back all the same");
    return sp_field(err, "force");
}

int sp_fwbeside_take_back(struct sp_fwplan *p, struct sp_error *err)
{
    struct sp_fwbeside *b = &p->beside;
    struct sp_fwopened opened, left = {0};
    struct sp_error why;

    if (sp_fwopened_load(p->host, &opened, err) < 0)
        return -1;
    for (size_t i = 0; i < opened.n && i < SP_FWBESIDE_MAX; i++) {
        struct sp_fwbeside_change *c = &b->changes[b->n_changes++];

        *c = (struct sp_fwbeside_change){.what = opened.v[i]};
        if ((p->flags & SP_FIREWALL_DRY) != 0)
            continue;
        c->done = sp_fwopen_close(p->host, &c->what, &why) == 0;
        if (!c->done && (sp_fwopened_add(&left, &c->what, err) < 0 ||
                         sp_fwplan_warn(p, err, "still open: %s", why.text) < 0))
            return -1;
    }
    return opened.n == 0 || (p->flags & SP_FIREWALL_DRY) != 0 ? 0 : sp_fwopened_save(p->host, &left, err);
}

int sp_fwbeside_forget(struct sp_fwplan *p, struct sp_error *err)
{
    const struct sp_fwopened none = {0};
    struct sp_fwopened opened;

    if ((p->flags & SP_FIREWALL_DRY) != 0)
        return 0;
    if (sp_fwopened_load(p->host, &opened, err) < 0)
        return -1;
    return opened.n > 0 ? sp_fwopened_save(p->host, &none, err) : 0;
}

/* --- showing --- */

static int add_block(const struct sp_firewall_block *b, cJSON *array, struct sp_error *err)
{
    cJSON *o = cJSON_CreateObject();

    if (!cJSON_AddItemToArray(array, o) ||
        !cJSON_AddStringToObject(o, "by", sp_firewall_kind_name(b->by)) ||
        !cJSON_AddStringToObject(o, "where", b->where) || !cJSON_AddNumberToObject(o, "port", b->port) ||
        !cJSON_AddBoolToObject(o, "certain", b->certain) || !cJSON_AddStringToObject(o, "mend", b->mend) ||
        (b->from[0] != '\0' && !cJSON_AddStringToObject(o, "from", b->from)))
        return no_memory(err);
    return 0;
}

int sp_fwbeside_report_firewalls(const struct sp_firewalls *f, cJSON *result, struct sp_error *err)
{
    cJSON *array = cJSON_AddArrayToObject(result, "firewalls");

    for (int i = 0; array != NULL && i < SP_FIREWALL_KINDS; i++) {
        cJSON *o;
        if (!f->in_force[i] && !f->only_says[i])
            continue;
        o = cJSON_CreateObject();
        if (!cJSON_AddItemToArray(array, o) ||
            !cJSON_AddStringToObject(o, "name", sp_firewall_kind_name((enum sp_firewall_kind)i)) ||
            !cJSON_AddBoolToObject(o, "in_force", f->in_force[i]))
            return no_memory(err);
    }
    return array != NULL ? 0 : no_memory(err);
}

int sp_fwbeside_report(const struct sp_fwbeside *b, cJSON *result, struct sp_error *err)
{
    cJSON *array;

    if (!b->looked)
        return 0;
    array = cJSON_AddArrayToObject(result, "blocked_by");
    for (size_t i = 0; array != NULL && i < b->n_blocks; i++)
        if (add_block(&b->blocks[i], array, err) < 0)
            return -1;
    return array == NULL ? no_memory(err) : sp_fwbeside_report_firewalls(&b->others, result, err);
}
