/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/json.h"

static void json_is_accepted(void **state)
{
    static const char *const good[] = {
        "{}",
        "[]",
        " \t\r\n{ \"a\" : [ 1 , 2 ] } \n",
        "null",
        "true",
        "\"\"",
        "0",
        "-0",
        "-1",
        "1.5",
        "1e2",
        "1E+2",
        "1.25e-3",
        "0.0",
        "0e0",
        "9007199254740992",
        "-9007199254740992",
        "{\"a\":{\"b\":1},\"b\":{\"b\":2}}",
        "[{\"a\":1},{\"a\":2}]",
        "{\"\":1}",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"",
        "\"\xf0\x9f\x98\x80\x7f\"",
        "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
    };
    struct sp_error err;

    (void)state;
    for (size_t i = 0; i < SP_COUNT(good); i++) {
        _cleanup_json_ cJSON *j = NULL;
        if (sp_json_parse(good[i], strlen(good[i]), &j, &err) < 0)
            fail_msg("%s: %s", good[i], err.text);
        assert_non_null(j);
    }
}

static void refuse(const char *bytes, size_t len, const char *reason)
{
    _cleanup_json_ cJSON *j = NULL;
    struct sp_error err;

    if (sp_json_parse(bytes, len, &j, &err) == 0)
        fail_msg("accepted: %s", bytes);
    assert_int_equal(err.code, SP_E_PARSE);
    assert_string_not_equal(err.hint, "");
    if (strstr(err.text, reason) == NULL)
        fail_msg("%s: %s", bytes, err.text);
}

static void what_is_not_json_is_refused(void **state)
{
    static const char *const bad[][2] = {
        {"", "too early"},
        {" ", "too early"},
        {"{", "string"},
        {"[", "too early"},
        {"[1", "',' or ']'"},
        {"[1,]", "value"},
        {"[,1]", "value"},
        {"[1 2]", "',' or ']'"},
        {"{\"a\"}", "':'"},
        {"{\"a\":}", "value"},
        {"{\"a\":1,}", "string"},
        {"{a:1}", "string"},
        {"{'a':1}", "string"},
        {"{1:1}", "string"},
        {"{}x", "follows"},
        {"{}{}", "follows"},
        {"1 2", "follows"},
        {"// c\n{}", "value"},
        {"tru", "value"},
        {"True", "value"},
        {"nul", "value"},
        {"NaN", "value"},
        {"Infinity", "value"},
        {"\"a", "end"},
        {"\"a\\", "escape"},
        {"\"\\x\"", "escape"},
        {"\"\\u12\"", "hexadecimal"},
        {"\"\\u12g4\"", "hexadecimal"},
        {"\"a\nb\"", "control"},
        {"\"a\tb\"", "control"},
        {"\f{}", "value"},
    };

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++)
        refuse(bad[i][0], strlen(bad[i][0]), bad[i][1]);
}

static void numbers_that_lose_something_are_refused(void **state)
{
    static const char *const bad[][2] = {
        {"01", "leading zero"},
        {"-01", "leading zero"},
        {"00", "leading zero"},
        {"1.", "dot"},
        {".5", "value"},
        {"+1", "value"},
        {"-", "value"},
        {"1e", "exponent"},
        {"1e+", "exponent"},
        {"0x10", "follows"},
        {"1e400", "2^53"},
        {"-1e400", "2^53"},
        {"1e-400", "small"},
        {"9007199254740993", "2^53"},
        {"-9007199254740993", "2^53"},
        {"90071992547409920", "2^53"},
        {"1e17", "2^53"},
        {"0.0000000000000000000000000000000000000000000000000000000000000001", "63"},
    };

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++)
        refuse(bad[i][0], strlen(bad[i][0]), bad[i][1]);
}

static void a_key_twice_is_refused_at_any_depth(void **state)
{
    static const char *const bad[] = {
        "{\"user\":1,\"user\":2}",
        "{\"User\":1,\"user\":2}",
        "{\"a\":{\"b\":[{\"c\":1,\"C\":2}]}}",
        "{\"user\":1,\"\\u0075ser\":2}",
        "{\"\":1,\"\":2}",
        "{\"\xc3\xa9\":1,\"\\u00e9\":2}",
        "{\"a\":1,\"b\":{\"x\":1,\"y\":2},\"c\":3,\"a\":4}",
    };

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++)
        refuse(bad[i], strlen(bad[i]), "twice");
}

static void a_nul_is_refused_raw_and_escaped(void **state)
{
    static const char raw[] = "{\"a\":\"b\0c\"}", behind[] = "{}\0";

    (void)state;
    refuse(raw, sizeof(raw) - 1, "control");
    refuse(behind, sizeof(behind) - 1, "follows");
    refuse("\"\\u0000\"", 8, "u0000");
    refuse("{\"a\\u0000\":1}", 13, "u0000");
}

static void broken_unicode_is_refused(void **state)
{
    static const char *const bad[][2] = {
        {"\xef\xbb\xbf{}", "order mark"},
        {"\"\xc0\xaf\"", "UTF-8"},
        {"\"\xe0\x80\xaf\"", "UTF-8"},
        {"\"\xf0\x80\x80\xaf\"", "UTF-8"},
        {"\"\xed\xa0\x80\"", "UTF-8"},
        {"\"\xf4\x90\x80\x80\"", "UTF-8"},
        {"\"\xff\"", "UTF-8"},
        {"\"\xc3", "UTF-8"},
        {"\"\xc3\n\xa9\"", "UTF-8"},
        {"\"\\ud800\"", "surrogate"},
        {"\"\\ud800x\"", "surrogate"},
        {"\"\\ud800\\n\"", "surrogate"},
        {"\"\\ud800\\ud800\"", "surrogate"},
        {"\"\\udc00\"", "surrogate"},
    };

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++)
        refuse(bad[i][0], strlen(bad[i][0]), bad[i][1]);
}

static void seventeen_levels_are_refused(void **state)
{
    (void)state;
    refuse("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", 34, "levels");
    refuse("{\"a\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}", 38, "levels");
}

static void more_than_a_mebibyte_is_refused(void **state)
{
    _cleanup_free_ char *big = malloc(SP_JSON_MAX_BYTES + 1);
    struct sp_error err;

    (void)state;
    memset(big, ' ', SP_JSON_MAX_BYTES + 1);
    memcpy(big, "{}", 2);
    refuse(big, SP_JSON_MAX_BYTES + 1, "bytes");
    assert_int_equal(sp_json_scan(big, SP_JSON_MAX_BYTES, &err), 0);
}

static void the_offset_is_named(void **state)
{
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_json_scan("{\"a\":01}", 8, &err), -1);
    assert_non_null(strstr(err.text, "at byte 6"));
}

static void a_hundred_thousand_keys_are_no_trouble(void **state)
{
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    struct sp_error err;

    (void)state;
    sp_buf_puts(&b, "{");
    for (unsigned i = 0; i < 90000; i++)
        sp_buf_printf(&b, "%s\"k%u\":0", i != 0 ? "," : "", i);
    sp_buf_puts(&b, "}");
    assert_int_equal(sp_json_scan(b.data, b.len, &err), 0);
}

struct thing {
    char name[16];
    int64_t n;
    bool called;
};

static int get_name(const cJSON *v, void *dst, struct sp_error *err)
{
    if (sp_str_copy(((struct thing *)dst)->name, 16, v->valuestring) == 0)
        return 0;
    sp_fail(err, SP_E_INVALID, 0, "too long");
    sp_hint(err, "at most 15 bytes");
    return sp_field(err, "[3]");
}

static int get_n(const cJSON *v, void *dst, struct sp_error *err)
{
    return sp_json_integer(v, 1, 10, &((struct thing *)dst)->n, err);
}

static int get_any(const cJSON *v, void *dst, struct sp_error *err)
{
    (void)v;
    (void)err;
    ((struct thing *)dst)->called = true;
    return 0;
}

static const struct sp_json_field fields[] = {
    {"name", SP_JSON_STRING, SP_JSON_REQUIRED, get_name},
    {"n", SP_JSON_INTEGER, SP_JSON_OPTIONAL, get_n},
    {"flag", SP_JSON_BOOL, SP_JSON_OPTIONAL, get_any},
    {"list", SP_JSON_ARRAY, SP_JSON_OPTIONAL, get_any},
    {"object", SP_JSON_OBJECT, SP_JSON_OPTIONAL, get_any},
    {"maybe", SP_JSON_STRING_OR_NULL, SP_JSON_OPTIONAL, get_any},
    {"any", SP_JSON_ANY, SP_JSON_OPTIONAL, get_any},
    {NULL},
};

static int decode(const char *text, struct thing *ret, struct sp_error *err)
{
    _cleanup_json_ cJSON *j = NULL;

    if (sp_json_parse(text, strlen(text), &j, err) < 0)
        return -1;
    return sp_json_decode(j, fields, ret, err);
}

static void a_table_reads_an_object(void **state)
{
    struct thing t = {0};
    struct sp_error err;

    (void)state;
    assert_int_equal(decode("{\"any\":null,\"n\":7,\"name\":\"x\"}", &t, &err), 0);
    assert_string_equal(t.name, "x");
    assert_int_equal(t.n, 7);
    assert_true(t.called);
    assert_int_equal(decode("{\"name\":\"x\",\"maybe\":null}", &t, &err), 0);
    assert_int_equal(decode("{\"name\":\"x\",\"maybe\":\"y\",\"n\":1e1}", &t, &err), 0);
    assert_int_equal(t.n, 10);
}

static void a_field_at_fault_is_named(void **state)
{
    static const char *const bad[][3] = {
        {"{\"name\":\"x\",\"nam\":1}", "nam", "known are: name, n, flag"},
        {"{\"Name\":\"x\"}", "Name", "known are"},
        {"{}", "name", "a string"},
        {"{\"name\":1}", "name", "a string"},
        {"{\"name\":null}", "name", "a string"},
        {"{\"name\":\"0123456789abcdef\"}", "name[3]", ""},
        {"{\"name\":\"x\",\"n\":1.5}", "n", "an integer"},
        {"{\"name\":\"x\",\"n\":\"1\"}", "n", "an integer"},
        {"{\"name\":\"x\",\"n\":0}", "n", "from 1 to 10"},
        {"{\"name\":\"x\",\"n\":11}", "n", "from 1 to 10"},
        {"{\"name\":\"x\",\"flag\":0}", "flag", "true or false"},
        {"{\"name\":\"x\",\"list\":{}}", "list", "an array"},
        {"{\"name\":\"x\",\"object\":[]}", "object", "an object, {} where it is empty: PHP"},
        {"{\"name\":\"x\",\"object\":[1]}", "object", "send an object"},
        {"{\"name\":\"x\",\"maybe\":false}", "maybe", "a string or null"},
        {"[]", "", "an object"},
        {"\"name\"", "", "an object"},
    };

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++) {
        struct thing t = {0};
        struct sp_error err = {0};

        assert_int_equal(decode(bad[i][0], &t, &err), -1);
        assert_int_equal(err.code, SP_E_INVALID);
        assert_string_not_equal(err.hint, "");
        assert_string_equal(err.field, bad[i][1]);
        if (strstr(err.hint, bad[i][2]) == NULL)
            fail_msg("%s: %s", bad[i][0], err.hint);
    }
}

static void a_wrong_type_is_told_as_what_it_is(void **state)
{
    static const char *const bad[][2] = {
        {"{\"name\":7}", "a number stands here, where a string is wanted"},
        {"{\"name\":null}", "null stands here, where a string is wanted"},
        {"{\"name\":\"x\",\"flag\":\"yes\"}", "a string stands here, where true or false is wanted"},
        {"{\"name\":\"x\",\"n\":1.5}", "a number stands here, where an integer is wanted"},
        {"[]", "an array stands here, where an object is wanted"},
    };

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++) {
        struct thing t = {0};
        struct sp_error err = {0};

        assert_int_equal(decode(bad[i][0], &t, &err), -1);
        assert_string_equal(err.text, bad[i][1]);
    }
}

static void printing_reads_back(void **state)
{
    static const char text[] = "{\"a\":[1,2.5,null,true,\"\\u001b\xc3\xa9\\\"\"],\"b\":{}}";
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    _cleanup_json_ cJSON *j = NULL;
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_json_parse(text, sizeof(text) - 1, &j, &err), 0);
    assert_int_equal(sp_json_print(j, &out, &err), 0);
    assert_string_equal(out.data, text);
}

/* Freed memory cannot be looked at; a string that somebody else owns can. */
/* Files and answers that exist were printed by cJSON. */
static void printing_is_that_of_cjson(void **state)
{
    static const char text[] =
        "{\"s\":\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f\\u00e9/\",\"\\n\\\"\":"
        "[0,-1,1.5,1e300,-9007199254740991,0.1,true,false,null,{},[],[[]],{\"\":\"\"}]}";
    _cleanup_json_ cJSON *j = NULL;
    _cleanup_free_ char *theirs = NULL;
    _cleanup_(sp_buf_clear) struct sp_buf ours = {0}, raw = {0};
    struct sp_error err;

    (void)state;
    j = cJSON_Parse(text);
    assert_non_null(j);
    sp_buf_puts(&raw, "[1,\n2]");
    assert_true(sp_json_put_raw(j, "raw", &raw));
    assert_int_equal(raw.len, 0);
    theirs = cJSON_PrintUnformatted(j);
    assert_int_equal(sp_json_print(j, &ours, &err), 0);
    assert_string_equal(sp_buf_str(&ours), theirs);
}

static void what_is_borrowed_is_not_wiped(void **state)
{
    _cleanup_json_ cJSON *owner = cJSON_CreateString("kept");
    cJSON *object = cJSON_CreateObject(), *inner = NULL;

    (void)state;
    assert_true(cJSON_AddItemReferenceToObject(object, "lent", owner));
    inner = cJSON_AddArrayToObject(object, "list");
    assert_true(cJSON_AddItemToArray(inner, cJSON_CreateString("secret")));
    sp_json_wipe(object);
    sp_json_wipe(NULL);
    assert_string_equal(owner->valuestring, "kept");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_accepted),
        cmocka_unit_test(what_is_not_json_is_refused),
        cmocka_unit_test(numbers_that_lose_something_are_refused),
        cmocka_unit_test(a_key_twice_is_refused_at_any_depth),
        cmocka_unit_test(a_nul_is_refused_raw_and_escaped),
        cmocka_unit_test(broken_unicode_is_refused),
        cmocka_unit_test(seventeen_levels_are_refused),
        cmocka_unit_test(more_than_a_mebibyte_is_refused),
        cmocka_unit_test(the_offset_is_named),
        cmocka_unit_test(a_hundred_thousand_keys_are_no_trouble),
        cmocka_unit_test(a_table_reads_an_object),
        cmocka_unit_test(a_field_at_fault_is_named),
        cmocka_unit_test(a_wrong_type_is_told_as_what_it_is),
        cmocka_unit_test(printing_reads_back),
        cmocka_unit_test(printing_is_that_of_cjson),
        cmocka_unit_test(what_is_borrowed_is_not_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
