/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the jail of an account shows of the host: its profiles name it, the configuration allows it. */
#ifndef SP_RESOURCE_SHOWN_H
#define SP_RESOURCE_SHOWN_H

#include "base/error.h"
#include "host/shown.h"
#include "resource/resource.h"

/* Into the empty *ret: what the generation of that account shows, or will show where the plan so far (may
 * be NULL) has it built. An account whose profiles are gone shows nothing. */
int sp_shown_of(const struct sp_ctx *c, const struct sp_account *a, const struct sp_plan *p,
                struct sp_shown *ret, struct sp_error *err);

/* A warning for each promise that the host, or the configuration, does not keep now. */
int sp_shown_warn(const struct sp_ctx *c, const struct sp_shown *s, struct sp_plan *p,
                  struct sp_error *err);

#endif
