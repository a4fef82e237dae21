/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A port opened in the host's own firewall, by that firewall's own way, and taken back: firewalld's D-Bus
 * (at run time and for good, never a reload, which drops others' changes), ufw(8) (never its reload, which
 * opens the host for most of a second), iptables(8). The tables of nft are never edited: nobody knows what
 * writes them.
 */
#ifndef SP_RESOURCE_FWOPEN_H
#define SP_RESOURCE_FWOPEN_H

#include "resource/firewalls.h"

struct sp_fwopen {
    enum sp_firewall_kind by;
    uint8_t family; /* 4 or 6: of iptables; 0: both */
    uint16_t port;
    char zone[64]; /* of firewalld */
};

/* What would let through what `b` stops. -1: that cannot or must not be done here, and *err says why. */
int sp_fwopen_plan(struct sp_host *h, const struct sp_firewall_block *b, struct sp_fwopen *ret,
                   struct sp_error *err);

/* Both find what is done already done. */
int sp_fwopen_open(struct sp_host *h, const struct sp_fwopen *o, struct sp_error *err);
int sp_fwopen_close(struct sp_host *h, const struct sp_fwopen *o, struct sp_error *err);

bool sp_fwopen_equal(const struct sp_fwopen *a, const struct sp_fwopen *b);

/* "ufw", "firewalld zone public", "ip6tables" */
#define SP_FWOPEN_TARGET 96
void sp_fwopen_target(const struct sp_fwopen *o, char ret[SP_FWOPEN_TARGET]);

/* The line of /etc/ufw/user.rules that allowing the port would overwrite, or that allows it already and is
 * shadowed: its action ("deny", "limit", "allow"), or "" for none. */
void sp_fwopen_ufw_rule(const char *rules, uint16_t port, char ret[16]);

#endif
