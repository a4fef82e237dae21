/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Lines of the colon-separated files below /etc (passwd(5), shadow(5), group(5), gshadow(5)): what their
 * readers and writers share. Slices are borrowed from the bytes of the file.
 */
#ifndef SP_MODEL_PWLINE_H
#define SP_MODEL_PWLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define SP_PWLINE_FIELDS 7 /* passwd(5); group(5) and gshadow(5) have 4 */

struct sp_slice {
    const char *p;
    size_t len;
};

bool sp_slice_is(struct sp_slice s, const char *text);
bool sp_slice_equal(struct sp_slice a, struct sp_slice b);
bool sp_slice_copy(struct sp_slice s, char *dst, size_t size); /* false if it does not fit */
bool sp_slice_to_id(struct sp_slice s, uint32_t *ret);         /* a uid or gid, never (uint32_t)-1 */

struct sp_pwline {
    struct sp_slice text; /* without its newline; a last line may have none */
    size_t next;          /* offset of the next line */
};

/* The line at `offset`; false at the end of the file. */
bool sp_pwline_next(const char *bytes, size_t len, size_t offset, struct sp_pwline *ret);

/* The first line that holds `text` at or after `offset`, which is the beginning of a line. */
bool sp_pwline_with(const char *bytes, size_t len, size_t offset, const char *text, struct sp_pwline *ret);

/* The name that glibc reads from a line: it skips leading blanks (nss_files), so that " root:..." is root's
 * too. Comments and lines without a ':' are nobody's: an empty slice. */
struct sp_slice sp_pwline_name(struct sp_slice line);

/* Exactly `want` fields, or false. */
bool sp_pwline_split(struct sp_slice line, size_t want, struct sp_slice *fields);

/* A control byte in a line that we are to rewrite: somebody's accident, or somebody's trick. */
bool sp_pwline_has_control(struct sp_slice line);

/* The one line whose name is `name`; `file` is for the errors: SP_E_NOT_FOUND, SP_E_STATE. */
int sp_pwline_find(const char *bytes, size_t len, const char *file, const char *name, struct sp_pwline *ret,
                   struct sp_error *err);

/* SP_E_STATE with its mend. */
int sp_pwline_malformed(const char *file, const char *name, struct sp_error *err);
int sp_pwline_twice(const char *file, const char *name, struct sp_error *err);

#endif
