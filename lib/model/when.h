/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Points in time as seconds since the epoch (POSIX time, int64_t); 0 means "never" where an expiry is
 * optional. */
#ifndef SP_MODEL_WHEN_H
#define SP_MODEL_WHEN_H

#include <stdint.h>

#include "base/error.h"

#define SP_WHEN_SIZE 32

/* RFC 3339 date-time ("2027-01-01T00:00:00Z", offsets allowed, fractions refused), years 1970..9999. */
int sp_when_parse(const char *text, int64_t *ret, struct sp_error *err);

/* RFC 3339 in UTC. */
void sp_when_format(int64_t when, char out[SP_WHEN_SIZE]);

#endif
