/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/json.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define EXACT INT64_C(9007199254740992) /* 2^53 */

int sp_json_parse_large(const char *bytes, size_t len, size_t max, cJSON **ret, struct sp_error *err)
{
    cJSON *j;

    if (sp_json_scan_large(bytes, len, max, err) < 0)
        return -1;
    /* What passed the scan is JSON: cJSON can only be short of memory. */
    j = cJSON_ParseWithLengthOpts(bytes, len, NULL, 0);
    if (j == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    *ret = j;
    return 0;
}

int sp_json_parse(const char *bytes, size_t len, cJSON **ret, struct sp_error *err)
{
    return sp_json_parse_large(bytes, len, SP_JSON_MAX_BYTES, ret, err);
}

static bool to_int64(const cJSON *value, int64_t *ret)
{
    double d = value->valuedouble;

    if (!cJSON_IsNumber(value) || !(d >= -(double)EXACT && d <= (double)EXACT) || (double)(int64_t)d != d)
        return false;
    *ret = (int64_t)d;
    return true;
}

static const char *const type_names[] = {
    [SP_JSON_STRING] = "a string",    [SP_JSON_BOOL] = "true or false",
    [SP_JSON_INTEGER] = "an integer", [SP_JSON_ARRAY] = "an array",
    [SP_JSON_OBJECT] = "an object",   [SP_JSON_STRING_OR_NULL] = "a string or null",
    [SP_JSON_ANY] = "a value",
};

static bool has_type(const cJSON *v, enum sp_json_type type)
{
    int64_t ignored;

    switch (type) {
    case SP_JSON_STRING:
        return cJSON_IsString(v);
    case SP_JSON_BOOL:
        return cJSON_IsBool(v);
    case SP_JSON_INTEGER:
        return to_int64(v, &ignored);
    case SP_JSON_ARRAY:
        return cJSON_IsArray(v);
    case SP_JSON_OBJECT:
        return cJSON_IsObject(v);
    case SP_JSON_STRING_OR_NULL:
        return cJSON_IsString(v) || cJSON_IsNull(v);
    case SP_JSON_ANY:
        break;
    }
    return true;
}

static const char *kind_of(const cJSON *v)
{
    if (cJSON_IsString(v))
        return "a string";
    if (cJSON_IsNumber(v))
        return "a number";
    if (cJSON_IsArray(v))
        return "an array";
    if (cJSON_IsObject(v))
        return "an object";
    return cJSON_IsBool(v) ? "true or false" : "null";
}

static int expected(const cJSON *v, enum sp_json_type type, struct sp_error *err)
{
    sp_fail(err, SP_E_INVALID, 0, "%s stands here, where %s is wanted", kind_of(v), type_names[type]);
    if (type == SP_JSON_OBJECT && cJSON_IsArray(v) && v->child == NULL)
        return sp_hint(err,
                       "send an object, {} where it is empty: PHP writes (object) [] so, and [] as a list");
    return sp_hint(err, "send %s", type_names[type]);
}

static const struct sp_json_field *find_field(const struct sp_json_field *fields, const char *name)
{
    for (; fields->name != NULL; fields++)
        if (sp_streq(fields->name, name))
            return fields;
    return NULL;
}

static int refuse_unknown(const struct sp_json_field *fields, const char *name, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf known = {0};

    for (const struct sp_json_field *f = fields; f->name != NULL; f++)
        sp_buf_printf(&known, "%s%s", f == fields ? "" : ", ", f->name);
    sp_fail(err, SP_E_INVALID, 0, "this field is not known here");
    if (known.len > 0)
        sp_hint(err, "known are: %s", sp_buf_str(&known));
    else
        sp_hint(err, "there are no fields here");
    return sp_field(err, "%s", name);
}

static int decode_field(const cJSON *value, const struct sp_json_field *f, void *dst, struct sp_error *err)
{
    int r = has_type(value, f->type) ? 0 : expected(value, f->type, err);

    if (r == 0 && f->decode != NULL)
        r = f->decode(value, dst, err);
    return r < 0 ? sp_field_prefix(err, "%s", f->name) : 0;
}

int sp_json_decode(const cJSON *object, const struct sp_json_field *fields, void *dst, struct sp_error *err)
{
    const cJSON *value;

    if (!cJSON_IsObject(object))
        return expected(object, SP_JSON_OBJECT, err);
    cJSON_ArrayForEach(value, object)
    {
        if (find_field(fields, value->string) == NULL)
            return refuse_unknown(fields, value->string, err);
    }
    for (const struct sp_json_field *f = fields; f->name != NULL; f++) {
        value = cJSON_GetObjectItemCaseSensitive(object, f->name);
        if (value == NULL && f->presence == SP_JSON_REQUIRED) {
            sp_fail(err, SP_E_INVALID, 0, "this field is missing");
            sp_hint(err, "send %s", type_names[f->type]);
            return sp_field(err, "%s", f->name);
        }
    }
    for (const struct sp_json_field *f = fields; f->name != NULL; f++) {
        value = cJSON_GetObjectItemCaseSensitive(object, f->name);
        if (value != NULL && decode_field(value, f, dst, err) < 0)
            return -1;
    }
    return 0;
}

int sp_json_integer(const cJSON *value, int64_t min, int64_t max, int64_t *ret, struct sp_error *err)
{
    int64_t v;

    if (!to_int64(value, &v))
        return expected(value, SP_JSON_INTEGER, err);
    if (v < min || v > max) {
        sp_fail(err, SP_E_INVALID, 0, "%lld is out of range", (long long)v);
        return sp_hint(err, "from %lld to %lld", (long long)min, (long long)max);
    }
    *ret = v;
    return 0;
}

/* Of each control byte what cJSON writes: a letter behind the backslash, or a number. */
static void put_escape(struct sp_buf *out, unsigned char c)
{
    static const char letters[0x20] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    const char letter = c < 0x20 ? letters[c] : (char)c;

    if (letter == '\0')
        sp_buf_printf(out, "\\u%04x", (unsigned)c);
    else
        sp_buf_add(out, (const char[]){'\\', letter}, 2);
}

static size_t plain_length(const char *s)
{
    size_t n = 0;

    while ((unsigned char)s[n] >= 0x20 && s[n] != '"' && s[n] != '\\')
        n++;
    return n;
}

/* Most texts need no escape: they go in one piece. */
static bool put_plain(struct sp_buf *out, const char *s, size_t n)
{
    char *at;

    sp_buf_reserve(out, n + 2);
    if (!sp_buf_ok(out))
        return false;
    at = out->data + out->len;
    at[0] = '"';
    memcpy(at + 1, s, n);
    memcpy(at + 1 + n, "\"", 2);
    out->len += n + 2;
    return true;
}

void sp_json_put_text(struct sp_buf *out, const char *s)
{
    size_t n = plain_length(s);

    if (s[n] == '\0' && put_plain(out, s, n))
        return;
    sp_buf_add(out, "\"", 1);
    for (;; n = plain_length(s)) {
        sp_buf_add(out, s, n);
        s += n;
        if (*s == '\0')
            break;
        put_escape(out, (unsigned char)*s++);
    }
    sp_buf_add(out, "\"", 1);
}

static bool put_value(struct sp_buf *out, const cJSON *j);

static bool put_nested(struct sp_buf *out, const cJSON *j)
{
    const bool object = cJSON_IsObject(j);
    const cJSON *item;

    sp_buf_add(out, &"[{"[object], 1);
    cJSON_ArrayForEach(item, j)
    {
        if (item != j->child)
            sp_buf_add(out, ",", 1);
        if (object) {
            sp_json_put_text(out, item->string != NULL ? item->string : "");
            sp_buf_add(out, ":", 1);
        }
        if (!put_value(out, item))
            return false;
    }
    sp_buf_add(out, &"]}"[object], 1);
    return true;
}

/* cJSON itself prints into blocks that it makes longer and longer, which for a long list costs more than
 * all else: here text is copied once, to where it stays. */
static bool put_value(struct sp_buf *out, const cJSON *j)
{
    char scalar[64];

    if (cJSON_IsObject(j) || cJSON_IsArray(j))
        return put_nested(out, j);
    if (cJSON_IsString(j)) {
        sp_json_put_text(out, j->valuestring != NULL ? j->valuestring : "");
        return true;
    }
    if (cJSON_IsRaw(j)) {
        if (j->valuestring != NULL)
            sp_buf_puts(out, j->valuestring);
        return j->valuestring != NULL;
    }
    if (!cJSON_PrintPreallocated((cJSON *)j, scalar, sizeof(scalar), false))
        return false;
    sp_buf_puts(out, scalar);
    return true;
}

/* Nearly what the text will take: escapes and numbers may take more. */
static size_t size_of(const cJSON *j)
{
    size_t size = 32;
    const cJSON *item;

    if (j->valuestring != NULL)
        size += strlen(j->valuestring);
    if (j->string != NULL)
        size += strlen(j->string);
    cJSON_ArrayForEach(item, j)
    {
        size += size_of(item);
    }
    return size;
}

int sp_json_print(const cJSON *value, struct sp_buf *out, struct sp_error *err)
{
    sp_buf_reserve(out, size_of(value));
    return put_value(out, value) && sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

bool sp_json_put_raw(cJSON *object, const char *name, struct sp_buf *text)
{
    cJSON *raw = cJSON_AddRawToObject(object, name, "");
    char *bytes = raw != NULL ? sp_buf_steal(text) : NULL;

    if (bytes == NULL)
        return false;
    cJSON_free(raw->valuestring);
    raw->valuestring = bytes;
    return true;
}

static void wipe_string(char *s)
{
    if (s != NULL)
        explicit_bzero(s, strlen(s));
}

static void wipe_below(cJSON *j)
{
    for (cJSON *item = j; item != NULL; item = item->next) {
        if ((item->type & cJSON_IsReference) != 0) /* somebody else's */
            continue;
        wipe_string(item->valuestring);
        if ((item->type & cJSON_StringIsConst) == 0)
            wipe_string(item->string);
        wipe_below(item->child);
    }
}

void sp_json_wipe(cJSON *j)
{
    wipe_below(j);
    cJSON_Delete(j);
}

bool sp_json_put(cJSON *object, const char *name, cJSON *value)
{
    if (value != NULL && cJSON_AddItemToObject(object, name, value))
        return true;
    cJSON_Delete(value);
    return false;
}
