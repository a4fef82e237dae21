/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A host's own list of keys that are known to be bad (key_blocklist of sallyport.conf(5)): one fingerprint
 * a line, what follows a blank is a remark, '#' begins a comment. */
#ifndef SP_MODEL_BLOCKLIST_H
#define SP_MODEL_BLOCKLIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define SP_BLOCKLIST_MAX_BYTES (64U << 20)

/* Every line must be one: SP_E_INVALID, naming its number. A list that cannot be read allows nothing. */
int sp_blocklist_check(const char *bytes, size_t len, struct sp_error *err);

bool sp_blocklist_has(const char *bytes, size_t len, const char *fingerprint);

#endif
