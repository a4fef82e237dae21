/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The text of a file of sallyport.conf(5): lines NAME = VALUE, '#' begins a comment. What cannot be
 * understood is an error, never passed over: a line that is lost might have been a refusal (denied_users).
 */
#ifndef SP_MODEL_CONFFILE_H
#define SP_MODEL_CONFFILE_H

#include <stddef.h>

#include "model/policy.h"

/* Sets in `c` what the text names; `file` is for the errors, which are SP_E_INVALID with the line. */
int sp_conffile_parse(const char *file, const char *text, size_t len, struct sp_config *c,
                      struct sp_error *err);

#endif
