/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a generation was made of: one entry per source on the host, and what the host did not have. It is
 * the list the copier works from, the text whose SHA-256 names the generation, and what the next check
 * compares the host with. Paths are relative to the host's root, without "." and "..", without control
 * bytes. What has no place in a generation (sp_manifest_dest) is compared and not copied: the programs of
 * trees that a jail shows as they are.
 *
 *     sallyport-generation 1
 *     profiles HEX                  hash of what the profiles say
 *     nonce HEX                     so that a name is never used a second time
 *     missing NAME...
 *     KIND MODE SIZE MTIME INO PATH[<TAB>EXTRA[<TAB>DIGEST]]
 */
#ifndef SP_MODEL_MANIFEST_H
#define SP_MODEL_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum sp_manifest_kind {
    SP_MANIFEST_FILE = 'f',   /* extra: where its bytes come from, when that is not path */
    SP_MANIFEST_LINK = 'l',   /* extra: its target; mode: SP_MANIFEST_COVERED or 0 */
    SP_MANIFEST_MADE = 'm',   /* a link that a profile makes, the host notwithstanding. extra: its target */
    SP_MANIFEST_DIR = 'd',    /* a tree's directory: its mtime tells of additions */
    SP_MANIFEST_ABSENT = 'a', /* looked for and not there: its arrival is a change too; mode as a link's */
    SP_MANIFEST_CONTENT = 'c', /* path: where it goes, extra: where the bytes come from. For what lies
                                  outside of usr and etc (/run/systemd/resolve) or is rewritten all day with
                                  the same bytes (resolv.conf): compared by digest, not by inode */
};

/* Its directory is an entry too. A name that is a link or is not there becomes something else only by a
 * change of its directory, so that while the directory stands nobody need look at the name. */
#define SP_MANIFEST_COVERED 1U

struct sp_manifest_entry {
    enum sp_manifest_kind kind;
    uint32_t mode; /* permission bits of the source */
    uint64_t size;
    uint64_t mtime; /* ns since the epoch */
    uint64_t ino;
    uint64_t dev;   /* not written: a disk's number changes with the order of disks */
    uint32_t nlink; /* not written */
    char *path;     /* owned by the manifest, as extra and digest */
    char *extra;
    char *digest;
};

struct sp_manifest {
    struct sp_manifest_entry *entries;
    size_t n, size;
    size_t *index; /* open addressing over path */
    size_t index_size;
    char *text; /* owned; what was parsed: the strings of the first n_text entries lie in it */
    size_t n_text;
    char *rest; /* in text: entries that are still to be read, after sp_manifest_begin() */
    size_t rest_len;
    char profiles[65];
    char nonce[33];
    char missing[512];
};

void sp_manifest_clear(struct sp_manifest *m);

/* May this path stand in a manifest? */
bool sp_manifest_path_ok(const char *path);

/* Add a copy of *e; a path that is there already stays as it is (*ret_new, may be NULL, is then false).
 * SP_E_INVALID for a path or target that may not stand in a manifest. */
int sp_manifest_add(struct sp_manifest *m, const struct sp_manifest_entry *e, bool *ret_new,
                    struct sp_error *err);

/* What was parsed gets its index here, as a check of thousands of entries needs none. */
int sp_manifest_index(struct sp_manifest *m, struct sp_error *err);

/* Borrowed until the next add; NULL when it is not there. Without an index it looks at every entry. */
const struct sp_manifest_entry *sp_manifest_find(const struct sp_manifest *m, const char *path);

/* Note a name in `missing`, once; more than fits is left out. */
void sp_manifest_miss(struct sp_manifest *m, const char *name);

/* Do both describe the same bytes with the same time and mode? */
bool sp_manifest_same(const struct sp_manifest_entry *a, const struct sp_manifest_entry *b);

/* Ordered by directory, so that who goes through it opens each one once. */
void sp_manifest_write(struct sp_manifest *m, struct sp_buf *out);
/* Takes the text, which the entries then point into. */
int sp_manifest_parse(struct sp_buf *text, struct sp_manifest *ret, struct sp_error *err);

/* The same in two steps, for who looks at each entry once, perhaps in several threads: takes the text and
 * reads what stands before the entries. */
int sp_manifest_begin(struct sp_buf *text, struct sp_manifest *ret, struct sp_error *err);
enum sp_manifest_flags {
    SP_MANIFEST_ALL = 0,
    SP_MANIFEST_UNCOVERED = 1 << 0, /* covered ones are passed over, unread */
};
/* Each entry of some whole lines, which are cut up; its strings point there. What visit() answers other
 * than 0 ends it and is the answer; -1 without a visit: a broken line, or a last one that is cut. */
typedef int (*sp_manifest_visit)(void *ctx, const struct sp_manifest_entry *e);
int sp_manifest_each(char *lines, size_t len, enum sp_manifest_flags flags, sp_manifest_visit visit,
                     void *ctx);

/* Where a path of the host lies in the generation: /bin, /lib... of a host without merged /usr go below
 * usr. -1 when it has no place there (neither usr nor etc), or does not fit. */
int sp_manifest_dest(const char *path, char *dst, size_t size);
/* Has it a place there? */
bool sp_manifest_has_dest(const char *path);

/* SHA-256 in hex. */
void sp_manifest_digest(const void *bytes, size_t len, char ret[65]);

#endif
