/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parameters of the certificate methods as checked values. */
#ifndef SP_MODEL_CERTREQUEST_H
#define SP_MODEL_CERTREQUEST_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "model/cidr.h"
#include "model/name.h"
#include "model/sshcert.h"
#include "model/sshkey.h"

enum sp_cert_method {
    SP_CERT_ISSUE,
    SP_CERT_LIST,
    SP_CERT_REVOKE,
    SP_CERT_CA_GET,
    SP_CERT_CA_CREATE, /* rotate takes the same */
    SP_CERT_CA_DROP,
    SP_CERT_EXPLAIN,
};

/* What is not given is "" or 0. */
struct sp_cert_request {
    char domain[SP_DOMAIN_SIZE];
    char fingerprint[SP_FINGERPRINT_SIZE];
    char host[SP_DOMAIN_SIZE]; /* what clients call this host */
    uint64_t serial;
    char key_id[SP_SSHCERT_KEY_ID_SIZE];
    uint32_t lifetime; /* seconds */
    int64_t valid_from, valid_until;
    struct sp_cidr_list from; /* owned */
    char command[SP_SSHCERT_COMMAND_SIZE];
    char reason[SP_LABEL_SIZE];
    struct sp_sshkey key; /* owned; of a CA in an agent; no blob when not given */
    unsigned number;      /* of a CA */
    bool all;             /* what has ended, too */
    bool dry_run;
};

void sp_cert_request_clear(struct sp_cert_request *r);

/* `params` NULL is an empty object. Fields in *err are relative to params. */
int sp_cert_request_decode(enum sp_cert_method which, const cJSON *params, struct sp_cert_request *ret,
                           struct sp_error *err);

#endif
