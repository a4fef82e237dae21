/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/check.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/alive.h"
#include "host/fsat.h"
#include "host/mend.h"

/* A document root is reached without a link, is a directory, and belongs to the user or to root; others do
 * not write in it. */
static int check_root(struct sp_engine *e, const struct sp_user *user, const char *path,
                      struct sp_error *err)
{
    _cleanup_close_ int fd = -1;
    struct stat st;

    if (sp_policy_check_root(e->config, path, err) < 0)
        return sp_field_prefix(err, "document_root");
    if (sp_alive_ask(e->host, &path, 1, err) < 0)
        return sp_field_prefix(err, "document_root");
    fd = sp_fsat_open_dir(e->host->root_fd, path, SP_FSAT_NONE, err);
    if (fd < 0) {
        if (err->code == SP_E_NOT_FOUND)
            sp_hint(err, "make the directory first, owned by %s", user->name);
        return sp_field_prefix(err, "document_root");
    }
    if (fstat(fd, &st) < 0)
        return sp_fail(err, SP_E_IO, errno, "%s", path);
    if (e->host->real && st.st_uid != 0 && st.st_uid != user->uid) {
        sp_fail(err, SP_E_UNSAFE_PATH, 0, "the document root belongs to uid %u, not to %s", st.st_uid,
                user->name);
        sp_hint(err, "chown it to %s or to root, or name the document root of this account", user->name);
        return sp_field(err, "document_root");
    }
    if ((st.st_mode & S_IWOTH) != 0) {
        sp_fail(err, SP_E_UNSAFE_PATH, 0, "the document root can be written by others");
        sp_mend_hint(e->host, user, SP_MEND_OTHERS, path, "", err);
        return sp_field(err, "document_root");
    }
    return 0;
}

/* Listed there, or by his primary group: panels make their users so. */
static bool is_in_group(struct sp_engine *e, const char *user, const char *group)
{
    bool member = false;
    struct sp_error ignored;
    struct sp_user u;
    gid_t gid;

    if (sp_userdb_in_group(e->host, group, user, &member, &ignored) == 0 && member)
        return true;
    return sp_userdb_group_gid(e->host, group, &gid, &ignored) == 0 &&
           sp_userdb_get(e->host, user, &u, &ignored) == 0 && u.gid == gid;
}

/* May this user have access at all? */
int sp_check_person(struct sp_engine *e, const char *user, uid_t uid, struct sp_error *err)
{
    bool member = e->config->required_groups.n == 0;

    if (sp_policy_check_user(e->config, user, uid, err) < 0)
        return sp_field_prefix(err, "user");
    for (size_t i = 0; !member && i < e->config->required_groups.n; i++)
        member = is_in_group(e, user, e->config->required_groups.v[i]);
    if (member)
        return 0;
    sp_fail(err, SP_E_FORBIDDEN, 0, "%s is in none of required_groups", user);
    sp_hint(err, "required_groups in sallyport.conf says whom a request may name");
    return sp_field(err, "user");
}

int sp_check_account(struct sp_engine *e, const struct sp_account *a, const struct sp_user *user,
                     struct sp_error *err)
{
    if (sp_account_is_empty(a))
        return 0;
    if (sp_extra_is(&a->extra)) /* the owner was asked; this one is ours */
        return 0;
    if (user->uid >= e->config->login_uid_min && user->uid <= e->config->login_uid_max) {
        sp_fail(err, SP_E_FORBIDDEN, 0, "%s has one of the uids of extra logins", user->name);
        sp_hint(err, "name the owner of the files; login_uids in sallyport.conf is the range");
        return sp_field(err, "user");
    }
    if (sp_check_person(e, a->user, a->uid, err) < 0)
        return -1;
    if (sp_name_check_path(user->home, err) < 0)
        return sp_field_prefix(err, "user.home");
    return 0;
}

static bool has_root(const struct sp_account *a, const char *root)
{
    for (size_t i = 0; i < a->n_domains; i++)
        if (sp_streq(a->domains[i].document_root, root))
            return true;
    return false;
}

/* Only roots that this request brings are judged: one that somebody loosened later is reported by
 * reconcile, not refused to a key edit. */
int sp_check_new_roots(struct sp_engine *e, const struct sp_account *before, const struct sp_account *a,
                       const struct sp_user *user, struct sp_error *err)
{
    struct sp_user owner = *user;

    if (sp_extra_is(&a->extra)) {
        owner.uid = a->extra.owner_uid;
        (void)sp_str_copy(owner.name, sizeof(owner.name), a->extra.owner);
    }
    for (size_t i = 0; i < a->n_domains; i++) {
        if (has_root(before, a->domains[i].document_root))
            continue;
        if (check_root(e, &owner, a->domains[i].document_root, err) < 0)
            return -1;
    }
    return 0;
}

static int too_many(size_t n, const char *what, size_t max, const char *field, struct sp_error *err)
{
    sp_fail(err, SP_E_INVALID, 0, "the account would have %zu %s, %zu are allowed", n, what, max);
    sp_hint(err, "take away what nobody uses; the limit is for all domains of the user together");
    return sp_field(err, "%s", field);
}

int sp_check_size(const struct sp_account *before, const struct sp_account *a, struct sp_error *err)
{
    size_t had_keys, had_sources, keys, sources;

    sp_account_count(before, &had_keys, &had_sources);
    sp_account_count(a, &keys, &sources);
    if (keys > SP_ACCOUNT_KEYS_MAX && keys > had_keys)
        return too_many(keys, "keys", SP_ACCOUNT_KEYS_MAX, "authorized_keys", err);
    if (sources > SP_ACCOUNT_SOURCES_MAX && sources > had_sources)
        return too_many(sources, "sources", SP_ACCOUNT_SOURCES_MAX, "sources", err);
    return 0;
}

int sp_refuse_stranger(const struct sp_account *a, const struct sp_user *user, struct sp_error *err)
{
    sp_fail(err, SP_E_CONFLICT, 0, "%s has uid %u now, and had %u when it was given access", user->name,
            user->uid, a->uid);
    sp_hint(err,
            "it is another account by the same name: domain.remove each of its domains, then apply again");
    return sp_field(err, "user");
}

int sp_refuse_nobody(const char *user, struct sp_error *err)
{
    sp_fail(err, SP_E_NOT_FOUND, 0, "there is no local user %s", user);
    sp_hint(err, "make the system user first; sallyport gives access, it makes no users");
    return sp_field(err, "user");
}
