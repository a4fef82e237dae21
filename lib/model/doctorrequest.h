/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parameters of login.diagnose as checked values. */
#ifndef SP_MODEL_DOCTORREQUEST_H
#define SP_MODEL_DOCTORREQUEST_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "model/account.h"
#include "model/name.h"

/* What is not given is "", 0 or false. */
struct sp_doctor_request {
    char domain[SP_DOMAIN_SIZE], user[SP_USER_SIZE];
    char from[64];     /* an IPv4 or IPv6 address */
    struct sp_key key; /* owned; as pasted */
    bool has_key, fix;
    int64_t port;
};

void sp_doctor_request_clear(struct sp_doctor_request *r);

/* `params` NULL is an empty object. Fields in *err are relative to params. */
int sp_doctor_request_decode(const cJSON *params, struct sp_doctor_request *ret, struct sp_error *err);

#endif
