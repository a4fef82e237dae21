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

/* The policy's file contexts, NULL until they are wanted: reading them takes longer than all the rest of a
 * request, and longer than a home is waited for on a slow machine. */
struct sp_labels;
/* Reads them, once; nothing where there is no policy. Whoever forks for a home does it before. */
int sp_label_open(struct sp_labels **l, struct sp_error *err);
void sp_label_close(struct sp_labels **l);

/* Give fd the label that the policy's file contexts have for `path` (absolute, the place where the file
 * will stand). No policy, a path without a context, a filesystem without labels: success, nothing done. fd
 * must be open for reading or writing, not O_PATH. */
int sp_label_set(struct sp_labels **l, int fd, const char *path, struct sp_error *err);

/* The same, the place being NAME in the directory dirfd. */
int sp_label_set_at(struct sp_labels **l, int fd, int dirfd, const char *name, struct sp_error *err);

/* Give `to` the label of `from`; false if `from` has none. */
int sp_label_copy(int from, int to, bool *ret_copied, struct sp_error *err);

#endif
