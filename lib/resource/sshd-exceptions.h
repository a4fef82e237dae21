/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What not every account may or must: one Match block for each exception, and only for those that somebody
 * has. sshd asks for all groups of whoever logs in, and their names, at every Match Group line that it
 * passes (match_cfg_line_group() in servconf.c): on a host of 10,000 domains each line costs a login a
 * millisecond.
 */
#ifndef SP_RESOURCE_SSHD_EXCEPTIONS_H
#define SP_RESOURCE_SSHD_EXCEPTIONS_H

#include "base/buf.h"
#include "resource/resource.h"

/* The blocks that are needed, for the drop-in. One is needed when its group has members, or when this
 * account is to become one. What stands in `have`, the drop-in as it is, stays: another request may have
 * put it there, whose account joins the group next. Only reconcile (c->thorough) takes away what nobody
 * has. */
int sp_sshd_exceptions(const struct sp_ctx *c, const struct sp_buf *have, struct sp_buf *out,
                       struct sp_error *err);

#endif
