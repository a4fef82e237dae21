/* SPDX-License-Identifier: GPL-3.0-or-later */
/* This host as a client meets it: what `sshd -T` names as ports and host keys. */
#ifndef SP_ENGINE_HOSTKEYS_H
#define SP_ENGINE_HOSTKEYS_H

#include "engine/engine.h"
#include "model/sshkey.h"
#include "resource/resource.h"

#define SP_PORTS_MAX 64
#define SP_SSH_PORT 22

struct sp_hostkeys {
    unsigned ports[SP_PORTS_MAX];
    size_t n_ports;
    struct sp_sshkey *v; /* owned; the public halves that stand beside the private ones, in sshd's order */
    size_t n;
};

void sp_hostkeys_clear(struct sp_hostkeys *k);
/* SP_E_REJECTED with sshd's own words if it refuses its files. A key without its .pub is left out. */
int sp_hostkeys_read(struct sp_engine *e, struct sp_hostkeys *ret, struct sp_error *err);

/* The first of the ports alone. sshd is asked only where the files leave it open: a ListenAddress, an
 * Include of elsewhere, a service's name; asking costs more than all the rest of a certificate. */
int sp_hostkeys_port(struct sp_engine *e, const struct sp_ctx *c, unsigned *ret, struct sp_error *err);

/* The key that a client of today settles on: ed25519, else the first; NULL if there is none. */
const struct sp_sshkey *sp_hostkeys_best(const struct sp_hostkeys *k);

#endif
