/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/firewall.h"

#include "base/mem.h"
#include "base/str.h"
#include "engine/fwplan.h"
#include "engine/fwstore.h"
#include "engine/fwtrial.h"
#include "model/fwwarn.h"
#include "resource/sshports.h"

int sp_fwplan_begin(struct sp_fwplan *p, struct sp_host *h, const struct sp_config *c,
                    enum sp_firewall_flags flags, cJSON *result, struct sp_error *err)
{
    *p = (struct sp_fwplan){.host = h, .config = c, .flags = flags, .now = h->ops->now(h)};
    p->warnings = cJSON_AddArrayToObject(result, "warnings");
    return p->warnings != NULL ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* A dry run takes no lock: it may then see a change half way, and says so by what it shows. */
int sp_fwplan_lock(const struct sp_fwplan *p, int *ret_fd, struct sp_error *err)
{
    if ((p->flags & SP_FIREWALL_DRY) != 0)
        return 0;
    *ret_fd = sp_fwstore_lock(p->host, err);
    return *ret_fd < 0 ? -1 : 0;
}

/* What has expired is forgotten, in silence: it is neither a change nor worth a write. */
int sp_fwplan_load(struct sp_fwplan *p, enum sp_fwstore_copy which, struct sp_error *err)
{
    if (sp_fwstore_load(p->host, which, &p->old, &p->sum, err) < 0 || sp_fwtrial_settle(p, err) < 0)
        return -1;
    sp_fw_policy_drop_expired(&p->old, p->now);
    sp_fw_policy_borrow(&p->want, &p->old);
    return 0;
}

static int hear_warning(void *data, const char *text)
{
    struct sp_error ignored;

    return sp_fwplan_warn(data, &ignored, "%s", text);
}

struct still_open {
    struct sp_fwplan *plan;
    struct sp_error *err;
    struct sp_fw_place place;
    size_t said;
};

/* What was taken away and is open all the same. */
static int hear_gone(void *data, const struct sp_fw_entry *from, const struct sp_fw_entry *to)
{
    struct still_open *s = data;
    char source[SP_CIDR_SIZE];

    if (to != NULL || !sp_fw_covers_next(&s->plan->target.allow, &from->source, &s->place, NULL) ||
        s->said == SP_FWWARN_MAX)
        return 0;
    s->said++;
    sp_cidr_format(&from->source, source);
    return sp_fwplan_warn(s->plan, s->err, "%s stays open: another source covers it", source);
}

static int warn_still_open(struct sp_fwplan *p, struct sp_error *err)
{
    struct still_open s = {.plan = p, .err = err};

    return p->want.mode == SP_FW_RESTRICTED ? sp_fw_policy_diff(&p->old, &p->want, hear_gone, &s) : 0;
}

static int warn_blocked(struct sp_fwplan *p, struct sp_error *err)
{
    for (size_t i = 0; i < p->beside.n_blocks; i++) {
        const struct sp_firewall_block *b = &p->beside.blocks[i];
        const char *from = b->from[0] != '\0' ? b->from : "everybody";

        if (sp_fwplan_warn(p, err, "%s %s port %u for %s (%s): %s", sp_firewall_kind_name(b->by),
                           b->certain ? "holds back" : "may hold back", b->port, from, b->where,
                           b->mend) < 0)
            return -1;
    }
    return 0;
}

/* Others are asked where the mode or the state is asked for: reading their rules costs what they have. */
static int beside(struct sp_fwplan *p, struct sp_error *err)
{
    if (p->asks_mode && p->want.mode == SP_FW_UNMANAGED && p->trial == SP_FWTRIAL_NONE)
        return p->keep_opened ? sp_fwbeside_forget(p, err) : sp_fwbeside_take_back(p, err);
    if (!p->asks_mode)
        return 0;
    if (sp_fwbeside_look(p, err) < 0 || (p->trial == SP_FWTRIAL_NONE && sp_fwbeside_open(p, err) < 0))
        return -1;
    return warn_blocked(p, err);
}

static int look_and_plan(struct sp_fwplan *p, enum sp_fwplan_kind kind, struct sp_error *err)
{
    return sp_fwplan_look(p, err) < 0 || sp_fwplan_make(p, kind, err) < 0 ? -1 : 0;
}

static int carry_out(struct sp_fwplan *p, cJSON *result, struct sp_error *err)
{
    if (p->confirm_within != 0 && sp_fwtrial_start(p, err) < 0)
        return -1;
    if (sp_fwwarn_each(&p->old, &p->want, hear_warning, p) < 0)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (warn_still_open(p, err) < 0)
        return -1;
    if (p->asks_mode && p->want.mode == SP_FW_UNMANAGED && !p->keep_opened &&
        sp_fwbeside_check_take_back(p, err) < 0)
        return -1;
    /* Ours first: what others open must not let in whom ours holds back. */
    if ((p->flags & SP_FIREWALL_DRY) == 0 && sp_fwplan_apply(p, err) < 0)
        return -1;
    sp_fwplan_note(p);
    if (beside(p, err) < 0)
        return -1;
    return sp_fwreport(p, SP_FWREPORT_CHANGES, result, err);
}

/* Look, plan, do, report: the way of everything that may change. */
static int finish(struct sp_fwplan *p, enum sp_fwplan_kind kind, cJSON *result, struct sp_error *err)
{
    return look_and_plan(p, kind, err) < 0 ? -1 : carry_out(p, result, err);
}

static enum sp_firewall_flags with(enum sp_firewall_flags flags, enum sp_firewall_flags more)
{
    return (enum sp_firewall_flags)((unsigned)flags | more);
}

int sp_firewall_get(struct sp_host *h, const struct sp_config *c, enum sp_firewall_flags flags,
                    cJSON *result, struct sp_error *err)
{
    _cleanup_(sp_fwplan_clear) struct sp_fwplan p = {0};
    struct sp_sshports found = {0};
    struct sp_error why;

    if (sp_fwplan_begin(&p, h, c, with(flags, SP_FIREWALL_DRY), result, err) < 0 ||
        sp_fwplan_load(&p, SP_FWSTORE_CURRENT, err) < 0 || sp_fwplan_look(&p, err) < 0)
        return -1;
    /* Managed, the question is what is guarded; else, what there would be to guard. */
    if (p.want.mode == SP_FW_UNMANAGED && p.trial == SP_FWTRIAL_NONE) {
        if (sp_sshports_find(h, c, &found, &why) < 0 && sp_fwplan_warn(&p, err, "%s", why.text) < 0)
            return -1;
        for (size_t i = 0; i < found.n; i++)
            (void)sp_fw_ports_add(p.target.ports, &p.target.n_ports, found.ports[i]);
        if (sp_fwbeside_look(&p, err) < 0)
            return -1;
        return sp_fwreport(&p, SP_FWREPORT_STATE, result, err);
    }
    if (sp_fwplan_make(&p, SP_FWPLAN_RESTORE, err) < 0 || sp_fwbeside_look(&p, err) < 0 ||
        warn_blocked(&p, err) < 0)
        return -1;
    return sp_fwreport(&p, SP_FWREPORT_STATE, result, err);
}

int sp_firewall_set(struct sp_host *h, const struct sp_config *c, const struct sp_fw_request *request,
                    enum sp_firewall_flags flags, cJSON *result, struct sp_error *err)
{
    _cleanup_(sp_fwplan_clear) struct sp_fwplan p = {0};
    _cleanup_close_ int fd = -1;

    if (request->dry_run)
        flags = with(flags, SP_FIREWALL_DRY);
    if (request->force)
        flags = with(flags, SP_FIREWALL_FORCE);
    if (sp_fwplan_begin(&p, h, c, flags, result, err) < 0 || sp_fwplan_lock(&p, &fd, err) < 0 ||
        sp_fwplan_load(&p, SP_FWSTORE_CURRENT, err) < 0)
        return -1;
    if (p.trial == SP_FWTRIAL_RUNS)
        return sp_fwtrial_refuse(&p, err);
    if (sp_fwrequest_apply(request, p.now, &p.want, err) < 0)
        return -1;
    p.confirm_within = request->confirm_within;
    p.asks_mode = request->has_mode;
    p.keep_opened = request->keep_opened;
    return finish(&p, SP_FWPLAN_REQUEST, result, err);
}

/* Nothing is stored, and the kernel holds people back in our name: what was stored is lost. Taken for
 * "unmanaged" the port would be opened without a word. */
static int check_lost(struct sp_fwplan *p, struct sp_error *err)
{
    struct sp_error ignored;

    if (p->sum != 0 || p->trial != SP_FWTRIAL_NONE || sp_fwplan_read(p, &ignored) < 0 ||
        p->before.body != SP_NFT_GUARDED)
        return 0;
    (void)sp_fail(err, SP_E_STATE, 0,
                  "the kernel has a policy of sallyport's, and what was stored of it is gone: it stays in "
                  "force until the next boot");
    return sp_hint(err,
                   "`sallyport firewall restrict SOURCE...` stores one again, `sallyport firewall "
                   "unmanage` lets go of the port");
}

/* The domain's list as entries of the policy; *p->want without what it brought before. */
static int put_domain(struct sp_fwplan *p, const char *domain, const struct sp_cidr_list *sources,
                      struct sp_error *err)
{
    size_t n = sources != NULL ? sources->n : 0;
    _cleanup_free_ struct sp_fw_entry *entries = calloc(n + 1, sizeof(*entries));

    if (entries == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (sp_fw_policy_drop_owner(&p->want, domain, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        entries[i] = (struct sp_fw_entry){.source = sources->v[i], .comment = "", .owner = domain};
    /* All at once: each call copies the whole policy. */
    return sp_fw_policy_put(&p->want, entries, n, p->now, err) < 0 ? sp_field_prefix(err, "sources") : 0;
}

static int warn_domain(struct sp_fwplan *p, const char *domain, struct sp_error *err)
{
    for (size_t i = 0; i < p->want.n; i++) {
        const struct sp_fw_entry *e = &p->want.v[i];
        char source[SP_CIDR_SIZE];

        if (!sp_streq(e->owner, domain) || sp_fw_policy_find(&p->old, &e->source, domain) != NULL)
            continue;
        sp_cidr_format(&e->source, source);
        if (p->want.mode == SP_FW_RESTRICTED &&
            sp_fwplan_warn(p, err, "the SSH port is now open to %s for everybody, not only for %s", source,
                           domain) < 0)
            return -1;
        if (p->want.mode == SP_FW_CLOSED &&
            sp_fwplan_warn(p, err, "the SSH port is closed: %s of %s cannot connect", source, domain) < 0)
            return -1;
    }
    return 0;
}

/* The answer of a list that is what it was. */
static int report_nothing(cJSON *result, struct sp_error *err)
{
    if (cJSON_AddArrayToObject(result, "changes") == NULL ||
        !cJSON_AddBoolToObject(result, "changed", false))
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    return 0;
}

int sp_firewall_sync_sources(struct sp_host *h, const struct sp_config *c, const char *domain,
                             const struct sp_cidr_list *sources, enum sp_firewall_flags flags,
                             cJSON *result, struct sp_error *err)
{
    _cleanup_(sp_fwplan_clear) struct sp_fwplan p = {0};
    _cleanup_close_ int fd = -1;

    if (domain[0] == '\0')
        return sp_fail(err, SP_E_INTERNAL, 0, "sources of no domain");
    if (sp_fwplan_begin(&p, h, c, flags, result, err) < 0 || sp_fwplan_lock(&p, &fd, err) < 0)
        return -1;
    p.hands_off = true;
    if (sp_fwplan_load(&p, SP_FWSTORE_CURRENT, err) < 0 || put_domain(&p, domain, sources, err) < 0)
        return -1;
    if (sp_fw_policy_equal(&p.old, &p.want)) {
        if (p.want.mode == SP_FW_UNMANAGED && p.trial == SP_FWTRIAL_NONE)
            return report_nothing(result, err);
        /* A request that was cut off may have stored it and not told the kernel. */
        if (look_and_plan(&p, SP_FWPLAN_REQUEST, err) < 0)
            return -1;
        return p.kernel_changes ? carry_out(&p, result, err) : report_nothing(result, err);
    }
    if (check_lost(&p, err) < 0)
        return -1;
    if (warn_domain(&p, domain, err) < 0)
        return -1;
    return finish(&p, SP_FWPLAN_REQUEST, result, err);
}

/* At boot there is no table yet, and a broken file must not leave the port open for that. */
static int load_last_good(struct sp_fwplan *p, struct sp_error *err)
{
    struct sp_error why = *err;

    if ((p->flags & SP_FIREWALL_BOOT) == 0 || err->code != SP_E_STATE)
        return -1;
    sp_fw_policy_clear(&p->old);
    sp_fw_policy_clear(&p->want);
    if (sp_fwplan_load(p, SP_FWSTORE_LAST_GOOD, err) < 0) {
        *err = why;
        return -1;
    }
    p->frozen = true;
    return sp_fwplan_warn(p, err, "%s: its last good copy is put in force", why.text);
}

int sp_firewall_restore(struct sp_host *h, const struct sp_config *c, enum sp_firewall_flags flags,
                        cJSON *result, struct sp_error *err)
{
    _cleanup_(sp_fwplan_clear) struct sp_fwplan p = {0};
    _cleanup_close_ int fd = -1;

    if (sp_fwplan_begin(&p, h, c, flags, result, err) < 0 || sp_fwplan_lock(&p, &fd, err) < 0)
        return -1;
    if ((flags & SP_FIREWALL_DRY) == 0)
        sp_fwstore_tidy(h);
    if (sp_fwplan_load(&p, SP_FWSTORE_CURRENT, err) < 0 && load_last_good(&p, err) < 0)
        return -1;
    if (check_lost(&p, err) < 0)
        return -1;
    return finish(&p, SP_FWPLAN_RESTORE, result, err);
}
