/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The seconds at which something of an account begins or ends. */
#ifndef SP_ENGINE_WAKE_H
#define SP_ENGINE_WAKE_H

#include "engine/engine.h"

/* Have each of them that is near reconciled in time: sshd lets nobody in after it, and what runs already (a
 * forwarding without a shell, too) is ended by reconcile. */
void sp_wake_account(struct sp_host *h, const struct sp_account *a);

#endif
