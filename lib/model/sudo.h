/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an account may run by sudo(8): named templates of the administrator's, /etc/sallyport/sudo.d/NAME,
 * and the sudoers(5) text that they come out as. A request names templates, never a command.
 *
 *     # reload the site's PHP
 *     runas root
 *     command /usr/bin/systemctl reload php8.2-fpm
 *
 * Commands are exact: no wildcard, no pattern, no negation, and one without arguments takes none.
 */
#ifndef SP_MODEL_SUDO_H
#define SP_MODEL_SUDO_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "model/name.h"

#define SP_SUDO_MAX 16
#define SP_SUDO_NAME_SIZE 32
#define SP_SUDO_COMMAND_SIZE 1024

struct sp_sudo {
    char names[SP_SUDO_MAX][SP_SUDO_NAME_SIZE]; /* of templates: sorted, unique */
    size_t n;
};

bool sp_sudo_has(const struct sp_sudo *s, const char *name);

/* An array of names; `ret` is replaced. */
int sp_sudo_from_json(const cJSON *array, struct sp_sudo *ret, struct sp_error *err);
cJSON *sp_sudo_to_json(const struct sp_sudo *s); /* NULL when out of memory */

/* Each command of a template, in order: `program` is its path alone. Stops at the first that is not 0. */
struct sp_sudo_rule {
    char runas[SP_USER_SIZE];
    char program[SP_PATH_SIZE];
    char command[SP_SUDO_COMMAND_SIZE]; /* as the template has it */
};
int sp_sudo_each(const char *bytes, size_t len, int (*visit)(const struct sp_sudo_rule *, void *),
                 void *data, struct sp_error *err);

/* Append the line that lets `user` run it without a password. Checks user and rule again. */
int sp_sudo_format(const char *user, const struct sp_sudo_rule *rule, struct sp_buf *out,
                   struct sp_error *err);

#endif
