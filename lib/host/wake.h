/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A reconcile at a second to come. */
#ifndef SP_HOST_WAKE_H
#define SP_HOST_WAKE_H

#include <stdint.h>

#include "host/host.h"

/* systemd's timer reconciles within this time anyway, and arms what is near then. */
#define SP_WAKE_AHEAD_S (15 * 60)

/* Have systemd reconcile at `when`, by a timer that goes when it has run. Nothing where `when` has passed
 * or is further off, and nothing on a host without systemd. That it cannot be had is no failure: what ends
 * then, ends with the next reconcile. */
void sp_wake_at(struct sp_host *h, int64_t when);

#endif
