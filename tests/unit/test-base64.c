/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/base64.h"

static void the_vectors_of_rfc_4648_hold(void **state)
{
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};

    (void)state;
    for (size_t i = 0; i < SP_COUNT(pairs); i++) {
        _cleanup_(sp_buf_clear) struct sp_buf text = {0};
        uint8_t out[16];
        size_t n = 99;

        sp_base64_encode((const uint8_t *)pairs[i][0], strlen(pairs[i][0]), &text);
        assert_string_equal(sp_buf_str(&text), pairs[i][1]);
        assert_int_equal(sp_base64_decode(pairs[i][1], strlen(pairs[i][1]), out, &n), 0);
        assert_int_equal(n, strlen(pairs[i][0]));
        assert_memory_equal(out, pairs[i][0], n);
    }
}

static void every_byte_comes_back(void **state)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    uint8_t in[256], out[258];
    size_t n;

    (void)state;
    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (uint8_t)(i * 7 + i / 3);
    sp_base64_encode(in, sizeof(in), &text);
    assert_int_equal(sp_base64_decode(text.data, text.len, out, &n), 0);
    assert_int_equal(n, sizeof(in));
    assert_memory_equal(in, out, n);
}

static void what_is_not_canonical_is_refused(void **state)
{
    static const char *const bad[] = {"Z",       "Zg",   "Zg=",      "Zh==",  "Zm9=",
                                      "Z===",    "====", "Zg==Zg==", "Zm9v=", "Zm9v\n",
                                      "Zm 9v",   "Zm9-", "Zm9_",     "Z=g=",  "\xff\xff\xff\xff",
                                      "Zm9v===="};
    uint8_t out[16];
    size_t n;

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++)
        if (sp_base64_decode(bad[i], strlen(bad[i]), out, &n) == 0)
            fail_msg("accepted: %s", bad[i]);
    assert_int_equal(sp_base64_decode("Zm\0v", 4, out, &n), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_rfc_4648_hold),
        cmocka_unit_test(every_byte_comes_back),
        cmocka_unit_test(what_is_not_canonical_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
