/* SPDX-License-Identifier: GPL-3.0-or-later */
#define SP_BASE_ERROR_C
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

struct face {
    const char *name;
    int rpc;
    int exit;
};

/* JSON-RPC 2.0 reserves -32768..-32000; -32700, -32600, -32601, -32602 and -32603 have its meanings, the
 * rest is taken from the range it leaves to implementations. */
static const struct face faces[SP_E_COUNT] = {
    [SP_OK] = {"ok", 0, 0},
    [SP_E_PARSE] = {"parse_error", -32700, 2},
    [SP_E_REQUEST] = {"invalid_request", -32600, 3},
    [SP_E_METHOD] = {"method_not_found", -32601, 4},
    [SP_E_INVALID] = {"invalid", -32602, 5},
    [SP_E_FORBIDDEN] = {"forbidden", -32001, 6},
    [SP_E_NOT_FOUND] = {"not_found", -32002, 7},
    [SP_E_CONFLICT] = {"conflict", -32003, 8},
    [SP_E_UNSAFE_PATH] = {"unsafe_path", -32010, 9},
    [SP_E_BUSY] = {"busy", -32011, 10},
    [SP_E_UNSUPPORTED] = {"unsupported", -32012, 11},
    [SP_E_NOT_IN_FORCE] = {"not_in_force", -32013, 12},
    [SP_E_LOCKOUT] = {"lockout", -32014, 13},
    [SP_E_STATE] = {"broken_state", -32015, 14},
    [SP_E_REJECTED] = {"rejected", -32016, 15},
    [SP_E_IO] = {"io", -32017, 16},
    [SP_E_NO_MEMORY] = {"no_memory", -32018, 17},
    [SP_E_INTERNAL] = {"internal", -32603, 1},
};

__attribute__((format(printf, 3, 0))) static void put(char *dst, size_t size, const char *fmt, va_list ap)
{
    if (vsnprintf(dst, size, fmt, ap) < 0)
        dst[0] = '\0';
    sp_str_make_printable(dst);
}

/* What the system says of a write has the same mend wherever it is met. What knows better says so after us.
 */
static const char *mend(enum sp_code code, int os_errno)
{
    if (code != SP_E_IO)
        return "";
    switch (os_errno) {
    case ENOSPC:
        return "the file system is full: df and df -i tell whether of bytes or of files; make room, then "
               "send it again";
    case EDQUOT:
        return "the quota of the file's owner is used up: give him more or have him make room, then send "
               "it again";
    case EROFS:
        return "the file system is mounted read-only: mount -o remount,rw, then send it again";
    case EPERM:
        return "lsattr shows whether it is immutable: chattr -i -a takes that away; then send it again";
    default:
        return "";
    }
}

int sp_fail(struct sp_error *err, enum sp_code code, int os_errno, const char *fmt, ...)
{
    va_list ap;

    err->code = code;
    err->os_errno = os_errno;
    err->field[0] = '\0';
    (void)snprintf(err->hint, sizeof(err->hint), "%s", mend(code, os_errno));
    va_start(ap, fmt);
    put(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    if (os_errno != 0) {
        size_t used = strlen(err->text);
        (void)snprintf(err->text + used, sizeof(err->text) - used, ": %s", strerror(os_errno));
    }
    return -1;
}

int sp_hint(struct sp_error *err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    put(err->hint, sizeof(err->hint), fmt, ap);
    va_end(ap);
    return -1;
}

int sp_field(struct sp_error *err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    put(err->field, sizeof(err->field), fmt, ap);
    va_end(ap);
    return -1;
}

int sp_field_prefix(struct sp_error *err, const char *fmt, ...)
{
    char old[sizeof(err->field)];
    va_list ap;

    memcpy(old, err->field, sizeof(old));
    va_start(ap, fmt);
    put(err->field, sizeof(err->field), fmt, ap);
    va_end(ap);
    if (old[0] != '\0') {
        size_t used = strlen(err->field);
        (void)snprintf(err->field + used, sizeof(err->field) - used, "%s%s", old[0] == '[' ? "" : ".", old);
        sp_str_make_printable(err->field);
    }
    return -1;
}

bool sp_error_is_blind(const struct sp_error *err)
{
    static const int theirs[] = {EACCES, EPERM, ELOOP, ENOTDIR, ENAMETOOLONG};

    if (err->code != SP_E_IO)
        return err->code == SP_E_NO_MEMORY || err->code == SP_E_INTERNAL;
    for (size_t i = 0; i < SP_COUNT(theirs); i++)
        if (err->os_errno == theirs[i])
            return false;
    return true;
}

static const struct face *face(enum sp_code code)
{
    if ((unsigned)code >= SP_E_COUNT)
        code = SP_E_INTERNAL;
    return &faces[code];
}

const char *sp_code_name(enum sp_code code)
{
    return face(code)->name;
}

int sp_code_rpc(enum sp_code code)
{
    return face(code)->rpc;
}

int sp_code_exit(enum sp_code code)
{
    return face(code)->exit;
}
