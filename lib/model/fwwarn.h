/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is allowed for the SSH port but worth a second look: overlapping sources, very wide ones. */
#ifndef SP_MODEL_FWWARN_H
#define SP_MODEL_FWWARN_H

#include "model/fwpolicy.h"

#define SP_FWWARN_MAX 20

/* Sentences about entries that `p` has and `old` has not, or has otherwise. At most SP_FWWARN_MAX, then one
 * that counts the rest. `say` returns 0, or a negative number that ends the walk and is handed on. */
int sp_fwwarn_each(const struct sp_fw_policy *old, const struct sp_fw_policy *p,
                   int (*say)(void *data, const char *text), void *data);

#endif
