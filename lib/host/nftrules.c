/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/nftrules.h"

#include <arpa/inet.h>
#include <endian.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>

/* The kernel's headers come behind libc's: they then leave out what both define. */
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/object.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "base/mem.h"
#include "base/str.h"

#define DENIED "denied"

const struct sp_nftrules_set_spec sp_nftrules_sets[SP_NFTRULES_SETS] = {
    [SP_NFTRULES_PORTS] = {"ports", 13, 2, 0},
    [SP_NFTRULES_ALLOW4] = {"allow4", 7, 4, NFT_SET_INTERVAL | NFT_SET_TIMEOUT},
    [SP_NFTRULES_ALLOW6] = {"allow6", 8, 16, NFT_SET_INTERVAL | NFT_SET_TIMEOUT},
    [SP_NFTRULES_TRIAL] = {"trial", 13, 2, NFT_SET_TIMEOUT},
    [SP_NFTRULES_TRIAL4] = {"trial4", 7, 4, NFT_SET_INTERVAL | NFT_SET_TIMEOUT},
    [SP_NFTRULES_TRIAL6] = {"trial6", 8, 16, NFT_SET_INTERVAL | NFT_SET_TIMEOUT},
};

const char *const sp_nftrules_chains[] = {"input", "gate", "committed", SP_NFTRULES_TRIAL_CHAIN, NULL};

/* A rule under construction; a failed allocation is remembered and reported once. */
struct making {
    struct nftnl_rule *rule;
    bool failed;
};

static struct nftnl_expr *begin(struct making *m, const char *name)
{
    struct nftnl_expr *e = m->rule != NULL ? nftnl_expr_alloc(name) : NULL;

    if (e == NULL)
        m->failed = true;
    else
        nftnl_rule_add_expr(m->rule, e);
    return e;
}

static void load_meta(struct making *m, uint32_t key)
{
    struct nftnl_expr *e = begin(m, "meta");

    if (e == NULL)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
    nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, NFT_REG_1);
}

static void load_payload(struct making *m, uint32_t base, size_t offset, size_t len)
{
    struct nftnl_expr *e = begin(m, "payload");

    if (e == NULL)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, (uint32_t)offset);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, (uint32_t)len);
}

static void must_equal(struct making *m, const void *value, size_t len)
{
    struct nftnl_expr *e = begin(m, "cmp");

    if (e == NULL)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
    nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, NFT_CMP_EQ);
    nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, value, (uint32_t)len);
}

static void must_equal_byte(struct making *m, uint8_t value)
{
    must_equal(m, &value, 1);
}

static void mask_byte(struct making *m, uint8_t mask)
{
    struct nftnl_expr *e = begin(m, "bitwise");
    const uint8_t zero = 0;

    if (e == NULL)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
    nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
    nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, 1);
    nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, &mask, 1);
    nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, &zero, 1);
}

static void must_be_in(struct making *m, enum sp_nftrules_set set)
{
    struct nftnl_expr *e = begin(m, "lookup");

    if (e == NULL)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
    nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, sp_nftrules_sets[set].name);
    /* Numbers of sets within the batch count from one. */
    nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SET_ID, (uint32_t)set + 1);
    /* The default, said aloud: the kernel always says it, and the two are compared. */
    nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_FLAGS, 0);
}

static void verdict(struct making *m, int code, const char *chain)
{
    struct nftnl_expr *e = begin(m, "immediate");

    if (e == NULL)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, (uint32_t)code);
    if (chain != NULL)
        nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, chain);
}

/* A TCP packet to one of our ports that opens a connection. FIN or RST beside SYN opens none in Linux, and
 * a SYN-ACK answers a connection of our own. */
static void make_syn(struct making *m)
{
    load_meta(m, NFT_META_L4PROTO);
    must_equal_byte(m, IPPROTO_TCP);
    load_payload(m, NFT_PAYLOAD_TRANSPORT_HEADER, offsetof(struct tcphdr, th_dport), 2);
    must_be_in(m, SP_NFTRULES_PORTS);
    load_payload(m, NFT_PAYLOAD_TRANSPORT_HEADER, offsetof(struct tcphdr, th_flags), 1);
    mask_byte(m, TH_FIN | TH_SYN | TH_RST | TH_ACK);
    must_equal_byte(m, TH_SYN);
    verdict(m, NFT_JUMP, "gate");
}

static void make_loopback(struct making *m)
{
    const char lo[IFNAMSIZ] = "lo"; /* all 16 bytes: the whole name, not a prefix */

    load_meta(m, NFT_META_IIFNAME);
    must_equal(m, lo, sizeof(lo));
    verdict(m, NF_ACCEPT, NULL);
}

static void make_committed(struct making *m)
{
    verdict(m, NFT_GOTO, "committed");
}

static void make_trial(struct making *m)
{
    load_payload(m, NFT_PAYLOAD_TRANSPORT_HEADER, offsetof(struct tcphdr, th_dport), 2);
    must_be_in(m, SP_NFTRULES_TRIAL);
    verdict(m, NFT_GOTO, SP_NFTRULES_TRIAL_CHAIN);
}

static void must_come_from(struct making *m, enum sp_nftrules_set set)
{
    bool v4 = sp_nftrules_sets[set].key_len == 4;

    load_meta(m, NFT_META_NFPROTO);
    must_equal_byte(m, v4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
    load_payload(m, NFT_PAYLOAD_NETWORK_HEADER,
                 v4 ? offsetof(struct iphdr, saddr) : offsetof(struct ip6_hdr, ip6_src),
                 sp_nftrules_sets[set].key_len);
    must_be_in(m, set);
}

static void count(struct making *m, const char *counter)
{
    struct nftnl_expr *e = begin(m, "objref");

    if (e == NULL)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
    nftnl_expr_set_str(e, NFTNL_EXPR_OBJREF_IMM_NAME, counter);
}

static void make_allow4(struct making *m)
{
    must_come_from(m, SP_NFTRULES_ALLOW4);
    verdict(m, NF_ACCEPT, NULL);
}

static void make_allow6(struct making *m)
{
    must_come_from(m, SP_NFTRULES_ALLOW6);
    verdict(m, NF_ACCEPT, NULL);
}

static void make_proof(struct making *m)
{
    count(m, SP_NFTRULES_PROVED);
    verdict(m, NF_ACCEPT, NULL);
}

static void make_trial4(struct making *m)
{
    must_come_from(m, SP_NFTRULES_TRIAL4);
    make_proof(m);
}

static void make_trial6(struct making *m)
{
    must_come_from(m, SP_NFTRULES_TRIAL6);
    make_proof(m);
}

static void make_drop(struct making *m)
{
    count(m, DENIED);
    verdict(m, NF_DROP, NULL);
}

static const struct {
    const char *chain;
    void (*make)(struct making *);
    enum sp_nft_body least, most; /* the bodies that have it */
} rules[] = {
    {"input", make_syn, SP_NFT_OPEN, SP_NFT_GUARDED},
    {"gate", make_loopback, SP_NFT_OPEN, SP_NFT_GUARDED},
    {"gate", make_trial, SP_NFT_OPEN, SP_NFT_GUARDED},
    {"gate", make_committed, SP_NFT_OPEN, SP_NFT_GUARDED},
    {"committed", make_allow4, SP_NFT_GUARDED, SP_NFT_GUARDED},
    {"committed", make_allow6, SP_NFT_GUARDED, SP_NFT_GUARDED},
    {"committed", make_drop, SP_NFT_GUARDED, SP_NFT_GUARDED},
    {SP_NFTRULES_TRIAL_CHAIN, make_proof, SP_NFT_OPEN, SP_NFT_OPEN},
    {SP_NFTRULES_TRIAL_CHAIN, make_trial4, SP_NFT_GUARDED, SP_NFT_GUARDED},
    {SP_NFTRULES_TRIAL_CHAIN, make_trial6, SP_NFT_GUARDED, SP_NFT_GUARDED},
    {SP_NFTRULES_TRIAL_CHAIN, make_drop, SP_NFT_GUARDED, SP_NFT_GUARDED},
};

static bool belongs(size_t i, enum sp_nft_body body)
{
    return body >= rules[i].least && body <= rules[i].most;
}

static void rule_clear(struct making *m)
{
    if (m->rule != NULL)
        nftnl_rule_free(m->rule);
}

static int make_rule(size_t i, struct making *m, struct sp_error *err)
{
    m->rule = nftnl_rule_alloc();
    if (m->rule != NULL) {
        nftnl_rule_set_u32(m->rule, NFTNL_RULE_FAMILY, NFPROTO_INET);
        nftnl_rule_set_str(m->rule, NFTNL_RULE_TABLE, SP_NFT_TABLE);
        nftnl_rule_set_str(m->rule, NFTNL_RULE_CHAIN, rules[i].chain);
    }
    rules[i].make(m);
    return m->failed ? sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory") : 0;
}

void sp_nftrules_print(const struct nftnl_rule *r, struct sp_buf *out)
{
    struct nftnl_expr_iter *it = nftnl_expr_iter_create(r);
    struct nftnl_expr *e;
    char text[512];

    while (it != NULL && (e = nftnl_expr_iter_next(it)) != NULL) {
        if (nftnl_expr_snprintf(text, sizeof(text), e, NFTNL_OUTPUT_DEFAULT, 0) < 0)
            text[0] = '\0';
        sp_buf_printf(out, "%s %s\n", nftnl_expr_get_str(e, NFTNL_EXPR_NAME), text);
    }
    if (it == NULL)
        out->failed = true;
    else
        nftnl_expr_iter_destroy(it);
    sp_buf_puts(out, "--\n");
}

int sp_nftrules_expected(const char *chain, enum sp_nft_body body, struct sp_buf *out, struct sp_error *err)
{
    for (size_t i = 0; i < SP_COUNT(rules); i++) {
        _cleanup_(rule_clear) struct making m = {0};
        if (!sp_streq(rules[i].chain, chain) || !belongs(i, body))
            continue;
        if (make_rule(i, &m, err) < 0)
            return -1;
        sp_nftrules_print(m.rule, out);
    }
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* NEWTABLE, DELTABLE, NEWTABLE: the deletion may not fail because there is none. */
static void put_table(struct sp_nftlink_batch *b)
{
    static const struct {
        uint16_t type, flags;
    } steps[] = {{NFT_MSG_NEWTABLE, NLM_F_CREATE}, {NFT_MSG_DELTABLE, 0}, {NFT_MSG_NEWTABLE, NLM_F_CREATE}};

    for (size_t i = 0; i < SP_COUNT(steps); i++) {
        struct nlmsghdr *nlh = sp_nftlink_batch_put(b, steps[i].type, steps[i].flags);
        if (nlh != NULL)
            mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, SP_NFT_TABLE);
    }
}

static void put_chain(struct sp_nftlink_batch *b, const char *name)
{
    struct nlmsghdr *nlh = sp_nftlink_batch_put(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
    struct nlattr *hook;

    if (nlh == NULL)
        return;
    mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, SP_NFT_TABLE);
    mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, name);
    if (!sp_streq(name, sp_nftrules_chains[0]))
        return;
    hook = mnl_attr_nest_start(nlh, NFTA_CHAIN_HOOK);
    mnl_attr_put_u32(nlh, NFTA_HOOK_HOOKNUM, htonl(NF_INET_LOCAL_IN));
    mnl_attr_put_u32(nlh, NFTA_HOOK_PRIORITY, htonl((uint32_t)SP_NFTRULES_HOOK_PRIORITY));
    mnl_attr_nest_end(nlh, hook);
    mnl_attr_put_u32(nlh, NFTA_CHAIN_POLICY, htonl(NF_ACCEPT));
    mnl_attr_put_strz(nlh, NFTA_CHAIN_TYPE, "filter");
}

static void put_set(struct sp_nftlink_batch *b, enum sp_nftrules_set set)
{
    const struct sp_nftrules_set_spec *s = &sp_nftrules_sets[set];
    struct nlmsghdr *nlh = sp_nftlink_batch_put(b, NFT_MSG_NEWSET, NLM_F_CREATE);

    if (nlh == NULL)
        return;
    mnl_attr_put_strz(nlh, NFTA_SET_TABLE, SP_NFT_TABLE);
    mnl_attr_put_strz(nlh, NFTA_SET_NAME, s->name);
    mnl_attr_put_u32(nlh, NFTA_SET_FLAGS, htonl(s->flags));
    mnl_attr_put_u32(nlh, NFTA_SET_KEY_TYPE, htonl(s->key_type));
    mnl_attr_put_u32(nlh, NFTA_SET_KEY_LEN, htonl(s->key_len));
    mnl_attr_put_u32(nlh, NFTA_SET_ID, htonl((uint32_t)set + 1));
}

static void put_counter(struct sp_nftlink_batch *b, const char *name, uint64_t packets)
{
    struct nlmsghdr *nlh = sp_nftlink_batch_put(b, NFT_MSG_NEWOBJ, NLM_F_CREATE);
    struct nlattr *nest;

    if (nlh == NULL)
        return;
    mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, SP_NFT_TABLE);
    mnl_attr_put_strz(nlh, NFTA_OBJ_NAME, name);
    mnl_attr_put_u32(nlh, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
    nest = mnl_attr_nest_start(nlh, NFTA_OBJ_DATA);
    mnl_attr_put_u64(nlh, NFTA_COUNTER_BYTES, 0);
    mnl_attr_put_u64(nlh, NFTA_COUNTER_PACKETS, htobe64(packets));
    mnl_attr_nest_end(nlh, nest);
}

int sp_nftrules_build(struct sp_nftlink_batch *b, const struct sp_nft_ruleset *want, struct sp_error *err)
{
    const enum sp_nft_body on_trial = want->trial.n_ports > 0 ? want->trial.body : SP_NFT_ABSENT;

    put_table(b);
    for (size_t i = 0; i < SP_NFTRULES_SETS; i++)
        put_set(b, (enum sp_nftrules_set)i);
    put_counter(b, DENIED, 0);
    put_counter(b, SP_NFTRULES_PROVED, want->trial.proved);
    for (size_t i = 0; sp_nftrules_chains[i] != NULL; i++)
        put_chain(b, sp_nftrules_chains[i]);
    for (size_t i = 0; i < SP_COUNT(rules); i++) {
        _cleanup_(rule_clear) struct making m = {0};
        struct nlmsghdr *nlh;

        if (!belongs(i, sp_streq(rules[i].chain, SP_NFTRULES_TRIAL_CHAIN) ? on_trial : want->body))
            continue;
        if (make_rule(i, &m, err) < 0)
            return -1;
        nlh = sp_nftlink_batch_put(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
        if (nlh != NULL)
            nftnl_rule_nlmsg_build_payload(nlh, m.rule);
    }
    return 0;
}
