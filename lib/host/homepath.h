/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A home as passwd(5) names it may lie behind a link (/home -> /srv/home). */
#ifndef SP_HOST_HOMEPATH_H
#define SP_HOST_HOMEPATH_H

#include "host/host.h"
#include "host/userdb.h"

/* Put the place that root's links lead to into u->home. A link counts as root's when it, and every
 * directory on the way to it, belong to root and nobody else can write there; beyond that, and where
 * something is missing, the path stays as it is: who then walks it meets the link and refuses. */
void sp_homepath_resolve(struct sp_host *h, struct sp_user *u);

#endif
