/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Step 1: what is asked for. It is bash's to read, so it is handed on as it came. */
#include "entry.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"

/* sftp-server takes the options of internal-sftp. Which of these a jail has depends on the host's family.
 */
#define SFTP_SERVER                                                                                        \
    "for s in /usr/lib/openssh /usr/libexec/openssh /usr/lib/ssh; do test -x $s/sftp-server && exec "      \
    "$s/sftp-server%s; done; echo no sftp-server in the jail >&2; exit 127"

/* Our ForceCommand: what sshd would have done without it. No command: a login shell. internal-sftp, by the
 * name that sshd gives it (IS_INTERNAL_SFTP): the program, inside. Anything else: itself. */
static int read_forced(struct sp_entry *e, struct sp_error *err)
{
    static const char internal[] = "internal-sftp";
    const char *asked = getenv("SSH_ORIGINAL_COMMAND"), *rest;
    char *line = NULL;

    e->command = asked;
    e->login = asked == NULL;
    if (asked != NULL && sp_str_prefix(asked, internal, &rest) &&
        (*rest == '\0' || *rest == ' ' || *rest == '\t')) {
        if (asprintf(&line, SFTP_SERVER, rest) < 0) /* kept until exec, as the environment is */
            return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
        e->command = line;
    }
    (void)unsetenv(
        "SSH_ORIGINAL_COMMAND"); /* it is the command, and no key's command= is there to read it */
    return 0;
}

/* No argument, or "-c STRING": what sshd, su, cron and sudo -i give. The string is bash's to read. */
int sp_command_read(int argc, char **argv, struct sp_entry *e, struct sp_error *err)
{
    if (argc < 1 || argv[0] == NULL || argv[0][0] == '\0') /* execve(2) allows an empty argv before 5.18 */
        return sp_fail(err, SP_E_INVALID, 0, "called without a name");
    e->argv = argv;
    e->login = argv[0][0] == '-';
    if (argc == 3 && sp_streq(argv[1], "-c"))
        e->command = argv[2];
    else if (argc != 1) {
        sp_fail(err, SP_E_INVALID, 0, "takes no argument but -c STRING");
        return sp_hint(err, "run a script as: -c 'bash SCRIPT'");
    }
    if (e->command != NULL && sp_streq(e->command, SP_FORCED_SESSION))
        return read_forced(e, err);
    return 0;
}
