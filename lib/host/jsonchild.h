/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A stranger's JSON is read and parsed by a process that has nothing (sealed.h): what a hole in the scan or
 * in cJSON would give to whoever finds it is the right to send another request. The value comes back in a
 * form that needs no parser, and is checked again (model/flat.h).
 *
 *     _cleanup_(sp_jsonchild_end) struct sp_jsonchild c = {0};
 */
#ifndef SP_HOST_JSONCHILD_H
#define SP_HOST_JSONCHILD_H

#include <cjson/cJSON.h>
#include <sys/types.h>

#include "base/error.h"

struct sp_jsonchild {
    pid_t pid; /* 0: none */
    int fd;
};

/* Begin to read `fd` to its end, while this process goes on. One thread, no descriptor that the child
 * should not inherit for a moment. */
int sp_jsonchild_start(struct sp_jsonchild *c, int fd, struct sp_error *err);

/* The value. SP_E_PARSE for what is no JSON or over SP_JSON_MAX_BYTES, SP_E_BUSY when it was not whole in
 * time. */
int sp_jsonchild_take(struct sp_jsonchild *c, unsigned deadline_ms, cJSON **ret, struct sp_error *err);

/* Its end, whatever it does. */
void sp_jsonchild_end(struct sp_jsonchild *c);

#endif
