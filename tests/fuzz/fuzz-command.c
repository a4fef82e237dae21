/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What sshd, cron or a user hands to chroot-bash: the string of -c, the client's own command behind our
 * ForceCommand, other arguments, and variables. The string goes on as it came, byte for byte; of the
 * variables only those of the list, with nothing in them that leads elsewhere. The first byte says which.
 */
#include "fuzz.h"
#include "shells/entry.h"

static const char *const names[] = {"TERM",       "LANG",           "LC_ALL",  "TZ",
                                    "SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY", "SSH_ORIGINAL_COMMAND",
                                    "BASH_ENV",   "LD_PRELOAD",     "PATH",    "HOME",
                                    "SHELL",      "TERMINFO"};
enum { NAMES = sizeof(names) / sizeof(names[0]), ALLOWED = 8 };

static void given(char *text)
{
    char self[] = "chroot-bash", option[] = "-c";
    char *argv[] = {self, option, text, NULL};
    struct sp_entry e = {0};
    struct sp_error err = {0};

    if (sp_streq(text, SP_FORCED_SESSION))
        return;
    REQUIRE(sp_command_read(3, argv, &e, &err) == 0);
    REQUIRE(e.command == text && !e.login);
}

static void forced(const char *text)
{
    static const char ours[] = "for s in /usr/lib/openssh";
    char self[] = "chroot-bash", option[] = "-c", session[] = SP_FORCED_SESSION;
    char *argv[] = {self, option, session, NULL};
    struct sp_entry e = {0};
    struct sp_error err = {0};
    const char *rest;
    bool internal = sp_str_prefix(text, "internal-sftp", &rest) && strchr(" \t", *rest) != NULL;

    REQUIRE(setenv("SSH_ORIGINAL_COMMAND", text, 1) == 0);
    REQUIRE(sp_command_read(3, argv, &e, &err) == 0);
    REQUIRE(getenv("SSH_ORIGINAL_COMMAND") == NULL && e.command != NULL && !e.login);
    REQUIRE(internal ? strncmp(e.command, ours, sizeof(ours) - 1) == 0 && strstr(e.command, rest) != NULL
                     : sp_streq(e.command, text));
    if (internal)
        free((void *)e.command);
}

/* Each line is an argument. */
static void arguments(char *text)
{
    char *argv[5] = {NULL};
    int argc = 0;
    struct sp_entry e = {0};
    struct sp_error err = {0};

    for (char *one = strtok(text, "\n"); one != NULL && argc < 4; one = strtok(NULL, "\n"))
        argv[argc++] = one;
    REQUIRE(unsetenv("SSH_ORIGINAL_COMMAND") == 0);
    if (sp_command_read(argc, argv, &e, &err) < 0) {
        fuzz_refused(&err);
        return;
    }
    REQUIRE(argc == 1 || (argc == 3 && sp_streq(argv[1], "-c")));
    REQUIRE(argc == 3 || e.command == NULL);
}

static void one_variable(const char *line, const char *name, const char *value)
{
    size_t n = strlen(name);

    REQUIRE(strncmp(line, name, n) == 0 && line[n] == '=' && sp_streq(line + n + 1, value));
    if (sp_streq(name, "SSH_ORIGINAL_COMMAND"))
        return;
    REQUIRE(value[0] != '\0' && strlen(value) < 256 && sp_str_is_clean(value, strlen(value)));
    REQUIRE(strstr(value, "../") == NULL && strpbrk(value, "$`\\\"'();&|*?!#~={}[]") == NULL);
    REQUIRE((strncmp(name, "L", 1) != 0 && strcmp(name, "TERM") != 0) || strchr(value, '/') == NULL);
}

static void variable(uint8_t which, const char *value)
{
    struct sp_entry e = {.record = {.home = "/home/site1", .user = "site1"}};
    struct sp_error err = {0};
    const char *name = names[which % NAMES];
    size_t n = 0;

    for (size_t i = 0; i < NAMES; i++)
        REQUIRE(unsetenv(names[i]) == 0);
    REQUIRE(setenv(name, value, 1) == 0);
    REQUIRE(sp_env_make(&e, &err) == 0);
    while (e.env[n] != NULL)
        n++;
    REQUIRE(n == 5 || (n == 6 && which % NAMES < ALLOWED)); /* HOME USER LOGNAME SHELL PATH are ours */
    REQUIRE(sp_streq(e.env[0], "HOME=/home/site1") && sp_streq(e.env[3], "SHELL=/bin/bash") &&
            sp_streq(e.env[4], "PATH=/usr/local/bin:/usr/bin:/bin"));
    if (n == 6)
        one_variable(e.env[5], name, value);
    for (size_t i = 0; i < n; i++)
        free(e.env[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = size > 0 ? fuzz_string(data + 1, size - 1) : NULL;

    if (text == NULL)
        return 0;
    switch (data[0] % 4) {
    case 0:
        given(text);
        break;
    case 1:
        forced(text);
        break;
    case 2:
        arguments(text);
        break;
    default:
        variable(data[0] / 4, text);
    }
    return 0;
}
