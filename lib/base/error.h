/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Errors by value. A struct sp_error has a fixed size and owns nothing, so that reporting a failure
 * cannot itself fail, allocate or leak. Every function that can fail returns 0 or a negative number and
 * takes `struct sp_error *err` last; err is never NULL and is written only on failure.
 *
 * One table (error.c) maps each code to its JSON name, its JSON-RPC number and its exit status;
 * tests/unit/test-error.c checks that it is complete and without duplicates.
 */
#ifndef SP_BASE_ERROR_H
#define SP_BASE_ERROR_H

#include <stdbool.h>
#include <stddef.h>

enum sp_code {
    SP_OK = 0,
    SP_E_PARSE,       /* not JSON, or JSON that our strict scan refuses */
    SP_E_REQUEST,     /* JSON, but not a JSON-RPC 2.0 request */
    SP_E_METHOD,      /* no such method */
    SP_E_INVALID,     /* a field is missing, unknown, of the wrong type or not allowed to have that value */
    SP_E_FORBIDDEN,   /* the configuration does not let this caller or this account do that */
    SP_E_NOT_FOUND,   /* the user, domain or key does not exist */
    SP_E_CONFLICT,    /* contradicts another domain of the same account, or if_generation is stale */
    SP_E_UNSAFE_PATH, /* a path is a link, is someone else's, or can be written by others */
    SP_E_BUSY,        /* a lock was not had before the deadline; try again */
    SP_E_UNSUPPORTED, /* this host or kernel cannot do it */
    SP_E_NOT_IN_FORCE, /* written, but sshd (or the kernel) does not show it */
    SP_E_LOCKOUT,      /* would cut off the caller, an established peer, or everybody */
    SP_E_STATE,        /* our state file is broken, or newer than this program */
    SP_E_REJECTED,     /* another authority said no: PAM's password policy, sshd -t */
    SP_E_IO,           /* the system refused: os_errno says why */
    SP_E_NO_MEMORY,    /* malloc failed */
    SP_E_INTERNAL,     /* a bug here */
    SP_E_COUNT
};

struct sp_error {
    enum sp_code code;
    int os_errno;    /* errno at the moment of failure, or 0 */
    char field[128]; /* where: path of the offending field, "params.user"; "" when no field is to blame */
    char text[384];  /* what: one sentence, no trailing full stop, printable ASCII or UTF-8 */
    char hint[256];  /* the mend: what to do about it; "" when there is none */
};

/* Fill *err (field and hint become empty) and return -1, so that `return sp_fail(...)` reads well.
 * The text is cut at the size of the buffer and control bytes in it are replaced by '?'. */
int sp_fail(struct sp_error *err, enum sp_code code, int os_errno, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Set the hint of an error that was just filled; returns -1. */
int sp_hint(struct sp_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Set the field of an error (replacing it); returns -1. */
int sp_field(struct sp_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Put `prefix` before the field on the way up: "from[0]" becomes "authorized_keys[2].from[0]". A prefix
 * and a field are joined by '.', unless the field starts with '['. Returns -1. */
int sp_field_prefix(struct sp_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* An analyser that sees one file at a time cannot know that these return -1: it is told. */
#if (defined(__clang_analyzer__) || defined(SP_ANALYZED)) && !defined(SP_BASE_ERROR_C)
#define sp_fail(...) (sp_fail(__VA_ARGS__), -1)
#define sp_hint(...) (sp_hint(__VA_ARGS__), -1)
#define sp_field(...) (sp_field(__VA_ARGS__), -1)
#define sp_field_prefix(...) (sp_field_prefix(__VA_ARGS__), -1)
#endif

/* It could not be looked at for reasons of the host's own (no memory, no descriptors, EIO, ...): what
 * stands there is not known. False where what stands there is to blame. */
bool sp_error_is_blind(const struct sp_error *err);

/* The three faces of a code. Unknown codes are answered as SP_E_INTERNAL. */
const char *sp_code_name(enum sp_code code); /* "unsafe_path": data.reason in the answer */
int sp_code_rpc(enum sp_code code);          /* -32602, -32010, ... */
int sp_code_exit(enum sp_code code);         /* 0..255 */

#endif
