/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * JSON objects that are kept as files: on one line, versioned, the last member a SHA-256 of all the bytes
 * before it, so that the check needs no parser and no second printing. The policy itself was kept so by
 * version 1 (now model/fwfile.h); one that is on trial is still, and what was opened in other firewalls.
 *
 *     {"version":1,"mode":"restricted","ports":[22],"sources":[{"source":"203.0.113.0/24",
 *      "comment":"office","expires_at":"2027-01-01T00:00:00Z","owner":"example.com"}],"checksum":"..."}
 */
#ifndef SP_MODEL_FWSTATE_H
#define SP_MODEL_FWSTATE_H

#include "model/fwpolicy.h"

#define SP_FWSTATE_VERSION 1
#define SP_FWSTATE_MAX_BYTES (32U << 20) /* 10,000 entries whose comments are all escapes */

/* SP_E_STATE for a text that is truncated, zeroed, edited or of a newer version; *ret is then untouched. */
int sp_fwstate_parse(const char *bytes, size_t len, struct sp_fw_policy *ret, struct sp_error *err);

/* The pieces, for others that keep a policy: model/fwpending.h. */
struct cJSON *sp_fwstate_to_json(const struct sp_fw_policy *p); /* NULL when out of memory; caller owns */
int sp_fwstate_from_json(const struct cJSON *j, struct sp_fw_policy *ret, struct sp_error *err);
int sp_fwstate_seal(const struct cJSON *j, struct sp_buf *out, struct sp_error *err);
int sp_fwstate_unseal(const char *bytes, size_t len, struct cJSON **ret, struct sp_error *err);

/* One entry as JSON; comment, expires_at and owner are left out where there is none. Caller owns.
 */
struct cJSON *sp_fwstate_entry_json(const struct sp_fw_entry *e);

#endif
