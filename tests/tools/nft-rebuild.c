/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * nft-rebuild TIMES MILLISECONDS: read our table and build it anew, whole, so many times and so far apart.
 * What test_firewall.py watches under load; a process for each rebuild would be too slow to be a load.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/nft.h"

static int fail(const char *text)
{
    (void)fprintf(stderr, "nft-rebuild: %s\n", text);
    return 1;
}

int main(int argc, char **argv)
{
    struct sp_host h = {.root_fd = -1, .real = true};
    _cleanup_(sp_nft_ruleset_clear) struct sp_nft_ruleset r = {0};
    _cleanup_(sp_nft_close) struct sp_nft nft = {0};
    struct timespec pause = {0};
    uint64_t times, ms;
    struct sp_error err;

    if (getenv("SALLYPORT_THROWAWAY") == NULL)
        return fail("only inside tests/host");
    if (argc != 3 || sp_str_to_u64(argv[1], 100000, &times) < 0 || sp_str_to_u64(argv[2], 999, &ms) < 0)
        return fail("usage: nft-rebuild TIMES MILLISECONDS");
    pause.tv_nsec = (long)ms * 1000000;
    if (sp_nft_open(&h, &nft, &err) < 0 || sp_nft_read(&nft, time(NULL), &r, NULL, &err) < 0)
        return fail(err.text);
    for (uint64_t i = 0; i < times; i++) {
        if (sp_nft_rebuild(&nft, &r, time(NULL), &err) < 0)
            return fail(err.text);
        (void)nanosleep(&pause, NULL);
    }
    return 0;
}
