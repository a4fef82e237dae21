/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * JSON (RFC 8259) from someone we do not trust. cJSON alone lets duplicate keys, embedded NUL, trailing
 * bytes and numbers it cannot hold pass, so a strict scan of our own comes first; what passes it is parsed
 * by cJSON and read through a table of fields, so that an unknown, missing or mistyped field is an error
 * with its path.
 */
#ifndef SP_MODEL_JSON_H
#define SP_MODEL_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

#define SP_JSON_MAX_BYTES (1U << 20)
#define SP_JSON_MAX_DEPTH 16

/* Well-formed UTF-8 without BOM, RFC 8259 grammar to the byte, depth <= 16, no duplicate key in any object
 * (keys that differ only in ASCII case count as duplicates), no \u0000 and no lone surrogate, integers
 * within +-2^53, numbers that a double can hold, <= 1 MiB, nothing after the value but white space.
 * SP_E_PARSE with the byte offset in the text. */
int sp_json_scan(const char *bytes, size_t len, struct sp_error *err);
/* The same for what we wrote ourselves, up to `max` bytes: a state holds what many requests brought. */
int sp_json_scan_large(const char *bytes, size_t len, size_t max, struct sp_error *err);

/* UTF-8. Control bytes pass: where they may stand, and as what, is the scan's to say. */
bool sp_json_is_text(const char *bytes, size_t len);

/* Scan, then cJSON. *ret is owned by the caller (cJSON_Delete). */
int sp_json_parse(const char *bytes, size_t len, cJSON **ret, struct sp_error *err);
int sp_json_parse_large(const char *bytes, size_t len, size_t max, cJSON **ret, struct sp_error *err);

static inline void sp_json_cleanup(cJSON **j)
{
    cJSON_Delete(*j);
}
#define _cleanup_json_ __attribute__((cleanup(sp_json_cleanup)))

/* Overwrite every string below `j`, then delete it: for what somebody sent, in which a secret may stand
 * wherever it was put. NULL is fine. At most SP_JSON_MAX_DEPTH deep, as the scan left it. */
void sp_json_wipe(cJSON *j);

static inline void sp_json_cleanup_wiped(cJSON **j)
{
    sp_json_wipe(*j);
}
#define _cleanup_json_wiped_ __attribute__((cleanup(sp_json_cleanup_wiped)))

enum sp_json_type {
    SP_JSON_STRING,
    SP_JSON_BOOL,
    SP_JSON_INTEGER,
    SP_JSON_ARRAY,
    SP_JSON_OBJECT,
    SP_JSON_STRING_OR_NULL,
    SP_JSON_ANY
};

enum sp_json_presence { SP_JSON_OPTIONAL, SP_JSON_REQUIRED };

/* One field of an object: `decode` gets the value (its type already checked), the destination passed to
 * sp_json_decode() and sets *err with a field relative to this value ("" for the value itself, "[2].from"
 * below it). */
struct sp_json_field {
    const char *name;
    enum sp_json_type type;
    enum sp_json_presence presence;
    int (*decode)(const cJSON *value, void *dst, struct sp_error *err);
};

/* Read an object through its table (terminated by a NULL name). Unknown and missing fields are
 * SP_E_INVALID; the hint of an unknown one lists what is known. Decoders run in table order. */
int sp_json_decode(const cJSON *object, const struct sp_json_field *fields, void *dst,
                   struct sp_error *err);

/* Take `value` into `object`; false (value freed) when out of memory: also where `value` is NULL. */
bool sp_json_put(cJSON *object, const char *name, cJSON *value);

/* An integer within [min, max], or SP_E_INVALID. Never reads valueint. */
int sp_json_integer(const cJSON *value, int64_t min, int64_t max, int64_t *ret, struct sp_error *err);

/* A string of UTF-8 as JSON, appended. */
void sp_json_put_text(struct sp_buf *out, const char *s);

/* Text of JSON as a member, which takes it over: *text is empty then. False: out of memory. */
bool sp_json_put_raw(cJSON *object, const char *name, struct sp_buf *text);

/* Append compact text, byte for byte that of cJSON_PrintUnformatted(). SP_E_NO_MEMORY on failure. */
int sp_json_print(const cJSON *value, struct sp_buf *out, struct sp_error *err);

#endif
