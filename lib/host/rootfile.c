/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/rootfile.h"

#include <sys/stat.h>

#include "host/fsat.h"

int sp_rootfile_read(const struct sp_host *h, const char *path, size_t max, struct sp_buf *out,
                     struct sp_error *err)
{
    struct stat st;

    if (sp_fsat_read(h->root_fd, path, max, out, &st, err) < 0)
        return -1;
    if (!h->real || (st.st_uid == 0 && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0))
        return 0;
    sp_buf_clear(out);
    sp_fail(err, SP_E_STATE, 0, "%s can be written by others than root", path);
    return sp_hint(err, "see that it says what you want, then: chown root:root %s; chmod 600 %s", path,
                   path);
}
