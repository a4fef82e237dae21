/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The other end of host/errand.h: what sallyport-jail@.service does. */
#ifndef SP_ENGINE_ERRANDS_H
#define SP_ENGINE_ERRANDS_H

#include "engine/engine.h"
#include "host/errand.h"

/* Take one from the connection `fd`, of which root is the peer, and do it; *ret is to be answered. */
int sp_errands_serve(struct sp_engine *e, int fd, struct sp_errand *ret, struct sp_error *err);

#endif
