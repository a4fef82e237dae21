/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whole directories for a generation: every file that others may read, links with what they lead to. */
#ifndef SP_HOST_TREEWALK_H
#define SP_HOST_TREEWALK_H

#include "base/error.h"
#include "host/resolve.h"

/* A file that may hold code: executable, or a shared object by its name. 0 or -1 with the walk's err. */
typedef int (*sp_treewalk_file)(void *ctx, const char *path);

/* Take the directory (or the single file) at path with all below it into r->out. 1 taken, 0 not there or no
 * place for it, -1 failed. Directories and files that others may not read are left out. */
int sp_treewalk(struct sp_resolver *r, const char *path, sp_treewalk_file file, void *ctx,
                struct sp_error *err);

#endif
