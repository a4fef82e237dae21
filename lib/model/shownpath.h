/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What of the host a profile may have mounted into jails, beside what is copied: trees outside of /usr and
 * /etc, and the directories of servers' sockets. Whether it is, the configuration says. */
#ifndef SP_MODEL_SHOWNPATH_H
#define SP_MODEL_SHOWNPATH_H

#include <stdbool.h>

#include "base/error.h"

/* A directory two levels deep or more, not where a jail has its own. */
int sp_shownpath_check_tree(const char *path, struct sp_error *err);

/* A socket in a directory that is its server's: /run/mysqld/mysqld.sock, not /run/docker.sock. */
int sp_shownpath_check_socket(const char *path, struct sp_error *err);

/* Is path `dir` itself, or does it lie below? */
bool sp_shownpath_is_within(const char *path, const char *dir);

#endif
