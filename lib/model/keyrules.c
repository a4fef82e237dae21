/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/keyrules.h"

#include <string.h>

#include "base/str.h"
#include "model/account.h"

/* What sshd knows as options. A listening port for -R cannot be forbidden by itself: permitlisten= wants
 * a port from 1 on, and 1 is none that a user can bind. */
static const char *const closed[] = {
    [SP_FORWARDING_UNSET] = "",
    [SP_FORWARDING_NONE] = "no-port-forwarding,no-agent-forwarding,no-X11-forwarding",
    [SP_FORWARDING_LOCAL] = "permitlisten=\"localhost:1\",no-agent-forwarding,no-X11-forwarding",
    [SP_FORWARDING_ALL] = "",
};

bool sp_keyrules_is_plain(const struct sp_keyrules *r)
{
    return r->command[0] == '\0' && !r->no_pty && closed[r->forwarding][0] == '\0';
}

int sp_keyrules_check(const struct sp_keyrules *r, struct sp_error *err)
{
    size_t n = strnlen(r->command, sizeof(r->command));

    if (r->forwarding > SP_FORWARDING_ALL) {
        sp_fail(err, SP_E_INVALID, 0, "no such forwarding");
        return sp_field(err, "forwarding");
    }
    if (n == sizeof(r->command))
        sp_fail(err, SP_E_INVALID, 0, "the command is longer than %d bytes", SP_KEY_COMMAND_SIZE - 1);
    else if (!sp_str_is_clean(r->command, n))
        sp_fail(err, SP_E_INVALID, 0, "a control byte in the command, or bytes that are no UTF-8");
    else if (n > 0 && r->command[n - 1] == '\\')
        sp_fail(err, SP_E_INVALID, 0, "authorized_keys can write no command that ends in a backslash");
    else
        return 0;
    sp_hint(err, "put what it does into a script, and name the script");
    return sp_field(err, "command");
}

static void put_command(const char *command, struct sp_buf *out)
{
    sp_buf_puts(out, "command=\"");
    for (const char *p = command; *p != '\0'; p++) {
        if (*p == '"')
            sp_buf_puts(out, "\\");
        sp_buf_add(out, p, 1);
    }
    sp_buf_puts(out, "\"");
}

void sp_keyrules_put(const struct sp_keyrules *r, struct sp_buf *out)
{
    const char *separator = "";

    if (r->command[0] != '\0') {
        put_command(r->command, out);
        separator = ",";
    }
    if (closed[r->forwarding][0] != '\0') {
        sp_buf_printf(out, "%s%s", separator, closed[r->forwarding]);
        separator = ",";
    }
    if (r->no_pty)
        sp_buf_printf(out, "%sno-pty", separator);
}

/* NONE < LOCAL < what the account has. */
static int width(enum sp_forwarding f)
{
    return f == SP_FORWARDING_UNSET ? SP_FORWARDING_ALL : (int)f;
}

const char *sp_keyrules_widen(struct sp_keyrules *have, const struct sp_keyrules *more)
{
    if (have->command[0] != '\0' && more->command[0] != '\0' && !sp_streq(have->command, more->command))
        return "another domain of the account forces another command on it";
    if (more->command[0] == '\0')
        have->command[0] = '\0';
    if (width(more->forwarding) > width(have->forwarding))
        have->forwarding = more->forwarding;
    have->no_pty = have->no_pty && more->no_pty;
    return NULL;
}

int sp_keyrules_set_command(struct sp_keyrules *r, const char *command, struct sp_error *err)
{
    struct sp_keyrules one = {0};

    if (command[0] == '\0') {
        sp_fail(err, SP_E_INVALID, 0, "it is empty");
        return sp_hint(err, "leave it out: then the key may run what it asks for");
    }
    if (sp_str_copy(one.command, sizeof(one.command), command) < 0) {
        sp_fail(err, SP_E_INVALID, 0, "longer than %d bytes", SP_KEY_COMMAND_SIZE - 1);
        return sp_hint(err, "put what it does into a script, and name the script");
    }
    if (sp_keyrules_check(&one, err) < 0) {
        err->field[0] = '\0'; /* relative to this value */
        return -1;
    }
    return sp_str_copy(r->command, sizeof(r->command), command);
}

bool sp_keyrules_to_json(const struct sp_keyrules *r, cJSON *object)
{
    return (r->command[0] == '\0' || cJSON_AddStringToObject(object, "command", r->command) != NULL) &&
           (r->forwarding == SP_FORWARDING_UNSET ||
            cJSON_AddStringToObject(object, "forwarding", sp_forwarding_name(r->forwarding)) != NULL) &&
           (!r->no_pty || cJSON_AddFalseToObject(object, "pty") != NULL);
}
