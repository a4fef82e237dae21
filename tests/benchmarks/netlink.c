/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * netlink add|remove|replace FIRST COUNT: the least that a change of a set can cost on this kernel: one
 * transaction by a socket and nothing else, on the set `allow` of table `inet peer`
 * (benchmarks/firewall.py), for the addresses 10.0.0.FIRST, 10.0.1.FIRST... Nothing is read, checked,
 * stored or read back.
 */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM (2U << 20)
#define PER_MESSAGE 500

static char batch[ROOM];
static size_t used;

static void *take(size_t n)
{
    void *at = batch + used;

    if (used + NLMSG_ALIGN(n) > ROOM)
        exit(1);
    used += NLMSG_ALIGN(n);
    return at;
}

static struct nlmsghdr *message(unsigned type, unsigned flags, unsigned family, unsigned resource)
{
    struct nlmsghdr *h = take(sizeof(*h));
    struct nfgenmsg *g = take(sizeof(*g));

    *h = (struct nlmsghdr){.nlmsg_type = (uint16_t)type, .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags)};
    *g = (struct nfgenmsg){.nfgen_family = (uint8_t)family, .res_id = htons((uint16_t)resource)};
    return h;
}

static void end_message(struct nlmsghdr *h)
{
    h->nlmsg_len = (uint32_t)(batch + used - (char *)h);
}

static struct nlattr *nest(unsigned type)
{
    struct nlattr *a = take(sizeof(*a));

    a->nla_type = (uint16_t)(NLA_F_NESTED | type);
    return a;
}

static void end_nest(struct nlattr *a)
{
    a->nla_len = (uint16_t)(batch + used - (char *)a);
}

static void put(unsigned type, const void *value, size_t len)
{
    struct nlattr *a = take(sizeof(*a));

    *a = (struct nlattr){.nla_type = (uint16_t)type, .nla_len = (uint16_t)(sizeof(*a) + len)};
    memcpy(take(len), value, len);
}

static void element(uint32_t address, uint32_t flags)
{
    struct nlattr *elem = nest(NFTA_LIST_ELEM), *key = nest(NFTA_SET_ELEM_KEY);
    const uint32_t there = htonl(address), word = htonl(flags);

    put(NFTA_DATA_VALUE, &there, sizeof(there));
    end_nest(key);
    if (flags != 0)
        put(NFTA_SET_ELEM_FLAGS, &word, sizeof(word));
    end_nest(elem);
}

static struct nlmsghdr *change(unsigned what)
{
    struct nlmsghdr *h = message((NFNL_SUBSYS_NFTABLES << 8) | what,
                                 what == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0, NFPROTO_INET, 0);

    put(NFTA_SET_ELEM_LIST_TABLE, "peer", sizeof("peer"));
    put(NFTA_SET_ELEM_LIST_SET, "allow", sizeof("allow"));
    return h;
}

static void put_all(unsigned what, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count;) {
        struct nlmsghdr *h = change(what);
        struct nlattr *list = nest(NFTA_SET_ELEM_LIST_ELEMENTS);

        for (uint32_t k = 0; k < PER_MESSAGE && i < count; k++, i++) {
            const uint32_t address = (10U << 24 | i << 8) + first;
            element(address, 0);
            element(address + 1, NFT_SET_ELEM_INTERVAL_END);
        }
        end_nest(list);
        end_message(h);
    }
}

/* The first answer: there is one for what the kernel refuses, and one that was asked for. */
static int verdict(int fd)
{
    char answer[8192] __attribute__((aligned(8)));
    const struct nlmsghdr *h = (const struct nlmsghdr *)answer;
    ssize_t n = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);

    if (n < (ssize_t)(sizeof(*h) + sizeof(struct nlmsgerr)) || h->nlmsg_type != NLMSG_ERROR)
        return 1;
    return ((const struct nlmsgerr *)NLMSG_DATA(h))->error == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER), size = 2 * (int)ROOM;
    const uint32_t first = argc == 4 ? (uint32_t)atoi(argv[2]) : 0,
                   count = argc == 4 ? (uint32_t)atoi(argv[3]) : 0;
    struct nlmsghdr *last;

    if (fd < 0 || count == 0)
        return 2;
    end_message(message(NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
    if (strcmp(argv[1], "replace") == 0)
        end_message(change(NFT_MSG_DELSETELEM));
    put_all(strcmp(argv[1], "remove") == 0 ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM, first, count);
    last = message(NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    end_message(last);
    /* The last change is acknowledged: not every kernel does that for the end of a batch. */
    ((struct nlmsghdr *)batch)->nlmsg_flags |= NLM_F_ACK;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
    if (send(fd, batch, used, 0) != (ssize_t)used)
        return 1;
    return verdict(fd);
}
