/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Paths of the host's own files, walked one component after the other so that every link on the way is
 * known and can be copied too (alternatives, merged /usr). What others may not read is never taken, nor
 * what must never be in a jail.
 */
#ifndef SP_HOST_RESOLVE_H
#define SP_HOST_RESOLVE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "base/error.h"
#include "model/manifest.h"

struct sp_resolver {
    int root_fd;               /* borrowed */
    struct sp_manifest *out;   /* borrowed: what is kept goes here */
    struct sp_manifest walked; /* real directories that others may pass */
    const char *beyond; /* what lies below this has a place, too; NULL. `out` is then no list to copy */
};

enum sp_resolved_kind {
    SP_RESOLVED_ABSENT,  /* path: the first component that is missing */
    SP_RESOLVED_FILE,    /* a regular file that others may read */
    SP_RESOLVED_DIR,     /* a directory that others may pass */
    SP_RESOLVED_REFUSED, /* something else, not for others, or never for a jail */
};

struct sp_resolved_link {
    char *path; /* of the link itself, without a link on the way */
    char *target;
    bool last; /* the path walked ended with it */
};

struct sp_resolved {
    enum sp_resolved_kind kind;
    char path[PATH_MAX]; /* relative to root, free of links */
    struct statx stx;    /* of a file */
    struct sp_resolved_link *links;
    size_t n_links;
};

void sp_resolver_clear(struct sp_resolver *r);
void sp_resolved_clear(struct sp_resolved *p);

/* -1 only when the host does not answer (SP_E_IO, SP_E_NO_MEMORY). The caller clears *ret in any case. */
int sp_resolve_walk(struct sp_resolver *r, const char *path, struct sp_resolved *ret, struct sp_error *err);

/* Take a FILE or DIR into the manifest: its links, and the file. A file outside of usr and etc takes the
 * place of the last link that led to it; *ret_kept is false when there is no place for it. *ret_new (may be
 * NULL): the file was not there before. A directory's own content is the caller's to add. */
int sp_resolve_keep(struct sp_resolver *r, const struct sp_resolved *p, bool *ret_kept, bool *ret_new,
                    struct sp_error *err);

/* Remember that it was not there. */
int sp_resolve_note_absent(struct sp_resolver *r, const struct sp_resolved *p, struct sp_error *err);

/* Never in a jail, whatever a profile says: accounts, keys of the host, its identity. */
bool sp_resolve_forbidden(const char *path);

/* An entry from what statx(2) said. */
void sp_resolve_entry(const struct statx *stx, enum sp_manifest_kind kind, char *path,
                      struct sp_manifest_entry *ret);

#endif
