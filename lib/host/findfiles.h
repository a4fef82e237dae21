/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files by a pattern such as /home/x/data/users/ANY/web.conf, where ANY is a '*' that stands for a whole
 * component or for a part of one. */
#ifndef SP_HOST_FINDFILES_H
#define SP_HOST_FINDFILES_H

#include <sys/stat.h>

#include "base/error.h"
#include "host/host.h"
#include "model/panel.h"

struct sp_found_file {
    const char *path; /* absolute */
    const char *name; /* its last component */
    struct stat st;   /* of the name itself: a link is a link */
    const struct sp_panel_captures *captures;
    const struct sp_error *unknown; /* it does not answer, or cannot be looked at now: st is not known */
};

/* Each name that fits, sorted within its directory. Up to the first '*' root's links are followed, behind
 * it none is. Directories that may not be read hold nothing. The first answer of `visit` that is not 0 ends
 * it and is returned. */
int sp_findfiles(struct sp_host *h, const char *pattern,
                 int (*visit)(const struct sp_found_file *, void *, struct sp_error *), void *data,
                 struct sp_error *err);

#endif
