/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The firewalls of others: who filters on this host, whether one of them holds a port back, and what mends
 * that. Daemon and kernel must agree: after somebody's flush firewalld still says that it runs.
 *
 * Nothing but chains is read where nobody else filters. Else the rules are judged for the first packet of a
 * connection: nft's as JSON, those of iptables - of either kind - as iptables-save prints them.
 */
#ifndef SP_RESOURCE_FIREWALLS_H
#define SP_RESOURCE_FIREWALLS_H

#include <cjson/cJSON.h>

#include "host/host.h"
#include "model/nftverdict.h"

enum sp_firewall_kind {
    SP_FIREWALL_FIREWALLD,
    SP_FIREWALL_UFW,
    SP_FIREWALL_CSF,
    SP_FIREWALL_FAIL2BAN,
    SP_FIREWALL_CROWDSEC,
    SP_FIREWALL_IPTABLES,
    SP_FIREWALL_IPTABLES_LEGACY,
    SP_FIREWALL_NFTABLES,
    SP_FIREWALL_KINDS
};

const char *sp_firewall_kind_name(enum sp_firewall_kind kind); /* "ufw" */

struct sp_firewalls {
    struct sp_host *host;              /* borrowed */
    bool in_force[SP_FIREWALL_KINDS];  /* and the kernel agrees */
    bool only_says[SP_FIREWALL_KINDS]; /* the daemon or its configuration says so, the kernel does not */
    bool unread4, unread6;             /* there are tables of iptables-legacy, which could not be read */
    cJSON *ruleset;                    /* of nft; NULL: nobody else is there */
    struct sp_buf nft4, nft6, legacy4, legacy6; /* as saved; empty where there are none */
};

void sp_firewalls_clear(struct sp_firewalls *f);
int sp_firewalls_look(struct sp_host *h, struct sp_firewalls *ret, struct sp_error *err);

/* One that holds a port back, or may. */
struct sp_firewall_block {
    enum sp_firewall_kind by;
    bool certain;
    uint8_t family; /* 4 or 6 */
    uint16_t port;
    char from[SP_CIDR_SIZE];         /* the address that was asked for; "" for anybody */
    char where[SP_NFTVERDICT_WHERE]; /* "inet filter, the policy of chain input" */
    char mend[200];                  /* the command that lets the port through */
};

/* Ask for one packet. 1: *ret says who stops it; 0: it passes; -1: failed. */
int sp_firewalls_judge(const struct sp_firewalls *f, const struct sp_nftverdict_packet *p,
                       struct sp_firewall_block *ret, struct sp_error *err);

#endif
