/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The half of host/diag.h that reads proc(5): which process holds a socket, what an ancestor's environment
 * says. */
#ifndef SP_HOST_PROCNET_H
#define SP_HOST_PROCNET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "host/diag.h"

struct sp_procnet_socket {
    uint64_t inode;
    uint16_t port;
};

struct sp_procnet_sockets {
    struct sp_procnet_socket *v; /* owned */
    size_t n, size;
};

void sp_procnet_sockets_clear(struct sp_procnet_sockets *l);

/* Which of these listening sockets are sshd's or process 1's. */
int sp_procnet_owners(struct sp_host *h, const struct sp_procnet_sockets *l, struct sp_diag_listeners *ret,
                      struct sp_error *err);

/* The connection among `all` that this process holds. False when it holds none. */
bool sp_procnet_peer(struct sp_host *h, pid_t pid, const struct sp_diag_peers *all,
                     struct sp_diag_peer *ret);

/* What SSH_CONNECTION (ssh(1)) says in the environment that `pid` was started with. False when it has none
 * that can be read. */
bool sp_procnet_ssh_connection(struct sp_host *h, pid_t pid, struct sp_diag_peer *ret);

pid_t sp_procnet_parent(struct sp_host *h, pid_t pid); /* 0 when there is none */

/* An AF_INET or AF_INET6 address as a block of one. */
void sp_procnet_address(int family, const void *bytes, struct sp_cidr *ret);
bool sp_procnet_is_loopback(const struct sp_cidr *a);

#endif
