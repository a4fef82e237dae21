/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/nftlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "host/nft.h"

#define ROOM ((size_t)66 * 1024)

static int fail(struct sp_error *err, int os_errno, const char *what)
{
    (void)sp_fail(err, SP_E_IO, os_errno, "%s", what);
    if (os_errno == EPERM)
        return sp_hint(err, "changing the packet filter needs root, with CAP_NET_ADMIN");
    if (os_errno == EOPNOTSUPP || os_errno == EPROTONOSUPPORT || os_errno == EAFNOSUPPORT) {
        err->code = SP_E_UNSUPPORTED;
        return sp_hint(err, "a kernel with nf_tables (CONFIG_NF_TABLES, CONFIG_NF_TABLES_INET)");
    }
    return -1;
}

void sp_nftlink_ask(struct sp_nftlink_ask *q, uint16_t type, uint16_t family, enum sp_nftlink_kind kind)
{
    /* A single object is followed by an ACK, so that every question has an end. */
    uint16_t flags = kind == SP_NFTLINK_DUMP ? NLM_F_DUMP : NLM_F_ACK;

    memset(q->bytes, 0, sizeof(q->bytes)); /* libmnl pads attributes with what it finds */
    q->nlh = nftnl_nlmsg_build_hdr(q->bytes, type, family, flags, 0);
}

int sp_nftlink_talk(struct sp_nft *nft, struct sp_nftlink_ask *q, mnl_cb_t visit, void *data,
                    struct sp_error *err)
{
    size_t size = 65536; /* the kernel fills up to 32 KiB of one dump datagram */
    _cleanup_free_ char *buf = malloc(size);
    unsigned portid = mnl_socket_get_portid(nft->nl);
    int more = 1;

    if (buf == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    q->nlh->nlmsg_seq = ++nft->seq;
    if (mnl_socket_sendto(nft->nl, q->nlh, q->nlh->nlmsg_len) < 0)
        return fail(err, errno, "the question to nf_tables could not be sent");
    while (more > 0) {
        ssize_t n = mnl_socket_recvfrom(nft->nl, buf, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(err, errno, "no answer from nf_tables");
        more = mnl_cb_run(buf, (size_t)n, q->nlh->nlmsg_seq, portid, visit, data);
    }
    if (more == 0)
        return 0;
    if (errno == EINTR)
        return sp_fail(err, SP_E_BUSY, EINTR, "the packet filter changed while it was read");
    return fail(err, errno, "nf_tables refused a question");
}

void sp_nftlink_batch_clear(struct sp_nftlink_batch *b)
{
    free(b->data);
    *b = (struct sp_nftlink_batch){0};
}

static void end_message(struct sp_nftlink_batch *b)
{
    if (b->open != NULL)
        b->len += MNL_ALIGN(b->open->nlmsg_len);
    b->open = NULL;
}

/* With zeros, for the same padding; calloc(3) has them from the kernel. */
static void grow(struct sp_nftlink_batch *b, size_t size)
{
    char *data = b->data == NULL ? calloc(1, size) : realloc(b->data, size);

    if (data == NULL) {
        b->failed = true;
        return;
    }
    if (b->data != NULL)
        memset(data + b->size, 0, size - b->size);
    b->data = data;
    b->size = size;
}

static char *reserve(struct sp_nftlink_batch *b)
{
    end_message(b);
    if (!b->failed && b->size - b->len < ROOM)
        grow(b, b->size * 2 + 2 * ROOM);
    return b->failed ? NULL : b->data + b->len;
}

void sp_nftlink_batch_room(struct sp_nftlink_batch *b, size_t more)
{
    end_message(b);
    if (!b->failed && b->size - b->len < more + 2 * ROOM)
        grow(b, b->len + more + 2 * ROOM);
}

struct nlmsghdr *sp_nftlink_batch_put(struct sp_nftlink_batch *b, uint16_t type, uint16_t flags)
{
    char *at = reserve(b);

    if (at != NULL && b->len == 0) {
        b->open = nftnl_batch_begin(at, b->seq++);
        if (b->expect != 0)
            mnl_attr_put_u32(b->open, NFNL_BATCH_GENID, htonl(b->expect));
        at = reserve(b);
    }
    if (at == NULL)
        return NULL;
    b->open = nftnl_nlmsg_build_hdr(at, type, NFPROTO_INET, flags, b->seq++);
    return b->open;
}

/* Everything the kernel has to say lies in the queue when sendmsg(2) returns. The first error counts: the
 * messages behind a failing one are tried too, and complain about what is missing then. The commit's own
 * error bears the number of the batch's beginning and comes first. */
static int read_verdict(struct sp_nft *nft, struct sp_error *err)
{
    char buf[16384] __attribute__((aligned(8)));
    bool acked = false;
    int first = 0;
    ssize_t n;

    for (;;) {
        n = recv(mnl_socket_get_fd(nft->nl), buf, sizeof(buf), MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        int left = (int)n;
        for (struct nlmsghdr *h = (struct nlmsghdr *)buf; mnl_nlmsg_ok(h, left);
             h = mnl_nlmsg_next(h, &left)) {
            const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
            if (h->nlmsg_type != NLMSG_ERROR)
                continue;
            if (e->error == 0)
                acked = true;
            else if (first == 0)
                first = -e->error;
        }
    }
    if (first == 0 && errno != EAGAIN)
        first = errno;
    if (first == 0 && !acked)
        first = EIO;
    return first == 0 ? 0 : fail(err, first, "nf_tables refused the change");
}

int sp_nftlink_batch_commit(struct sp_nft *nft, struct sp_nftlink_batch *b, struct sp_error *err)
{
    struct nlmsghdr *last = b->open;
    char *at;
    int size;

    if (last != NULL)
        last->nlmsg_flags |= NLM_F_ACK; /* only kernels from 6.10 on acknowledge the batch's own end */
    at = last != NULL ? reserve(b) : NULL;
    if (at == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    b->open = nftnl_batch_end(at, b->seq++);
    end_message(b);
    size = (int)b->len + 65536;
    if (b->len > 100000 &&
        setsockopt(mnl_socket_get_fd(nft->nl), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
        return fail(err, errno, "no buffer for a change of the packet filter");
    if (mnl_socket_sendto(nft->nl, b->data, b->len) < 0)
        return fail(err, errno, "the change could not be sent to nf_tables");
    return read_verdict(nft, err);
}
