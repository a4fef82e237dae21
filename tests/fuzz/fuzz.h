/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fuzzers, clang's libFuzzer: one file for each parser that sees bytes from outside. A parser may refuse
 * anything; it may not read or write beside its bytes, run on, or break what its header promises, which
 * each file here says as REQUIRE().
 */
#ifndef SP_TESTS_FUZZ_H
#define SP_TESTS_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"

/* libFuzzer's entry: 0 is what it wants to hear. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the header promises. The fuzzer keeps the input that breaks it. */
#define REQUIRE(condition)                                                                                 \
    do {                                                                                                   \
        if (!(condition)) {                                                                                \
            (void)fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition);                  \
            abort();                                                                                       \
        }                                                                                                  \
    } while (0)

/* A refusal says why, in text that no terminal and no log can be harmed by. */
static inline void fuzz_refused(const struct sp_error *err)
{
    REQUIRE(err->code != SP_OK && err->code < SP_E_COUNT && err->code != SP_E_INTERNAL);
    REQUIRE(err->text[0] != '\0' && sp_str_is_clean(err->text, strlen(err->text)));
    REQUIRE(sp_str_is_clean(err->hint, strlen(err->hint)) &&
            sp_str_is_clean(err->field, strlen(err->field)));
}

/* The bytes as a string that ends where they end, so that a read behind it shows. The caller frees. */
static inline char *fuzz_string(const uint8_t *data, size_t size)
{
    char *s = (char *)malloc(size + 1);

    REQUIRE(s != NULL);
    if (size > 0)
        memcpy(s, data, size);
    s[size] = '\0';
    return s;
}

#endif
