/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Is a package manager at work? Half of an upgrade is no state to copy a jail's programs in. */
#ifndef SP_HOST_PACKAGES_H
#define SP_HOST_PACKAGES_H

#include <stdbool.h>

#include "base/error.h"
#include "host/host.h"

/* The lock that somebody holds; NULL when nobody does. dpkg and apt, and rpm, hold theirs from the first
 * file to the last. */
const char *sp_packages_busy(struct sp_host *h);

/* Wait until nobody has held one for quiet_ms. SP_E_BUSY, naming the lock, after deadline_ms. */
int sp_packages_wait(struct sp_host *h, unsigned quiet_ms, unsigned deadline_ms, struct sp_error *err);

#endif
