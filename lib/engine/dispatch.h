/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Values in, bytes out: one JSON-RPC 2.0 request or a batch, and its answer. Methods are one table; each is
 * a function from checked parameters to a result. The helper and the CLI come in here, and nowhere else.
 */
#ifndef SP_ENGINE_DISPATCH_H
#define SP_ENGINE_DISPATCH_H

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "engine/engine.h"
#include "model/request.h"

/* SP_METHOD_ADMIN: sallyport-helper answers it only where panel_methods in sallyport.conf names it. */
enum sp_method_kind { SP_METHOD_READS, SP_METHOD_CHANGES, SP_METHOD_ADMIN };

struct sp_method {
    const char *name;
    enum sp_method_kind kind;
    enum sp_method_params params;
    /* *result is an empty object to fill. Fields in *err are relative to params. `raw` is what params was
     * read from. */
    int (*run)(struct sp_engine *, const struct sp_params *params, const cJSON *raw, cJSON *result,
               struct sp_error *err);
};

extern const struct sp_method sp_methods[]; /* ends with a NULL name */

/* Answer `request`, as JSON had it, into *answer (always one JSON document and a newline) and write one log
 * entry a request. Returns the exit status: that of the first error, else 0. */
int sp_dispatch(struct sp_engine *e, const cJSON *request, struct sp_buf *answer);

/* The same for what was never read: a caller that may not ask, a request that did not arrive. Without
 * e->host nothing is logged. */
int sp_dispatch_refuse(struct sp_engine *e, const struct sp_error *err, struct sp_buf *answer);

/* The same for one request that is at hand as values: the CLI's way. *ret_result is NULL on failure. */
int sp_call_method(struct sp_engine *e, const char *method, const cJSON *params, const char *id,
                   cJSON **ret_result, struct sp_error *err);

#endif
