/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The attacker of the races, until it is killed: `swap A B` exchanges two names, `swap A` renames A away
 * and back again, `swap --mount A B` mounts A on B and takes it away. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    char away[4096];

    if (argc < 2)
        return 2;
    (void)snprintf(away, sizeof(away), "%s.away", argv[1]);
    for (unsigned long i = 0;; i++) {
        if (argc > 3 && strcmp(argv[1], "--mount") == 0) {
            (void)mount(argv[2], argv[3], NULL, MS_BIND, NULL);
            (void)usleep(500); /* a mount that goes away takes the kernel longer than that */
            (void)umount2(argv[3], MNT_DETACH);
        } else if (argc > 2)
            (void)renameat2(AT_FDCWD, argv[1], AT_FDCWD, argv[2], RENAME_EXCHANGE);
        else if (renameat2(AT_FDCWD, argv[1], AT_FDCWD, away, RENAME_NOREPLACE) == 0)
            (void)renameat2(AT_FDCWD, away, AT_FDCWD, argv[1], RENAME_NOREPLACE);
        (void)usleep(30); /* without a pause nobody else gets a lookup done: they all begin again */
        if (i == 100) {   /* it runs: both names have been seen both ways */
            (void)printf("ready\n");
            (void)fflush(stdout);
        }
    }
}
