/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/nftlink.h"
#include "host/nftrules.h"
#include "host/nftset.h"

/* Younger than the headers of some supported hosts. */
#ifdef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE_ SO_NETNS_COOKIE
#else
#define SO_NETNS_COOKIE_ 71
#endif

int sp_nft_open(struct sp_host *h, struct sp_nft *ret, struct sp_error *err)
{
    if (!h->real)
        return sp_fail(err, SP_E_UNSUPPORTED, 0, "a directory has no packet filter");
    *ret = (struct sp_nft){.nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC)};
    if (ret->nl == NULL)
        return sp_fail(err, SP_E_IO, errno, "no netlink socket");
    if (mnl_socket_bind(ret->nl, 0, MNL_SOCKET_AUTOPID) < 0) {
        (void)sp_fail(err, SP_E_IO, errno, "no netlink socket");
        sp_nft_close(ret);
        return -1;
    }
    return 0;
}

void sp_nft_close(struct sp_nft *nft)
{
    if (nft->nl != NULL)
        (void)mnl_socket_close(nft->nl);
    *nft = (struct sp_nft){0};
}

void sp_nft_leave(struct sp_host *h, struct sp_nft *nft)
{
    if (nft->nl != NULL && h->left_fd <= 0)
        h->left_fd = fcntl(mnl_socket_get_fd(nft->nl), F_DUPFD_CLOEXEC, 3);
    sp_nft_close(nft);
}

uint64_t sp_nft_namespace(const struct sp_nft *nft)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);

    /* Since Linux 5.14. */
    if (getsockopt(mnl_socket_get_fd(nft->nl), SOL_SOCKET, SO_NETNS_COOKIE_, &cookie, &len) < 0)
        return 0;
    return cookie;
}

void sp_nft_ruleset_clear(struct sp_nft_ruleset *r)
{
    sp_fw_compiled_clear(&r->allow);
    sp_fw_compiled_clear(&r->trial.allow);
    *r = (struct sp_nft_ruleset){0};
}

static int visit_generation(const struct nlmsghdr *nlh, void *data)
{
    const struct nlattr *a;

    mnl_attr_for_each(a, nlh, sizeof(struct nfgenmsg))
    {
        if (mnl_attr_get_type(a) == NFTA_GEN_ID && mnl_attr_get_payload_len(a) == sizeof(uint32_t))
            *(uint32_t *)data = ntohl(mnl_attr_get_u32(a));
    }
    return MNL_CB_OK;
}

int sp_nft_generation(struct sp_nft *nft, uint32_t *ret, struct sp_error *err)
{
    struct sp_nftlink_ask q;

    sp_nftlink_ask(&q, NFT_MSG_GETGEN, AF_UNSPEC, SP_NFTLINK_ONE);
    *ret = 0;
    return sp_nftlink_talk(nft, &q, visit_generation, ret, err);
}

/* Commit; *b is used up. */
static int commit(struct sp_nft *nft, struct sp_nftlink_batch *b, struct sp_error *err)
{
    int r = sp_nftlink_batch_commit(nft, b, err);

    sp_nftlink_batch_clear(b);
    return r;
}

static int put_table(struct sp_nftlink_batch *b, const struct sp_nft_ruleset *want, int64_t now,
                     struct sp_error *err)
{
    const struct sp_nft_trial *t = &want->trial;

    if (want->body != SP_NFT_OPEN && want->body != SP_NFT_GUARDED)
        return sp_fail(err, SP_E_INTERNAL, 0, "no such table to build");
    if (sp_nftrules_build(b, want, err) < 0)
        return -1;
    sp_nftset_put_ports(b, NFT_MSG_NEWSETELEM, SP_NFTRULES_PORTS, want->ports, want->n_ports, 0);
    sp_nftset_put_allow(b, NFT_MSG_NEWSETELEM, SP_NFTRULES_COMMITTED, &want->allow, now);
    sp_nftset_put_allow(b, NFT_MSG_NEWSETELEM, SP_NFTRULES_ON_TRIAL, &t->allow, now);
    if (t->n_ports > 0)
        sp_nftset_put_ports(b, NFT_MSG_NEWSETELEM, SP_NFTRULES_TRIAL, t->ports, t->n_ports,
                            (uint64_t)(t->left_ms > 0 ? t->left_ms : 1));
    return 0;
}

int sp_nft_rebuild(struct sp_nft *nft, const struct sp_nft_ruleset *want, int64_t now, struct sp_error *err)
{
    _cleanup_(sp_nftlink_batch_clear) struct sp_nftlink_batch b = {.expect = nft->expect};

    return put_table(&b, want, now, err) < 0 ? -1 : commit(nft, &b, err);
}

int sp_nft_commit(struct sp_nft *nft, const struct sp_nft_trial *trial, const struct sp_nft_ruleset *want,
                  int64_t now, struct sp_error *err)
{
    _cleanup_(sp_nftlink_batch_clear) struct sp_nftlink_batch b = {.expect = nft->expect};

    /* An element whose time is over is not there any more, though nobody has swept it up yet. */
    sp_nftset_put_ports(&b, NFT_MSG_DELSETELEM, SP_NFTRULES_TRIAL, trial->ports, trial->n_ports, 0);
    return put_table(&b, want, now, err) < 0 ? -1 : commit(nft, &b, err);
}

int sp_nft_edit(struct sp_nft *nft, const struct sp_fw_compiled *del, const struct sp_fw_compiled *add,
                int64_t now, struct sp_error *err)
{
    _cleanup_(sp_nftlink_batch_clear) struct sp_nftlink_batch b = {.expect = nft->expect};

    sp_nftset_put_allow(&b, NFT_MSG_DELSETELEM, SP_NFTRULES_COMMITTED, del, now);
    sp_nftset_put_allow(&b, NFT_MSG_NEWSETELEM, SP_NFTRULES_COMMITTED, add, now);
    if (b.open == NULL && !b.failed)
        return 0;
    return commit(nft, &b, err);
}

static bool has_first(const struct sp_fw_intervals *l, sp_fw_address first)
{
    size_t low = 0, high = l->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (l->v[mid].first < first)
            low = mid + 1;
        else
            high = mid;
    }
    return low < l->n && l->v[low].first == first;
}

/* 1 as it should be, 0 not, -1 error. What was taken out may have come in again, with another end. */
static int check_family(struct sp_nft *nft, enum sp_nftrules_set set, const struct sp_fw_intervals *gone,
                        const struct sp_fw_intervals *there, int64_t now, struct sp_error *err)
{
    for (size_t i = 0; i < there->n; i++) {
        int has = sp_nftset_has(nft, set, &there->v[i], now, err);
        if (has != 1)
            return has;
    }
    for (size_t i = 0; i < gone->n; i++) {
        int has = has_first(there, gone->v[i].first) ? 0 : sp_nftset_has(nft, set, &gone->v[i], now, err);
        if (has != 0)
            return has < 0 ? -1 : 0;
    }
    return 1;
}

int sp_nft_check_edit(struct sp_nft *nft, const struct sp_fw_compiled *del,
                      const struct sp_fw_compiled *add, int64_t now, bool *ret, struct sp_error *err)
{
    int r = check_family(nft, SP_NFTRULES_ALLOW4, &del->v4, &add->v4, now, err);

    if (r == 1)
        r = check_family(nft, SP_NFTRULES_ALLOW6, &del->v6, &add->v6, now, err);
    *ret = r == 1;
    return r < 0 ? -1 : 0;
}

int sp_nft_replace(struct sp_nft *nft, const struct sp_fw_compiled *want, int64_t now, struct sp_error *err)
{
    _cleanup_(sp_nftlink_batch_clear) struct sp_nftlink_batch b = {.expect = nft->expect};

    sp_nftset_put_flush(&b, SP_NFTRULES_ALLOW4);
    sp_nftset_put_flush(&b, SP_NFTRULES_ALLOW6);
    sp_nftset_put_allow(&b, NFT_MSG_NEWSETELEM, SP_NFTRULES_COMMITTED, want, now);
    return commit(nft, &b, err);
}

int sp_nft_remove(struct sp_nft *nft, struct sp_error *err)
{
    _cleanup_(sp_nftlink_batch_clear) struct sp_nftlink_batch b = {.expect = nft->expect};
    struct nlmsghdr *nlh = sp_nftlink_batch_put(&b, NFT_MSG_DELTABLE, 0);

    if (nlh != NULL)
        mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, SP_NFT_TABLE);
    if (commit(nft, &b, err) == 0 || err->os_errno == ENOENT)
        return 0;
    return -1;
}
