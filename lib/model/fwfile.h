/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The policy of the SSH port as a file, written and read in one pass, since every request does both: one
 * JSON object on one line, always spelt the same way, its last member a SipHash-2-4 of all the bytes before
 * it. Entries stand in the policy's order.
 *
 *     {"version":2,"mode":"restricted","ports":[22],"entries":1,"sources":[{"source":"203.0.113.0/24",
 *      "comment":"office","expires_at":"2027-01-01T00:00:00Z","owner":"example.com"}],"sum":"..."}
 *
 * The sum finds what was cut, zeroed or edited; the directory keeps out who would forge one. Version 1
 * (model/fwstate.h) is read as well, and becomes version 2 when the policy changes next.
 */
#ifndef SP_MODEL_FWFILE_H
#define SP_MODEL_FWFILE_H

#include "model/fwpolicy.h"

#define SP_FWFILE_VERSION 2
#define SP_FWFILE_MAX_BYTES (32U << 20) /* 10,000 entries whose comments are all escapes */

/* SP_E_STATE for a policy that could not be read again. ret_sum (may be NULL): see below. */
int sp_fwfile_format(const struct sp_fw_policy *p, struct sp_buf *out, uint64_t *ret_sum,
                     struct sp_error *err);

/* SP_E_STATE for a text that is truncated, zeroed, edited or of a newer version; *ret is then untouched.
 * ret_sum (may be NULL): a sum by which one file is told from another. */
int sp_fwfile_parse(const char *bytes, size_t len, struct sp_fw_policy *ret, uint64_t *ret_sum,
                    struct sp_error *err);

/* Append the last member, the sum of all that stands behind `from`. */
int sp_fwfile_seal(struct sp_buf *text, size_t from, uint64_t *ret_sum, struct sp_error *err);

/* "[{...},...]": all entries, as they stand in the file and in an answer. */
void sp_fwfile_put_sources(const struct sp_fw_policy *p, struct sp_buf *out);

/* The same, of a text that sp_fwfile_format() made: it is all that stays of it. False for any other. */
bool sp_fwfile_cut_sources(struct sp_buf *text);

#endif
