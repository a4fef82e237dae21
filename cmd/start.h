/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How both commands begin: the process put in order, who asked, the host, the configuration. */
#ifndef SP_CMD_START_H
#define SP_CMD_START_H

#include "engine/engine.h"

struct sp_start {
    struct sp_host host;
    struct sp_config config;
    struct sp_engine engine;
};

/* First thing in main: argc checked, the caller read from SUDO_UID, then environment, descriptors, limits,
 * signals, umask. */
int sp_start_sanitise(struct sp_start *s, int argc, char **argv);

/* The caller is the process at the other end of the socket `fd`, whatever the environment says. */
int sp_start_peer(struct sp_start *s, int fd, struct sp_error *err);

/* Open the host and the configuration, refuse callers that may not. s->engine is then ready. */
int sp_start_engine(struct sp_start *s, struct sp_error *err);

void sp_start_clear(struct sp_start *s);

#endif
