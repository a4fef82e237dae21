/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/siphash.h"

/* The vectors of the paper's reference code: key 00..0f, input 00..n-1. */
static const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

static void the_reference_vectors_come_out(void **state)
{
    static const uint64_t want[] = {UINT64_C(0x726fdb47dd0e0e31), UINT64_C(0x74f839c593dc67fd),
                                    UINT64_C(0x0d6c8009d9a94f5a), UINT64_C(0x85676696d7fb7e2d)};
    unsigned char in[16];

    (void)state;
    for (unsigned i = 0; i < sizeof(in); i++)
        in[i] = (unsigned char)i;
    for (size_t n = 0; n < 4; n++)
        assert_true(sp_siphash(key, in, n) == want[n]);
    assert_true(sp_siphash(key, in, 8) == UINT64_C(0x93f5f5799a932462));
    assert_true(sp_siphash(key, in, 15) == UINT64_C(0xa129ca6149be45e5));
}

static void pieces_make_the_same_sum_as_the_whole(void **state)
{
    unsigned char in[67];

    (void)state;
    for (unsigned i = 0; i < sizeof(in); i++)
        in[i] = (unsigned char)(i * 7);
    for (size_t cut = 0; cut <= sizeof(in); cut++)
        for (size_t second = cut; second <= sizeof(in); second += 5) {
            struct sp_siphash s;
            sp_siphash_begin(&s, key);
            sp_siphash_add(&s, in, cut);
            sp_siphash_add(&s, in + cut, second - cut);
            sp_siphash_add(&s, in + second, sizeof(in) - second);
            assert_true(sp_siphash_end(&s) == sp_siphash(key, in, sizeof(in)));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_vectors_come_out),
        cmocka_unit_test(pieces_make_the_same_sum_as_the_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
