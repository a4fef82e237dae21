/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What one key may do less than its account: a forced command, less forwarding, no terminal. Written as
 * options of authorized_keys (sshd(8)), which sshd lays over its own settings: none of them can widen.
 */
#ifndef SP_MODEL_KEYRULES_H
#define SP_MODEL_KEYRULES_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

enum sp_forwarding { SP_FORWARDING_UNSET, SP_FORWARDING_NONE, SP_FORWARDING_LOCAL, SP_FORWARDING_ALL };

#define SP_KEY_COMMAND_SIZE 1024

struct sp_keyrules {
    char command[SP_KEY_COMMAND_SIZE]; /* "": what the client asks for */
    enum sp_forwarding forwarding;     /* UNSET and ALL: as the account has it */
    bool no_pty;
};

/* All zero but for what says nothing: the key may do what its account may. */
bool sp_keyrules_is_plain(const struct sp_keyrules *r);

/* Clean UTF-8 without control bytes, and no backslash at its end: before the closing quote sshd takes it
 * for an escaped quote, and there is no other way to write it (opt_dequote() of OpenSSH's
 * auth-options.c). err->field names the field. */
int sp_keyrules_check(const struct sp_keyrules *r, struct sp_error *err);

/* Append the options of checked rules, separated by commas, none before the first. */
void sp_keyrules_put(const struct sp_keyrules *r, struct sp_buf *out);

/* One key of two domains: it may do what either allows. NULL, or why that cannot be written: two different
 * commands; *have stays then. */
const char *sp_keyrules_widen(struct sp_keyrules *have, const struct sp_keyrules *more);

/* The command of a request; a copy that is too long or empty is refused, the rest by the check. */
int sp_keyrules_set_command(struct sp_keyrules *r, const char *command, struct sp_error *err);

/* Add "command", "forwarding" and "pty" where they say something; false when out of memory. */
bool sp_keyrules_to_json(const struct sp_keyrules *r, cJSON *object);

#endif
