/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/libsearch.h"

#include <elf.h>
#include <limits.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

enum { MAX_HITS = 16 };

/* One directory of a search path; what is left after $ORIGIN must be absolute and free of tokens. */
static void add_dir(struct sp_buf *out, const char *dir, size_t len, const char *origin)
{
    static const char *const tokens[] = {"$ORIGIN", "${ORIGIN}"};
    const char *front = "";

    for (size_t i = 0; i < SP_COUNT(tokens); i++) {
        size_t n = strlen(tokens[i]);
        if (len >= n && memcmp(dir, tokens[i], n) == 0) {
            front = origin;
            dir += n;
            len -= n;
            break;
        }
    }
    if (memchr(dir, '$', len) != NULL || (front[0] == '\0' && (len == 0 || dir[0] != '/')))
        return;
    if (out->len > 0)
        sp_buf_puts(out, ":");
    sp_buf_puts(out, front);
    sp_buf_add(out, dir, len);
}

char *sp_libsearch_expand(const char *list, const char *origin, const char *more)
{
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};

    for (const char *at = list != NULL ? list : ""; *at != '\0';) {
        size_t n = strcspn(at, ":");
        add_dir(&out, at, n, origin);
        at += n + (at[n] == ':');
    }
    if (more != NULL && more[0] != '\0') {
        if (out.len > 0)
            sp_buf_puts(&out, ":");
        sp_buf_puts(&out, more);
    }
    return sp_buf_steal(&out);
}

static int try_list(const char *list, const char *soname, sp_libsearch_try try, void *ctx)
{
    char path[PATH_MAX];

    for (const char *at = list != NULL ? list : ""; *at != '\0';) {
        size_t n = strcspn(at, ":");
        int r = 0;

        if (n > 0 && sp_str_format(path, sizeof(path), "%.*s/%s", (int)n, at, soname) == 0)
            r = try(ctx, path);
        if (r != 0)
            return r;
        at += n + (at[n] == ':');
    }
    return 0;
}

static int try_cache(const struct sp_ldcache *cache, const struct sp_elf *elf, const char *soname,
                     sp_libsearch_try try, void *ctx)
{
    const char *paths[MAX_HITS];
    size_t n = cache != NULL ? sp_ldcache_find(cache, soname, sp_ldcache_flags(elf->machine, elf->is64),
                                               paths, SP_COUNT(paths))
                             : 0;
    int found = 0;

    for (size_t i = 0; i < n; i++) {
        int r = try(ctx, paths[i]);
        if (r < 0)
            return r;
        found |= r;
    }
    return found;
}

/* Debian's multiarch directories stand before the plain ones; elsewhere they do not exist. */
static int try_defaults(const struct sp_elf *elf, const char *soname, sp_libsearch_try try, void *ctx)
{
    static const struct {
        uint16_t machine;
        const char *dirs;
    } multiarch[] = {
        {EM_X86_64, "/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu"},
        {EM_386, "/lib/i386-linux-gnu:/usr/lib/i386-linux-gnu"},
        {EM_AARCH64, "/lib/aarch64-linux-gnu:/usr/lib/aarch64-linux-gnu"},
        {EM_ARM, "/lib/arm-linux-gnueabihf:/usr/lib/arm-linux-gnueabihf"},
        {EM_PPC64, "/lib/powerpc64le-linux-gnu:/usr/lib/powerpc64le-linux-gnu"},
        {EM_S390, "/lib/s390x-linux-gnu:/usr/lib/s390x-linux-gnu"},
        {EM_RISCV, "/lib/riscv64-linux-gnu:/usr/lib/riscv64-linux-gnu"},
    };

    for (size_t i = 0; i < SP_COUNT(multiarch); i++)
        if (multiarch[i].machine == elf->machine) {
            int r = try_list(multiarch[i].dirs, soname, try, ctx);
            if (r != 0)
                return r;
        }
    return try_list(elf->is64 ? "/lib64:/usr/lib64:/lib:/usr/lib" : "/lib:/usr/lib", soname, try, ctx);
}

int sp_libsearch_each(const struct sp_ldcache *cache, const struct sp_elf *elf, const char *rpath,
                      const char *runpath, const char *soname, sp_libsearch_try try, void *ctx)
{
    int r;

    /* A name with a slash is a path; a relative one would depend on the caller's directory. */
    if (strchr(soname, '/') != NULL)
        return soname[0] == '/' ? try(ctx, soname) : 0;
    /* ld.so(8): DT_RPATH counts only where the object has no DT_RUNPATH. */
    r = try_list(runpath != NULL ? runpath : rpath, soname, try, ctx);
    if (r == 0)
        r = try_cache(cache, elf, soname, try, ctx);
    if (r == 0)
        r = try_defaults(elf, soname, try, ctx);
    return r;
}
