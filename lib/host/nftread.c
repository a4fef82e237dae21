/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The reading half of host/nft.h: is the table whole, what is in it, and who else stands before the port.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/object.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/nft.h"
#include "host/nftlink.h"
#include "host/nftrules.h"
#include "host/nftset.h"

/* Say what is amiss, once. Answers 0: damage is a finding, not a failure to read. */
static int damaged(struct sp_nft_ruleset *r, const char *what, const char *name)
{
    r->body = SP_NFT_DAMAGED;
    if (sp_str_format(r->why, sizeof(r->why), "%s %s", what, name) < 0)
        (void)sp_str_copy(r->why, sizeof(r->why), what);
    return 0;
}

static int visit_table(const struct nlmsghdr *nlh, void *data)
{
    struct sp_nft_ruleset *r = data;
    struct nftnl_table *t = nftnl_table_alloc();

    if (t == NULL || nftnl_table_nlmsg_parse(nlh, t) < 0) {
        if (t != NULL)
            nftnl_table_free(t);
        return MNL_CB_ERROR;
    }
    r->body = SP_NFT_OPEN; /* until something else is found */
    if (nftnl_table_get_u32(t, NFTNL_TABLE_FLAGS) != 0)
        (void)damaged(r, "the table is dormant or somebody's own:", SP_NFT_TABLE);
    else if (nftnl_table_get_u32(t, NFTNL_TABLE_USE) != SP_NFTRULES_USE)
        (void)damaged(r, "chains or sets were added to or taken from table", SP_NFT_TABLE);
    nftnl_table_free(t);
    return MNL_CB_OK;
}

static int read_table(struct sp_nft *nft, struct sp_nft_ruleset *r, struct sp_error *err)
{
    struct sp_nftlink_ask q;

    sp_nftlink_ask(&q, NFT_MSG_GETTABLE, NFPROTO_INET, SP_NFTLINK_ONE);
    mnl_attr_put_strz(q.nlh, NFTA_TABLE_NAME, SP_NFT_TABLE);
    if (sp_nftlink_talk(nft, &q, visit_table, r, err) == 0 || err->os_errno == ENOENT)
        return 0;
    return -1;
}

static bool is_hooked(const struct nftnl_chain *c)
{
    return nftnl_chain_is_set(c, NFTNL_CHAIN_HOOKNUM);
}

static bool is_our_hook(const struct nftnl_chain *c)
{
    return is_hooked(c) && nftnl_chain_get_u32(c, NFTNL_CHAIN_HOOKNUM) == NF_INET_LOCAL_IN &&
           nftnl_chain_get_s32(c, NFTNL_CHAIN_PRIO) == SP_NFTRULES_HOOK_PRIORITY &&
           nftnl_chain_get_u32(c, NFTNL_CHAIN_POLICY) == NF_ACCEPT &&
           sp_streq(nftnl_chain_get_str(c, NFTNL_CHAIN_TYPE), "filter");
}

static int visit_chain(const struct nlmsghdr *nlh, void *data)
{
    struct sp_nft_ruleset *r = data;
    struct nftnl_chain *c = nftnl_chain_alloc();
    const char *name;

    if (c == NULL || nftnl_chain_nlmsg_parse(nlh, c) < 0) {
        if (c != NULL)
            nftnl_chain_free(c);
        return MNL_CB_ERROR;
    }
    name = nftnl_chain_get_str(c, NFTNL_CHAIN_NAME);
    if (sp_streq(name, sp_nftrules_chains[0]) ? !is_our_hook(c) : is_hooked(c))
        (void)damaged(r, "another hook, priority or policy in chain", name);
    nftnl_chain_free(c);
    return MNL_CB_OK;
}

/* The text of all rules of one chain. */
static int visit_rule(const struct nlmsghdr *nlh, void *data)
{
    struct nftnl_rule *rule = nftnl_rule_alloc();

    if (rule == NULL || nftnl_rule_nlmsg_parse(nlh, rule) < 0) {
        if (rule != NULL)
            nftnl_rule_free(rule);
        return MNL_CB_ERROR;
    }
    sp_nftrules_print(rule, data);
    nftnl_rule_free(rule);
    return MNL_CB_OK;
}

/* -1 error, 0 the rules are not those of `body`, 1 they are. */
static int compare_rules(const char *chain, enum sp_nft_body body, const struct sp_buf *have,
                         struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf want = {0};

    if (sp_nftrules_expected(chain, body, &want, err) < 0)
        return -1;
    return sp_streq(sp_buf_str(&want), sp_buf_str(have));
}

/* What the rules of a chain make of it; DAMAGED where they are not ours. -1 error. */
static int find_body(const char *chain, const struct sp_buf *have, enum sp_nft_body *ret,
                     struct sp_error *err)
{
    static const enum sp_nft_body bodies[] = {SP_NFT_ABSENT, SP_NFT_OPEN, SP_NFT_GUARDED};

    *ret = SP_NFT_DAMAGED;
    for (size_t i = sp_streq(chain, SP_NFTRULES_TRIAL_CHAIN) ? 0 : 1; i < SP_COUNT(bodies); i++) {
        int same = compare_rules(chain, bodies[i], have, err);
        if (same < 0)
            return -1;
        if (same == 0)
            continue;
        *ret = bodies[i];
        break;
    }
    return 0;
}

static int read_chain(struct sp_nft *nft, const char *chain, struct sp_nft_ruleset *r, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf have = {0};
    struct sp_nftlink_ask q;
    enum sp_nft_body body;

    sp_nftlink_ask(&q, NFT_MSG_GETCHAIN, NFPROTO_INET, SP_NFTLINK_ONE);
    mnl_attr_put_strz(q.nlh, NFTA_CHAIN_TABLE, SP_NFT_TABLE);
    mnl_attr_put_strz(q.nlh, NFTA_CHAIN_NAME, chain);
    if (sp_nftlink_talk(nft, &q, visit_chain, r, err) < 0)
        return err->os_errno == ENOENT ? damaged(r, "no chain", chain) : -1;
    sp_nftlink_ask(&q, NFT_MSG_GETRULE, NFPROTO_INET, SP_NFTLINK_DUMP);
    mnl_attr_put_strz(q.nlh, NFTA_RULE_TABLE, SP_NFT_TABLE);
    mnl_attr_put_strz(q.nlh, NFTA_RULE_CHAIN, chain);
    if (sp_nftlink_talk(nft, &q, visit_rule, &have, err) < 0)
        return err->os_errno == ENOENT ? damaged(r, "no chain", chain) : -1;
    if (!sp_buf_ok(&have))
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (find_body(chain, &have, &body, err) < 0)
        return -1;
    if (body == SP_NFT_DAMAGED)
        return damaged(r, "other rules than ours in chain", chain);
    if (sp_streq(chain, SP_NFTRULES_TRIAL_CHAIN))
        r->trial.body = body;
    /* Of the others only `committed` differs between the two. */
    else if (body == SP_NFT_GUARDED && r->body == SP_NFT_OPEN)
        r->body = SP_NFT_GUARDED;
    return 0;
}

static int visit_set(const struct nlmsghdr *nlh, void *data)
{
    struct sp_nft_ruleset *r = data;
    struct nftnl_set *s = nftnl_set_alloc();
    const char *name;

    if (s == NULL || nftnl_set_nlmsg_parse(nlh, s) < 0) {
        if (s != NULL)
            nftnl_set_free(s);
        return MNL_CB_ERROR;
    }
    name = nftnl_set_get_str(s, NFTNL_SET_NAME);
    for (size_t i = 0; i < SP_NFTRULES_SETS; i++) {
        const struct sp_nftrules_set_spec *spec = &sp_nftrules_sets[i];
        if (sp_streq(spec->name, name) && (nftnl_set_get_u32(s, NFTNL_SET_FLAGS) != spec->flags ||
                                           nftnl_set_get_u32(s, NFTNL_SET_KEY_LEN) != spec->key_len))
            (void)damaged(r, "another kind of set", name);
    }
    nftnl_set_free(s);
    return MNL_CB_OK;
}

static int read_set(struct sp_nft *nft, const char *set, struct sp_nft_ruleset *r, struct sp_error *err)
{
    struct sp_nftlink_ask q;

    sp_nftlink_ask(&q, NFT_MSG_GETSET, NFPROTO_INET, SP_NFTLINK_ONE);
    mnl_attr_put_strz(q.nlh, NFTA_SET_TABLE, SP_NFT_TABLE);
    mnl_attr_put_strz(q.nlh, NFTA_SET_NAME, set);
    if (sp_nftlink_talk(nft, &q, visit_set, r, err) == 0)
        return 0;
    return err->os_errno == ENOENT ? damaged(r, "no set", set) : -1;
}

static int visit_counter(const struct nlmsghdr *nlh, void *data)
{
    struct nftnl_obj *o = nftnl_obj_alloc();

    if (o == NULL || nftnl_obj_nlmsg_parse(nlh, o) < 0) {
        if (o != NULL)
            nftnl_obj_free(o);
        return MNL_CB_ERROR;
    }
    *(uint64_t *)data = nftnl_obj_get_u64(o, NFTNL_OBJ_CTR_PKTS);
    nftnl_obj_free(o);
    return MNL_CB_OK;
}

static int read_proved(struct sp_nft *nft, uint64_t *ret, struct sp_error *err)
{
    struct sp_nftlink_ask q;

    sp_nftlink_ask(&q, NFT_MSG_GETOBJ, NFPROTO_INET, SP_NFTLINK_ONE);
    mnl_attr_put_strz(q.nlh, NFTA_OBJ_TABLE, SP_NFT_TABLE);
    mnl_attr_put_strz(q.nlh, NFTA_OBJ_NAME, SP_NFTRULES_PROVED);
    mnl_attr_put_u32(q.nlh, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
    return sp_nftlink_talk(nft, &q, visit_counter, ret, err);
}

/* Only where there are rules for one can a trial run. */
static int read_trial(struct sp_nft *nft, int64_t now, struct sp_nft_trial *t, struct sp_error *err)
{
    if (t->body == SP_NFT_ABSENT)
        return 0;
    if (sp_nftset_read_trial_ports(nft, t, err) < 0 ||
        sp_nftset_read_allow(nft, SP_NFTRULES_TRIAL4, now, &t->allow.v4, err) < 0 ||
        sp_nftset_read_allow(nft, SP_NFTRULES_TRIAL6, now, &t->allow.v6, err) < 0)
        return -1;
    return read_proved(nft, &t->proved, err);
}

static int read_once(struct sp_nft *nft, int64_t now, struct sp_nft_ruleset *r, struct sp_error *err)
{
    if (read_table(nft, r, err) < 0)
        return -1;
    for (size_t i = 0; r->body > SP_NFT_DAMAGED && sp_nftrules_chains[i] != NULL; i++)
        if (read_chain(nft, sp_nftrules_chains[i], r, err) < 0)
            return -1;
    for (size_t i = 0; r->body > SP_NFT_DAMAGED && i < SP_NFTRULES_SETS; i++)
        if (read_set(nft, sp_nftrules_sets[i].name, r, err) < 0)
            return -1;
    if (r->body <= SP_NFT_DAMAGED)
        return 0;
    if (sp_nftset_read_ports(nft, r, err) < 0 ||
        sp_nftset_read_allow(nft, SP_NFTRULES_ALLOW4, now, &r->allow.v4, err) < 0 ||
        sp_nftset_read_allow(nft, SP_NFTRULES_ALLOW6, now, &r->allow.v6, err) < 0)
        return -1;
    return read_trial(nft, now, &r->trial, err);
}

/* An interrupted dump leaves its rest in the socket: a new one is the simplest broom. */
static int reopen(struct sp_nft *nft, struct sp_error *err)
{
    struct sp_host real = {.root_fd = -1, .real = true};

    const uint32_t expect = nft->expect;

    sp_nft_close(nft);
    if (sp_nft_open(&real, nft, err) < 0)
        return -1;
    nft->expect = expect;
    return 0;
}

int sp_nft_read(struct sp_nft *nft, int64_t now, struct sp_nft_ruleset *ret, uint32_t *ret_generation,
                struct sp_error *err)
{
    bool damaged_before = false;

    for (int attempt = 0; attempt < 20; attempt++) {
        _cleanup_(sp_nft_ruleset_clear) struct sp_nft_ruleset r = {0};
        uint32_t before, after;

        if (sp_nft_generation(nft, &before, err) < 0)
            return -1;
        if (read_once(nft, now, &r, err) < 0) {
            /* ENOENT: the table went while it was read. */
            if ((err->code != SP_E_BUSY && err->os_errno != ENOENT) || reopen(nft, err) < 0)
                return -1;
            continue;
        }
        if (sp_nft_generation(nft, &after, err) < 0)
            return -1;
        if (before != after)
            continue; /* one half of one table, the other half of the next */
        /* libnftnl without memory leaves things out: what is damaged is so a second time, too. */
        if (r.body == SP_NFT_DAMAGED && !damaged_before) {
            damaged_before = true;
            continue;
        }
        *ret = r;
        r = (struct sp_nft_ruleset){0};
        if (ret_generation != NULL)
            *ret_generation = after;
        return 0;
    }
    return sp_fail(err, SP_E_BUSY, 0, "the packet filter changes too often to be read");
}

static int visit_foreign(const struct nlmsghdr *nlh, void *data)
{
    struct nftnl_chain *c = nftnl_chain_alloc();
    uint32_t family, hook;

    if (c == NULL || nftnl_chain_nlmsg_parse(nlh, c) < 0) {
        if (c != NULL)
            nftnl_chain_free(c);
        return MNL_CB_ERROR;
    }
    /* bridge, arp, netdev: not in the way of a port of this host */
    family = nftnl_chain_get_u32(c, NFTNL_CHAIN_FAMILY);
    hook = is_hooked(c) ? nftnl_chain_get_u32(c, NFTNL_CHAIN_HOOKNUM) : UINT32_MAX;
    if ((family == NFPROTO_INET || family == NFPROTO_IPV4 || family == NFPROTO_IPV6) &&
        (hook == NF_INET_LOCAL_IN || hook == NF_INET_PRE_ROUTING) &&
        sp_streq(nftnl_chain_get_str(c, NFTNL_CHAIN_TYPE), "filter") &&
        !(family == NFPROTO_INET && sp_streq(nftnl_chain_get_str(c, NFTNL_CHAIN_TABLE), SP_NFT_TABLE)))
        *(bool *)data = true;
    nftnl_chain_free(c);
    return MNL_CB_OK;
}

int sp_nft_has_others(struct sp_nft *nft, bool *ret, struct sp_error *err)
{
    for (int attempt = 0; attempt < 20; attempt++) {
        struct sp_nftlink_ask q;

        *ret = false;
        sp_nftlink_ask(&q, NFT_MSG_GETCHAIN, NFPROTO_UNSPEC, SP_NFTLINK_DUMP);
        if (sp_nftlink_talk(nft, &q, visit_foreign, ret, err) == 0)
            return 0;
        if (err->code != SP_E_BUSY || reopen(nft, err) < 0)
            return -1;
    }
    return sp_fail(err, SP_E_BUSY, 0, "the packet filter changes too often to be read");
}
