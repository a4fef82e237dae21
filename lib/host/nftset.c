/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/nftset.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "host/nft.h"

/* An attribute's length is 16 bits; an element takes at most 48 bytes. */
#define PER_MESSAGE 1000

/* Both ends of an interval that does not expire. */
#define INTERVAL4 40
#define INTERVAL6 64

static struct nlmsghdr *begin(struct sp_nftlink_batch *b, uint16_t type, enum sp_nftrules_set set)
{
    struct nlmsghdr *nlh = sp_nftlink_batch_put(b, type, type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0);

    if (nlh != NULL) {
        mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, SP_NFT_TABLE);
        mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, sp_nftrules_sets[set].name);
    }
    return nlh;
}

static void put_element(struct nlmsghdr *nlh, const void *key, size_t len, uint32_t flags, uint64_t timeout)
{
    struct nlattr *elem = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
    struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_KEY);

    mnl_attr_put(nlh, NFTA_DATA_VALUE, len, key);
    mnl_attr_nest_end(nlh, nest);
    if (flags != 0)
        mnl_attr_put_u32(nlh, NFTA_SET_ELEM_FLAGS, htonl(flags));
    if (timeout != 0)
        mnl_attr_put_u64(nlh, NFTA_SET_ELEM_TIMEOUT, htobe64(timeout));
    mnl_attr_nest_end(nlh, elem);
}

static void put_interval(struct nlmsghdr *nlh, const struct sp_fw_interval *i, size_t len, int64_t now)
{
    uint8_t key[16], highest[16];
    uint64_t timeout = 0;

    if (i->expires_at != 0)
        timeout = i->expires_at > now ? (uint64_t)(i->expires_at - now) * 1000 : 1;
    sp_fw_address_store(i->first, key, len);
    put_element(nlh, key, len, 0, timeout);
    /* Behind the very last address there is nothing that could be the end. */
    sp_fw_address_store(i->last, key, len);
    memset(highest, 0xff, sizeof(highest));
    if (memcmp(key, highest, len) == 0)
        return;
    sp_fw_address_store(i->last + 1, key, len);
    put_element(nlh, key, len, NFT_SET_ELEM_INTERVAL_END, 0);
}

static void put_family(struct sp_nftlink_batch *b, uint16_t type, enum sp_nftrules_set set,
                       const struct sp_fw_intervals *l, int64_t now)
{
    for (size_t i = 0; i < l->n;) {
        struct nlmsghdr *nlh = begin(b, type, set);
        struct nlattr *list;

        if (nlh == NULL)
            return;
        list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
        for (size_t k = 0; k < PER_MESSAGE / 2 && i < l->n; k++)
            put_interval(nlh, &l->v[i++], sp_nftrules_sets[set].key_len, now);
        mnl_attr_nest_end(nlh, list);
    }
}

void sp_nftset_put_allow(struct sp_nftlink_batch *b, uint16_t type, enum sp_nftrules_lane lane,
                         const struct sp_fw_compiled *c, int64_t now)
{
    const bool trial = lane == SP_NFTRULES_ON_TRIAL;

    if (c->v4.n == 0 && c->v6.n == 0)
        return;
    sp_nftlink_batch_room(b, c->v4.n * INTERVAL4 + c->v6.n * INTERVAL6);
    put_family(b, type, trial ? SP_NFTRULES_TRIAL4 : SP_NFTRULES_ALLOW4, &c->v4, now);
    put_family(b, type, trial ? SP_NFTRULES_TRIAL6 : SP_NFTRULES_ALLOW6, &c->v6, now);
}

void sp_nftset_put_ports(struct sp_nftlink_batch *b, uint16_t type, enum sp_nftrules_set set,
                         const uint16_t *ports, size_t n, uint64_t timeout_ms)
{
    struct nlmsghdr *nlh = n > 0 ? begin(b, type, set) : NULL;
    struct nlattr *list;

    if (nlh == NULL)
        return;
    list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
    for (size_t i = 0; i < n; i++) {
        uint16_t port = htons(ports[i]);
        put_element(nlh, &port, sizeof(port), 0, timeout_ms);
    }
    mnl_attr_nest_end(nlh, list);
}

/* A deletion that names no element takes them all. */
void sp_nftset_put_flush(struct sp_nftlink_batch *b, enum sp_nftrules_set set)
{
    (void)begin(b, NFT_MSG_DELSETELEM, set);
}

/* One element as it was read. */
struct element {
    sp_fw_address key;
    int64_t left_ms; /* 0: no timeout */
    uint32_t flags;
};

struct elements {
    struct element *v; /* owned */
    size_t n, size;
    size_t key_len;
    bool odd; /* something that we never write */
};

static void elements_clear(struct elements *l)
{
    free(l->v);
    *l = (struct elements){0};
}

static void read_key(const struct nlattr *nest, struct elements *l, struct element *e)
{
    const struct nlattr *a;

    mnl_attr_for_each_nested(a, nest)
    {
        if (mnl_attr_get_type(a) != NFTA_DATA_VALUE || mnl_attr_get_payload_len(a) != l->key_len)
            l->odd = true;
        else
            e->key = sp_fw_address_load(mnl_attr_get_payload(a), l->key_len);
    }
}

static int read_element(const struct nlattr *nest, struct elements *l)
{
    struct element e = {0};
    const struct nlattr *a;

    mnl_attr_for_each_nested(a, nest)
    {
        uint16_t len = mnl_attr_get_payload_len(a);
        switch (mnl_attr_get_type(a)) {
        case NFTA_SET_ELEM_KEY:
            read_key(a, l, &e);
            break;
        case NFTA_SET_ELEM_FLAGS:
            e.flags = len == 4 ? ntohl(mnl_attr_get_u32(a)) : 0;
            break;
        case NFTA_SET_ELEM_EXPIRATION:
            e.left_ms = len == 8 ? (int64_t)be64toh(mnl_attr_get_u64(a)) : 0;
            e.left_ms = e.left_ms > 0 ? e.left_ms : 1;
            break;
        default:
            break;
        }
    }
    if (l->n == l->size) {
        size_t size = l->size != 0 ? l->size * 2 : 64;
        struct element *v = reallocarray(l->v, size, sizeof(*v));
        if (v == NULL)
            return -1;
        l->v = v;
        l->size = size;
    }
    l->v[l->n++] = e;
    return 0;
}

static int visit_elements(const struct nlmsghdr *nlh, void *data)
{
    const struct nlattr *a, *elem;

    mnl_attr_for_each(a, nlh, sizeof(struct nfgenmsg))
    {
        if (mnl_attr_get_type(a) != NFTA_SET_ELEM_LIST_ELEMENTS)
            continue;
        mnl_attr_for_each_nested(elem, a)
        {
            if (read_element(elem, data) < 0)
                return MNL_CB_ERROR; /* errno is ENOMEM */
        }
    }
    return MNL_CB_OK;
}

static int dump(struct sp_nft *nft, enum sp_nftrules_set set, struct elements *ret, struct sp_error *err)
{
    struct sp_nftlink_ask q;

    ret->key_len = sp_nftrules_sets[set].key_len;
    sp_nftlink_ask(&q, NFT_MSG_GETSETELEM, NFPROTO_INET, SP_NFTLINK_DUMP);
    mnl_attr_put_strz(q.nlh, NFTA_SET_ELEM_LIST_TABLE, SP_NFT_TABLE);
    mnl_attr_put_strz(q.nlh, NFTA_SET_ELEM_LIST_SET, sp_nftrules_sets[set].name);
    if (sp_nftlink_talk(nft, &q, visit_elements, ret, err) < 0)
        return -1;
    if (ret->odd)
        return sp_fail(err, SP_E_INTERNAL, 0, "nf_tables answered with a key of another size");
    return 0;
}

int sp_nftset_read_ports(struct sp_nft *nft, struct sp_nft_ruleset *ret, struct sp_error *err)
{
    _cleanup_(elements_clear) struct elements l = {0};

    if (dump(nft, SP_NFTRULES_PORTS, &l, err) < 0)
        return -1;
    for (size_t i = 0; i < l.n; i++)
        if (sp_fw_ports_add(ret->ports, &ret->n_ports, (uint16_t)l.v[i].key) < 0)
            return sp_fail(err, SP_E_INTERNAL, 0, "more than %d ports in the table", SP_FW_MAX_PORTS);
    return 0;
}

int sp_nftset_read_trial_ports(struct sp_nft *nft, struct sp_nft_trial *ret, struct sp_error *err)
{
    _cleanup_(elements_clear) struct elements l = {0};

    if (dump(nft, SP_NFTRULES_TRIAL, &l, err) < 0)
        return -1;
    for (size_t i = 0; i < l.n; i++) {
        if (sp_fw_ports_add(ret->ports, &ret->n_ports, (uint16_t)l.v[i].key) < 0)
            return sp_fail(err, SP_E_INTERNAL, 0, "more than %d ports on trial", SP_FW_MAX_PORTS);
        ret->left_ms = l.v[i].left_ms > ret->left_ms ? l.v[i].left_ms : ret->left_ms;
    }
    return 0;
}

/* By address; the end of one interval before the beginning of the next at the same place. */
static int compare(const void *a, const void *b)
{
    const struct element *x = a, *y = b;
    uint32_t end_x = x->flags & NFT_SET_ELEM_INTERVAL_END, end_y = y->flags & NFT_SET_ELEM_INTERVAL_END;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (end_x < end_y) - (end_x > end_y);
}

int sp_nftset_read_allow(struct sp_nft *nft, enum sp_nftrules_set set, int64_t now,
                         struct sp_fw_intervals *ret, struct sp_error *err)
{
    _cleanup_(elements_clear) struct elements l = {0};
    sp_fw_address highest;

    if (dump(nft, set, &l, err) < 0)
        return -1;
    highest = l.key_len == 16 ? ~(sp_fw_address)0 : ((sp_fw_address)1 << (8 * l.key_len)) - 1;
    if (l.n > 0)
        qsort(l.v, l.n, sizeof(*l.v), compare);
    for (size_t i = 0; i < l.n; i++) {
        struct sp_fw_interval interval = {.first = l.v[i].key, .last = highest};

        /* An end without a beginning is what is left of an interval that has just timed out. */
        if (l.v[i].flags & NFT_SET_ELEM_INTERVAL_END)
            continue;
        if (i + 1 < l.n)
            interval.last = l.v[i + 1].key - 1;
        if (l.v[i].left_ms != 0)
            interval.expires_at = now + (l.v[i].left_ms + 500) / 1000;
        if (sp_fw_intervals_add(ret, &interval, err) < 0)
            return -1;
    }
    return 0;
}

/* The element at an address: asked for so, the kernel answers with the nearest one, too. 1, 0 or -1. */
static int ask(struct sp_nft *nft, enum sp_nftrules_set set, sp_fw_address key, uint32_t flags,
               struct element *ret, struct sp_error *err)
{
    const uint32_t len = sp_nftrules_sets[set].key_len;
    _cleanup_(elements_clear) struct elements l = {.key_len = len};
    struct sp_nftlink_ask q;
    struct nlattr *list;
    uint8_t bytes[16];

    sp_fw_address_store(key, bytes, len);
    sp_nftlink_ask(&q, NFT_MSG_GETSETELEM, NFPROTO_INET, SP_NFTLINK_ONE);
    mnl_attr_put_strz(q.nlh, NFTA_SET_ELEM_LIST_TABLE, SP_NFT_TABLE);
    mnl_attr_put_strz(q.nlh, NFTA_SET_ELEM_LIST_SET, sp_nftrules_sets[set].name);
    list = mnl_attr_nest_start(q.nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
    put_element(q.nlh, bytes, len, flags, 0);
    mnl_attr_nest_end(q.nlh, list);
    if (sp_nftlink_talk(nft, &q, visit_elements, &l, err) < 0)
        return err->os_errno == ENOENT ? 0 : -1;
    if (l.n != 1 || l.odd || l.v[0].key != key || (l.v[0].flags & NFT_SET_ELEM_INTERVAL_END) != flags)
        return 0;
    *ret = l.v[0];
    return 1;
}

int sp_nftset_has(struct sp_nft *nft, enum sp_nftrules_set set, const struct sp_fw_interval *i, int64_t now,
                  struct sp_error *err)
{
    const unsigned bits = 8 * sp_nftrules_sets[set].key_len;
    struct element e = {0};
    int64_t apart, until;
    int r = ask(nft, set, i->first, 0, &e, err);

    if (r != 1)
        return r;
    until = e.left_ms != 0 ? now + (e.left_ms + 500) / 1000 : 0;
    apart = until - i->expires_at;
    if ((until == 0) != (i->expires_at == 0) || apart < -SP_FW_SLACK || apart > SP_FW_SLACK)
        return 0;
    /* Behind the very last address there is no end. */
    if (i->last + 1 == 0 || (bits < 128 && i->last + 1 == (sp_fw_address)1 << bits))
        return 1;
    return ask(nft, set, i->last + 1, NFT_SET_ELEM_INTERVAL_END, &e, err);
}
