/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One account file below /etc: read whole, edited in memory, written back under lckpwdf(3). What userdb.c
 * and usergroup.c share, and nobody else needs. */
#ifndef SP_HOST_DBFILE_H
#define SP_HOST_DBFILE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/error.h"
#include "host/host.h"
#include "host/replace.h"
#include "model/pwindex.h"

struct sp_dbfile {
    const char *name; /* "passwd"; borrowed */
    int etc;          /* the directory */
    bool exists;
    struct sp_buf bytes;
    struct stat st;
    bool lent;                      /* the bytes belong to the cache */
    const struct sp_pwindex *index; /* of these bytes; the cache's; NULL: none */
};

struct sp_dbkept {
    struct sp_dbfile file;
    struct sp_pwindex index;
    unsigned looks;     /* since it was read: a table pays for those who ask often */
    struct sp_buf part; /* owned; its lines that hold part_of; "": none were looked for */
    char part_of[64];
    bool in_part;     /* of the file there is its stat and that part alone */
    unsigned n_parts; /* read so far */
};

struct sp_dbcache {
    struct sp_dbkept passwd, group;
};

#define SP_DBFILE_INIT                                                                                     \
    {                                                                                                      \
        .etc = -1                                                                                          \
    }

void sp_dbfile_clear(struct sp_dbfile *f);

/* Read it. A missing file is no error: exists says so. */
int sp_dbfile_read(struct sp_host *h, const char *name, struct sp_dbfile *ret, struct sp_error *err);

/* The same for those who only look: bytes that were read before (sp_userdb_keep()) are lent again as long
 * as the system shows the same file, by inode, size and times. */
int sp_dbfile_look(struct sp_host *h, const char *name, struct sp_dbfile *ret, struct sp_error *err);

/* Likewise, but where there is no table: only the lines that hold `text` somewhere, which are lent again to
 * who asks for the same. One request asks thirty times for groups of ours, and of passwd for its user
 * alone: the rest of that is not read into memory until somebody asks for more. */
int sp_dbfile_look_for(struct sp_host *h, const char *name, const char *text, struct sp_dbfile *ret,
                       struct sp_error *err);

/* Replace it, with its owner, mode, ACL and label; NAME- keeps the old bytes. The caller holds the lock
 * since before the read. Somebody who writes without the lock is seen (SP_E_BUSY), if he was before us.
 * Bytes that equal the old ones are not written; *ret_written (or NULL) tells. */
int sp_dbfile_write(struct sp_host *h, const struct sp_dbfile *f, const struct sp_buf *bytes,
                    bool *ret_written, struct sp_error *err);

/* The same in two steps, for files that change together: staged, and in force when the stage is committed.
 */
int sp_dbfile_stage(struct sp_host *h, const struct sp_dbfile *f, const struct sp_buf *bytes,
                    struct sp_stage *stage, struct sp_error *err);

/* lckpwdf(3) with the deadline of this module. */
int sp_dbfile_lock(struct sp_host *h, struct sp_error *err);

/* Tell the caches of names: nscd and sssd, where they are. Best effort: they forget by themselves, later.
 */
void sp_dbfile_flush_caches(struct sp_host *h);

#endif
