/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Generations by hand, for tests/root and tests/bench: generation check|ensure|collect|dev|closure
 * PROFILE.profile... Prints what came of it as words "name=value". Changes the machine it runs on.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/closure.h"
#include "host/generation.h"

enum { MAX_PROFILES = 8 };

static int say(const struct sp_error *err)
{
    (void)fprintf(stderr, "%s: %s\n%s\n", sp_code_name(err->code), err->text, err->hint);
    return sp_code_exit(err->code);
}

static int load(const char *path, struct sp_profile *ret, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    const char *slash = strrchr(path, '/');
    char name[64];

    if (fd < 0)
        return sp_fail(err, SP_E_NOT_FOUND, errno, "%s", path);
    (void)sp_str_format(name, sizeof(name), "%.*s", (int)strlen(slash ? slash + 1 : path) - 8,
                        slash ? slash + 1 : path); /* ".profile" */
    if (sp_buf_read_fd(&text, fd, 65536, 0, err) < 0)
        return -1;
    return sp_profile_parse(name, sp_buf_str(&text), text.len, ret, err);
}

static double now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int run(struct sp_host *h, const char *verb, const struct sp_profile *const *profiles, size_t n,
               struct sp_error *err)
{
    _cleanup_(sp_manifest_clear) struct sp_manifest m = {0};
    struct sp_generation g = {0};
    double start = now_ms();
    char set[256] = "";
    bool current = false;
    int r = -1;

    if (n > 0 && sp_generation_set_name(profiles, n, set, err) < 0)
        return -1;
    if (sp_streq(verb, "ensure"))
        r = sp_generation_ensure(h, set, profiles, n, SP_GENERATION_SOURCES, &g, err);
    else if (sp_streq(verb, "check"))
        r = sp_generation_check(h, set, profiles, n, SP_GENERATION_SOURCES, &current, &g, err);
    else if (sp_streq(verb, "collect"))
        r = sp_generation_collect(h, err);
    else if (sp_streq(verb, "dev"))
        r = sp_generation_ensure_dev(h, err);
    else if (sp_streq(verb, "closure"))
        r = sp_closure_collect(h, profiles, n, &m, err);
    else
        (void)sp_fail(err, SP_E_METHOD, 0, "no such verb: %s", verb);
    for (size_t i = 0; i < m.n; i++)
        printf("%c %s\n", m.entries[i].kind, m.entries[i].path);
    if (r == 0)
        printf("set=%s\nhash=%s\nbuilt=%d\ncurrent=%d\nfiles=%zu\nms=%.2f\nmissing=%s\n", g.set, g.hash,
               g.built, current, g.n_files, now_ms() - start, g.missing);
    return r;
}

int main(int argc, char **argv)
{
    struct sp_profile owned[MAX_PROFILES] = {0};
    const struct sp_profile *profiles[MAX_PROFILES];
    struct sp_host h;
    struct sp_error err;
    size_t n = 0;
    int r = argc > 1 ? 0 : 64;

    if (r == 0 && sp_host_open(&h, &err) < 0)
        return say(&err);
    for (int i = 2; r == 0 && i < argc && n < MAX_PROFILES; i++) {
        profiles[n] = &owned[n];
        r = load(argv[i], &owned[n], &err) < 0 ? say(&err) : 0;
        n++;
    }
    if (r == 0)
        r = run(&h, argv[1], profiles, n, &err) < 0 ? say(&err) : 0;
    for (size_t i = 0; i < n; i++)
        sp_profile_clear(&owned[i]);
    if (argc > 1)
        sp_host_close(&h);
    return r;
}
