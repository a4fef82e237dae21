/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The SSH port: stored policy -> plan -> kernel -> report, one path for firewall.set, for the sources that
 * a domain brings, for reconcile and for the start of the host.
 *
 * `open` is our table with an empty `committed` chain, not the absence of the table: the port is managed,
 * and it shows. Only `unmanaged` has no table.
 *
 * The order of a change: lock, checks, state (durable), one kernel transaction, reading back. A crash after
 * the state is rolled forward by reconcile and at boot.
 *
 * All results are JSON, added to `result`, an object:
 *   mode, ports, sources [{source, comment, expires_at, owner}], always_allow, in_force, blocked_by,
 * pending (engine/fwtrial.h), warnings and, but for sp_firewall_get(), changed and changes [{resource,
 * target, from, to, read_back}].
 */
#ifndef SP_ENGINE_FIREWALL_H
#define SP_ENGINE_FIREWALL_H

#include <cjson/cJSON.h>

#include "host/host.h"
#include "model/fwrequest.h"
#include "model/policy.h"

enum sp_firewall_flags {
    SP_FIREWALL_APPLY = 0,
    SP_FIREWALL_DRY = 1 << 0,   /* nothing is written, no lock is taken */
    SP_FIREWALL_FORCE = 1 << 1, /* though somebody who is connected would be shut out */
    SP_FIREWALL_BOOT = 1 << 2,  /* restore: a broken state file is answered with its last good copy */
    /* The result is printed and not looked at: `sources` and `changes` are text of JSON (cJSON_Raw, whose
     * valuedouble counts), since ten thousand of them as values cost more than all else. */
    SP_FIREWALL_TEXT = 1 << 3,
};

/* SP_E_STATE: the state file is broken or of a newer sallyport; nothing is changed, what is in force stays
 * in force. So for all of these, but for restore at boot. */
int sp_firewall_get(struct sp_host *h, const struct sp_config *c, enum sp_firewall_flags flags,
                    cJSON *result, struct sp_error *err);

/* SP_E_LOCKOUT: would shut out everybody (field mode or sources) or somebody who is connected (field
 * force). SP_E_CONFLICT: a narrowing while sshd's configuration and its sockets name different ports, or a
 * removal of what a domain brought. SP_E_INVALID: see model/fwrequest.h. */
int sp_firewall_set(struct sp_host *h, const struct sp_config *c, const struct sp_fw_request *request,
                    enum sp_firewall_flags flags, cJSON *result, struct sp_error *err);

/* The policy on trial becomes the stored one. SP_E_NOT_FOUND: none runs (any more), and what was stored
 * before is in force. SP_E_LOCKOUT: nobody has connected anew. SP_E_CONFLICT: another trial's token. */
int sp_firewall_confirm(struct sp_host *h, const struct sp_config *c, const char *token, cJSON *result,
                        struct sp_error *err);

/* The trial ends; without one, this is sp_firewall_restore(). */
int sp_firewall_rollback(struct sp_host *h, const struct sp_config *c, cJSON *result, struct sp_error *err);

/* Make `sources` the list that `domain` brings (none: forget the domain). In `restricted` the port opens
 * to them, for everybody, and `warnings` says so; in the other modes they are kept for later. Where the
 * list is what it was, nothing is looked at or touched. Unmanaged, the packet filter stays untouched. */
int sp_firewall_sync_sources(struct sp_host *h, const struct sp_config *c, const char *domain,
                             const struct sp_cidr_list *sources, enum sp_firewall_flags flags,
                             cJSON *result, struct sp_error *err);

/* Put the stored policy in force: what differs is repaired in one transaction; with SP_FIREWALL_DRY the
 * result says what differs. Ports follow sshd; nobody is asked to force. */
int sp_firewall_restore(struct sp_host *h, const struct sp_config *c, enum sp_firewall_flags flags,
                        cJSON *result, struct sp_error *err);

#endif
