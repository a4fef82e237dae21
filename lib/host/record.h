/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The entry record: what chroot-bash needs to know of one account, one flat file per uid, written by root
 * and read by the user's own login. /var/lib/sallyport/entry/UID, root:(the user's gid) 0640.
 *
 *     sallyport-entry 1
 *     user example
 *     uid 1001
 *     gid 1001
 *     home /var/www/vhosts/example.com
 *     profiles base+git
 *     tmp_mib 512
 *     processes 512                         (or no such line: as many as the host allows)
 *     agent 1                               (or no such line: ssh -A does not reach inside)
 *     root /var/www/vhosts/example.com      (one or more; the first is "/" in the jail)
 *
 * and for an extra login of somebody else's files:
 *
 *     files_uid 1001                        (their owner, whom an id map makes this user)
 *     files_gid 1001
 *     read_only 1
 *     until 1767225600                      (seconds since the epoch: no login, and no session, after it)
 *     hide /var/www/vhosts/example.com/.ssh (covered by an empty directory; at most SP_RECORD_MAX_HIDDEN)
 *
 * Key, one blank, value to the end of the line; no escapes: sp_name_check_path() lets no control byte into
 * a path. This file is linked into the entry program: libc and base only.
 */
#ifndef SP_HOST_RECORD_H
#define SP_HOST_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

#define SP_RECORD_MAX_BYTES 65536
#define SP_RECORD_MAX_ROOTS 32
#define SP_RECORD_MAX_HIDDEN 4
#define SP_RECORD_PATH 1024

struct sp_record {
    char user[64];
    uid_t uid;
    gid_t gid;
    char home[SP_RECORD_PATH];
    char profiles[256]; /* names joined by '+', sorted, unique: the name of the link below sets/ */
    unsigned tmp_mib;
    unsigned processes; /* 0: no limit */
    unsigned agent;     /* 1: ssh -A reaches inside */
    size_t n_roots;
    char (*roots)[SP_RECORD_PATH]; /* owned array of n_roots paths */
    uid_t files_uid;               /* 0: the user's own */
    gid_t files_gid;
    unsigned read_only;
    int64_t until; /* 0: for ever */
    size_t n_hidden;
    char hidden[SP_RECORD_MAX_HIDDEN][SP_RECORD_PATH];
};

/* Absolute, normalised, printable, without ':'; not "/" itself. */
bool sp_record_path_ok(const char *path);

void sp_record_clear(struct sp_record *r);
int sp_record_format(const struct sp_record *r, struct sp_buf *out,
                     struct sp_error *err); /* checks every value */
int sp_record_parse(const char *bytes, size_t len, struct sp_record *ret, struct sp_error *err);

#endif
