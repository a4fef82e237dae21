/* SPDX-License-Identifier: GPL-3.0-or-later */
/* shells SHELL USER: one login shell, as a library call in a process of its own, like usermod -s.
 * shells SHELL: the shell of every account of uid 10000 and more, in one call. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/userdb.h"

#define MAX_USERS 20000

static int one(struct sp_host *h, const char *shell, const char *user, struct sp_error *err)
{
    struct sp_user u;

    return sp_userdb_get(h, user, &u, err) < 0 ? -1 : sp_userdb_set_shell(h, user, u.uid, shell, err);
}

static int all(struct sp_host *h, const char *shell, struct sp_error *err)
{
    static char names[MAX_USERS][64];
    static const char *users[MAX_USERS], *shells[MAX_USERS];
    static uid_t uids[MAX_USERS];
    FILE *passwd = fopen("/etc/passwd", "re");
    char line[1024];
    size_t n = 0;

    if (passwd == NULL)
        return sp_fail(err, SP_E_IO, 0, "no /etc/passwd");
    while (n < MAX_USERS && fgets(line, sizeof(line), passwd) != NULL) {
        const char *name_end = strchr(line, ':'),
                   *uid = name_end != NULL ? strchr(name_end + 1, ':') : NULL;
        if (uid == NULL || (size_t)(name_end - line) >= sizeof(names[n]))
            continue;
        uids[n] = (uid_t)strtoul(uid + 1, NULL, 10);
        if (uids[n] < 10000 || uids[n] == 65534)
            continue;
        memcpy(names[n], line, (size_t)(name_end - line)); /* static: a NUL is behind it */
        users[n] = names[n];
        shells[n++] = shell;
    }
    (void)fclose(passwd);
    return sp_userdb_set_shells(h, users, uids, shells, n, err);
}

int main(int argc, char **argv)
{
    struct sp_host h = {.root_fd = -1};
    struct sp_error err;
    int rc;

    if (argc < 2 || sp_host_open(&h, &err) < 0)
        return 2;
    rc = argc > 2 ? one(&h, argv[1], argv[2], &err) : all(&h, argv[1], &err);
    if (rc < 0)
        (void)fprintf(stderr, "shells: %s\n", err.text);
    sp_host_close(&h);
    return rc < 0;
}
