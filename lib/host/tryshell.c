/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/tryshell.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/errand.h"
#include "host/spawn.h"

static int elsewhere(const struct sp_user *u, struct sp_tryshell *t, struct sp_error *err)
{
    struct sp_errand e = {.kind = SP_ERRAND_SHELL, .map = {.uid = u->uid}, .shell = *t};

    if (sp_str_copy(e.name, sizeof(e.name), u->name) < 0)
        return sp_fail(err, SP_E_INTERNAL, 0, "name too long");
    if (sp_errand_run(&e, err) < 0)
        return -1;
    *t = e.shell;
    return 0;
}

int sp_tryshell_run(struct sp_host *h, const struct sp_user *u, struct sp_tryshell *t, struct sp_error *err)
{
    char uid[32], gid[32];
    const char *argv[] = {"/usr/bin/unshare",
                          "--pid",
                          "--fork",
                          "--kill-child",
                          "/usr/bin/prlimit",
                          "--nproc=1024",
                          "--cpu=10",
                          "--core=0",
                          "--fsize=67108864",
                          "/usr/bin/setpriv",
                          uid,
                          gid,
                          "--init-groups",
                          "--inh-caps=-all",
                          "--",
                          u->shell[0] != '\0' ? u->shell : "/bin/sh",
                          "-c",
                          "exec true",
                          NULL};
    _cleanup_(sp_spawn_clear) struct sp_spawn run = {
        .argv = argv, .deadline_ms = t->deadline_ms, .max_output = 4096};

    if (h->real && !sp_errand_is_ours(SP_ERRAND_SHELL))
        return elsewhere(u, t, err);
    if (sp_str_format(uid, sizeof(uid), "--reuid=%u", u->uid) != 0 ||
        sp_str_format(gid, sizeof(gid), "--regid=%u", u->gid) != 0)
        return sp_fail(err, SP_E_INTERNAL, 0, "uid too long");
    if (sp_spawn_run(h, &run, err) < 0)
        return -1;
    t->status = run.status;
    (void)snprintf(t->said, sizeof(t->said), "%s", sp_buf_str(&run.err_out));
    return 0;
}
