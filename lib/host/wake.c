/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/wake.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/spawn.h"
#include "model/when.h"

#define SYSTEMD_RUN "/usr/bin/systemd-run"
#define DEADLINE_MS 5000

void sp_wake_at(struct sp_host *h, int64_t when)
{
    int64_t now = h->ops->now(h);
    char unit[64], at[64], stamp[SP_WHEN_SIZE];
    /* systemd.timer(5): a timer is a minute late, if it may. */
    const char *argv[] = {
        SYSTEMD_RUN,          "--quiet",   "--collect", unit, at, "--timer-property=AccuracySec=1s", "--",
        "/usr/bin/sallyport", "reconcile", NULL};
    _cleanup_(sp_spawn_clear) struct sp_spawn run = {
        .argv = argv, .deadline_ms = DEADLINE_MS, .max_output = 4096};
    struct sp_error ignored;

    if (!h->real || when <= now || when > now + SP_WAKE_AHEAD_S ||
        !sp_fsat_exists(h->root_fd, "/run/systemd/system") || !sp_fsat_exists(h->root_fd, SYSTEMD_RUN))
        return;
    sp_when_format(when, stamp);
    /* One for each second: a unit of that name that is there already is as good. */
    (void)sp_str_format(unit, sizeof(unit), "--unit=sallyport-end-%lld", (long long)when);
    (void)sp_str_format(at, sizeof(at), "--on-calendar=%.10s %.8s UTC", stamp, stamp + 11);
    (void)sp_spawn_run(h, &run, &ignored);
}
