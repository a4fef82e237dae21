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
    sp_nft_ruleset_clear(&p->before);
    sp_nft_ruleset_clear(&p->target);
    sp_nft_ruleset_clear(&p->after);
    sp_fw_pending_clear(&p->pending);
    sp_fw_compiled_clear(&p->del);
    sp_fw_compiled_clear(&p->add);
    sp_fwbeside_clear(&p->beside);
    sp_buf_clear(&p->stored);
    if (p->nft.nl != NULL)
        sp_nft_leave(p->host, &p->nft);
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

#define HALF_A_DAY 43200

static void copy_ports(uint16_t *dst, size_t *n_dst, const uint16_t *src, size_t n_src)
{
    memcpy(dst, src, n_src * sizeof(*src));
    *n_dst = n_src;
}

/* The table that the stored policy stands for. */
static int stored_table(const struct sp_fwplan *p, struct sp_nft_ruleset *ret, struct sp_error *err)
{
    ret->body = sp_fwplan_body(p->old.mode);
    if (ret->body != SP_NFT_ABSENT)
        copy_ports(ret->ports, &ret->n_ports, p->old.ports, p->old.n_ports);
    return sp_fw_compile(&p->old, &p->config->always_allow, p->now, &ret->allow, err);
}

/* -1 error, 0 the kernel is to be read, 1 it has what it had: `before` is filled. */
static int recall(struct sp_fwplan *p, struct sp_error *err)
{
    struct sp_fwmark was, now_is;
    uint32_t generation;

    sp_fwseen_load(p->host, &was);
    sp_fwseen_now(p->host, p->config, &p->nft, p->now, &now_is);
    p->seen = now_is;
    p->seen_is_new = true;
    p->seen.until = p->now + HALF_A_DAY;
    if (was.host == now_is.host && p->now < was.until) {
        p->seen.sshd = was.sshd;
        copy_ports(p->seen.ports, &p->seen.n_ports, was.ports, was.n_ports);
    }
    if (p->pending.token[0] != '\0' || !sp_fwmark_holds(&was, &now_is, p->sum, p->now))
        return 0;
    if (sp_nft_generation(&p->nft, &generation, err) < 0)
        return -1;
    if (generation != was.generation)
        return 0;
    p->seen = was;
    p->seen_is_new = false;
    p->generation = generation;
    p->remembered = true;
    return stored_table(p, &p->before, err) < 0 ? -1 : 1;
}

int sp_fwplan_read(struct sp_fwplan *p, struct sp_error *err)
{
    int known;

    if (p->looked)
        return 0;
    if (p->nft.nl == NULL && sp_nft_open(p->host, &p->nft, err) < 0)
        return -1;
    known = recall(p, err);
    if (known < 0 || (known == 0 && sp_nft_read(&p->nft, p->now, &p->before, &p->generation, err) < 0))
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

/* Asking sshd costs a process: its answer is good as long as what it depends on is the same. */
static int find_ports(struct sp_fwplan *p, struct sp_sshports *ret, struct sp_error *err)
{
    const uint64_t key = sp_sshports_key(p->host, p->config);

    if (key != 0 && key == p->seen.sshd && p->seen.n_ports > 0) {
        *ret = (struct sp_sshports){0};
        copy_ports(ret->ports, &ret->n, p->seen.ports, p->seen.n_ports);
        return 0;
    }
    p->seen.sshd = 0;
    p->seen_is_new = true;
    if (sp_sshports_find(p->host, p->config, ret, err) < 0)
        return -1;
    if (ret->lasts) {
        p->seen.sshd = key;
        copy_ports(p->seen.ports, &p->seen.n_ports, ret->ports, ret->n);
    }
    return 0;
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
    if (find_ports(p, &found, &why) < 0) {
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
    _cleanup_(sp_nft_ruleset_clear) struct sp_nft_ruleset stored = {0};
    const struct sp_nft_ruleset *was = p->remembered ? &p->before : &stored;

    if ((p->flags & SP_FIREWALL_FORCE) != 0)
        return 0;
    if (!p->remembered && stored_table(p, &stored, err) < 0)
        return -1;
    if (was->body == SP_NFT_GUARDED && same_ports(was, &p->target) &&
        !sp_fw_narrows(&was->allow, &p->target.allow))
        return 0;
    return sp_fwguard_check(p->host, was, &p->target, err);
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

static int change_kernel(struct sp_fwplan *p, struct sp_error *err)
{
    const struct sp_nft_ruleset *t = &p->target;
    struct sp_nft *nft = &p->nft;
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

/* Somebody changed the ruleset between our look and our change: of the table as it was remembered nothing
 * is known any more, and all of it is made anew. */
static int change_or_rebuild(struct sp_fwplan *p, struct sp_error *err)
{
    p->nft.expect = p->remembered ? p->generation : 0;
    if (change_kernel(p, err) == 0)
        return 0;
    if (p->nft.expect == 0 || err->os_errno != ERESTART)
        return -1;
    p->nft.expect = 0;
    p->remembered = false;
    if (p->target.body == SP_NFT_ABSENT)
        return sp_nft_remove(&p->nft, err);
    return sp_nft_rebuild(&p->nft, &p->target, p->now, err);
}

#define ASK_FOR 32

/* Is the next generation ours alone, and do the elements of a small change stand there? */
static int acknowledged(struct sp_fwplan *p, bool *ret, struct sp_error *err)
{
    const size_t edits = p->del.v4.n + p->del.v6.n + p->add.v4.n + p->add.v6.n;
    uint32_t generation;

    *ret = false;
    if (!p->remembered || p->rebuild || p->target.trial.body != SP_NFT_ABSENT)
        return 0;
    if (edits <= ASK_FOR && sp_nft_check_edit(&p->nft, &p->del, &p->add, p->now, ret, err) < 0)
        return -1;
    if ((edits <= ASK_FOR && !*ret) || sp_nft_generation(&p->nft, &generation, err) < 0)
        return edits <= ASK_FOR && !*ret ? 0 : -1;
    *ret = generation == p->generation + 1;
    p->generation = *ret ? generation : 0;
    return 0;
}

static int read_back(struct sp_fwplan *p, struct sp_error *err)
{
    p->kernel_changed = true;
    if (acknowledged(p, &p->acknowledged, err) < 0)
        return -1;
    return p->acknowledged ? 0 : sp_nft_read(&p->nft, p->now, &p->after, &p->generation, err);
}

static int store(struct sp_fwplan *p, struct sp_error *err)
{
    if (p->state_changes)
        return sp_fwstore_save(p->host, &p->want, &p->stored, &p->sum, err);
    return p->frozen ? 0 : sp_fwstore_follow(p->host, err);
}

int sp_fwplan_apply(struct sp_fwplan *p, struct sp_error *err)
{
    if (p->trial == SP_FWTRIAL_STARTS && sp_fwstore_save_pending(p->host, &p->pending, err) < 0)
        return -1;
    if (store(p, err) < 0)
        return -1;
    if (!p->kernel_changes)
        return 0;
    if (change_or_rebuild(p, err) < 0) {
        struct sp_error ignored;
        if (p->trial == SP_FWTRIAL_STARTS)
            (void)sp_fwstore_drop_pending(p->host, &ignored);
        else if (err->hint[0] == '\0')
            (void)sp_hint(err, "the policy is stored; `sallyport reconcile` puts it in force");
        return -1;
    }
    return read_back(p, err);
}

const struct sp_nft_ruleset *sp_fwplan_kernel(const struct sp_fwplan *p)
{
    if (p->acknowledged)
        return &p->target;
    return p->kernel_changed ? &p->after : &p->before;
}

/* Is the kernel's table what was planned, whatever others do beside it? */
static bool is_as_planned(const struct sp_fwplan *p)
{
    const struct sp_nft_ruleset *is = sp_fwplan_kernel(p);
    _cleanup_(sp_fw_compiled_clear) struct sp_fw_compiled del = {0}, add = {0};
    struct sp_error ignored;

    if (p->acknowledged)
        return true;
    if (p->target.body == SP_NFT_ABSENT)
        return is->body == SP_NFT_ABSENT;
    if (is->body != p->target.body || !same_ports(is, &p->target) ||
        sp_fw_diff(&is->allow, &p->target.allow, &del, &add, &ignored) < 0)
        return false;
    return del.v4.n + del.v6.n + add.v4.n + add.v6.n == 0;
}

bool sp_fwplan_in_force(const struct sp_fwplan *p)
{
    /* Somebody else's drop is final: our accept opens nothing. */
    return !sp_fwbeside_is_blocked(&p->beside) && is_as_planned(p);
}

void sp_fwplan_note(struct sp_fwplan *p)
{
    if ((p->flags & SP_FIREWALL_DRY) != 0 || p->frozen || p->trial != SP_FWTRIAL_NONE ||
        p->generation == 0 || p->seen.host == 0 || p->sum == 0 || !is_as_planned(p) ||
        sp_fwplan_kernel(p)->trial.body != SP_NFT_ABSENT)
        return;
    if (!p->seen_is_new && p->seen.generation == p->generation && p->seen.policy == p->sum)
        return;
    p->seen.generation = p->generation;
    p->seen.policy = p->sum;
    sp_fwseen_save(p->host, &p->seen);
}
