/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * SELinux labels. libselinux is loaded with dlopen(3), and only where the kernel has a policy, so that
 * start-up costs nothing elsewhere. base only.
 */
#ifndef SP_HOST_LABEL_H
#define SP_HOST_LABEL_H

#include <stdbool.h>

#include "base/error.h"

/* Is a policy loaded here? */
bool sp_label_on(void);

/* Give fd the label that the policy's file contexts have for `path` (absolute, the place where the file
 * will stand). No policy, a path without a context, a filesystem without labels: success, nothing done. fd
 * must be open for reading or writing, not O_PATH. */
int sp_label_set(int fd, const char *path, struct sp_error *err);

/* The same, the place being NAME in the directory dirfd. */
int sp_label_set_at(int fd, int dirfd, const char *name, struct sp_error *err);

/* Give `to` the label of `from`; false if `from` has none. */
int sp_label_copy(int from, int to, bool *ret_copied, struct sp_error *err);

#endif
