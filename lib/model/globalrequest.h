/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parameters of global_keys.add as checked values. */
#ifndef SP_MODEL_GLOBALREQUEST_H
#define SP_MODEL_GLOBALREQUEST_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "base/error.h"
#include "model/account.h"
#include "model/name.h"

struct sp_global_request {
    struct sp_key key;        /* owned; forces no command */
    char group[SP_USER_SIZE]; /* "": every managed account */
    bool dry_run;
};

void sp_global_request_clear(struct sp_global_request *r);

/* `params` NULL is an empty object. Fields in *err are relative to params. */
int sp_global_request_decode(const cJSON *params, struct sp_global_request *ret, struct sp_error *err);

#endif
