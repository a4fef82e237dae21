/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A JSON value in a form that needs no parser: one byte for its type, lengths in front of what has one.
 * What a process without any right has read out of somebody's text comes to the privileged one like this
 * (host/jsonchild.h). The writer is not trusted.
 *
 *     n t f                             null, true, false
 *     d double(8)                       a number
 *     s length(4) bytes NUL             a string
 *     a count(4) value...               an array
 *     o count(4) (s-like key, value)... an object
 *
 * Numbers are the machine's own: both ends are one program.
 */
#ifndef SP_MODEL_FLAT_H
#define SP_MODEL_FLAT_H

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "base/error.h"
#include "model/json.h"

/* A text grows at most so much: "[0,0,..]" is the worst. */
#define SP_FLAT_MAX_BYTES (5 * SP_JSON_MAX_BYTES + 64)

/* Append j, which came out of sp_json_parse(). What does not fit into memory shows in sp_buf_ok(). */
void sp_flat_put(struct sp_buf *b, const cJSON *j);

/* The one value that `bytes` are, to the byte: no type but these, nothing longer than what is there,
 * strings of UTF-8 without NUL, numbers within +-2^53, at most SP_JSON_MAX_DEPTH levels. SP_E_INTERNAL for
 * anything else. That keys are unlike one another is the scan's to see: nothing is read twice here, so two
 * would hide nothing. */
int sp_flat_take(const char *bytes, size_t len, cJSON **ret, struct sp_error *err);

#endif
