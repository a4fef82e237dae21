/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The access record: what pam_sallyport needs to know of one account, one flat file per user name, written
 * and read by root. /var/lib/sallyport/access/USER, root:root 0600.
 *
 *     sallyport-access 1
 *     user example
 *     uid 1001
 *     suspended yes                          (only where it is)
 *     valid_from 1798761600                  (seconds since the epoch; only where there is one)
 *     valid_until 1830297600
 *     source 203.0.113.0/24                  (none: from anywhere)
 *
 * Key, one blank, value to the end of the line. This file is linked into the PAM module, and so into every
 * service that asks it: libc, base and cidr.c only, no JSON.
 */
#ifndef SP_MODEL_PAMRECORD_H
#define SP_MODEL_PAMRECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "model/cidr.h"

#define SP_PAMRECORD_DIR "/var/lib/sallyport/access"
#define SP_PAMRECORD_MAX_BYTES (1U << 20)
#define SP_PAMRECORD_USER_SIZE 64

struct sp_pamrecord {
    char user[SP_PAMRECORD_USER_SIZE];
    uint32_t uid;
    bool suspended;
    int64_t valid_from, valid_until; /* 0: none */
    struct sp_cidr_list sources;     /* empty: from anywhere */
};

void sp_pamrecord_clear(struct sp_pamrecord *r);
int sp_pamrecord_format(const struct sp_pamrecord *r, struct sp_buf *out,
                        struct sp_error *err); /* checks every value */
int sp_pamrecord_parse(const char *bytes, size_t len, struct sp_pamrecord *ret, struct sp_error *err);

/* Does `a` let in nobody whom `b` keeps out? */
bool sp_pamrecord_is_stricter(const struct sp_pamrecord *a, const struct sp_pamrecord *b);

/* What of both: it lets in only whom each of them lets in. *ret must be empty before. */
int sp_pamrecord_meet(const struct sp_pamrecord *a, const struct sp_pamrecord *b, struct sp_pamrecord *ret,
                      struct sp_error *err);

/* An address as a service names it (PAM_RHOST): IPv6 with a zone, IPv4 mapped into it. False: no address.
 */
bool sp_pamrecord_address(const char *text, struct sp_cidr *ret);

enum sp_pam_verdict { SP_PAM_ADMITTED, SP_PAM_SUSPENDED, SP_PAM_EARLY, SP_PAM_OVER, SP_PAM_ELSEWHERE };

/* from: NULL where nobody comes over the network: sources do not speak of him. */
enum sp_pam_verdict sp_pamrecord_judge(const struct sp_pamrecord *r, int64_t now,
                                       const struct sp_cidr *from);

#endif
