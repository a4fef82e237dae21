/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The parameters of firewall.set as a checked value:
 *
 *     {"mode": "restricted",
 *      "sources": [{"source": "203.0.113.0/24", "comment": "office", "expires_at":
 * "2027-01-01T00:00:00Z"}], "add": [...], "remove": ["203.0.113.7"], "force": false, "acknowledge_closed":
 * false, "confirm_within": 60, "dry_run": false}
 *
 * `sources` is the whole list of firewall.set's own entries; `add` and `remove` change that list; both at
 * once contradict each other.
 */
#ifndef SP_MODEL_FWREQUEST_H
#define SP_MODEL_FWREQUEST_H

#include <cjson/cJSON.h>

#include "model/fwpending.h"
#include "model/fwpolicy.h"

struct sp_fw_entries {
    struct sp_fw_entry *v; /* owned, each comment too; NULL: none */
    size_t n;
};

struct sp_fw_request {
    bool has_mode, has_sources;
    enum sp_fw_mode mode;
    struct sp_fw_entries sources, add;
    struct sp_cidr_list remove;
    bool force;              /* though somebody who is connected would be shut out */
    bool acknowledge_closed; /* closed is meant */
    bool dry_run;
    bool keep_opened;       /* unmanaged: what was opened in the firewalls of others stays open */
    int64_t confirm_within; /* seconds: on trial for so long; 0: for good */
};

/* firewall.confirm: {"token": "..."} */
int sp_fwrequest_decode_confirm(const cJSON *params, char ret_token[SP_FW_TOKEN_SIZE],
                                struct sp_error *err);

#define SP_FW_TRIAL_MAX 86400

void sp_fwrequest_clear(struct sp_fw_request *r);

/* `params` NULL is an empty object. Fields in *err are relative to params ("add[2].source"). */
int sp_fwrequest_decode(const cJSON *params, struct sp_fw_request *ret, struct sp_error *err);

/* Change the policy as the request says; errors name the request's field. An entry that only a domain's own
 * `sources` brought cannot be removed here: SP_E_CONFLICT, naming the domain. Removing what is not there
 * is success. Without acknowledge_closed nothing becomes `closed`: SP_E_LOCKOUT. */
int sp_fwrequest_apply(const struct sp_fw_request *r, int64_t now, struct sp_fw_policy *p,
                       struct sp_error *err);

#endif
