/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Points in time as seconds since the epoch (POSIX time, int64_t); 0 means "never" where an expiry is
 * optional. */
#ifndef SP_MODEL_WHEN_H
#define SP_MODEL_WHEN_H

#include <stdint.h>

#include "base/error.h"

#define SP_WHEN_SIZE 32
#define SP_WHEN_MAX INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

/* RFC 3339 date-time ("2027-01-01T00:00:00Z", offsets allowed, fractions and
 * leap seconds refused), years 1970..9999. The epoch itself is refused: 0 would come out as "never". */
int sp_when_parse(const char *text, int64_t *ret, struct sp_error *err);

/* RFC 3339 in UTC; what lies outside the years above comes out as the nearest of them. */
void sp_when_format(int64_t when, char out[SP_WHEN_SIZE]);

/* "90m", "6h", "7d"; a plain number is seconds. From one second to a year. */
int sp_when_duration(const char *text, uint32_t *ret_seconds, struct sp_error *err);

#endif
