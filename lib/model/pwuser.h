/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whole lines of passwd(5), shadow(5), group(5) and gshadow(5), added and taken away as bytes in, bytes
 * out: for the users that sallyport makes itself. Every other byte of a file is kept. What is written is
 * validated here again, as in pwfile.h, and so are the errors.
 */
#ifndef SP_MODEL_PWUSER_H
#define SP_MODEL_PWUSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum sp_pwuser_file { SP_PWUSER_PASSWD, SP_PWUSER_SHADOW, SP_PWUSER_GROUP, SP_PWUSER_GSHADOW };

struct sp_pwuser {
    const char *name;
    uint32_t id; /* the uid, and the gid of a group of the same name */
    const char *home, *shell;
    int64_t today; /* days since the epoch: when the password, of which there is none, was changed */
};

/* "passwd", "shadow", ... */
const char *sp_pwuser_file_name(enum sp_pwuser_file file);

/* Append the user's line: without a password, but not locked. A line of the same name is left as it is
 * where it is the same user's (a crash made it; *out equals old), else SP_E_CONFLICT; so is another name
 * with the id. */
int sp_pwuser_add(const char *old, size_t len, enum sp_pwuser_file file, const struct sp_pwuser *u,
                  struct sp_buf *out, struct sp_error *err);

/* Take the line away. None, or in passwd and group one with another id: *out equals old. */
int sp_pwuser_remove(const char *old, size_t len, enum sp_pwuser_file file, const char *name, uint32_t id,
                     struct sp_buf *out, struct sp_error *err);

/* Is there a line of this name, or in passwd and group one with this id? Either may be left out: NULL, 0.
 */
bool sp_pwuser_has(const char *bytes, size_t len, enum sp_pwuser_file file, const char *name, uint32_t id);

#endif
