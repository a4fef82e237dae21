/* SPDX-License-Identifier: GPL-3.0-or-later */
/* batch DIRECTORY COUNT: milliseconds that COUNT small files take, durable, written one by one and in
 * batches: "ONE BATCH", each the median of nine rounds in turns. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/bulk.h"
#include "host/fsat.h"
#include "host/replace.h"

#define ROUNDS 9
#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJJYT+ssYYmKoEv/ksDA4uupkwk2oBc70MuLLsXo1iZB somebody\n"

static double now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void name_of(unsigned round, unsigned i, char ret[64])
{
    (void)snprintf(ret, 64, "%u-%u", round, i);
}

static int one_by_one(struct sp_host *h, int dirfd, unsigned round, unsigned count, struct sp_error *err)
{
    const struct sp_replace how = {.mode = 0600, .uid = 0, .gid = 0};
    char name[64];

    for (unsigned i = 0; i < count; i++) {
        name_of(2 * round, i, name);
        if (sp_replace_at(h, dirfd, name, KEY, strlen(KEY), &how, err) < 0)
            return -1;
    }
    return 0;
}

static int in_batches(struct sp_host *h, const char *dir, unsigned round, unsigned count,
                      struct sp_error *err)
{
    _cleanup_(sp_bulk_clear) struct sp_bulk bulk = {.dirfd = -1};
    char name[64];

    if (sp_bulk_open(h, dir, &bulk, err) < 0)
        return -1;
    for (unsigned i = 0; i < count; i++) {
        name_of(2 * round + 1, i, name);
        if (sp_bulk_add(&bulk, name, KEY, strlen(KEY), err) < 0 ||
            ((bulk.n == SP_BULK_MAX || i + 1 == count) && sp_bulk_commit(&bulk, err) < 0))
            return -1;
    }
    return 0;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    unsigned count = argc == 3 ? (unsigned)atoi(argv[2]) : 0;
    double one[ROUNDS], batch[ROUNDS];
    _cleanup_close_ int dirfd = -1;
    struct sp_error err;
    struct sp_host h;

    if (count == 0 || sp_host_open(&h, &err) < 0)
        return 2;
    dirfd = sp_fsat_open_dir(h.root_fd, argv[1], SP_FSAT_NONE, &err);
    for (unsigned round = 0; round < ROUNDS; round++) {
        double start = now_ms(), middle;
        int rc = dirfd >= 0 ? one_by_one(&h, dirfd, round, count, &err) : -1;

        middle = now_ms();
        if (rc < 0 || in_batches(&h, argv[1], round, count, &err) < 0) {
            (void)fprintf(stderr, "batch: %s\n", err.text);
            return 1;
        }
        one[round] = middle - start;
        batch[round] = now_ms() - middle;
    }
    qsort(one, ROUNDS, sizeof(double), by_value);
    qsort(batch, ROUNDS, sizeof(double), by_value);
    (void)printf("%.3f %.3f\n", one[ROUNDS / 2], batch[ROUNDS / 2]);
    sp_host_close(&h);
    return 0;
}
