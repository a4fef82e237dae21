/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/flat.h"

static const char request[] =
    "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"params\":{\"a\":[true,false,null,-9007199254740992,{}],"
    "\"\":\"\xc3\xa9\\n\\u0001\",\"l\":[[],[[\"\"]]]}}";

static void flatten(const char *text, struct sp_buf *ret)
{
    _cleanup_json_ cJSON *j = NULL;
    struct sp_error err;

    assert_int_equal(sp_json_parse(text, strlen(text), &j, &err), 0);
    sp_flat_put(ret, j);
    assert_true(sp_buf_ok(ret));
}

static void what_goes_in_comes_out(void **state)
{
    static const char *const texts[] = {
        request, "null", "[]", "\"x\"", "0", "-0.25", "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"};

    (void)state;
    for (size_t i = 0; i < SP_COUNT(texts); i++) {
        _cleanup_(sp_buf_clear) struct sp_buf flat = {0};
        _cleanup_json_ cJSON *before = cJSON_Parse(texts[i]), *after = NULL;
        struct sp_error err;

        flatten(texts[i], &flat);
        assert_int_equal(sp_flat_take(flat.data, flat.len, &after, &err), 0);
        assert_true(cJSON_Compare(before, after, true));
    }
}

static void refuse(const void *bytes, size_t len)
{
    _cleanup_json_ cJSON *j = NULL;
    _cleanup_free_ char *exact = malloc(len + 1); /* a byte read behind it is seen by a sanitizer */
    struct sp_error err = {0};

    memcpy(exact, bytes, len);
    assert_int_equal(sp_flat_take(exact, len, &j, &err), -1);
    assert_int_equal(err.code, SP_E_INTERNAL);
    assert_null(j);
}

static void what_is_cut_off_anywhere_is_refused(void **state)
{
    _cleanup_(sp_buf_clear) struct sp_buf flat = {0};

    (void)state;
    flatten(request, &flat);
    for (size_t len = 0; len < flat.len; len++)
        refuse(flat.data, len);
    sp_buf_add(&flat, "n", 1);
    refuse(flat.data, flat.len);
}

/* Numbers of the machine's own, so each is put together here. */
static void forged(char type, uint32_t count, const void *rest, size_t len)
{
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};

    sp_buf_add(&b, &type, 1);
    sp_buf_add(&b, &count, sizeof(count));
    sp_buf_add(&b, rest, len);
    refuse(b.data, b.len);
}

static void lengths_that_lie_types_that_are_none_and_texts_that_are_none_are_refused(void **state)
{
    (void)state;
    forged('s', 4, "abc", 4);
    forged('s', 2, "abc", 4);
    forged('s', 3, "a\0c", 4);
    forged('s', 3, "abcd", 4);
    forged('s', 2, "\xc0\x80", 3);
    forged('s', 3, "\xed\xa0\x80", 4);
    forged('s', UINT32_MAX, "abc", 4);
    forged('a', 2, "n", 1);
    forged('a', 1, "nn", 2);
    forged('a', UINT32_MAX, "nnnn", 4);
    forged('o', 1, "n", 1);
    forged('o', 1, "\0\0\0\0\0", 5);
    forged('o', 1, "\1\0\0\0\xff\0n", 7);
    refuse("x", 1);
    refuse("", 0);
}

static void numbers_that_json_has_not_are_refused(void **state)
{
    const double bad[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, 9007199254740994.0, -1e300};

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++) {
        char bytes[9] = "d";
        memcpy(bytes + 1, &bad[i], 8);
        refuse(bytes, sizeof(bytes));
    }
}

static void seventeen_levels_are_refused(void **state)
{
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};

    (void)state;
    for (int i = 0; i < 1000; i++)
        sp_buf_add(&b, "a\1\0\0\0", 5);
    sp_buf_add(&b, "n", 1);
    refuse(b.data, b.len);
    refuse(b.data + 5 * (1000 - 17), 17 * 5 + 1);
}

/* Any byte changed: it is refused, or is a value that can be looked through. */
static void a_changed_byte_never_leads_outside(void **state)
{
    _cleanup_(sp_buf_clear) struct sp_buf flat = {0};

    (void)state;
    flatten(request, &flat);
    for (size_t at = 0; at < flat.len; at++)
        for (unsigned value = 0; value < 256; value++) {
            _cleanup_json_ cJSON *j = NULL;
            _cleanup_(sp_buf_clear) struct sp_buf text = {0};
            _cleanup_free_ char *exact = malloc(flat.len);
            struct sp_error err;

            memcpy(exact, flat.data, flat.len);
            exact[at] = (char)value;
            if (sp_flat_take(exact, flat.len, &j, &err) == 0)
                assert_int_equal(sp_json_print(j, &text, &err), 0);
        }
}

static void the_worst_text_fits(void **state)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0}, flat = {0};

    (void)state;
    sp_buf_puts(&text, "[0");
    while (text.len + 3 <= SP_JSON_MAX_BYTES)
        sp_buf_puts(&text, ",0");
    sp_buf_puts(&text, "]");
    flatten(text.data, &flat);
    assert_true(flat.len <= SP_FLAT_MAX_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(what_is_cut_off_anywhere_is_refused),
        cmocka_unit_test(lengths_that_lie_types_that_are_none_and_texts_that_are_none_are_refused),
        cmocka_unit_test(numbers_that_json_has_not_are_refused),
        cmocka_unit_test(seventeen_levels_are_refused),
        cmocka_unit_test(a_changed_byte_never_leads_outside),
        cmocka_unit_test(the_worst_text_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
