/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/wake.h"

#include "host/wake.h"

void sp_wake_account(struct sp_host *h, const struct sp_account *a)
{
    sp_wake_at(h, a->access.valid_from);
    sp_wake_at(h, a->access.valid_until);
    for (size_t i = 0; i < a->n_domains; i++)
        for (size_t k = 0; k < a->domains[i].keys.n; k++)
            sp_wake_at(h, a->domains[i].keys.v[k].expires_at);
}
