/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/procnet.h"
#include "model/siphash.h"

void sp_diag_peers_clear(struct sp_diag_peers *l)
{
    free(l->v);
    *l = (struct sp_diag_peers){0};
}

struct mnl_socket;

static void close_socket(struct mnl_socket **nl)
{
    if (*nl != NULL)
        (void)mnl_socket_close(*nl);
}

/* One dump of one family and one TCP state. */
static int dump(uint8_t family, unsigned state, mnl_cb_t visit, void *data, struct sp_error *err)
{
    _cleanup_(close_socket) struct mnl_socket *nl = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
    size_t size = 65536;
    _cleanup_free_ char *buf = malloc(size);
    struct nlmsghdr *nlh;
    struct inet_diag_req_v2 *req;
    int more = 1;

    if (buf == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (nl == NULL || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
        return sp_fail(err, SP_E_IO, errno, "no netlink socket to ask for connections");
    nlh = mnl_nlmsg_put_header(buf);
    nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
    nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    nlh->nlmsg_seq = 1;
    req = mnl_nlmsg_put_extra_header(nlh, sizeof(*req));
    req->sdiag_family = family;
    req->sdiag_protocol = IPPROTO_TCP;
    req->idiag_states = 1U << state;
    if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
        return sp_fail(err, SP_E_IO, errno, "the kernel was not asked for connections");
    while (more > 0) {
        ssize_t n = mnl_socket_recvfrom(nl, buf, size);
        if (n < 0 && errno == EINTR)
            continue;
        more = n < 0 ? -1 : mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(nl), visit, data);
    }
    if (more == 0)
        return 0;
    if (errno == ENOENT || errno == EPROTONOSUPPORT)
        (void)sp_fail(err, SP_E_UNSUPPORTED, errno, "the kernel cannot say who is connected");
    else
        (void)sp_fail(err, SP_E_IO, errno, "the kernel did not say who is connected");
    return sp_hint(err, "a kernel with CONFIG_INET_DIAG (modprobe tcp_diag)");
}

struct wanted {
    const uint16_t *ports;
    size_t n_ports;
    struct sp_diag_peers *out;
    bool loopback;
};

static bool is_wanted(const struct wanted *w, uint16_t port)
{
    for (size_t i = 0; i < w->n_ports; i++)
        if (w->ports[i] == port)
            return true;
    return w->n_ports == 0;
}

void sp_procnet_address(int family, const void *bytes, struct sp_cidr *ret)
{
    const struct in6_addr *a6 = bytes;

    *ret = (struct sp_cidr){.family = 4, .prefix = 32};
    if (family == AF_INET) {
        memcpy(ret->addr, bytes, 4);
    } else if (IN6_IS_ADDR_V4MAPPED(a6)) {
        memcpy(ret->addr, a6->s6_addr + 12, 4);
    } else {
        *ret = (struct sp_cidr){.family = 6, .prefix = 128};
        memcpy(ret->addr, a6->s6_addr, 16);
    }
}

bool sp_procnet_is_loopback(const struct sp_cidr *a)
{
    return a->family == 4 ? a->addr[0] == 127 : memcmp(a->addr, &in6addr_loopback, 16) == 0;
}

static int visit_established(const struct nlmsghdr *nlh, void *data)
{
    const struct inet_diag_msg *m = mnl_nlmsg_get_payload(nlh);
    const struct wanted *w = data;
    struct sp_diag_peer peer = {0};

    if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*m) || !is_wanted(w, ntohs(m->id.idiag_sport)))
        return MNL_CB_OK;
    peer.port = ntohs(m->id.idiag_dport);
    peer.local_port = ntohs(m->id.idiag_sport);
    sp_procnet_address(m->idiag_family, m->id.idiag_dst, &peer.address);
    peer.inode = m->idiag_inode;
    if (!w->loopback && sp_procnet_is_loopback(&peer.address))
        return MNL_CB_OK;
    if (w->out->n == w->out->size) {
        size_t size = w->out->size != 0 ? w->out->size * 2 : 16;
        struct sp_diag_peer *v = reallocarray(w->out->v, size, sizeof(*v));
        if (v == NULL)
            return MNL_CB_ERROR; /* errno is ENOMEM */
        w->out->v = v;
        w->out->size = size;
    }
    w->out->v[w->out->n++] = peer;
    return MNL_CB_OK;
}

static int established(struct sp_host *h, struct wanted *w, struct sp_error *err)
{
    if (!h->real)
        return sp_fail(err, SP_E_UNSUPPORTED, 0, "a directory has no connections");
    if (dump(AF_INET, TCP_ESTABLISHED, visit_established, w, err) < 0)
        return -1;
    return dump(AF_INET6, TCP_ESTABLISHED, visit_established, w, err);
}

int sp_diag_established(struct sp_host *h, const uint16_t *ports, size_t n_ports, struct sp_diag_peers *ret,
                        struct sp_error *err)
{
    struct wanted w = {.ports = ports, .n_ports = n_ports, .out = ret};

    return established(h, &w, err);
}

int sp_diag_connections(struct sp_host *h, struct sp_diag_peers *ret, struct sp_error *err)
{
    struct wanted w = {.out = ret, .loopback = true};

    return established(h, &w, err);
}

static int visit_listening(const struct nlmsghdr *nlh, void *data)
{
    const struct inet_diag_msg *m = mnl_nlmsg_get_payload(nlh);
    struct sp_procnet_sockets *l = data;

    if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*m) || m->idiag_inode == 0)
        return MNL_CB_OK;
    if (l->n == l->size) {
        size_t size = l->size != 0 ? l->size * 2 : 64;
        struct sp_procnet_socket *v = reallocarray(l->v, size, sizeof(*v));
        if (v == NULL)
            return MNL_CB_ERROR;
        l->v = v;
        l->size = size;
    }
    l->v[l->n++] = (struct sp_procnet_socket){.inode = m->idiag_inode, .port = ntohs(m->id.idiag_sport)};
    return MNL_CB_OK;
}

int sp_diag_listening(struct sp_host *h, struct sp_diag_listeners *ret, struct sp_error *err)
{
    _cleanup_(sp_procnet_sockets_clear) struct sp_procnet_sockets l = {0};

    if (!h->real)
        return sp_fail(err, SP_E_UNSUPPORTED, 0, "a directory has no sockets");
    if (dump(AF_INET, TCP_LISTEN, visit_listening, &l, err) < 0 ||
        dump(AF_INET6, TCP_LISTEN, visit_listening, &l, err) < 0)
        return -1;
    return sp_procnet_owners(h, &l, ret, err);
}

/* In any order. */
static int visit_sum(const struct nlmsghdr *nlh, void *data)
{
    static const uint64_t key[2] = {1, 2};
    const struct inet_diag_msg *m = mnl_nlmsg_get_payload(nlh);
    uint64_t *sum = data;
    const uint32_t what[4] = {m->id.idiag_cookie[0], m->id.idiag_cookie[1], m->id.idiag_sport,
                              m->idiag_inode};

    if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(*m))
        *sum += sp_siphash(key, what, sizeof(what));
    return MNL_CB_OK;
}

int sp_diag_listening_sum(struct sp_host *h, uint64_t *ret, struct sp_error *err)
{
    *ret = 0;
    if (!h->real)
        return sp_fail(err, SP_E_UNSUPPORTED, 0, "a directory has no sockets");
    if (dump(AF_INET, TCP_LISTEN, visit_sum, ret, err) < 0)
        return -1;
    return dump(AF_INET6, TCP_LISTEN, visit_sum, ret, err);
}

int sp_diag_caller(struct sp_host *h, struct sp_diag_peer *ret, bool *ret_found, struct sp_error *err)
{
    _cleanup_(sp_diag_peers_clear) struct sp_diag_peers live = {0};
    struct sp_diag_peer said;
    pid_t pid = getpid();

    *ret_found = false;
    /* The chain of parents has an end, but it is somebody else's to change while we walk. */
    for (int depth = 0; depth < 64 && pid > 0; depth++) {
        if (sp_procnet_ssh_connection(h, pid, &said)) {
            if (live.v == NULL && sp_diag_established(h, NULL, 0, &live, err) < 0)
                return -1;
            for (size_t i = 0; i < live.n && !*ret_found; i++)
                *ret_found = sp_cidr_equal(&live.v[i].address, &said.address) &&
                             live.v[i].port == said.port && live.v[i].local_port == said.local_port;
            if (*ret_found) {
                *ret = said;
                return 0;
            }
        }
        pid = sp_procnet_parent(h, pid);
    }
    return 0;
}
