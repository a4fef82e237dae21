/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One byte too many, closed files, another root: tests/sanitizers and tests/valgrind run it first. Where no
 * report of it arrives, no silence afterwards means anything. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    size_t n = strlen(argv[0]);
    volatile char *copy = malloc(n);

    if (copy == NULL || syscall(SYS_close_range, 0U, ~0U, 0U) < 0 || (argc > 1 && chroot(argv[1]) < 0))
        return 1;
    copy[n] = '\0';
    free((void *)copy);
    return 0;
}
