/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/ldcache.h"

struct entry {
    uint32_t flags;
    const char *soname, *path;
    uint64_t hwcap;
};

static const struct entry entries[] = {
    {0x0303, "libz.so.1", "/usr/lib64/libz.so.1", 0},
    {0x0003, "libc.so.6", "/usr/lib32/libc.so.6", 0},
    {0x0303, "libc.so.6", "/usr/lib64/glibc-hwcaps/x86-64-v3/libc.so.6", 1ULL << 62},
    {0x0303, "libc.so.6", "/usr/lib64/libc.so.6", 0},
    {0x0303, "libc.so.6", "/opt/other/libc.so.6", 0},
};

struct bytes {
    char at[2048];
    size_t len;
};

static void put(struct bytes *b, const void *p, size_t n)
{
    memcpy(b->at + b->len, p, n);
    b->len += n;
}

static void put32(struct bytes *b, uint32_t v)
{
    put(b, &v, sizeof(v));
}

/* As ldconfig writes it; with `old`, behind a table of the old format. */
static void make(struct bytes *b, int old)
{
    size_t base, strings;

    memset(b, 0, sizeof(*b));
    if (old) {
        put(b, "ld.so-1.7.0", 12);
        put32(b, 1);
        b->len += 12;
        b->len = (b->len + 7) & ~(size_t)7;
    }
    base = b->len;
    put(b, "glibc-ld.so.cache1.1", 20);
    put32(b, SP_COUNT(entries));
    b->len = base + 48;
    strings = 48 + SP_COUNT(entries) * 24;
    for (size_t i = 0; i < SP_COUNT(entries); i++) {
        put32(b, entries[i].flags);
        put32(b, (uint32_t)strings);
        strings += strlen(entries[i].soname) + 1;
        put32(b, (uint32_t)strings);
        strings += strlen(entries[i].path) + 1;
        put32(b, 0);
        put(b, &entries[i].hwcap, sizeof(entries[i].hwcap));
    }
    for (size_t i = 0; i < SP_COUNT(entries); i++) {
        put(b, entries[i].soname, strlen(entries[i].soname) + 1);
        put(b, entries[i].path, strlen(entries[i].path) + 1);
    }
}

static void the_machine_decides_which_library_is_meant(void **state)
{
    _cleanup_(sp_ldcache_clear) struct sp_ldcache c = {0};
    const char *paths[4];
    struct sp_error err;
    struct bytes b;

    (void)state;
    for (int old = 0; old < 2; old++) {
        make(&b, old);
        assert_int_equal(sp_ldcache_parse(b.at, b.len, &c, &err), 0);
        assert_int_equal(sp_ldcache_find(&c, "libc.so.6", sp_ldcache_flags(EM_386, false), paths, 4), 1);
        assert_string_equal(paths[0], "/usr/lib32/libc.so.6");
        sp_ldcache_clear(&c);
    }
}

static void the_plain_library_comes_first_and_its_variants_behind_it(void **state)
{
    _cleanup_(sp_ldcache_clear) struct sp_ldcache c = {0};
    const char *paths[4];
    struct sp_error err;
    struct bytes b;

    (void)state;
    make(&b, 0);
    assert_int_equal(sp_ldcache_parse(b.at, b.len, &c, &err), 0);
    assert_int_equal(sp_ldcache_find(&c, "libc.so.6", sp_ldcache_flags(EM_X86_64, true), paths, 4), 2);
    assert_string_equal(paths[0], "/usr/lib64/libc.so.6");
    assert_string_equal(paths[1], "/usr/lib64/glibc-hwcaps/x86-64-v3/libc.so.6");
    assert_int_equal(sp_ldcache_find(&c, "libc.so.6", sp_ldcache_flags(EM_X86_64, true), paths, 1), 1);
    assert_int_equal(sp_ldcache_find(&c, "libc.so", SP_LDCACHE_ANY, paths, 4), 0);
    assert_int_equal(sp_ldcache_find(&c, "zzz", SP_LDCACHE_ANY, paths, 4), 0);
}

static void a_cache_cut_or_bent_is_refused_or_harmless(void **state)
{
    struct bytes b;

    (void)state;
    make(&b, 1);
    for (size_t bit = 0; bit < b.len * 8; bit++) {
        _cleanup_(sp_ldcache_clear) struct sp_ldcache whole = {0};
        _cleanup_(sp_ldcache_clear) struct sp_ldcache cut = {0};
        _cleanup_free_ char *copy = malloc(b.len + 1);
        _cleanup_free_ char *shorter = malloc(bit / 8 + 1);
        const char *paths[4];
        struct sp_error err;

        assert_true(copy != NULL && shorter != NULL);
        memcpy(copy, b.at, b.len);
        memcpy(shorter, b.at, bit / 8);
        copy[bit / 8] = (char)(copy[bit / 8] ^ (1 << bit % 8));
        if (sp_ldcache_parse(copy, b.len, &whole, &err) == 0)
            (void)sp_ldcache_find(&whole, "libc.so.6", 0x0303, paths, 4);
        if (bit % 8 == 0)
            assert_int_equal(sp_ldcache_parse(shorter, bit / 8, &cut, &err), -1);
    }
}

static void the_cache_of_this_host_knows_libc(void **state)
{
    _cleanup_(sp_ldcache_clear) struct sp_ldcache c = {0};
    _cleanup_free_ char *bytes = malloc(4 << 20);
    FILE *f = fopen("/etc/ld.so.cache", "re");
    const char *paths[4];
    struct sp_error err;
    size_t len;

    (void)state;
    assert_true(f != NULL && bytes != NULL);
    len = fread(bytes, 1, 4 << 20, f);
    (void)fclose(f);
    assert_int_equal(sp_ldcache_parse(bytes, len, &c, &err), 0);
    assert_in_range(sp_ldcache_find(&c, "libc.so.6", SP_LDCACHE_ANY, paths, 4), 1, 4);
    assert_non_null(strstr(paths[0], "/libc.so.6"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_machine_decides_which_library_is_meant),
        cmocka_unit_test(the_plain_library_comes_first_and_its_variants_behind_it),
        cmocka_unit_test(a_cache_cut_or_bent_is_refused_or_harmless),
        cmocka_unit_test(the_cache_of_this_host_knows_libc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
