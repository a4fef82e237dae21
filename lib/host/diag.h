/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who is connected, and who listens: sock_diag(7) and proc(5). What a change of the SSH port must not cut
 * off is asked of the kernel, never of utmp.
 */
#ifndef SP_HOST_DIAG_H
#define SP_HOST_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "host/host.h"
#include "model/fwpolicy.h"

struct sp_diag_peer {
    struct sp_cidr address; /* one address; ::ffff:a.b.c.d is the IPv4 address that it is */
    uint16_t port;
    uint16_t local_port;
    uint64_t inode; /* of the socket at this end; 0 where it was not asked for */
};

struct sp_diag_peers {
    struct sp_diag_peer *v; /* owned */
    size_t n, size;
};

void sp_diag_peers_clear(struct sp_diag_peers *l);

/* The far ends of established TCP connections to one of these local ports (n_ports 0: to any); loopback is
 * left out. SP_E_UNSUPPORTED where the kernel lacks inet_diag or h is no real host. */
int sp_diag_established(struct sp_host *h, const uint16_t *ports, size_t n_ports, struct sp_diag_peers *ret,
                        struct sp_error *err);

/* All of them, loopback too. */
int sp_diag_connections(struct sp_host *h, struct sp_diag_peers *ret, struct sp_error *err);

/* Listening TCP ports, ascending: of processes of root whose program is an sshd, and of process 1, which
 * holds sockets for ssh.socket, but for other units too. */
struct sp_diag_listeners {
    uint16_t sshd[SP_FW_MAX_PORTS], init[SP_FW_MAX_PORTS];
    size_t n_sshd, n_init;
};

int sp_diag_listening(struct sp_host *h, struct sp_diag_listeners *ret, struct sp_error *err);

/* A sum over all listening TCP sockets, by the number that each has for itself alone until the next boot.
 */
int sp_diag_listening_sum(struct sp_host *h, uint64_t *ret, struct sp_error *err);

/* Where the caller comes from: the nearest ancestor (this process first) whose SSH_CONNECTION names a
 * connection that the kernel shows established. sudo(8) takes the variable from its child; the shell before
 * it keeps it. A panel's call has none: *ret_found is false. */
int sp_diag_caller(struct sp_host *h, struct sp_diag_peer *ret, bool *ret_found, struct sp_error *err);

#endif
