/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/limits.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/json.h"
#include "model/name.h"

#define HEAD "# sallyport: what all SSH sessions together may take of "

/* 0, or something that a login can live with. */
static int read_number(const cJSON *v, uint32_t min, uint32_t max, uint32_t *ret, struct sp_error *err)
{
    int64_t n = 0;

    if (sp_json_integer(v, 0, max, &n, err) < 0)
        return -1;
    if (n != 0 && n < min) {
        sp_fail(err, SP_E_INVALID, 0, "%d is too few for a login", (int)n);
        return sp_hint(err, "send %u or more, or 0 for what sallyport.conf says", min);
    }
    *ret = (uint32_t)n;
    return 0;
}

static int read_processes(const cJSON *v, void *dst, struct sp_error *err)
{
    return read_number(v, SP_PROCESSES_MIN, SP_PROCESSES_MAX, &((struct sp_limits *)dst)->processes, err);
}

static int read_memory(const cJSON *v, void *dst, struct sp_error *err)
{
    return read_number(v, SP_MEMORY_MIB_MIN, SP_MEMORY_MIB_MAX, &((struct sp_limits *)dst)->memory_mib,
                       err);
}

static const struct sp_json_field fields[] = {
    {"processes", SP_JSON_INTEGER, SP_JSON_OPTIONAL, read_processes},
    {"memory_mib", SP_JSON_INTEGER, SP_JSON_OPTIONAL, read_memory},
    {NULL},
};

int sp_limits_from_json(const cJSON *object, struct sp_limits *ret, struct sp_error *err)
{
    return sp_json_decode(object, fields, ret, err);
}

cJSON *sp_limits_to_json(const struct sp_limits *l)
{
    _cleanup_json_ cJSON *o = cJSON_CreateObject();

    if (cJSON_AddNumberToObject(o, "processes", l->processes) == NULL ||
        cJSON_AddNumberToObject(o, "memory_mib", l->memory_mib) == NULL)
        return NULL;
    return sp_steal_ptr(o);
}

/* No swap beside the memory: a session that may fill the host's swap is not held. */
int sp_limits_slice(const char *user, const struct sp_limits *l, struct sp_buf *out, struct sp_error *err)
{
    if (sp_name_check_user(user, err) < 0)
        return -1;
    sp_buf_printf(out, HEAD "%s. See sallyport.conf(5).\n[Slice]\n", user);
    if (l->processes != 0)
        sp_buf_printf(out, "TasksMax=%u\n", l->processes);
    if (l->memory_mib != 0)
        sp_buf_printf(out, "MemoryMax=%uM\nMemorySwapMax=0\n", l->memory_mib);
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

bool sp_limits_slice_is_of(const char *text, const char *user)
{
    const char *rest = NULL, *end = NULL;

    return sp_str_prefix(text, HEAD, &rest) && sp_str_prefix(rest, user, &end) && end[0] == '.' &&
           end[1] == ' ';
}

void sp_limits_text(const struct sp_limits *l, char out[SP_LIMITS_TEXT])
{
    char memory[32] = "";

    if (l->memory_mib != 0)
        (void)sp_str_format(memory, sizeof(memory), "%s%u MiB", l->processes != 0 ? ", " : "",
                            l->memory_mib);
    if (l->processes != 0)
        (void)sp_str_format(out, SP_LIMITS_TEXT, "%u processes%s", l->processes, memory);
    else
        (void)sp_str_copy(out, SP_LIMITS_TEXT, memory);
}
