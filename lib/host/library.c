/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

/* dlerror(3) has words alone; they end in strerror(3)'s, in English since nobody calls setlocale(3). */
static enum sp_code code_of(const char *why)
{
    if (strstr(why, strerror(ENOENT)) != NULL)
        return SP_E_UNSUPPORTED;
    return strstr(why, strerror(ENOMEM)) != NULL || strstr(why, "out of memory") != NULL ? SP_E_NO_MEMORY
                                                                                         : SP_E_IO;
}

void *sp_library_open(const char *const *names, int flags, struct sp_error *err)
{
    enum sp_code worst = SP_OK;

    for (size_t i = 0; names[i] != NULL; i++) {
        const char *why;
        enum sp_code code;
        void *dl = dlopen(names[i], flags);
        if (dl != NULL)
            return dl;
        why = dlerror();
        if (why == NULL)
            why = "out of memory";
        code = code_of(why);
        /* That a second name is nobody's says nothing of the first. */
        if (worst != SP_OK && (worst != SP_E_UNSUPPORTED || code == SP_E_UNSUPPORTED))
            continue;
        worst = code;
        (void)sp_fail(err, code, 0, "%s cannot be loaded: %.200s", names[i], why);
    }
    return NULL;
}
