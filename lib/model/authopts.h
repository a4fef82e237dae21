/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The options in front of a key (sshd(8), "AUTHORIZED_KEYS FILE FORMAT"), read as sshd reads them, to tell
 * whether it would let somebody in by that line. */
#ifndef SP_MODEL_AUTHOPTS_H
#define SP_MODEL_AUTHOPTS_H

#include <stdbool.h>
#include <stddef.h>

#define SP_AUTHOPTS_VALUE 1024

struct sp_authopts {
    char from[SP_AUTHOPTS_VALUE]; /* the pattern list; "" where there is none */
    bool has_from, has_command, no_pty, cert_authority;
    char expiry[32]; /* YYYYMMDD[HHMM[SS]][Z], the earliest of several; "" never */
    char bad[64];    /* an option that sshd does not know, or whose value it refuses: it skips the line */
};

/* The options of a whole line; none is fine. */
void sp_authopts_parse(const char *line, size_t len, struct sp_authopts *ret);

/* match_host_and_ip() of OpenSSH, where the name of the host is its address (UseDNS no): patterns, blocks,
 * negations. A block that sshd cannot read refuses everybody. */
bool sp_authopts_from_matches(const char *list, const char *address);

/* Is `address` within "ADDRESS/BITS" or is it ADDRESS? False also for what is neither. */
bool sp_authopts_in_block(const char *block, const char *address, bool *ret_malformed);

#endif
