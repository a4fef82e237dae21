/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What was issued and what was revoked, as a file that only grows: a line of fields with tabs between for
 * each. The first field counts the lines; a certificate's serial is the number of its line, so the file is
 * the counter too.
 *
 *     NUMBER issue USER UID FINGERPRINT ISSUED FROM TO CALLER PRINCIPAL SOURCES KEY_ID REASON
 *     NUMBER revoke SERIAL WHEN CALLER REASON
 *     NUMBER pruned
 *
 * A crash may leave a last line without its newline: it was never answered, so it counts for nothing.
 */
#ifndef SP_MODEL_CERTLOG_H
#define SP_MODEL_CERTLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "model/name.h"
#include "model/sshcert.h"
#include "model/sshkey.h"

#define SP_CERTLOG_SOURCES_SIZE 512

struct sp_certificate {
    uint64_t serial;
    char user[SP_USER_SIZE];
    uint32_t uid;
    char fingerprint[SP_FINGERPRINT_SIZE]; /* of the key that it was made for */
    int64_t issued_at, valid_from, valid_to;
    uint32_t caller;
    char principal[SP_SSHCERT_PRINCIPAL_SIZE];
    char sources[SP_CERTLOG_SOURCES_SIZE]; /* "": from anywhere; a longer list ends in "..." */
    char key_id[SP_SSHCERT_KEY_ID_SIZE];
    char reason[SP_LABEL_SIZE];
    int64_t revoked_at; /* 0: it is not */
};

struct sp_certlog {
    struct sp_certificate *v; /* owned; in the order of their serials */
    size_t n;
    uint64_t next;  /* the number of the next line */
    size_t whole;   /* how many bytes are whole lines */
    size_t strange; /* lines that are none of these: left out */
};

void sp_certlog_clear(struct sp_certlog *l);
int sp_certlog_parse(const char *bytes, size_t len, struct sp_certlog *ret, struct sp_error *err);

/* The number of the line behind the last one, from the end of the file alone: all of it, or so many bytes.
 * 0 where the last whole line is none of ours: to begin anew would give serials twice. `whole` as above,
 * within these bytes. */
#define SP_CERTLOG_TAIL 8192 /* more than two lines */
uint64_t sp_certlog_next(const char *tail, size_t len, size_t *ret_whole);

/* Append a line. Tabs and control bytes cannot get in. */
int sp_certlog_issue(const struct sp_certificate *c, struct sp_buf *out, struct sp_error *err);
int sp_certlog_revoke(uint64_t at, uint64_t serial, int64_t now, uint32_t caller, const char *reason,
                      struct sp_buf *out, struct sp_error *err); /* at: the number of its line */

/* The same file without what ended before `before`; the count goes on. */
int sp_certlog_prune(const struct sp_certlog *l, int64_t before, struct sp_buf *out, struct sp_error *err);

/* What ssh-keygen -k makes the list of revoked ones of: a line for each that has not ended by itself. */
int sp_certlog_krl(const struct sp_certlog *l, int64_t now, struct sp_buf *out, struct sp_error *err);

#endif
