/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/sign.h"

#include <dlfcn.h>
#include <errno.h>
#include <sys/random.h>

#include "host/library.h"

/* libsodium 1.0.18 and later; the older number is that of Ubuntu's and Debian's, the newer that of 1.0.20.
 */
static const char *const libraries[] = {"libsodium.so.23", "libsodium.so.26", NULL};

int sp_sign_ed25519(const uint8_t secret[64], const void *message, size_t len, uint8_t ret_signature[64],
                    struct sp_error *err)
{
    int (*init)(void);
    int (*sign)(unsigned char *, unsigned long long *, const unsigned char *, unsigned long long,
                const unsigned char *);
    void *dl = sp_library_open(libraries, RTLD_NOW | RTLD_LOCAL, err);

    if (dl == NULL)
        return err->code == SP_E_UNSUPPORTED ? sp_hint(err, "apt install libsodium23") : -1;
    init = (int (*)(void))dlsym(dl, "sodium_init");
    sign = (int (*)(unsigned char *, unsigned long long *, const unsigned char *, unsigned long long,
                    const unsigned char *))dlsym(dl, "crypto_sign_detached");
    if (init == NULL || sign == NULL)
        return sp_fail(err, SP_E_UNSUPPORTED, 0, "libsodium lacks a function");
    /* It stays loaded: a process signs once or is about to end. */
    if (init() < 0 || sign(ret_signature, NULL, message, len, secret) != 0)
        return sp_fail(err, SP_E_INTERNAL, 0, "libsodium does not sign");
    return 0;
}

int sp_sign_random(void *bytes, size_t len, struct sp_error *err)
{
    return getrandom(bytes, len, 0) == (ssize_t)len ? 0 : sp_fail(err, SP_E_IO, errno, "no random bytes");
}
