/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Step 2: a new environment. ~/.pam_environment and keys with environment= set variables before any shell
 * runs (BASH_ENV, LD_PRELOAD, GCONV_PATH, LOCPATH ...), so nothing is inherited but these, and each of them
 * only if every byte is one that such a value needs.
 */
#include "entry.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define LOCALE LETTERS DIGITS "_.@-" /* no slash: setlocale(3) would take it for a path */

struct rule {
    const char *name;
    const char *allowed; /* NULL: any byte */
    size_t max;
};

static const struct rule rules[] = {
    {"TERM", LETTERS DIGITS "+-._", 64},
    {"LANG", LOCALE, 64},
    {"LC_ADDRESS", LOCALE, 64},
    {"LC_ALL", LOCALE, 64},
    {"LC_COLLATE", LOCALE, 64},
    {"LC_CTYPE", LOCALE, 64},
    {"LC_IDENTIFICATION", LOCALE, 64},
    {"LC_MEASUREMENT", LOCALE, 64},
    {"LC_MESSAGES", LOCALE, 64},
    {"LC_MONETARY", LOCALE, 64},
    {"LC_NAME", LOCALE, 64},
    {"LC_NUMERIC", LOCALE, 64},
    {"LC_PAPER", LOCALE, 64},
    {"LC_TELEPHONE", LOCALE, 64},
    {"LC_TIME", LOCALE, 64},
    {"TZ", LETTERS DIGITS "/_+-,.:<>", 64},
    {"SSH_CLIENT", LETTERS DIGITS ".:% -", 128}, /* addresses and ports; "UNKNOWN" */
    {"SSH_CONNECTION", LETTERS DIGITS ".:% -", 256},
    {"SSH_TTY", LETTERS DIGITS "/", 64},
    /* The client's own command, for keys with command= (rrsync, git-shell, borg). It is as free as the
     * string of -c, and no program runs it unasked. Linux takes no longer string (MAX_ARG_STRLEN). */
    {"SSH_ORIGINAL_COMMAND", NULL, 131072},
};

static bool fits(const struct rule *rule, const char *value)
{
    size_t n = strnlen(value, rule->max);

    if (n == 0 || n == rule->max || strstr(value, "../") != NULL)
        return rule->allowed == NULL && n > 0 && n < rule->max;
    return rule->allowed == NULL || value[strspn(value, rule->allowed)] == '\0';
}

static int put(struct sp_entry *e, const char *name, const char *value, struct sp_error *err)
{
    size_t size = strlen(name) + strlen(value) + 2, n = 0;
    char *line = malloc(size);

    while (e->env[n] != NULL)
        n++;
    if (line == NULL || n + 1 >= SP_ENV_MAX || sp_str_format(line, size, "%s=%s", name, value) < 0) {
        free(line);
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    }
    e->env[n] = line;
    return 0;
}

int sp_env_make(struct sp_entry *e, struct sp_error *err)
{
    const struct {
        const char *name, *value;
    } fixed[] = {
        {"HOME", e->record.home},
        {"USER", e->record.user},
        {"LOGNAME", e->record.user},
        {"SHELL", "/bin/bash"}, /* what the jail has */
        {"PATH", "/usr/local/bin:/usr/bin:/bin"},
    };

    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        if (put(e, fixed[i].name, fixed[i].value, err) < 0)
            return -1;
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        const char *value = getenv(rules[i].name);
        if (value != NULL && fits(&rules[i], value) && put(e, rules[i].name, value, err) < 0)
            return -1;
    }
    return 0;
}
