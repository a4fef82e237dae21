/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Host-wide and made once: the groups, and the one drop-in of sshd's that speaks of them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/layout.h"
#include "host/lock.h"
#include "host/proctable.h"
#include "host/replace.h"
#include "host/spawn.h"
#include "resource/globalkeys.h"
#include "resource/keys.h"
#include "resource/resource.h"
#include "resource/sshd-certs.h"
#include "resource/sshd-exceptions.h"
#include "resource/sshd.h"

#define PID_FILE "/run/sshd.pid"
#define RELOAD_DEADLINE_MS 1000
#define LOCK_DEADLINE_MS 20000

enum { TRIES = 3 };

enum { GROUPS, DROPIN };

static const char *const group_names[] = {SP_GROUP_ALL,     SP_GROUP_CHROOT, SP_GROUP_NONE,
                                          SP_GROUP_KEYONLY, SP_GROUP_BOTH,   SP_GROUP_NOFORWARD,
                                          SP_GROUP_FORWARD};

/* What most accounts have is said of them all: a login reads every member of each of its groups a dozen
 * times. */
static const char dropin_head[] =
    "# sallyport: what hosted accounts may do over SSH. Written by sallyport; see sallyport-security(7).\n"
    "# It names groups only: accounts come and go without a reload.\n"
    "DenyGroups " SP_GROUP_NONE "\n";

static const char dropin_all[] = "Match Group " SP_GROUP_ALL
                                 "\n"
                                 "\tAllowTcpForwarding local\n"
                                 "\tAllowStreamLocalForwarding no\n"
                                 "\tGatewayPorts no\n"
                                 "\tPermitTunnel no\n"
                                 "\tX11Forwarding no\n";

/* The login shell runs a forced command by -c: chroot-bash knows this one, and runs what was asked for. */
static const char dropin_internal[] =
    "# This sshd serves sftp itself (internal-sftp), outside any jail: jailed accounts get theirs inside.\n"
    "Match Group " SP_GROUP_CHROOT
    "\n"
    "\tForceCommand " SP_FORCED_SESSION "\n";

int sp_sshd_dropin(const struct sp_ctx *ctx, enum sp_sftp sftp, const struct sp_buf *have,
                   struct sp_buf *out, struct sp_error *err)
{
    const struct sp_config *c = ctx->config;

    sp_buf_puts(out, dropin_head);
    if (sp_sshd_exceptions(ctx, have, out, err) < 0)
        return -1;
    sp_buf_puts(out, dropin_all);
    sp_globals_lines(ctx,
                     c->key_store == SP_KEY_STORE_HOME      ? ""
                     : c->foreign_keys == SP_FOREIGN_REFUSE ? SP_KEYS_ROOT_DIR "/%u"
                                                            : SP_KEYS_ROOT_DIR "/%u " SP_KEYS_HOME_FILE,
                     out);
    sp_sshd_certs_lines(ctx, out);
    if (sftp == SP_SFTP_INTERNAL)
        sp_buf_puts(out, dropin_internal);
    sp_buf_puts(out, "Match all\n");
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* The text for this host. An sshd that refuses its files answers nothing: then the drop-in stays of the
 * kind that it is, so that access can be withdrawn all the same. */
static int wanted_dropin(const struct sp_ctx *c, const struct sp_buf *have, struct sp_buf *out,
                         struct sp_error *err)
{
    enum sp_sftp sftp;
    struct sp_error ignored;

    if (sp_sshd_sftp(c, &sftp, &ignored) < 0)
        sftp = strstr(sp_buf_str(have), SP_FORCED_SESSION) != NULL ? SP_SFTP_INTERNAL : SP_SFTP_PROGRAM;
    return sp_sshd_dropin(c, sftp, have, out, err);
}

static int groups_missing(const struct sp_ctx *c, size_t *ret, struct sp_error *err)
{
    bool ignored = false;

    *ret = 0;
    for (size_t i = 0; i < SP_COUNT(group_names); i++) {
        if (sp_userdb_group_is_just(c->host, group_names[i], "", &ignored, err) == 0)
            continue;
        if (err->code != SP_E_NOT_FOUND)
            return -1;
        ++*ret;
    }
    return 0;
}

static int dropin_is_right(const struct sp_ctx *c, bool *ret_exists, bool *ret_right, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf have = {0}, want = {0};
    struct stat st;

    *ret_exists = *ret_right = false;
    if (sp_fsat_read(c->host->root_fd, SP_SSHD_DROPIN, 65536, &have, &st, err) < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    *ret_exists = true;
    if (wanted_dropin(c, &have, &want, err) < 0)
        return -1;
    *ret_right = have.len == want.len && memcmp(have.data, want.data, want.len) == 0 &&
                 (!c->host->real || (st.st_uid == 0 && (st.st_mode & 022) == 0));
    return 0;
}

/* While sshd refuses its files nothing can be given. What takes away needs no other drop-in than the one
 * that stands: DenyGroups is in each. */
static bool must_wait(const struct sp_ctx *c)
{
    _cleanup_(sp_buf_clear) struct sp_buf shown = {0};
    struct sp_error ignored;

    return (c->thorough || sp_ctx_shut(c)) &&
           sp_sshd_effective(c->host, c->config, NULL, &shown, &ignored) < 0;
}

static int policy_plan(const struct sp_ctx *c, struct sp_plan *p, struct sp_error *err)
{
    bool exists = false, right = false;
    struct sp_change *change;
    size_t missing = 0;

    if (sp_ctx_absent(c))
        return 0;
    if (groups_missing(c, &missing, err) < 0 || dropin_is_right(c, &exists, &right, err) < 0)
        return -1;
    if (missing > 0) {
        change = sp_plan_add(p, &sp_resource_policy, SP_PREPARE, SP_NEUTRAL, GROUPS, err);
        if (change == NULL)
            return -1;
        (void)sp_str_copy(change->target, sizeof(change->target), "groups of sshd's policy");
        (void)sp_str_format(change->from, sizeof(change->from), "%zu missing", missing);
        (void)sp_str_copy(change->to, sizeof(change->to), "there");
    }
    if (right || (exists && must_wait(c)))
        return 0;
    change = sp_plan_add(p, &sp_resource_policy, SP_PREPARE, SP_TIGHTENS, DROPIN, err);
    if (change == NULL)
        return -1;
    (void)sp_str_copy(change->target, sizeof(change->target), SP_SSHD_DROPIN);
    (void)sp_str_copy(change->from, sizeof(change->from), exists ? "different" : "");
    return sp_str_copy(change->to, sizeof(change->to), "written");
}

/* On SIGHUP sshd takes its pid file away, and writes it anew when it listens with the new policy. Until
 * then a login goes by the old one, or is refused: wait for it, but not for an sshd that hangs. */
static void wait_reloaded(struct sp_host *h, const struct stat *before)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    struct stat now;

    for (unsigned i = 0; i < RELOAD_DEADLINE_MS / 2; i++) {
        (void)nanosleep(&pause, NULL);
        if (fstatat(h->root_fd, &PID_FILE[1], &now, AT_SYMLINK_NOFOLLOW) == 0 && now.st_size > 0 &&
            (now.st_ino != before->st_ino || now.st_mtim.tv_sec != before->st_mtim.tv_sec ||
             now.st_mtim.tv_nsec != before->st_mtim.tv_nsec))
            return;
    }
}

/* The master reads its files again on SIGHUP. Only a process that is this host's sshd gets one;
 * socket-activated ones need none. -1: which it is could not be looked at, and the old policy is in force.
 */
static int reload_sshd(struct sp_host *h, const char *sshd, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    char path[64], exe[SP_PATH_SIZE];
    struct stat st;
    uint64_t pid = 0;
    ssize_t n;

    if (!h->real)
        return 0;
    if (sp_fsat_read(h->root_fd, PID_FILE, 64, &text, &st, err) < 0)
        return sp_error_is_blind(err) ? -1 : 0;
    if (text.len > 0 && text.data[text.len - 1] == '\n')
        text.data[--text.len] = '\0';
    if (sp_str_to_u64(sp_buf_str(&text), INT32_MAX, &pid) < 0 || pid < 2)
        return 0;
    (void)sp_str_format(path, sizeof(path), "proc/%llu/exe", (unsigned long long)pid);
    n = readlinkat(h->root_fd, path, exe, sizeof(exe) - 1);
    if (n < 0 && sp_proctable_is_blind(errno))
        return sp_fail(err, SP_E_IO, errno, "cannot tell whether process %llu is sshd",
                       (unsigned long long)pid);
    exe[n > 0 ? n : 0] = '\0';
    if (sp_streq(exe, sshd) && kill((pid_t)pid, SIGHUP) == 0)
        wait_reloaded(h, &st);
    return 0;
}

/* In drop-ins of before, forwarding was off but for the members of sallyport-local. 1: it is one. */
static int is_of_before(struct sp_host *h, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};

    if (sp_fsat_read(h->root_fd, SP_SSHD_DROPIN, 65536, &text, NULL, err) < 0)
        return sp_error_is_blind(err) ? -1 : 0;
    return strstr(sp_buf_str(&text), "Match Group " SP_GROUP_LOCAL "\n") != NULL;
}

/* Who has no forwarding by the drop-in that stands shall have none by the new one. */
static int keep_narrow(struct sp_host *h, struct sp_error *err)
{
    static const char *const may[] = {SP_GROUP_LOCAL, SP_GROUP_FORWARD, NULL};

    if (sp_userdb_ensure_group(h, SP_GROUP_NOFORWARD, err) < 0)
        return -1;
    return sp_userdb_fill_group(h, SP_GROUP_NOFORWARD, SP_GROUP_ALL, may, is_of_before, err);
}

/* The text that is wanted now in place of `old`. A drop-in that sshd refuses would keep everybody out at
 * its next start: the old one comes back. So it does where sshd could not be told. */
static int write_once(const struct sp_ctx *c, const struct sp_buf *old, bool existed,
                      const struct sp_buf *text, struct sp_error *err)
{
    const struct sp_replace how = {.mode = 0644, .uid = 0, .gid = 0};
    _cleanup_(sp_buf_clear) struct sp_buf shown = {0};
    struct sp_error refused;

    if (sp_replace_path(c->host, SP_SSHD_DROPIN, text->data, text->len, &how, err) < 0)
        return -1;
    if (sp_sshd_effective(c->host, c->config, NULL, &shown, &refused) == 0 &&
        reload_sshd(c->host, c->config->sshd, &refused) == 0)
        return 0;
    if (existed)
        (void)sp_replace_path(c->host, SP_SSHD_DROPIN, old->data, old->len, &how, err);
    else
        (void)unlinkat(c->host->root_fd, &SP_SSHD_DROPIN[1], 0);
    *err = refused;
    return -1;
}

/* Two requests that each bring an exception must not lose one of them. */
static int lock_dropin(struct sp_host *h, struct sp_error *err)
{
    _cleanup_close_ int store =
        sp_fsat_exists(h->root_fd, SP_STORE) ? -1 : sp_fsat_make_dirs(h->root_fd, SP_STORE, 0711, err);

    (void)store; /* what stands in the way of the store is told by the lock */
    return sp_lock_take(h, SP_STORE "/sshd.lock", LOCK_DEADLINE_MS, err);
}

/* Somebody may join a group while a text is written that has no block for it: then once more. */
static int write_until_right(const struct sp_ctx *c, struct sp_error *err)
{
    bool exists = false, right = false;

    for (int i = 0; i < TRIES && !right; i++) {
        _cleanup_(sp_buf_clear) struct sp_buf old = {0}, text = {0};
        bool existed = sp_fsat_read(c->host->root_fd, SP_SSHD_DROPIN, 65536, &old, NULL, err) == 0;

        if (!existed && sp_error_is_blind(err)) /* it could not come back */
            return -1;
        if (wanted_dropin(c, &old, &text, err) < 0 || write_once(c, &old, existed, &text, err) < 0 ||
            dropin_is_right(c, &exists, &right, err) < 0)
            return -1;
    }
    return 0;
}

int sp_sshd_write_dropin(const struct sp_ctx *c, struct sp_error *err)
{
    _cleanup_close_ int lock = lock_dropin(c->host, err);
    int before = lock >= 0 ? is_of_before(c->host, err) : -1;

    if (before < 0 || (before && keep_narrow(c->host, err) < 0) || write_until_right(c, err) < 0)
        return -1;
    return before ? sp_userdb_empty_group(c->host, SP_GROUP_LOCAL, err) : 0;
}

int sp_sshd_tidy(struct sp_host *h, const struct sp_config *config, struct sp_error *err)
{
    const struct sp_ctx c = {.host = h, .config = config, .thorough = true};
    bool exists = false, right = false;

    if (dropin_is_right(&c, &exists, &right, err) < 0)
        return -1;
    return right || !exists || must_wait(&c) ? 0 : sp_sshd_write_dropin(&c, err);
}

static int policy_apply(const struct sp_ctx *c, const struct sp_plan *p, enum sp_phase phase,
                        struct sp_error *err)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct sp_change *change = &p->v[i];
        if (change->resource != &sp_resource_policy || change->phase != phase)
            continue;
        for (size_t g = 0; change->what == GROUPS && g < SP_COUNT(group_names); g++)
            if (sp_userdb_ensure_group(c->host, group_names[g], err) < 0)
                return -1;
        if (change->what == DROPIN && sp_sshd_write_dropin(c, err) < 0)
            return -1;
    }
    return 0;
}

static int policy_read_back(const struct sp_ctx *c, struct sp_change *change, struct sp_error *err)
{
    bool exists = false, right = false;
    size_t missing = 0;

    if (change->what == GROUPS) {
        if (groups_missing(c, &missing, err) < 0)
            return -1;
        return missing == 0
                   ? sp_str_copy(change->read_back, sizeof(change->read_back), "there")
                   : sp_str_format(change->read_back, sizeof(change->read_back), "%zu missing", missing);
    }
    if (dropin_is_right(c, &exists, &right, err) < 0)
        return -1;
    return sp_str_copy(change->read_back, sizeof(change->read_back),
                       right    ? "written"
                       : exists ? "different"
                                : "");
}

/* Between our look at the drop-in and our joining a group nobody may have been in it, and a reconcile has
 * taken its block away. Now that we are in it the block stays, whoever writes it. */
static int policy_prove(const struct sp_ctx *c, struct sp_error *err)
{
    bool exists = false, right = false;
    struct sp_error ignored;

    for (int i = 0; i < TRIES; i++) {
        if (sp_sshd_prove(c, err) == 0)
            return 0;
        if (err->code != SP_E_NOT_IN_FORCE || right || dropin_is_right(c, &exists, &right, &ignored) < 0 ||
            !exists)
            return -1;
        if (!right && sp_sshd_write_dropin(c, err) < 0)
            return -1;
    }
    return -1;
}

const struct sp_resource sp_resource_policy = {"sshd_policy", policy_plan, policy_apply, policy_read_back,
                                               policy_prove};
