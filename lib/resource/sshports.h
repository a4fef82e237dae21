/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which ports are SSH's: what sshd is configured for, and what really listens. */
#ifndef SP_RESOURCE_SSHPORTS_H
#define SP_RESOURCE_SSHPORTS_H

#include "host/host.h"
#include "model/fwpolicy.h"
#include "model/policy.h"

struct sp_sshports {
    uint16_t ports[SP_FW_MAX_PORTS]; /* the union: what is to be guarded; ascending */
    size_t n;
    uint16_t configured[SP_FW_MAX_PORTS], listening[SP_FW_MAX_PORTS];
    size_t n_configured, n_listening;
    char disagreement[300]; /* "" where both say the same, or nothing listens */
    bool lasts;             /* the answer is good as long as sp_sshports_key() is the same */
};

/* Configured: `sshd -T`, listenaddress before port. Listening: sockets of sshd, and those of process 1 that
 * ssh.socket asks for or whose port is a configured one. One of the two may fail (disagreement says it); if
 * both do, or no port is found at all, the answer is -1. */
int sp_sshports_find(struct sp_host *h, const struct sp_config *c, struct sp_sshports *ret,
                     struct sp_error *err);

/* A number that is another one as soon as the answer may be: it stands for sshd's program, its files, and
 * which sockets listen. 0: it cannot be told, since sshd includes files that are not known here. */
uint64_t sp_sshports_key(struct sp_host *h, const struct sp_config *c);

#endif
