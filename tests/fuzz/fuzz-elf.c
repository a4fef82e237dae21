/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Programs and the loader's cache, which a generation is built from: never trusted to be well-formed. */
#include "fuzz.h"
#include "model/elf.h"
#include "model/ldcache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(sp_elf_clear) struct sp_elf elf = {0};
    _cleanup_(sp_ldcache_clear) struct sp_ldcache cache = {0};
    struct sp_error err = {0};
    const char *paths[8];

    if (sp_elf_parse_bytes(data, size, &elf, &err) < 0)
        fuzz_refused(&err);
    for (size_t i = 0; i < elf.n_needed; i++)
        REQUIRE(strlen(elf.needed[i]) < size);
    if (sp_ldcache_parse(data, size, &cache, &err) < 0)
        fuzz_refused(&err);
    for (size_t i = 0; i < cache.n_libs; i++)
        REQUIRE(strlen(cache.libs[i].soname) + strlen(cache.libs[i].path) < 2 * size);
    (void)sp_ldcache_find(&cache, "libc.so.6", SP_LDCACHE_ANY, paths, SP_COUNT(paths));
    return 0;
}
