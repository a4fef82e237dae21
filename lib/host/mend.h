/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Commands that name a path, for root to type. While he types, a directory on the way may be renamed, or a
 * link stand where a file stood: then root would change a file of somebody else's. So below directories
 * that are root's alone the command is root's; below one of the user's it runs as the user, whose hand
 * reaches no further than his own; and where anybody else could exchange what is on the way, there is none:
 * the way is shown. The path is in quotes where a shell wants it, whole, or it is not told.
 */
#ifndef SP_HOST_MEND_H
#define SP_HOST_MEND_H

#include "base/error.h"
#include "host/host.h"
#include "host/userdb.h"

#define SP_MEND_SIZE 1200

enum sp_mend_what {
    SP_MEND_HIS,  /* the user is to own it; what stands in a directory of his goes out of the way instead */
    SP_MEND_OPEN, /* the user is to pass through it, or to read it */
    SP_MEND_PASS, /* everybody is to pass through it */
    SP_MEND_SAFE, /* nobody but its owner is to write to it */
    SP_MEND_OTHERS, /* others than its owner and group are not to write to it */
    SP_MEND_AWAY,   /* it is not to stand there; reconcile puts there what is recorded */
    SP_MEND_DIR,    /* it is missing, and is to be a directory of the user's */
    SP_MEND_HOME,   /* the same for his home */
};

/* False: there is no command that root may type, and *ret shows the way (namei(1)), or is "". `path` is
 * absolute. */
bool sp_mend_path(struct sp_host *h, const struct sp_user *u, enum sp_mend_what what, const char *path,
                  char ret[SP_MEND_SIZE]);

/* The same as the hint of an error, with ", or ..." behind it where `more` is not ""; returns -1. What does
 * not fit whole is left out. */
int sp_mend_hint(struct sp_host *h, const struct sp_user *u, enum sp_mend_what what, const char *path,
                 const char *more, struct sp_error *err);

#endif
