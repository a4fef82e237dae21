/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a privileged process must not take over from whoever started it: descriptors, environment, umask,
 * signals, timers, limits, priority, directory, and capabilities it has no use for. libc alone.
 */
#ifndef SP_HOST_CAPS_H
#define SP_HOST_CAPS_H

#include <stdbool.h>

/* First thing in main, before anything is opened and while there is one thread; what main wants from the
 * environment (SUDO_UID) it has read before. Descriptors 0..2 are open afterwards, on /dev/null where they
 * were not; all others are closed. 0, or -1 with errno when the process is not fit to go on. Run by
 * somebody who is not root it does what it may. */
int sp_process_sanitise(void);

/* Has it this capability (CAP_SYS_ADMIN, ...)? Its programs have no other. */
bool sp_process_may(unsigned cap);

#endif
