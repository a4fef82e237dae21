/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sshd's configuration files as text, and what they make an answer depend on. */
#ifndef SP_RESOURCE_SSHD_FILES_H
#define SP_RESOURCE_SSHD_FILES_H

#include <sys/types.h>

#include <sha2.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "resource/resource.h"

#define SP_SSHD_CONFIG_DIR "/etc/ssh/sshd_config.d"

/* The main file, then those of SP_SSHD_CONFIG_DIR in the order in which Include takes them, ours and
 * backups too. Stops at the first answer that is not 0 and returns it. A directory that cannot be looked at
 * may hold any: then path is NULL. */
typedef int sp_sshd_visit_file(const struct sp_ctx *c, const char *path, void *data);
int sp_sshd_each_file(const struct sp_ctx *c, sp_sshd_visit_file *visit, void *data);

struct sp_sshd_line {
    const char *file;
    size_t number;               /* from 1 */
    const char *keyword, *value; /* in the file's own case; keyword NULL: the file cannot be read */
    bool is_blind;               /* for a reason of the host's own: then it may say anything */
};

/* Call `visit` for each setting of the main file and of those beside our drop-in, ours left out; Match and
 * Include are settings too. Stops at its first answer that is not 0 and returns it. */
int sp_sshd_each_line(const struct sp_ctx *c, int (*visit)(const struct sp_sshd_line *, void *),
                      void *data);

/* Up to two places, "FILE:LINE, FILE:LINE", that set `keyword` (to `value`, where that is given). False:
 * none is known. _find: 0 with "" when there is none, -1 when a file could not be looked at. */
#define SP_SSHD_WHERE 160
int sp_sshd_find(const struct sp_ctx *c, const char *keyword, const char *value, char out[SP_SSHD_WHERE],
                 struct sp_error *err);
bool sp_sshd_where(const struct sp_ctx *c, const char *keyword, const char *value, char out[SP_SSHD_WHERE]);

/* Append the main file's text, with what it includes of that directory named one by one, but ours. */
int sp_sshd_without_ours(const struct sp_ctx *c, struct sp_buf *out, struct sp_error *err);

/* Mix into a hash what tells one version of the files from the next: inode, size, time. */
enum sp_sshd_whose { SP_SSHD_ALL_FILES, SP_SSHD_NOT_OURS };
void sp_sshd_mix_files(const struct sp_ctx *c, enum sp_sshd_whose whose, SHA2_CTX *sum);
void sp_sshd_mix(const struct sp_ctx *c, const char *path, SHA2_CTX *sum);

#endif
