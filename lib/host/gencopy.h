/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A manifest made real: usr and etc of a generation below a directory. */
#ifndef SP_HOST_GENCOPY_H
#define SP_HOST_GENCOPY_H

#include "base/error.h"
#include "host/host.h"
#include "model/manifest.h"

/* Another generation whose files may be shared: hard links inside the store. */
struct sp_gencopy_old {
    int fd; /* its directory; borrowed */
    const struct sp_manifest *manifest;
};

struct sp_gencopy {
    size_t n_files;  /* regular files of the generation */
    size_t n_linked; /* of these, shared with an older one */
};

/* Fill the empty directory genfd. Files are root's, 0644 or 0755, without xattrs, with the time of their
 * source; they never share an inode with the host. SP_E_BUSY when a source changed meanwhile. */
int sp_gencopy_fill(struct sp_host *h, int genfd, const struct sp_manifest *m,
                    const struct sp_gencopy_old *old, size_t n_old, struct sp_gencopy *ret,
                    struct sp_error *err);

#endif
