/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The attacker of the races: swap A B exchanges two names until it is killed. `swap A` renames A away and
 * back again. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    char away[4096];

    if (argc < 2)
        return 2;
    (void)snprintf(away, sizeof(away), "%s.away", argv[1]);
    for (unsigned long i = 0;; i++) {
        if (argc > 2)
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
