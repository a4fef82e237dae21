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
#include "elfmake.h"
#include "model/elf.h"

/* Exactly as long as the bytes, so that a sanitizer sees a read behind them. */
static unsigned char *exact(const void *bytes, size_t len)
{
    unsigned char *copy = malloc(len != 0 ? len : 1);

    assert_non_null(copy);
    memcpy(copy, bytes, len);
    return copy;
}

static unsigned char *read_bash(size_t *ret_len)
{
    FILE *f = fopen("/bin/bash", "re");
    unsigned char *bytes;
    long len;

    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    len = ftell(f);
    rewind(f);
    bytes = malloc((size_t)len);
    assert_non_null(bytes);
    *ret_len = fread(bytes, 1, (size_t)len, f);
    (void)fclose(f);
    return bytes;
}

static void bash_names_its_loader_and_libc(void **state)
{
    _cleanup_(sp_elf_clear) struct sp_elf e = {0};
    size_t len = 0, libc = 0;
    _cleanup_free_ unsigned char *bash = read_bash(&len);
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_elf_parse_bytes(bash, len, &e, &err), 0);
    assert_non_null(strstr(e.interp, "/ld-linux"));
    for (size_t i = 0; i < e.n_needed; i++)
        libc += sp_streq(e.needed[i], "libc.so.6");
    assert_int_equal(libc, 1);
    assert_null(e.soname);
}

static void what_was_put_in_comes_out(void **state)
{
    const struct elf_make m = {.interp = "/lib64/ld.so",
                               .soname = "libx.so.1",
                               .rpath = "/a:$ORIGIN/b",
                               .runpath = "/c",
                               .needed = {"liba.so", "libb.so"}};
    _cleanup_(sp_elf_clear) struct sp_elf e = {0};
    struct elf_bytes b;
    struct sp_error err;

    (void)state;
    elf_make(&m, &b);
    assert_int_equal(sp_elf_parse_bytes(&b, sizeof(b), &e, &err), 0);
    assert_string_equal(e.interp, "/lib64/ld.so");
    assert_string_equal(e.soname, "libx.so.1");
    assert_string_equal(e.rpath, "/a:$ORIGIN/b");
    assert_string_equal(e.runpath, "/c");
    assert_int_equal(e.n_needed, 2);
    assert_string_equal(e.needed[1], "libb.so");
    assert_true(e.is64);
    assert_int_equal(e.machine, EM_X86_64);
}

static void a_big_endian_32_bit_file_is_read_too(void **state)
{
    unsigned char b[sizeof(Elf32_Ehdr)] = {0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2MSB, 1};
    _cleanup_(sp_elf_clear) struct sp_elf e = {0};
    struct sp_error err;

    (void)state;
    b[offsetof(Elf32_Ehdr, e_machine) + 1] = EM_PPC;
    assert_int_equal(sp_elf_parse_bytes(b, sizeof(b), &e, &err), 0);
    assert_int_equal(e.machine, EM_PPC);
    assert_false(e.is64);
    assert_int_equal(e.n_needed, 0);
}

static void a_file_cut_at_any_length_is_refused_or_whole(void **state)
{
    const struct elf_make m = {.interp = "/ld", .soname = "s", .needed = {"liba.so"}};
    struct elf_bytes b;

    (void)state;
    elf_make(&m, &b);
    for (size_t len = 0; len < sizeof(b); len++) {
        _cleanup_(sp_elf_clear) struct sp_elf e = {0};
        _cleanup_free_ unsigned char *cut = exact(&b, len);
        struct sp_error err = {0};

        if (sp_elf_parse_bytes(cut, len, &e, &err) < 0)
            assert_int_equal(err.code, SP_E_INVALID);
        else
            assert_string_equal(e.needed[0], "liba.so");
    }
}

static void bash_cut_short_never_reads_beyond(void **state)
{
    size_t len = 0;
    _cleanup_free_ unsigned char *bash = read_bash(&len);

    (void)state;
    /* Every length through the headers, then in steps: the tables lie further back. */
    for (size_t n = 0; n < len; n += n < 4096 ? 1 : 4093) {
        _cleanup_(sp_elf_clear) struct sp_elf e = {0};
        _cleanup_free_ unsigned char *cut = exact(bash, n);
        struct sp_error err;

        (void)sp_elf_parse_bytes(cut, n, &e, &err);
    }
}

static void a_flipped_bit_never_breaks_the_reader(void **state)
{
    const struct elf_make m = {
        .interp = "/ld", .soname = "s", .rpath = "/r", .runpath = "/u", .needed = {"liba.so", "libb.so"}};
    struct elf_bytes b;
    _cleanup_free_ unsigned char *bytes = NULL;

    (void)state;
    elf_make(&m, &b);
    bytes = exact(&b, sizeof(b));
    for (size_t bit = 0; bit < sizeof(b) * 8; bit++) {
        _cleanup_(sp_elf_clear) struct sp_elf e = {0};
        struct sp_error err;

        bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
        (void)sp_elf_parse_bytes(bytes, sizeof(b), &e, &err);
        bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
    }
}

static void extreme_values_in_every_field_are_refused_or_harmless(void **state)
{
    static const uint64_t values[] = {0, 1, 0x7fffffff, 0xffffffff, INT64_MAX, UINT64_MAX - 7, UINT64_MAX};
    const struct elf_make m = {.interp = "/ld", .soname = "s", .needed = {"liba.so"}};
    struct elf_bytes b;

    (void)state;
    elf_make(&m, &b);
    for (size_t at = 16; at + 8 <= offsetof(struct elf_bytes, strings); at += 2)
        for (size_t v = 0; v < SP_COUNT(values); v++) {
            _cleanup_(sp_elf_clear) struct sp_elf e = {0};
            _cleanup_free_ unsigned char *bytes = exact(&b, sizeof(b));
            struct sp_error err;

            memcpy(bytes + at, &values[v], sizeof(values[v]));
            (void)sp_elf_parse_bytes(bytes, sizeof(b), &e, &err);
        }
}

static void what_is_no_elf_file_is_said_to_be_none(void **state)
{
    _cleanup_(sp_elf_clear) struct sp_elf e = {0};
    struct sp_error err = {0};

    (void)state;
    assert_int_equal(sp_elf_parse_bytes("#!/bin/sh\nexec true\n", 20, &e, &err), -1);
    assert_string_equal(err.text, "not an ELF file");
    assert_int_equal(sp_elf_parse_bytes("", 0, &e, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bash_names_its_loader_and_libc),
        cmocka_unit_test(what_was_put_in_comes_out),
        cmocka_unit_test(a_big_endian_32_bit_file_is_read_too),
        cmocka_unit_test(a_file_cut_at_any_length_is_refused_or_whole),
        cmocka_unit_test(bash_cut_short_never_reads_beyond),
        cmocka_unit_test(a_flipped_bit_never_breaks_the_reader),
        cmocka_unit_test(extreme_values_in_every_field_are_refused_or_harmless),
        cmocka_unit_test(what_is_no_elf_file_is_said_to_be_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
