/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a reconcile found, for node_exporter's textfile collector: a file in Prometheus' text format,
 * replaced whole. `sallyport reconcile --metrics FILE` names it, or metrics_file in the configuration;
 * never a request.
 */
#ifndef SP_ENGINE_METRICS_H
#define SP_ENGINE_METRICS_H

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "engine/engine.h"

struct sp_metrics {
    const cJSON *result; /* of system.reconcile; NULL: it failed as a whole */
    int64_t ended;       /* seconds since the epoch */
    double seconds;
};

int sp_metrics_format(const struct sp_metrics *m, struct sp_buf *out, struct sp_error *err);

/* Write it where it is to be; nothing where no file is named. */
int sp_metrics_write(struct sp_engine *e, const struct sp_metrics *m, struct sp_error *err);

#endif
