/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/flat.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define EXACT 9007199254740992.0 /* 2^53 */

static void put_number(struct sp_buf *b, uint32_t n)
{
    sp_buf_add(b, &n, sizeof(n));
}

static void put_text(struct sp_buf *b, const char *s)
{
    size_t len = strlen(s);

    put_number(b, (uint32_t)len);
    sp_buf_add(b, s, len + 1);
}

static char type_of(const cJSON *j)
{
    if (cJSON_IsBool(j))
        return cJSON_IsTrue(j) ? 't' : 'f';
    if (cJSON_IsNumber(j))
        return 'd';
    if (cJSON_IsString(j))
        return 's';
    if (cJSON_IsArray(j))
        return 'a';
    return cJSON_IsObject(j) ? 'o' : 'n';
}

void sp_flat_put(struct sp_buf *b, const cJSON *j)
{
    const cJSON *item;
    char type = type_of(j);

    sp_buf_add(b, &type, 1);
    if (type == 'd')
        sp_buf_add(b, &j->valuedouble, sizeof(j->valuedouble));
    else if (type == 's')
        put_text(b, j->valuestring);
    if (type != 'a' && type != 'o')
        return;
    put_number(b, (uint32_t)cJSON_GetArraySize(j));
    cJSON_ArrayForEach(item, j)
    {
        if (type == 'o')
            put_text(b, item->string);
        sp_flat_put(b, item);
    }
}

struct take {
    const char *p, *end;
    unsigned depth;
    struct sp_error *err;
};

static int broken(struct take *t, const char *what)
{
    return sp_fail(t->err, SP_E_INTERNAL, 0, "the process that reads requests sent %s", what);
}

static int take_bytes(struct take *t, void *ret, size_t n)
{
    if ((size_t)(t->end - t->p) < n)
        return broken(t, "too little");
    memcpy(ret, t->p, n);
    t->p += n;
    return 0;
}

/* It is used where it lies, which is why it brings its NUL. */
static int take_text(struct take *t, const char **ret)
{
    uint32_t len = 0;

    if (take_bytes(t, &len, sizeof(len)) < 0)
        return -1;
    if ((size_t)(t->end - t->p) <= len)
        return broken(t, "a text that is cut off");
    if (strnlen(t->p, len + (size_t)1) != len || !sp_json_is_text(t->p, len))
        return broken(t, "a text that is none");
    *ret = t->p;
    t->p += len + (size_t)1;
    return 0;
}

static cJSON *take_value(struct take *t);

static cJSON *take_double(struct take *t)
{
    double d = 0;

    if (take_bytes(t, &d, sizeof(d)) < 0)
        return NULL;
    if (!(d >= -EXACT && d <= EXACT)) { /* not of a NaN, either */
        broken(t, "a number that JSON has not");
        return NULL;
    }
    return cJSON_CreateNumber(d);
}

static cJSON *take_string(struct take *t)
{
    const char *s;

    return take_text(t, &s) < 0 ? NULL : cJSON_CreateString(s);
}

static int take_item(struct take *t, char type, cJSON *into)
{
    const char *key = NULL;
    cJSON *item;

    if (type == 'o' && take_text(t, &key) < 0)
        return -1;
    item = take_value(t);
    if (item == NULL)
        return -1;
    if (key != NULL)
        return sp_json_put(into, key, item) ? 0 : sp_fail(t->err, SP_E_NO_MEMORY, 0, "out of memory");
    (void)cJSON_AddItemToArray(into, item);
    return 0;
}

static cJSON *take_nested(struct take *t, char type)
{
    _cleanup_json_wiped_ cJSON *j = type == 'o' ? cJSON_CreateObject() : cJSON_CreateArray();
    uint32_t count = 0;

    if (j == NULL || take_bytes(t, &count, sizeof(count)) < 0)
        return NULL;
    if (++t->depth > SP_JSON_MAX_DEPTH) {
        broken(t, "too many levels");
        return NULL;
    }
    /* A count that lies comes to the end of the bytes. */
    for (uint32_t i = 0; i < count; i++)
        if (take_item(t, type, j) < 0)
            return NULL;
    t->depth--;
    return sp_steal_ptr(j);
}

/* NULL with the error set, if it is not that there is no memory. */
static cJSON *take_value(struct take *t)
{
    char type = 0;

    if (take_bytes(t, &type, 1) < 0)
        return NULL;
    switch (type) {
    case 'n':
        return cJSON_CreateNull();
    case 't':
    case 'f':
        return cJSON_CreateBool(type == 't');
    case 'd':
        return take_double(t);
    case 's':
        return take_string(t);
    case 'a':
    case 'o':
        return take_nested(t, type);
    default:
        broken(t, "a value of no type");
        return NULL;
    }
}

int sp_flat_take(const char *bytes, size_t len, cJSON **ret, struct sp_error *err)
{
    struct take t = {.p = bytes, .end = bytes + len, .err = err};
    _cleanup_json_wiped_ cJSON *j = NULL;

    sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    j = take_value(&t);
    if (j == NULL)
        return -1;
    if (t.p != t.end)
        return broken(&t, "something after the value");
    *ret = sp_steal_ptr(j);
    return 0;
}
