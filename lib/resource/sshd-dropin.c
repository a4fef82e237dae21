/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Host-wide and made once: the groups, and the one drop-in of sshd's that speaks of them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/layout.h"
#include "host/lock.h"
#include "host/replace.h"
#include "host/spawn.h"
#include "resource/globalkeys.h"
#include "resource/keys.h"
#include "resource/resource.h"
#include "resource/sshd-certs.h"
#include "resource/sshd-exceptions.h"
#include "resource/sshd-master.h"
#include "resource/sshd.h"

#define LOCK SP_STORE "/sshd.lock"
#define LOCK_DEADLINE_MS 20000

enum { TRIES = 3 };

enum { GROUPS, DROPIN };

/* The drop-in, and what a change calls it. UNREAD: the text is right, but who wrote it was cut off before
 * sshd was told, and it goes by the one before. */
enum state { ABSENT, DIFFERENT, UNREAD, WRITTEN };

static const char *const state_words[] = {"", "different", "not read by sshd", "written"};

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
    if (sp_globals_lines(ctx,
                         c->key_store == SP_KEY_STORE_HOME      ? ""
                         : c->foreign_keys == SP_FOREIGN_REFUSE ? SP_KEYS_ROOT_DIR "/%u"
                                                                : SP_KEYS_ROOT_DIR "/%u " SP_KEYS_HOME_FILE,
                         out, err) < 0 ||
        sp_sshd_certs_lines(ctx, out, err) < 0)
        return -1;
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

/* The lock's file is not empty from before a new text is put there until sshd has been told. */
static int is_told(struct sp_host *h, bool *ret, struct sp_error *err)
{
    struct stat st = {0};

    if (fstatat(h->root_fd, &LOCK[1], &st, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
        return sp_fail(err, SP_E_IO, errno, "cannot look at %s", LOCK);
    *ret = st.st_size == 0;
    return 0;
}

static int look(const struct sp_ctx *c, enum state *ret, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf have = {0}, want = {0};
    bool told = false;
    struct stat st;

    *ret = ABSENT;
    if (sp_fsat_read(c->host->root_fd, SP_SSHD_DROPIN, 65536, &have, &st, err) < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    *ret = DIFFERENT;
    if (wanted_dropin(c, &have, &want, err) < 0 || is_told(c->host, &told, err) < 0)
        return -1;
    if (have.len == want.len && memcmp(have.data, want.data, want.len) == 0 &&
        (!c->host->real || (st.st_uid == 0 && (st.st_mode & 022) == 0)))
        *ret = told ? WRITTEN : UNREAD;
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
    enum state state = ABSENT;
    struct sp_change *change;
    size_t missing = 0;

    if (sp_ctx_absent(c))
        return 0;
    if (groups_missing(c, &missing, err) < 0 || look(c, &state, err) < 0)
        return -1;
    if (missing > 0) {
        change = sp_plan_add(p, &sp_resource_policy, SP_PREPARE, SP_NEUTRAL, GROUPS, err);
        if (change == NULL)
            return -1;
        (void)sp_str_copy(change->target, sizeof(change->target), "groups of sshd's policy");
        (void)sp_str_format(change->from, sizeof(change->from), "%zu missing", missing);
        (void)sp_str_copy(change->to, sizeof(change->to), "there");
    }
    if (state == WRITTEN || (state != ABSENT && must_wait(c)))
        return 0;
    change = sp_plan_add(p, &sp_resource_policy, SP_PREPARE, SP_TIGHTENS, DROPIN, err);
    if (change == NULL)
        return -1;
    (void)sp_str_copy(change->target, sizeof(change->target), SP_SSHD_DROPIN);
    (void)sp_str_copy(change->from, sizeof(change->from), state_words[state]);
    return sp_str_copy(change->to, sizeof(change->to), state_words[WRITTEN]);
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

/* On files that it refuses, sshd would end instead of reading them. One that is started for each connection
 * reads them then. */
static int tell_sshd(const struct sp_ctx *c, struct sp_error *err)
{
    _cleanup_(sp_sshdconf_clear) struct sp_sshdconf conf = {0};
    _cleanup_(sp_buf_clear) struct sp_buf shown = {0};
    struct sp_sshd_master master;

    if (sp_sshd_effective(c->host, c->config, NULL, &shown, err) < 0 ||
        sp_sshdconf_parse(sp_buf_str(&shown), shown.len, &conf, err) < 0 ||
        sp_sshd_master(c->host, c->config, &conf, &master, err) < 0)
        return -1;
    sp_sshd_master_reload(c->host, &master);
    return 0;
}

static int mark(int lock, struct sp_error *err)
{
    static const char text[] = "sshd has not been told of its drop-in\n";

    return pwrite(lock, text, sizeof(text) - 1, 0) < 0
               ? sp_fail(err, SP_E_IO, errno, "cannot write %s", LOCK)
               : 0;
}

static int unmark(int lock, struct sp_error *err)
{
    return ftruncate(lock, 0) < 0 ? sp_fail(err, SP_E_IO, errno, "cannot write %s", LOCK) : 0;
}

static int put_back(struct sp_host *h, const struct sp_buf *old, const struct sp_replace *how)
{
    struct sp_error ignored;

    return old != NULL ? sp_replace_path(h, SP_SSHD_DROPIN, old->data, old->len, how, &ignored)
                       : unlinkat(h->root_fd, &SP_SSHD_DROPIN[1], 0);
}

/* The text that is wanted now in place of `old` (NULL: there was none). A drop-in that sshd refuses would
 * keep everybody out at its next start: the old one comes back. So it does where sshd could not be told. */
static int write_once(const struct sp_ctx *c, int lock, const struct sp_buf *old, const struct sp_buf *text,
                      struct sp_error *err)
{
    const struct sp_replace how = {.mode = 0644, .uid = 0, .gid = 0};
    struct sp_error ignored;
    bool told = false;

    if (is_told(c->host, &told, err) < 0 || mark(lock, err) < 0 ||
        sp_replace_path(c->host, SP_SSHD_DROPIN, text->data, text->len, &how, err) < 0)
        return -1;
    if (tell_sshd(c, err) == 0)
        return unmark(lock, err);
    if (put_back(c->host, old, &how) == 0 && told)
        (void)unmark(lock, &ignored);
    return -1;
}

/* Two requests that each bring an exception must not lose one of them. */
static int lock_dropin(struct sp_host *h, struct sp_error *err)
{
    _cleanup_close_ int store =
        sp_fsat_exists(h->root_fd, SP_STORE) ? -1 : sp_fsat_make_dirs(h->root_fd, SP_STORE, 0711, err);

    (void)store; /* what stands in the way of the store is told by the lock */
    return sp_lock_take(h, LOCK, LOCK_DEADLINE_MS, err);
}

/* Another one may have written it, and told sshd, while the lock was waited for: then nothing is done.
 * Somebody may join a group while a text is written that has no block for it: then once more. */
static int write_until_right(const struct sp_ctx *c, int lock, struct sp_error *err)
{
    enum state state = ABSENT;

    for (int i = 0; i < TRIES; i++) {
        _cleanup_(sp_buf_clear) struct sp_buf old = {0}, text = {0};
        bool existed;

        if (look(c, &state, err) < 0)
            return -1;
        if (state == UNREAD)
            return tell_sshd(c, err) < 0 ? -1 : unmark(lock, err);
        if (state == WRITTEN)
            return 0;
        existed = sp_fsat_read(c->host->root_fd, SP_SSHD_DROPIN, 65536, &old, NULL, err) == 0;
        if (!existed && sp_error_is_blind(err)) /* it could not come back */
            return -1;
        if (wanted_dropin(c, &old, &text, err) < 0 ||
            write_once(c, lock, existed ? &old : NULL, &text, err) < 0)
            return -1;
    }
    return 0;
}

int sp_sshd_write_dropin(const struct sp_ctx *c, struct sp_error *err)
{
    _cleanup_close_ int lock = lock_dropin(c->host, err);
    int before = lock >= 0 ? is_of_before(c->host, err) : -1;

    if (before < 0 || (before && keep_narrow(c->host, err) < 0) || write_until_right(c, lock, err) < 0)
        return -1;
    return before ? sp_userdb_empty_group(c->host, SP_GROUP_LOCAL, err) : 0;
}

int sp_sshd_tidy(struct sp_host *h, const struct sp_config *config, struct sp_error *err)
{
    const struct sp_ctx c = {.host = h, .config = config, .thorough = true};
    enum state state = ABSENT;

    if (look(&c, &state, err) < 0)
        return -1;
    return state == WRITTEN || state == ABSENT || must_wait(&c) ? 0 : sp_sshd_write_dropin(&c, err);
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
    enum state state = ABSENT;
    size_t missing = 0;

    if (change->what == GROUPS) {
        if (groups_missing(c, &missing, err) < 0)
            return -1;
        return missing == 0
                   ? sp_str_copy(change->read_back, sizeof(change->read_back), "there")
                   : sp_str_format(change->read_back, sizeof(change->read_back), "%zu missing", missing);
    }
    if (look(c, &state, err) < 0)
        return -1;
    return sp_str_copy(change->read_back, sizeof(change->read_back), state_words[state]);
}

/* Between our look at the drop-in and our joining a group nobody may have been in it, and a reconcile has
 * taken its block away. Now that we are in it the block stays, whoever writes it. */
static int policy_prove(const struct sp_ctx *c, struct sp_error *err)
{
    enum state state = ABSENT;
    struct sp_error ignored;

    for (int i = 0; i < TRIES; i++) {
        if (sp_sshd_prove(c, err) == 0)
            return 0;
        if (err->code != SP_E_NOT_IN_FORCE || state == WRITTEN || look(c, &state, &ignored) < 0 ||
            state == ABSENT)
            return -1;
        if (state != WRITTEN && sp_sshd_write_dropin(c, err) < 0)
            return -1;
    }
    return -1;
}

const struct sp_resource sp_resource_policy = {"sshd_policy", policy_plan, policy_apply, policy_read_back,
                                               policy_prove};
