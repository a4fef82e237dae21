/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/ldcache.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const char old_magic[] = "ld.so-1.7.0";
static const char new_magic[] = "glibc-ld.so.cache1.1";

enum { OLD_HEADER = 16, OLD_ENTRY = 12, NEW_HEADER = 48, NEW_ENTRY = 24, MAX_LIBS = 1 << 18 };

/* The low byte says "ELF for libc6", the next one the machine. */
enum { TYPE_MASK = 0xff, TYPE_LIBC6 = 0x03 };

void sp_ldcache_clear(struct sp_ldcache *c)
{
    free(c->libs);
    *c = (struct sp_ldcache){0};
}

uint32_t sp_ldcache_flags(uint16_t machine, bool is64)
{
    static const struct {
        uint16_t machine;
        bool is64;
        uint32_t flags;
    } table[] = {
        {EM_X86_64, true, 0x0303},  {EM_X86_64, false, 0x0803}, {EM_386, false, 0x0003},
        {EM_AARCH64, true, 0x0a03}, {EM_PPC64, true, 0x0503},   {EM_S390, true, 0x0403},
    };

    for (size_t i = 0; i < SP_COUNT(table); i++)
        if (table[i].machine == machine && table[i].is64 == is64)
            return table[i].flags;
    return SP_LDCACHE_ANY;
}

static uint32_t get32(const char *at)
{
    uint32_t v;

    memcpy(&v, at, sizeof(v));
    return v;
}

/* Where the new format begins: at 0, or behind the old table, rounded up to 8. */
static int find_new(const char *bytes, size_t len, size_t *ret, struct sp_error *err)
{
    size_t at = 0;

    if (len >= OLD_HEADER && memcmp(bytes, old_magic, sizeof(old_magic) - 1) == 0) {
        uint32_t n = get32(bytes + sizeof(old_magic));
        if (n > MAX_LIBS)
            return sp_fail(err, SP_E_INVALID, 0, "ld.so.cache: %u libraries", (unsigned)n);
        at = (OLD_HEADER + (size_t)n * OLD_ENTRY + 7) & ~(size_t)7;
    }
    if (at > len || len - at < NEW_HEADER || memcmp(bytes + at, new_magic, sizeof(new_magic) - 1) != 0)
        return sp_fail(err, SP_E_INVALID, 0, "ld.so.cache: not the format glibc-ld.so.cache1.1");
    *ret = at;
    return 0;
}

static const char *string_at(const char *base, size_t len, uint32_t offset)
{
    if (offset >= len || memchr(base + offset, '\0', len - offset) == NULL)
        return NULL;
    return base + offset;
}

static int by_name(const void *a, const void *b)
{
    const struct sp_ldcache_lib *x = a, *y = b;
    int c = strcmp(x->soname, y->soname);

    return c != 0 ? c : (x->order > y->order) - (x->order < y->order);
}

int sp_ldcache_parse(const void *bytes, size_t len, struct sp_ldcache *ret, struct sp_error *err)
{
    _cleanup_(sp_ldcache_clear) struct sp_ldcache c = {0};
    const char *base;
    size_t at = 0;
    uint32_t n;

    *ret = (struct sp_ldcache){0};
    if (find_new(bytes, len, &at, err) < 0)
        return -1;
    base = (const char *)bytes + at;
    len -= at;
    n = get32(base + sizeof(new_magic) - 1);
    if (n > MAX_LIBS || (len - NEW_HEADER) / NEW_ENTRY < n)
        return sp_fail(err, SP_E_INVALID, 0, "ld.so.cache: cut off");
    c.libs = calloc((size_t)n + 1, sizeof(*c.libs));
    if (c.libs == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    for (; c.n_libs < n; c.n_libs++) {
        const char *entry = base + NEW_HEADER + c.n_libs * NEW_ENTRY;
        struct sp_ldcache_lib *lib = &c.libs[c.n_libs];

        lib->flags = get32(entry);
        lib->soname = string_at(base, len, get32(entry + 4));
        lib->path = string_at(base, len, get32(entry + 8));
        memcpy(&lib->hwcap, entry + 16, sizeof(lib->hwcap));
        lib->order = c.n_libs;
        if (lib->soname == NULL || lib->path == NULL)
            return sp_fail(err, SP_E_INVALID, 0, "ld.so.cache: a name lies outside of it");
    }
    qsort(c.libs, c.n_libs, sizeof(*c.libs), by_name);
    *ret = c;
    c = (struct sp_ldcache){0};
    return 0;
}

/* The first place whose soname is not less than the one looked for. */
static size_t lower_bound(const struct sp_ldcache *c, const char *soname)
{
    size_t from = 0, to = c->n_libs;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (strcmp(c->libs[middle].soname, soname) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

size_t sp_ldcache_find(const struct sp_ldcache *c, const char *soname, uint32_t flags, const char **paths,
                       size_t max)
{
    size_t first = lower_bound(c, soname), n = 0;

    /* Two rounds: the plain library first, then the processors' variants. */
    for (int variants = 0; variants < 2; variants++)
        for (size_t i = first; i < c->n_libs && strcmp(c->libs[i].soname, soname) == 0; i++) {
            const struct sp_ldcache_lib *lib = &c->libs[i];
            if ((lib->hwcap != 0) != (variants != 0) || n == max)
                continue;
            if (flags == SP_LDCACHE_ANY ? (lib->flags & TYPE_MASK) != TYPE_LIBC6 : lib->flags != flags)
                continue;
            paths[n++] = lib->path;
            if (!variants && flags != SP_LDCACHE_ANY)
                break;
        }
    return n;
}
