/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A line of shadow(5), as far as it decides about logins. The hash itself never leaves. */
#ifndef SP_HOST_SHADOW_H
#define SP_HOST_SHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "host/host.h"

struct sp_shadow {
    bool exists;       /* there is such a line */
    bool locked;       /* the password field begins with '!' */
    bool has_password; /* a hash that some password may match */
    int64_t expires;   /* days since 1970 after which the account is shut; -1: never */
    int64_t closes;    /* the same, for a password that was not changed in time */
};

/* SP_E_STATE where the line is malformed or stands twice. A missing line is no failure. */
int sp_shadow_get(struct sp_host *h, const char *name, struct sp_shadow *ret, struct sp_error *err);
/* The same from the file's bytes. */
int sp_shadow_parse(const char *bytes, size_t len, const char *name, struct sp_shadow *ret,
                    struct sp_error *err);

#endif
