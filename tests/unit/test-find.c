/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/find.h"
#include "base/mem.h"

/* A file of its own length, so that the sanitizers see a byte that is read behind it. */
static char *filled(size_t len, const char *with)
{
    char *bytes = malloc(len > 0 ? len : 1);

    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = with[i % strlen(with)];
    return bytes;
}

static void a_text_is_found_at_every_place_and_nowhere_else(void **state)
{
    static const char *const texts[] = {"u0:", "u00:", "u007:", "u00703:", "sallyport-chroot:"};

    (void)state;
    for (size_t t = 0; t < SP_COUNT(texts); t++)
        for (size_t len = 0; len < 220; len++) {
            size_t n = strlen(texts[t]);
            _cleanup_free_ char *bytes = filled(len, "x03:u-007:chroot:");
            assert_null(sp_find(bytes, len, texts[t], n));
            for (size_t at = 0; at + n <= len; at++) {
                _cleanup_free_ char *with = filled(len, "x03:u-007:chroot:");
                memcpy(with + at, texts[t], n);
                assert_ptr_equal(sp_find(with, len, texts[t], n), with + at);
            }
        }
}

static void the_first_of_several_is_found(void **state)
{
    _cleanup_free_ char *bytes = filled(1000, "u00703:");

    (void)state;
    for (size_t at = 0; at < 900; at++)
        assert_ptr_equal(sp_find(bytes + at, 1000 - at, "u00703:", 7), bytes + (at + 6) / 7 * 7);
}

static void it_says_what_memmem_says(void **state)
{
    char bytes[700], text[12];
    unsigned seed = 1;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t len, n;
        seed = seed * 1103515245U + 12345U;
        len = (seed >> 8) % sizeof(bytes);
        n = (seed >> 20) % sizeof(text);
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)('a' + ((seed = seed * 1103515245U + 12345U) >> 16) % 3);
        for (size_t i = 0; i < n; i++)
            text[i] = (char)('a' + ((seed = seed * 1103515245U + 12345U) >> 16) % 3);
        assert_ptr_equal(sp_find(bytes, len, text, n), memmem(bytes, len, text, n));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_found_at_every_place_and_nowhere_else),
        cmocka_unit_test(the_first_of_several_is_found),
        cmocka_unit_test(it_says_what_memmem_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
