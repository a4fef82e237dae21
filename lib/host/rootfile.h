/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What access is granted by: files of root's in directories that others may pass through. */
#ifndef SP_HOST_ROOTFILE_H
#define SP_HOST_ROOTFILE_H

#include "base/buf.h"
#include "base/error.h"
#include "host/host.h"

/* sp_fsat_read() of a file below the host's root. One that is not root's, or that its group or others can
 * write, is SP_E_STATE: nobody knows who wrote what it says. On a host that is a directory anybody may. */
int sp_rootfile_read(const struct sp_host *h, const char *path, size_t max, struct sp_buf *out,
                     struct sp_error *err);

#endif
