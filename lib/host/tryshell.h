/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A user's login shell, started as sshd would: with his ids and nothing of ours. What it starts runs where
 * root's helper runs, outside of the limits of his logins: so it has bounds of its own, and all of it ends
 * with it, wherever it went (pid_namespaces(7)).
 */
#ifndef SP_HOST_TRYSHELL_H
#define SP_HOST_TRYSHELL_H

#include "base/error.h"
#include "host/host.h"
#include "host/userdb.h"

enum { SP_TRYSHELL_SAID = 304, SP_TRYSHELL_DEADLINE_MS = 15000 };

struct sp_tryshell {
    unsigned deadline_ms;
    int status;                  /* exit status 0..255, or 128 + signal */
    char said[SP_TRYSHELL_SAID]; /* on stderr; cut */
};

/* 0 if it ran, whatever its status; SP_E_BUSY where it did not end in time. Where this process may make no
 * namespace, another does it (errand.h). */
int sp_tryshell_run(struct sp_host *h, const struct sp_user *u, struct sp_tryshell *t,
                    struct sp_error *err);

#endif
