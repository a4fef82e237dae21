/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Edits of passwd(5), group(5) and gshadow(5) as bytes in, bytes out. The one line of a name is found and
 * changed; every other byte of the file, malformed neighbours and NIS lines included, is kept. What is
 * written is validated here again: no value can bring a ':', a ',', a newline or any control byte.
 *
 * Errors: SP_E_NOT_FOUND (no line of that name), SP_E_STATE (two lines of that name, a malformed line of
 * that name, another uid than expected), SP_E_INVALID (a value that may not be written), SP_E_CONFLICT (the
 * name or gid is taken), SP_E_NO_MEMORY. On failure *out holds nothing of use. *out must be empty before.
 */
#ifndef SP_MODEL_PWFILE_H
#define SP_MODEL_PWFILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "model/name.h"
#include "model/pwline.h"

struct sp_pwfile_line {
    size_t offset; /* of the line in the file */
    size_t len;    /* of the line, without its newline */
    char name[SP_USER_SIZE];
    uint32_t uid;
    uint32_t gid;
    char home[SP_PATH_SIZE];
    char shell[SP_PATH_SIZE]; /* "" means /bin/sh to everybody, and is given back as "" */
};

/* The one passwd line of `name`. */
int sp_pwfile_find(const char *bytes, size_t len, const char *name, struct sp_pwfile_line *ret,
                   struct sp_error *err);

/* The same of a line that is known (pwindex.h). */
int sp_pwfile_read(const char *bytes, struct sp_slice line, const char *name, struct sp_pwfile_line *ret,
                   struct sp_error *err);

struct sp_pwfile_shell {
    const char *name;
    uint32_t uid;      /* the line must have it: a name given to somebody else meanwhile is SP_E_STATE */
    const char *shell; /* "" or an absolute path of clean UTF-8 without ':', shorter than SP_PATH_SIZE */
};

/* Replace the shell of one account. If it has that shell already, *out equals old. */
int sp_pwfile_set_shell(const char *old, size_t len, const char *name, uint32_t uid, const char *shell,
                        struct sp_buf *out, struct sp_error *err);

/* The same for many accounts in one pass. All or nothing; the same name twice is SP_E_INVALID; err->field
 * is
 * "[i]" of the one at fault. */
int sp_pwfile_set_shells(const char *old, size_t len, const struct sp_pwfile_shell *changes, size_t n,
                         struct sp_buf *out, struct sp_error *err);

enum sp_grfile_kind {
    SP_GRFILE_GROUP,  /* name:password:gid:members */
    SP_GRFILE_GSHADOW /* name:password:administrators:members */
};

enum sp_grfile_membership { SP_GRFILE_ABSENT, SP_GRFILE_MEMBER };

struct sp_grfile_line {
    size_t offset;
    size_t len;
    uint32_t gid;          /* 0 for gshadow */
    size_t members_offset; /* of the last field, in the file */
    size_t members_len;
};

int sp_grfile_find(const char *bytes, size_t len, enum sp_grfile_kind kind, const char *group,
                   struct sp_grfile_line *ret, struct sp_error *err);

/* Is `user` in the member list of a line just found in these bytes? */
enum sp_grfile_membership sp_grfile_is_member(const char *bytes, const struct sp_grfile_line *line,
                                              const char *user);

/* Make `user` a member of `group`, or not. Already so: *out equals old. */
int sp_grfile_set_member(const char *old, size_t len, enum sp_grfile_kind kind, const char *group,
                         const char *user, enum sp_grfile_membership want, struct sp_buf *out,
                         struct sp_error *err);

/* Append "GROUP:x:GID:" to group or "GROUP:!::" to gshadow (gid is not used there); a missing final newline
 * is completed first. SP_E_CONFLICT if the name, or in group the gid, is there already. */
int sp_grfile_append(const char *old, size_t len, enum sp_grfile_kind kind, const char *group, uint32_t gid,
                     struct sp_buf *out, struct sp_error *err);

/* The highest gid of [min, max] that no line of group(5) has, as `groupadd -r` chooses from SYS_GID_MAX
 * down. SP_E_NOT_FOUND when all are taken. */
int sp_grfile_free_gid(const char *bytes, size_t len, uint32_t min, uint32_t max, uint32_t *ret,
                       struct sp_error *err);

#endif
