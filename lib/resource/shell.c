/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The login shell in passwd(5). */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "resource/resource.h"

/* `none`, like giving the account up, is the shell that stood before us: what else uses it (cron, su) goes
 * on as it did. */
static const char *before_us(const struct sp_ctx *c)
{
    bool known = c->original_shell[0] != '\0' && !sp_streq(c->original_shell, SP_CHROOT_BASH);

    return known ? c->original_shell : "/bin/false";
}

static const char *shell_wanted(const struct sp_ctx *c)
{
    if (sp_ctx_absent(c))
        return c->applied->shell == SP_SHELL_UNSET && sp_account_is_empty(c->applied) ? NULL : before_us(c);
    switch (c->desired->shell) {
    case SP_SHELL_BASH:
        return SP_BASH;
    case SP_SHELL_CHROOT:
        return SP_CHROOT_BASH;
    case SP_SHELL_NONE:
        return before_us(c);
    default:
        return NULL;
    }
}

int sp_shell_check(struct sp_host *h, const char *shell, struct sp_error *err)
{
    _cleanup_close_ int fd = -1;
    struct stat st;

    if (!h->real) /* a directory that plays the host has no programs */
        return 0;
    fd = sp_fsat_open(h->root_fd, shell, O_PATH, 0, SP_FSAT_FOLLOW, err);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111) == 0111)
        return 0;
    sp_fail(err, SP_E_UNSUPPORTED, 0, "the shell %s is missing, or is no program", shell);
    sp_hint(err, "install what brings it: with a missing shell sshd lets nobody in");
    return sp_field(err, "shell");
}

static int shell_plan(const struct sp_ctx *c, struct sp_plan *p, struct sp_error *err)
{
    const char *wanted = c->user != NULL ? shell_wanted(c) : NULL;
    int before, after;
    struct sp_change *change;

    if (wanted == NULL || sp_streq(wanted, c->user->shell))
        return 0;
    before = sp_loginshell_width(c->user->shell);
    after = sp_loginshell_width(wanted);
    change = sp_plan_add(p, &sp_resource_shell, after < before ? SP_NARROW : SP_WIDEN,
                         after < before ? SP_TIGHTENS : SP_LOOSENS, 0, err);
    if (change == NULL)
        return -1;
    (void)sp_str_copy(change->target, sizeof(change->target), c->user->name);
    (void)snprintf(change->from, sizeof(change->from), "%.511s", c->user->shell);
    (void)snprintf(change->to, sizeof(change->to), "%.511s", wanted);
    return 0;
}

static int shell_apply(const struct sp_ctx *c, const struct sp_plan *p, enum sp_phase phase,
                       struct sp_error *err)
{
    for (size_t i = 0; i < p->n; i++) {
        const char *to = p->v[i].to;
        if (p->v[i].resource != &sp_resource_shell)
            continue;
        /* Asked before anything is touched. The shell that stood before us goes back whatever it is. */
        if (phase == SP_PREPARE && (sp_streq(to, SP_BASH) || sp_streq(to, SP_CHROOT_BASH)) &&
            !sp_streq(to, c->original_shell) && sp_shell_check(c->host, to, err) < 0)
            return -1;
        if (p->v[i].phase == phase)
            return sp_userdb_set_shell(c->host, c->user->name, c->user->uid, to, err);
    }
    return 0;
}

static int shell_read_back(const struct sp_ctx *c, struct sp_change *change, struct sp_error *err)
{
    struct sp_user now;

    if (sp_userdb_get(c->host, change->target, &now, err) < 0)
        return -1;
    (void)snprintf(change->read_back, sizeof(change->read_back), "%.511s", now.shell);
    return 0;
}

const struct sp_resource sp_resource_shell = {"shell", shell_plan, shell_apply, shell_read_back, NULL};
