/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/fwplan.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/mem.h"
#include "engine/fwguard.h"
#include "engine/fwstore.h"
#include "engine/fwtrial.h"
#include "resource/sshports.h"

void sp_fwplan_clear(struct sp_fwplan *p)
{
    sp_fw_policy_clear(&p->old);
    sp_fw_policy_clear(&p->want);
    sp_fw_policy_clear(&p->stored);
    sp_nft_ruleset_clear(&p->before);
    sp_nft_ruleset_clear(&p->target);
    sp_nft_ruleset_clear(&p->after);
    sp_fw_pending_clear(&p->pending);
    sp_fw_compiled_clear(&p->del);
    sp_fw_compiled_clear(&p->add);
    sp_fwbeside_clear(&p->beside);
}

int sp_fwplan_warn(struct sp_fwplan *p, struct sp_error *err, const char *fmt, ...)
{
    _cleanup_free_ char *text = NULL;
    cJSON *item = NULL;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0)
        text = NULL;
    if (text != NULL)
        item = cJSON_CreateString(text);
    if (item != NULL && cJSON_AddItemToArray(p->warnings, item))
        return 0;
    cJSON_Delete(item);
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

static bool is_managed(const struct sp_fwplan *p)
{
    return p->old.mode != SP_FW_UNMANAGED || p->want.mode != SP_FW_UNMANAGED;
}

int sp_fwplan_read(struct sp_fwplan *p, struct sp_error *err)
{
    _cleanup_(sp_nft_close) struct sp_nft nft = {0};

    if (p->looked)
        return 0;
    if (sp_nft_open(p->host, &nft, err) < 0 || sp_nft_read(&nft, p->now, &p->before, err) < 0)
        return -1;
    p->looked = true;
    return 0;
}

int sp_fwplan_look(struct sp_fwplan *p, struct sp_error *err)
{
    if (p->hands_off && !is_managed(p) && p->trial == SP_FWTRIAL_NONE)
        return 0;
    if (sp_fwplan_read(p, err) < 0)
        return is_managed(p) ? -1 : 0;
    return 0;
}

enum sp_nft_body sp_fwplan_body(enum sp_fw_mode mode)
{
    static const enum sp_nft_body bodies[SP_FW_MODE_COUNT] = {
        [SP_FW_UNMANAGED] = SP_NFT_ABSENT,
        [SP_FW_OPEN] = SP_NFT_OPEN,
        [SP_FW_RESTRICTED] = SP_NFT_GUARDED,
        [SP_FW_CLOSED] = SP_NFT_GUARDED,
    };

    return bodies[mode];
}

static void copy_ports(uint16_t *dst, size_t *n_dst, const uint16_t *src, size_t n_src)
{
    memcpy(dst, src, n_src * sizeof(*src));
    *n_dst = n_src;
}

static bool same_ports(const struct sp_nft_ruleset *a, const struct sp_nft_ruleset *b)
{
    return a->n_ports == b->n_ports && memcmp(a->ports, b->ports, a->n_ports * sizeof(a->ports[0])) == 0;
}

/* sshd cannot be asked: what was guarded before is guarded on. At boot nothing listens yet, and a broken
 * sshd_config must not leave the port open. */
static int fall_back(struct sp_fwplan *p, const struct sp_error *why, struct sp_error *err)
{
    struct sp_nft_ruleset *t = &p->target;

    for (size_t i = 0; i < p->before.n_ports; i++)
        (void)sp_fw_ports_add(t->ports, &t->n_ports, p->before.ports[i]);
    for (size_t i = 0; i < p->old.n_ports; i++)
        (void)sp_fw_ports_add(t->ports, &t->n_ports, p->old.ports[i]);
    if (t->n_ports == 0) {
        *err = *why;
        return -1;
    }
    return sp_fwplan_warn(p, err, "sshd's ports are unknown, the last known ones are guarded: %s",
                          why->text);
}

static bool is_narrowing(const struct sp_fwplan *p)
{
    if (p->target.body != SP_NFT_GUARDED)
        return false;
    return p->before.body != SP_NFT_GUARDED || sp_fw_narrows(&p->before.allow, &p->target.allow);
}

/* sshd is asked only where it matters: asking costs a process, and a source more on a guarded port cannot
 * be wrong about the port. */
static int choose_ports(struct sp_fwplan *p, enum sp_fwplan_kind kind, struct sp_error *err)
{
    struct sp_nft_ruleset *t = &p->target;
    struct sp_sshports found;
    struct sp_error why;

    if (t->body == SP_NFT_ABSENT)
        return 0;
    if (kind == SP_FWPLAN_CONFIRM) {
        copy_ports(t->ports, &t->n_ports, p->before.trial.ports, p->before.trial.n_ports);
        return 0;
    }
    if (kind == SP_FWPLAN_REQUEST && p->before.body == t->body && p->old.mode == p->want.mode &&
        p->before.n_ports > 0 && !is_narrowing(p)) {
        copy_ports(t->ports, &t->n_ports, p->before.ports, p->before.n_ports);
        return 0;
    }
    if (sp_sshports_find(p->host, p->config, &found, &why) < 0) {
        if (kind == SP_FWPLAN_RESTORE)
            return fall_back(p, &why, err);
        *err = why;
        return -1;
    }
    copy_ports(t->ports, &t->n_ports, found.ports, found.n);
    if (found.disagreement[0] == '\0')
        return 0;
    if (kind == SP_FWPLAN_RESTORE || !is_narrowing(p))
        return sp_fwplan_warn(p, err, "%s: all of them are guarded", found.disagreement);
    (void)sp_fail(err, SP_E_CONFLICT, 0, "%s", found.disagreement);
    return sp_hint(err,
                   "restart sshd (or ssh.socket), or mend its configuration, until `sshd -T` and the "
                   "listening sockets agree");
}

/* Would somebody who could connect under the stored policy be shut out by the new one? What the kernel lost
 * meanwhile (a flush) is no permission. */
static int check_peers(struct sp_fwplan *p, struct sp_error *err)
{
    _cleanup_(sp_nft_ruleset_clear) struct sp_nft_ruleset was = {.body = sp_fwplan_body(p->old.mode)};

    if ((p->flags & SP_FIREWALL_FORCE) != 0)
        return 0;
    copy_ports(was.ports, &was.n_ports, p->old.ports, p->old.n_ports);
    if (sp_fw_compile(&p->old, &p->config->always_allow, p->now, &was.allow, err) < 0)
        return -1;
    if (was.body == SP_NFT_GUARDED && same_ports(&was, &p->target) &&
        !sp_fw_narrows(&was.allow, &p->target.allow))
        return 0;
    return sp_fwguard_check(p->host, &was, &p->target, err);
}

/* From `before` to `target`: what differs, and how it is to be changed. */
static int compare(struct sp_fwplan *p, struct sp_error *err)
{
    const struct sp_nft_ruleset *t = &p->target;
    bool elements, trial;

    if (sp_fw_diff(&p->before.allow, &t->allow, &p->del, &p->add, err) < 0 ||
        sp_fwtrial_differs(p, &trial, err) < 0)
        return -1;
    elements = p->del.v4.n > 0 || p->del.v6.n > 0 || p->add.v4.n > 0 || p->add.v6.n > 0;
    p->rebuild = p->before.body != t->body || !same_ports(&p->before, t);
    p->committed_changes = p->rebuild || elements;
    p->rebuild |= trial;
    p->kernel_changes = p->committed_changes || trial;
    return 0;
}

int sp_fwplan_make(struct sp_fwplan *p, enum sp_fwplan_kind kind, struct sp_error *err)
{
    struct sp_nft_ruleset *t = &p->target;

    t->body = sp_fwplan_body(p->want.mode);
    if (sp_fw_compile(&p->want, &p->config->always_allow, p->now, &t->allow, err) < 0)
        return -1;
    if (choose_ports(p, kind, err) < 0)
        return -1;
    if (t->body != SP_NFT_ABSENT)
        copy_ports(p->want.ports, &p->want.n_ports, t->ports, t->n_ports);
    p->state_changes = !p->frozen && !sp_fw_policy_equal(&p->old, &p->want);
    if (p->trial == SP_FWTRIAL_RUNS && sp_fwtrial_keep(p, err) < 0)
        return -1;
    if (compare(p, err) < 0)
        return -1;
    if (kind != SP_FWPLAN_REQUEST || !p->kernel_changes || t->body != SP_NFT_GUARDED)
        return 0;
    return check_peers(p, err);
}

static int change_kernel(struct sp_fwplan *p, struct sp_nft *nft, struct sp_error *err)
{
    const struct sp_nft_ruleset *t = &p->target;
    size_t edits = p->del.v4.n + p->del.v6.n + p->add.v4.n + p->add.v6.n;

    if (t->body == SP_NFT_ABSENT)
        return sp_nft_remove(nft, err);
    if (p->rebuild)
        return sp_nft_rebuild(nft, t, p->now, err);
    if (edits <= t->allow.v4.n + t->allow.v6.n) {
        if (sp_nft_edit(nft, &p->del, &p->add, p->now, err) == 0)
            return 0;
        /* An element timed out, or somebody took one away, since we looked. */
        if (err->os_errno != ENOENT && err->os_errno != EEXIST)
            return -1;
    }
    if (sp_nft_replace(nft, &t->allow, p->now, err) == 0)
        return 0;
    return err->os_errno == ENOENT ? sp_nft_rebuild(nft, t, p->now, err) : -1;
}

int sp_fwplan_apply(struct sp_fwplan *p, struct sp_error *err)
{
    _cleanup_(sp_nft_close) struct sp_nft nft = {0};

    if (p->trial == SP_FWTRIAL_STARTS && sp_fwstore_save_pending(p->host, &p->pending, err) < 0)
        return -1;
    if ((p->state_changes ? sp_fwstore_save(p->host, &p->want, err)
         : p->frozen      ? 0
                          : sp_fwstore_follow(p->host, err)) < 0)
        return -1;
    if (p->state_changes && sp_fwstore_load(p->host, SP_FWSTORE_CURRENT, &p->stored, err) < 0)
        return -1;
    if (!p->kernel_changes)
        return 0;
    if (sp_nft_open(p->host, &nft, err) < 0)
        return -1;
    if (change_kernel(p, &nft, err) < 0) {
        struct sp_error ignored;
        if (p->trial == SP_FWTRIAL_STARTS)
            (void)sp_fwstore_drop_pending(p->host, &ignored);
        else if (err->hint[0] == '\0')
            (void)sp_hint(err, "the policy is stored; `sallyport reconcile` puts it in force");
        return -1;
    }
    p->kernel_changed = true;
    return sp_nft_read(&nft, p->now, &p->after, err);
}

const struct sp_nft_ruleset *sp_fwplan_kernel(const struct sp_fwplan *p)
{
    return p->kernel_changed ? &p->after : &p->before;
}

bool sp_fwplan_in_force(const struct sp_fwplan *p)
{
    const struct sp_nft_ruleset *is = sp_fwplan_kernel(p);
    _cleanup_(sp_fw_compiled_clear) struct sp_fw_compiled del = {0}, add = {0};
    struct sp_error ignored;

    /* Somebody else's drop is final: our accept opens nothing. */
    if (sp_fwbeside_is_blocked(&p->beside))
        return false;
    if (p->target.body == SP_NFT_ABSENT)
        return is->body == SP_NFT_ABSENT;
    if (is->body != p->target.body || !same_ports(is, &p->target) ||
        sp_fw_diff(&is->allow, &p->target.allow, &del, &add, &ignored) < 0)
        return false;
    return del.v4.n + del.v6.n + add.v4.n + add.v6.n == 0;
}
