/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keycheck FILE...: microseconds that one judgement of the public key in each FILE takes: the median of 31
 * batches. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "model/sshkey.h"

#define BATCH 200
#define BATCHES 31

static double now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int check(const char *text, size_t len)
{
    _cleanup_(sp_sshkey_clear) struct sp_sshkey key = {0};
    struct sp_error err;

    return sp_sshkey_parse(text, len, &key, NULL, &err);
}

static int time_one(const char *path)
{
    double batches[BATCHES];
    char text[65536];
    FILE *f = fopen(path, "re");
    size_t len = f != NULL ? fread(text, 1, sizeof(text), f) : 0;

    if (f == NULL || fclose(f) != 0 || check(text, len) < 0) /* the warm-up too */
        return -1;
    for (int b = 0; b < BATCHES; b++) {
        double start = now_us();
        for (int i = 0; i < BATCH; i++)
            if (check(text, len) < 0)
                return -1;
        batches[b] = (now_us() - start) / BATCH;
    }
    qsort(batches, BATCHES, sizeof(double), by_value);
    (void)printf("%s\t%.3f\n", path, batches[BATCHES / 2]);
    return 0;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (time_one(argv[i]) < 0) {
            (void)fprintf(stderr, "keycheck: %s\n", argv[i]);
            return 1;
        }
    return 0;
}
