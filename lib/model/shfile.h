/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What another program made of shadow(5) is held against what stood there before. pam_unix writes the file
 * anew from the lines that it reads: a read error, or no memory, is the end of the file to it, and what
 * comes behind is gone; so is a line that it cannot read.
 */
#ifndef SP_MODEL_SHFILE_H
#define SP_MODEL_SHFILE_H

#include "base/buf.h"
#include "model/pwline.h"

struct sp_shfile {
    struct sp_slice before, now; /* of shadow */
    struct sp_slice passwd;      /* who is there at all: another's removal is not undone */
    const char *user;            /* whose password was changed */
};

/* Puts into `out` the file as it is now and, in their places, the lines that were lost; where the
 * user's lost its dates, those of before stand behind the new password. *ret_lost: how many lines; 0: `out`
 * is as it is now. */
int sp_shfile_keep(const struct sp_shfile *f, struct sp_buf *out, size_t *ret_lost, struct sp_error *err);

#endif
