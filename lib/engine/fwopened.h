/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What sallyport opened in the firewalls of others: /var/lib/sallyport/firewall.opened, sealed as the
 * state file is. */
#ifndef SP_ENGINE_FWOPENED_H
#define SP_ENGINE_FWOPENED_H

#include "host/host.h"
#include "resource/fwopen.h"

#define SP_FWOPENED_MAX 64

struct sp_fwopened {
    struct sp_fwopen v[SP_FWOPENED_MAX];
    size_t n;
};

/* A broken file is SP_E_STATE. */
int sp_fwopened_load(struct sp_host *h, struct sp_fwopened *ret, struct sp_error *err);

/* Durably; an empty list takes the file away. */
int sp_fwopened_save(struct sp_host *h, const struct sp_fwopened *l, struct sp_error *err);

/* 0 also where it is there already. */
int sp_fwopened_add(struct sp_fwopened *l, const struct sp_fwopen *o, struct sp_error *err);

#endif
