/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parameters of account.adopt as checked values. */
#ifndef SP_MODEL_ADOPTREQUEST_H
#define SP_MODEL_ADOPTREQUEST_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "base/error.h"

#define SP_ADOPT_NAMES_MAX 10000

/* What is not given is NULL or false. All of it is borrowed from the parameters. */
struct sp_adopt_request {
    const char *panel;         /* NULL: the one that is here */
    const char *document_root; /* a pattern instead of the preset's files */
    const cJSON *names;        /* an array of domains and users; NULL: all of them */
    bool undo, dry_run, configuration;
};

/* `params` NULL is an empty object. Fields in *err are relative to params. */
int sp_adopt_request_decode(const cJSON *params, struct sp_adopt_request *ret, struct sp_error *err);

#endif
