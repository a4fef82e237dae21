/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is remembered of the kernel's table (engine/fwseen.h), as a value and as a line of text. */
#ifndef SP_MODEL_FWMARK_H
#define SP_MODEL_FWMARK_H

#include "model/fwpolicy.h"

struct sp_fwmark {
    uint64_t host;                   /* this boot and network namespace; 0: this kernel cannot tell */
    uint32_t generation;             /* of the ruleset */
    uint64_t policy;                 /* the state file's sum */
    uint64_t config;                 /* always_allow's */
    int64_t clock;                   /* the wall clock less the one that timeouts run by, s */
    int64_t until;                   /* from then on it is not believed */
    uint64_t sshd;                   /* what sshd's ports depended on (resource/sshports.h); 0: not known */
    uint16_t ports[SP_FW_MAX_PORTS]; /* and what they were */
    size_t n_ports;
};

#define SP_FWMARK_MAX_BYTES 1024

/* "sallyport-firewall-seen 1", numbers in hexadecimal, and a sum of all before it. */
int sp_fwmark_format(const struct sp_fwmark *m, struct sp_buf *out, struct sp_error *err);

/* SP_E_STATE for what we did not write like that; *ret is then untouched. */
int sp_fwmark_parse(const char *bytes, size_t len, struct sp_fwmark *ret, struct sp_error *err);

/* Is it still about this host, configuration, clock and state file? The generation is asked by the caller.
 */
bool sp_fwmark_holds(const struct sp_fwmark *m, const struct sp_fwmark *now_is, uint64_t policy,
                     int64_t now);

#endif
