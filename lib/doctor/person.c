/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The user: whether there is one, whether sshd's lists admit him, and what shadow(5) and PAM say of him. */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "doctor/doctor.h"
#include "host/fsat.h"
#include "host/pamchild.h"
#include "host/shadow.h"
#include "model/authopts.h"
#include "resource/resource.h"

#define DAY 86400

/* Of an account that sallyport knows it is known which user is missing. */
static int mend_missing(struct sp_visit *v, const struct sp_error *why)
{
    const struct sp_account *a = v->login->account;

    if (why->code == SP_E_NOT_FOUND && a != NULL && a->n_domains > 0)
        return sp_finding_mend(
            v, "make the user again with the uid %u; or, if he is to be gone, sallyport remove %s", a->uid,
            a->domains[0].name);
    return why->hint[0] != '\0' ? sp_finding_mend(v, "%s", why->hint) : 0;
}

int sp_doctor_mend_uid(struct sp_visit *v)
{
    const struct sp_account *a = v->login->account;
    char root[SP_MEND_SIZE];

    if (sp_str_quote(root, sizeof(root), a->domains[0].document_root) < 0)
        (void)sp_str_copy(root, sizeof(root), "ROOT");
    return sp_finding_mend(
        v, "sallyport remove %s; then sallyport enable %s --user %s --document-root %s, and its keys",
        a->domains[0].name, a->domains[0].name, v->user.name, root);
}

int sp_doctor_user(struct sp_visit *v, struct sp_error *err)
{
    struct sp_error why;

    if (sp_userdb_get(v->login->host, v->login->user, &v->user, &why) < 0) {
        if (sp_finding_add(v, "user", SP_FINDING_STOPS, err, "%s", why.text) < 0)
            return -1;
        return mend_missing(v, &why);
    }
    v->has_user = true;
    if (v->login->account == NULL)
        return sp_finding_add(v, "user", SP_FINDING_WARNING, err, "%s (uid %u) is not managed by sallyport",
                              v->user.name, v->user.uid);
    if (v->login->account->uid != v->user.uid) {
        if (sp_finding_add(v, "user", SP_FINDING_WARNING, err,
                           "%s has uid %u now; sallyport knew uid %u and leaves him alone", v->user.name,
                           v->user.uid, v->login->account->uid) < 0)
            return -1;
        return v->login->account->n_domains > 0 ? sp_doctor_mend_uid(v) : 0;
    }
    return sp_finding_add(v, "user", SP_FINDING_OK, err, "%s has uid %u", v->user.name, v->user.uid);
}

/* --- DenyUsers, AllowUsers, DenyGroups, AllowGroups --- */

/* match_user() and match_pattern_list(): NAME or NAME@HOST, '!' in front of a group. */
static bool word_names(const struct sp_visit *v, const char *word, const char *name, bool *ret_unknown)
{
    const char *at = strrchr(word, '@');
    char pattern[256];

    if (at == NULL)
        return fnmatch(word, name, 0) == 0;
    if (sp_str_format(pattern, sizeof(pattern), "%.*s", (int)(at - word), word) != 0 ||
        fnmatch(pattern, name, 0) != 0)
        return false;
    if (v->login->address == NULL) {
        *ret_unknown = true;
        return false;
    }
    return sp_authopts_from_matches(at + 1, v->login->address);
}

/* A word of the setting that names one of these, which *ret_name (may be NULL) is then; "" none does. */
static bool find_word(const struct sp_visit *v, const char *keyword, const char *const *names,
                      char ret[256], const char **ret_name, bool *ret_unknown)
{
    struct sp_sshdconf_words w = {0};

    while (sp_sshdconf_next(&v->sshd, keyword, &w)) {
        if (sp_str_copy(ret, 256, w.word) < 0)
            continue;
        for (size_t k = 0; names[k] != NULL; k++)
            if (word_names(v, ret, names[k], ret_unknown)) {
                if (ret_name != NULL)
                    *ret_name = names[k];
                return true;
            }
    }
    ret[0] = '\0';
    return false;
}

/* One of sshd's lists is to be changed: where it stands is said, too. `how` is "add %s to", in two halves.
 */
static int mend_list(struct sp_visit *v, const char *keyword, const char *const how[2], const char *name)
{
    char where[SP_DOCTOR_WHERE];

    sp_doctor_where(v, keyword, where);
    return sp_finding_mend(v, "%s %s %s %s%s, then reload sshd", how[0], name, how[1], keyword, where);
}

static const char *const add[] = {"add", "to"}, *const take[] = {"take", "out of"};

/* Nobody can be taken out of the group of his own line in passwd(5). */
static bool is_primary(struct sp_visit *v, const char *group)
{
    struct sp_error ignored;
    gid_t gid;

    return sp_userdb_group_gid(v->login->host, group, &gid, &ignored) == 0 && gid == v->user.gid;
}

/* `word` of sshd's stands for `group` of his: a pattern (PATTERNS of ssh_config(5)) is no group. */
static int stop_group(struct sp_visit *v, const char *word, const char *group, struct sp_error *err)
{
    char quoted[256];
    bool ours = sp_streq(group, SP_GROUP_NONE);
    const struct sp_account *a = v->login->account;

    if (ours && a != NULL && a->access.suspended && a->n_domains > 0) {
        if (sp_finding_add(v, "lists", SP_FINDING_STOPS, err, "the account is suspended") < 0)
            return -1;
        return sp_finding_mend(v, "sallyport resume %s", a->domains[0].name);
    }
    if (sp_finding_add(v, "lists", SP_FINDING_STOPS, err,
                       ours ? "SSH is switched off for %s (group %s)" : "DenyGroups: %s is in %s",
                       v->user.name, group) < 0)
        return -1;
    if (!ours && (is_primary(v, group) || sp_str_quote(quoted, sizeof(quoted), group) < 0))
        return mend_list(v, "DenyGroups", take, word);
    if (!ours)
        return sp_finding_mend(v, "gpasswd -d %s %s", v->user.name, quoted);
    if (a == NULL || a->n_domains == 0)
        return sp_finding_mend(v, "gpasswd -d %s %s", v->user.name, group);
    return a->shell == SP_SHELL_NONE || a->shell == SP_SHELL_UNSET
               ? sp_finding_mend(v, "sallyport shell %s chroot", a->domains[0].name)
               : sp_finding_mend(v, "sallyport reconcile --restore-access");
}

int sp_doctor_lists(struct sp_visit *v, struct sp_error *err)
{
    _cleanup_(sp_userdb_free_names) char **groups = NULL;
    const char *const user[] = {v->user.name, NULL};
    const char *const *of;
    const char *group = NULL;
    char word[256];
    bool unknown = false;

    if (!v->has_user || !v->has_sshd)
        return 0;
    if (sp_userdb_groups_of(v->login->host, &v->user, &groups, err) < 0)
        return -1;
    of = (const char *const *)groups;
    if (find_word(v, "denyusers", user, word, NULL, &unknown)) {
        if (sp_finding_add(v, "lists", SP_FINDING_STOPS, err, "DenyUsers of sshd_config names %s", word) <
            0)
            return -1;
        return mend_list(v, "DenyUsers", take, word);
    }
    if (sp_sshdconf_get(&v->sshd, "allowusers") != NULL &&
        !find_word(v, "allowusers", user, word, NULL, &unknown) && !unknown) {
        if (sp_finding_add(v, "lists", SP_FINDING_STOPS, err, "AllowUsers of sshd_config does not name %s",
                           v->user.name) < 0)
            return -1;
        return mend_list(v, "AllowUsers", add, v->user.name);
    }
    if (find_word(v, "denygroups", of, word, &group, &unknown))
        return stop_group(v, word, group, err);
    if (sp_sshdconf_get(&v->sshd, "allowgroups") != NULL &&
        !find_word(v, "allowgroups", of, word, NULL, &unknown)) {
        if (sp_finding_add(v, "lists", SP_FINDING_STOPS, err,
                           "AllowGroups of sshd_config names no group of %s", v->user.name) < 0)
            return -1;
        return mend_list(v, "AllowGroups", add, SP_GROUP_ALL);
    }
    if (v->user.uid == 0 && sp_visit_sshd_is(v, "permitrootlogin", "no")) {
        if (sp_finding_add(v, "lists", SP_FINDING_STOPS, err, "PermitRootLogin is no") < 0)
            return -1;
        return sp_finding_mend(v, "log in as another user");
    }
    return sp_finding_add(v, "lists", unknown ? SP_FINDING_UNKNOWN : SP_FINDING_OK, err,
                          unknown ? "sshd's lists depend on the address: say where the login comes from"
                                  : "sshd's lists let him in");
}

/* --- shadow(5), /etc/nologin, PAM --- */

/* What sshd looks at itself, without PAM (auth.c, session.c). */
static int without_pam(struct sp_visit *v, const struct sp_shadow *s, struct sp_error *err)
{
    int64_t today = v->login->host->ops->now(v->login->host) / DAY;
    struct sp_error why;
    int shut;

    if (s->exists && s->expires >= 0 && s->expires <= today) {
        if (sp_finding_add(v, "account", SP_FINDING_STOPS, err, "the account has expired") < 0)
            return -1;
        return sp_finding_mend(v, "chage -E -1 %s", v->user.name);
    }
    if (s->locked) {
        if (sp_finding_add(v, "account", SP_FINDING_STOPS, err,
                           "UsePAM is no, and then sshd refuses an account whose password is locked") < 0)
            return -1;
        return sp_finding_mend(v, "set UsePAM yes in sshd_config and reload sshd, or set a password");
    }
    shut = v->user.uid != 0 ? sp_visit_has(v, "/etc/nologin", &why) : 0;
    if (shut < 0)
        return sp_finding_unseen(v, "account", &why, err);
    if (shut > 0) {
        if (sp_finding_add(v, "account", SP_FINDING_STOPS, err, "/etc/nologin keeps everybody out") < 0)
            return -1;
        return sp_finding_mend(v, "rm /etc/nologin");
    }
    return sp_finding_add(v, "account", SP_FINDING_OK, err, "neither expired nor locked (UsePAM is no)");
}

static int blame_pam(struct sp_visit *v, const struct sp_shadow *s, const struct sp_error *why,
                     struct sp_error *err)
{
    static const char *const nologin[] = {"/run/nologin", "/etc/nologin"}; /* pam_nologin(8), its order */
    int64_t today = v->login->host->ops->now(v->login->host) / DAY;

    for (size_t i = 0; i < SP_COUNT(nologin); i++)
        if (sp_fsat_exists(v->login->host->root_fd, nologin[i])) {
            if (sp_finding_add(v, "account", SP_FINDING_STOPS, err, "%s keeps everybody out: %s",
                               nologin[i], why->text) < 0)
                return -1;
            return sp_finding_mend(v, "rm %s", nologin[i]);
        }
    if (sp_finding_add(v, "account", SP_FINDING_STOPS, err, "PAM's account check for sshd refuses %s: %s%s",
                       v->user.name, why->text,
                       why->code == SP_E_REJECTED ? "; only an interactive login may do that" : "") < 0)
        return -1;
    if (s->exists && s->expires >= 0 && s->expires <= today)
        return sp_finding_mend(v, "chage -E -1 %s", v->user.name);
    if (why->code == SP_E_REJECTED || (s->exists && s->closes >= 0 && s->closes <= today))
        return sp_finding_mend(v, "chage -d $(date +%%F) -M -1 %s", v->user.name);
    return sp_doctor_mend_pam(v);
}

static int take_source(const struct sp_cidr *block, void *data)
{
    struct sp_cidr one = *block;
    char *ret = data;

    one.prefix = block->family == 4 ? 32 : 128;
    sp_cidr_format(&one, ret);
    ret[strcspn(ret, "/")] = '\0';
    return 1;
}

int sp_doctor_account(struct sp_visit *v, struct sp_error *err)
{
    char from[SP_CIDR_SIZE] = "127.0.0.1";
    struct sp_shadow s = {0};
    struct sp_error why;

    if (!v->has_user || !v->has_sshd)
        return 0;
    if (sp_visit_shadow(v, &s, &why) < 0)
        return sp_finding_add(v, "account", SP_FINDING_UNKNOWN, err, "%s", why.text);
    if (!sp_visit_sshd_is(v, "usepam", "yes"))
        return without_pam(v, &s, err);
    (void)sp_visit_sources(v, take_source, from); /* one that he may come from, unless it is said */
    if (sp_pamchild_account(v->user.name, v->login->address != NULL ? v->login->address : from, &why) == 0)
        return sp_finding_add(v, "account", SP_FINDING_OK, err, "PAM's account check for sshd lets him in");
    if (why.code == SP_E_FORBIDDEN || why.code == SP_E_REJECTED)
        return blame_pam(v, &s, &why, err);
    return sp_finding_add(v, "account", SP_FINDING_UNKNOWN, err, "PAM could not be asked: %s", why.text);
}
