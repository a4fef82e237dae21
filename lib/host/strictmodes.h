/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An authorized_keys file as sshd meets it (auth_openkeyfile() and safe_path() of its sources): opened as
 * the user, links followed; then, with StrictModes, the file and every directory above it up to the home
 * must be the user's or root's, and nobody else may write to them.
 */
#ifndef SP_HOST_STRICTMODES_H
#define SP_HOST_STRICTMODES_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "host/host.h"
#include "host/mend.h"
#include "host/userdb.h"

/* OPEN: as NO, and what the user closed to himself is opened for the look (host/closedpath.h). */
enum sp_strictmodes { SP_STRICTMODES_NO, SP_STRICTMODES_YES, SP_STRICTMODES_OPEN };

struct sp_strictmodes_file {
    bool exists;
    bool unread;       /* sshd can open it, or could if the user liked, and here it could not be read */
    char problem[400]; /* why sshd does not read it; "" where it does */
    char mend[SP_MEND_SIZE]; /* a command that root may type, "namei ..." where there is none, or "" */
    struct sp_buf bytes;
};

void sp_strictmodes_file_clear(struct sp_strictmodes_file *f);

/* `path` is absolute. A file that does not exist is no failure. SP_E_BUSY where its filesystem does not
 * answer. */
int sp_strictmodes_read(struct sp_host *h, const struct sp_user *u, const char *path,
                        enum sp_strictmodes strict, struct sp_strictmodes_file *ret, struct sp_error *err);

#endif
