/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How much of the host the SSH sessions of one account may take: a value, and the texts that carry it. */
#ifndef SP_MODEL_LIMITS_H
#define SP_MODEL_LIMITS_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

/* Fewer processes than a login itself is made of would shut the account out. The greatest is the kernel's
 * own (PID_MAX_LIMIT). */
#define SP_PROCESSES_MIN 16
#define SP_PROCESSES_MAX (1U << 22)
#define SP_MEMORY_MIB_MIN 32
#define SP_MEMORY_MIB_MAX (1U << 24)

struct sp_limits {
    uint32_t processes;  /* 0: nobody said */
    uint32_t memory_mib; /* 0: nobody said */
};

/* {"processes", "memory_mib"}, each optional and 0 for "as the configuration says". */
int sp_limits_from_json(const cJSON *object, struct sp_limits *ret, struct sp_error *err);
cJSON *sp_limits_to_json(const struct sp_limits *l); /* NULL when out of memory */

/* systemd.resource-control(5): the drop-in of the slice that holds all sessions of `user`. */
int sp_limits_slice(const char *user, const struct sp_limits *l, struct sp_buf *out, struct sp_error *err);
/* Is this text such a drop-in, of this user? A uid may have come back to somebody else. */
bool sp_limits_slice_is_of(const char *text, const char *user);

#define SP_LIMITS_TEXT 64
/* For people: "512 processes, 1024 MiB". */
void sp_limits_text(const struct sp_limits *l, char out[SP_LIMITS_TEXT]);

#endif
