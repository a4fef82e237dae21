/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/fwguard.h"

#include "base/mem.h"
#include "host/diag.h"

static bool guards(const struct sp_nft_ruleset *r, uint16_t port)
{
    for (size_t i = 0; r->body == SP_NFT_GUARDED && i < r->n_ports; i++)
        if (r->ports[i] == port)
            return true;
    return false;
}

static bool lets_in(const struct sp_nft_ruleset *r, const struct sp_diag_peer *peer)
{
    return !guards(r, peer->local_port) || sp_fw_covers(&r->allow, &peer->address, NULL);
}

static bool is_shut_out(const struct sp_nft_ruleset *before, const struct sp_nft_ruleset *after,
                        const struct sp_diag_peer *peer)
{
    return lets_in(before, peer) && !lets_in(after, peer);
}

static int refuse(const struct sp_diag_peer *peer, const char *who, size_t more, struct sp_error *err)
{
    char address[SP_CIDR_SIZE];

    sp_cidr_format(&peer->address, address);
    if (more > 0)
        (void)sp_fail(err, SP_E_LOCKOUT, 0, "%s (%s) and %zu more connections would be shut out", address,
                      who, more);
    else
        (void)sp_fail(err, SP_E_LOCKOUT, 0, "%s (%s) would be shut out", address, who);
    (void)sp_hint(err,
                  "allow %s too, or repeat with force true: sessions that live go on, but nobody "
                  "connects from there again",
                  address);
    return sp_field(err, "force");
}

static int check_peers(struct sp_host *h, const struct sp_nft_ruleset *before,
                       const struct sp_nft_ruleset *after, struct sp_error *err)
{
    _cleanup_(sp_diag_peers_clear) struct sp_diag_peers peers = {0};
    const struct sp_diag_peer *first = NULL;
    size_t n = 0;

    if (after->n_ports == 0)
        return 0;
    if (sp_diag_established(h, after->ports, after->n_ports, &peers, err) < 0)
        return -1;
    for (size_t i = 0; i < peers.n; i++) {
        if (!is_shut_out(before, after, &peers.v[i]))
            continue;
        first = n++ == 0 ? &peers.v[i] : first;
    }
    return first != NULL ? refuse(first, "connected to the SSH port", n - 1, err) : 0;
}

int sp_fwguard_check(struct sp_host *h, const struct sp_nft_ruleset *before,
                     const struct sp_nft_ruleset *after, struct sp_error *err)
{
    struct sp_diag_peer caller;
    bool found;

    if (after->body != SP_NFT_GUARDED)
        return 0;
    if (sp_diag_caller(h, &caller, &found, err) < 0)
        return -1;
    if (found && is_shut_out(before, after, &caller))
        return refuse(&caller, "you", 0, err);
    return check_peers(h, before, after, err);
}
