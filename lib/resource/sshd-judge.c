/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What `sshd -T -C user=...` must say of an account, and who is to blame when it says something else. A
 * setting of somebody else's is named with its place, never overridden.
 */
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/layout.h"
#include "host/replace.h"
#include "model/sshdconf.h"
#include "resource/globalkeys.h"
#include "resource/keys.h"
#include "resource/memberships.h"
#include "resource/resource.h"
#include "resource/sshd-certs.h"
#include "resource/sshd-files.h"
#include "resource/sshd.h"

#define SSHRC "/etc/ssh/sshrc" /* _PATH_SSH_SYSTEM_RC */

/* The hint of a conflict: the place, where one of the files shows it, and what to do there. */
static int blame(const struct sp_ctx *c, const char *keyword, const char *value, const char *mend,
                 struct sp_error *err)
{
    char where[SP_SSHD_WHERE];

    if (sp_sshd_where(c, keyword, value, where))
        return sp_hint(err, "set in %s: %s", where, mend);
    return sp_hint(err, "%s; `sshd -T -C user=%s,host=localhost,addr=127.0.0.1` shows it", mend,
                   c->user->name);
}

/* One setting that must have one value. */
struct expected {
    const char *keyword, *value;
};

static int expect(const struct sp_ctx *c, const struct sp_sshdconf *conf, const struct expected *e,
                  struct sp_error *err)
{
    const char *is = sp_sshdconf_get(conf, e->keyword);

    if (is != NULL && strcasecmp(is, e->value) == 0)
        return 0;
    sp_fail(err, SP_E_NOT_IN_FORCE, 0, "sshd has %s %s for %s, not %s", e->keyword,
            is != NULL ? is : "(nothing)", c->user->name, e->value);
    return blame(c, e->keyword, is,
                 "it comes before our Match blocks and wins: take it away, or leave "
                 "members of the group " SP_GROUP_ALL " out of it",
                 err);
}

static int expect_dropin(const struct sp_ctx *c, const struct sp_sshdconf *conf, struct sp_error *err)
{
    if (sp_sshdconf_has(conf, "denygroups", SP_GROUP_NONE))
        return 0;
    sp_fail(err, SP_E_NOT_IN_FORCE, 0,
            "sshd does not read " SP_SSHD_DROPIN " (DenyGroups lacks " SP_GROUP_NONE ", asked for %s)",
            c->user->name);
    return sp_hint(
        err, "put this line at the top of %s, before any Match: Include " SP_SSHD_CONFIG_DIR "/*.conf",
        c->config->sshd_config);
}

/* fnmatch(3) is what sshd_config(5) calls a pattern. USER@HOST speaks of that host only: to let in, from
 * some host is enough here; to keep out, it is not. */
enum with_host { HOST_COUNTS, HOST_IS_ANOTHER };

static bool is_meant(const char *word, const char *name, enum with_host how)
{
    char pattern[256];
    size_t n = strcspn(word, "@");

    if (word[n] != '\0' && how == HOST_IS_ANOTHER)
        return false;
    return sp_str_format(pattern, sizeof(pattern), "%.*s", (int)n, word) == 0 &&
           fnmatch(pattern, name, 0) == 0;
}

static bool list_names(const struct sp_sshdconf *conf, const char *keyword, const char *const *names,
                       enum with_host how)
{
    struct sp_sshdconf_words w = {0};

    while (sp_sshdconf_next(conf, keyword, &w))
        for (size_t k = 0; names[k] != NULL; k++)
            if (!sp_streq(w.word, SP_GROUP_NONE) && is_meant(w.word, names[k], how))
                return true;
    return false;
}

/* Who may come in at all, in the order in which sshd asks (auth.c). */
static const struct list {
    const char *keyword, *shown;
    enum { KEEPS_OUT, LETS_IN } what;
    enum { OF_USERS, OF_GROUPS } whom;
    const char *mend;
} lists[] = {
    {"denyusers", "DenyUsers", KEEPS_OUT, OF_USERS, "take him out of it, then reload sshd"},
    {"allowusers", "AllowUsers", LETS_IN, OF_USERS,
     "add him there, or use AllowGroups with " SP_GROUP_ALL ", then reload sshd"},
    {"denygroups", "DenyGroups", KEEPS_OUT, OF_GROUPS, "take the group out of it, then reload sshd"},
    {"allowgroups", "AllowGroups", LETS_IN, OF_GROUPS, "add " SP_GROUP_ALL " to it, then reload sshd"},
};

static int expect_one_list(const struct sp_ctx *c, const struct sp_sshdconf *conf, const struct list *l,
                           const char *const *groups, struct sp_error *err)
{
    const char *const user[] = {c->user->name, NULL};
    const char *const *names = l->whom == OF_USERS ? user : groups;
    const char *of = l->whom == OF_GROUPS ? "a group of " : "";

    if (sp_sshdconf_get(conf, l->keyword) == NULL ||
        list_names(conf, l->keyword, names, l->what == KEEPS_OUT ? HOST_IS_ANOTHER : HOST_COUNTS) ==
            (l->what == LETS_IN))
        return 0;
    if (l->what == LETS_IN)
        sp_fail(err, SP_E_NOT_IN_FORCE, 0, "%s of sshd_config does not name %s%s", l->shown, of,
                c->user->name);
    else
        sp_fail(err, SP_E_NOT_IN_FORCE, 0, "%s of sshd_config names %s%s", l->shown, of, c->user->name);
    return blame(c, l->keyword, NULL, l->mend, err);
}

/* A host that lists who may come in: its lists are named, never overridden. */
static int expect_lists(const struct sp_ctx *c, const struct sp_sshdconf *conf, struct sp_sshd_answer *a,
                        struct sp_error *err)
{
    _cleanup_(sp_userdb_free_names) char **groups = NULL;

    for (size_t i = 0; i < SP_COUNT(lists); i++)
        a->personal |= sp_sshdconf_nth(conf, lists[i].keyword,
                                       sp_streq(lists[i].keyword, "denygroups") ? 1 : 0) != NULL;
    if (sp_ctx_shut(c) || !a->personal)
        return 0;
    if (sp_userdb_groups_of(c->host, c->user, &groups, err) < 0)
        return -1;
    for (size_t i = 0; i < SP_COUNT(lists); i++)
        if (expect_one_list(c, conf, &lists[i], (const char *const *)groups, err) < 0)
            return -1;
    return 0;
}

const char *sp_sshd_forwarding(const struct sp_ctx *c)
{
    enum sp_forwarding f =
        c->desired->forwarding != SP_FORWARDING_UNSET ? c->desired->forwarding : c->config->forwarding;

    if (c->desired->shell == SP_SHELL_NONE || f == SP_FORWARDING_NONE)
        return "no";
    return f == SP_FORWARDING_ALL ? "yes" : "local";
}

static bool is_internal(const char *command)
{
    return command != NULL && strstr(command, "internal-sftp") != NULL;
}

static bool is_set(const char *value)
{
    return value != NULL && value[0] != '\0' && strcasecmp(value, "none") != 0;
}

/* Panels put sftp-only customers behind Match blocks with these two. sshd then runs no shell of the
 * account's, or looks for it where there is none. */
static int expect_shell(const struct sp_ctx *c, const struct sp_sshdconf *conf, struct sp_error *err)
{
    const char *root = sp_sshdconf_get(conf, "chrootdirectory"),
               *forced = sp_sshdconf_get(conf, "forcecommand");
    bool jailed = c->desired->shell == SP_SHELL_CHROOT;

    if (is_set(root)) {
        sp_fail(err, SP_E_NOT_IN_FORCE, 0, "sshd has chrootdirectory %.150s for %s: the shell is not there",
                root, c->user->name);
        return blame(c, "chrootdirectory", NULL,
                     "take him out of that Match block; the jail is sallyport's to make", err);
    }
    if (!is_set(forced) || (jailed && sp_streq(forced, SP_FORCED_SESSION)) ||
        (!jailed && !is_internal(forced))) /* a bash may well be logged by a wrapper */
        return 0;
    sp_fail(err, SP_E_NOT_IN_FORCE, 0, "sshd has forcecommand %.150s for %s: his shell never runs", forced,
            c->user->name);
    return blame(c, "forcecommand", NULL, "take him out of that Match block", err);
}

/* sftp must go through the shell: internal-sftp would serve the host's files beside it. */
static int expect_sftp(const struct sp_ctx *c, const struct sp_sshdconf *conf, enum sp_sftp sftp,
                       struct sp_error *err)
{
    if (c->desired->shell != SP_SHELL_CHROOT || sftp == SP_SFTP_PROGRAM ||
        sp_streq(sp_sshdconf_get(conf, "forcecommand"), SP_FORCED_SESSION))
        return 0;
    sp_fail(err, SP_E_NOT_IN_FORCE, 0, "sshd serves sftp itself (internal-sftp) for %s, outside any jail",
            c->user->name);
    return blame(c, "subsystem", NULL,
                 "set `Subsystem sftp /usr/lib/openssh/sftp-server`, then reload sshd", err);
}

/* sshd runs it with /bin/sh, beside the shell, with what ~/.pam_environment sets (LD_PRELOAD). */
static int expect_no_sshrc(const struct sp_ctx *c, struct sp_error *err)
{
    _cleanup_close_ int fd = -1;

    if (c->desired->shell != SP_SHELL_CHROOT)
        return 0;
    fd = sp_fsat_open(c->host->root_fd, SSHRC, O_PATH, 0, SP_FSAT_FOLLOW, err);
    if (fd < 0)
        return sp_error_is_blind(err) ? -1 : 0;
    sp_fail(err, SP_E_NOT_IN_FORCE, 0,
            SSHRC " exists: sshd would run it for %s outside the jail, with an environment of his making",
            c->user->name);
    return sp_hint(err, "do its work in PAM (pam_exec) or /etc/profile.d, and remove " SSHRC);
}

/* sshd(8): without PAM a '!' before the password in shadow(5) keeps out whoever has a key, too. */
static int is_locked(const struct sp_ctx *c, bool *ret, struct sp_error *err)
{
    _cleanup_(sp_buf_wipe) struct sp_buf shadow = {0};
    char start[SP_USER_SIZE + 8];
    const char *line;

    *ret = false;
    if (sp_fsat_read(c->host->root_fd, "/etc/shadow", 1U << 24, &shadow, NULL, err) < 0)
        return sp_error_is_blind(err) ? -1 : 0;
    if (sp_str_format(start, sizeof(start), "\n%s:!", c->user->name) < 0)
        return 0;
    line = sp_buf_str(&shadow);
    *ret = sp_str_prefix(line, start + 1, NULL) || strstr(line, start) != NULL;
    return 0;
}

static int expect_unlocked(const struct sp_ctx *c, const struct sp_sshdconf *conf, struct sp_sshd_answer *a,
                           struct sp_error *err)
{
    const char *pam = sp_sshdconf_get(conf, "usepam");
    bool locked;

    if (pam == NULL || strcasecmp(pam, "no") != 0 || sp_ctx_shut(c))
        return 0;
    a->transient = true;
    if (is_locked(c, &locked, err) < 0)
        return -1;
    if (!locked)
        return 0;
    sp_fail(err, SP_E_NOT_IN_FORCE, 0,
            "sshd has usepam no, and then keeps out %s, whose password is locked (\"!\")", c->user->name);
    return blame(c, "usepam", "no",
                 "set UsePAM yes, or give the account a password (`usermod -p '*'`: none)", err);
}

static int expect_keys(const struct sp_ctx *c, const struct sp_sshdconf *conf, struct sp_error *err)
{
    const char *keys = sp_sshdconf_get(conf, "authorizedkeysfile"),
               *how = sp_sshdconf_get(conf, "authenticationmethods");
    char absolute[SP_USERDB_FIELD + 64];

    (void)sp_str_format(absolute, sizeof(absolute), "%s/" SP_KEYS_HOME_FILE, c->user->home);
    if (c->config->key_store == SP_KEY_STORE_ROOT
            ? !sp_sshdconf_has(conf, "authorizedkeysfile", SP_KEYS_ROOT_DIR "/%u")
            : !sp_sshdconf_has(conf, "authorizedkeysfile", SP_KEYS_HOME_FILE) &&
                  !sp_sshdconf_has(conf, "authorizedkeysfile", "%h/" SP_KEYS_HOME_FILE) &&
                  !sp_sshdconf_has(conf, "authorizedkeysfile", absolute)) {
        sp_fail(err, SP_E_NOT_IN_FORCE, 0, "sshd reads keys from \"%.100s\", not where they are written",
                keys != NULL ? keys : "");
        return blame(c, "authorizedkeysfile", NULL,
                     "add " SP_KEYS_HOME_FILE " to it, or set key_store = root in sallyport.conf", err);
    }
    if (how == NULL || sp_streq(how, "any") || strstr(how, "publickey") != NULL)
        return 0;
    sp_fail(err, SP_E_NOT_IN_FORCE, 0, "sshd has authenticationmethods %.150s for %s: no key lets in", how,
            c->user->name);
    return blame(c, "authenticationmethods", NULL, "add publickey to it", err);
}

static int is_forced(const struct sp_sshd_line *l, void *data)
{
    (void)data;
    return l->keyword == NULL || (strcasecmp(l->keyword, "forcecommand") == 0 && is_set(l->value));
}

/* Our ForceCommand stands before anybody else's: what would be without it has to be asked for, from a copy
 * of the configuration. */
static int expect_no_other(const struct sp_ctx *c, const struct sp_sshdconf *conf, struct sp_error *err)
{
    const struct sp_replace how = {.mode = 0600, .uid = 0, .gid = 0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0}, output = {0};
    _cleanup_(sp_sshdconf_clear) struct sp_sshdconf other = {0};
    struct sp_config config = *c->config; /* borrows all but the path */

    if (!sp_streq(sp_sshdconf_get(conf, "forcecommand"), SP_FORCED_SESSION) ||
        sp_sshd_each_line(c, is_forced, NULL) == 0)
        return 0;
    (void)sp_str_copy(config.sshd_config, sizeof(config.sshd_config), SP_STORE "/sshd.others");
    if (sp_sshd_without_ours(c, &text, err) < 0 ||
        sp_replace_path(c->host, config.sshd_config, text.data, text.len, &how, err) < 0 ||
        sp_sshd_effective(c->host, &config, c->user->name, &output, err) < 0 ||
        sp_sshdconf_parse(sp_buf_str(&output), output.len, &other, err) < 0)
        return -1;
    return expect_shell(c, &other, err);
}

/* Reconcile keeps what somebody tightened: then less is in force than was asked for, and this is no proof
 * of what was. */
static const char *forwarding_kept(const struct sp_ctx *c, struct sp_sshd_answer *a)
{
    struct sp_error ignored;
    bool member = false;

    if (!c->thorough || sp_groups_wants(c, SP_GROUP_NOFORWARD) ||
        sp_userdb_in_group(c->host, SP_GROUP_NOFORWARD, c->user->name, &member, &ignored) < 0 || !member)
        return sp_sshd_forwarding(c);
    a->transient = true;
    return "no";
}

int sp_sshd_judge(const struct sp_ctx *c, const char *output, size_t len, struct sp_sshd_answer *ret,
                  struct sp_error *err)
{
    struct sp_sshd_answer answer = {0};
    const struct expected all[] = {{"allowtcpforwarding", forwarding_kept(c, &answer)},
                                   {"allowstreamlocalforwarding", "no"},
                                   {"x11forwarding", "no"},
                                   {"permittunnel", "no"},
                                   {"pubkeyauthentication", "yes"},
                                   {"permituserenvironment", "no"}};
    _cleanup_(sp_sshdconf_clear) struct sp_sshdconf conf = {0};

    *ret = answer;
    if (sp_sshdconf_parse(output, len, &conf, err) < 0)
        return -1;
    if (is_internal(sp_sshdconf_subsystem(&conf, "sftp")))
        ret->sftp = SP_SFTP_INTERNAL;
    if (expect_dropin(c, &conf, err) < 0)
        return -1;
    if (c->desired->shell == SP_SHELL_UNSET) /* only how he proves himself is ours */
        return sp_ctx_shut(c) ? 0 : sp_sshd_expect_auth(c, &conf, err);
    if (expect_lists(c, &conf, ret, err) < 0)
        return -1;
    for (size_t i = 0; i < SP_COUNT(all); i++)
        if (expect(c, &conf, &all[i], err) < 0)
            return -1;
    if (sp_sshd_certs_expect(c, &conf, err) < 0 || sp_globals_expect(c, &conf, err) < 0 ||
        expect_keys(c, &conf, err) < 0 || expect_unlocked(c, &conf, ret, err) < 0)
        return -1;
    if (sp_ctx_shut(c))
        return 0;
    if (sp_sshd_expect_auth(c, &conf, err) < 0)
        return -1;
    return expect_shell(c, &conf, err) < 0 || expect_sftp(c, &conf, ret->sftp, err) < 0 ||
                   expect_no_other(c, &conf, err) < 0 || expect_no_sshrc(c, err) < 0
               ? -1
               : 0;
}
