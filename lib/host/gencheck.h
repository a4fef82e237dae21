/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Does a manifest still tell the truth: of the host that it was made from, of the generation that was made
 * of it? Every source is looked at each time. No stamp (dpkg's status, the loader's cache, the directories'
 * mtime) may stand for them: a file that is written in place - `curl -o`, `cp`, an editor - changes none of
 * these. Inode, size, mode and mtime of the file itself show it.
 */
#ifndef SP_HOST_GENCHECK_H
#define SP_HOST_GENCHECK_H

#include <stdbool.h>

#include "base/error.h"
#include "host/genstore.h"
#include "host/host.h"
#include "model/manifest.h"

enum sp_gencheck_finding {
    SP_GENCHECK_STANDS,
    SP_GENCHECK_GONE,
    SP_GENCHECK_CHANGED,
    SP_GENCHECK_CAME /* it was not there when the generation was made */
};

/* Is it a file that a generation holds? What lies elsewhere is watched, not copied. */
bool sp_gencheck_counts(const struct sp_manifest_entry *e);

/* Is every source what it was? Reads the entries of a manifest that was begun (sp_genstore_begin) and looks
 * at each as it comes, in a thread for each processor; ends at the first that is not, or that cannot be
 * read. *ret_files: how many files of them a generation holds. */
bool sp_gencheck_current(struct sp_host *h, const struct sp_genstore_text *text, size_t *ret_files);

/* Called for each entry that is not STANDS. 0 goes on, else that is the answer. */
typedef int (*sp_gencheck_visit)(void *ctx, const struct sp_manifest_entry *e, enum sp_gencheck_finding f);

/* Every source on the host. */
int sp_gencheck_sources(struct sp_host *h, const struct sp_manifest *m, sp_gencheck_visit visit, void *ctx);

/* Every file, link and directory of the generation at genfd: there, with the size, time, mode and owner
 * that it was given. */
int sp_gencheck_store(struct sp_host *h, int genfd, const struct sp_manifest *m, sp_gencheck_visit visit,
                      void *ctx);

/* Is the file `path` below genfd what the manifest says of it? */
bool sp_gencheck_stored(struct sp_host *h, int genfd, const char *path, const struct sp_manifest_entry *e);

#endif
