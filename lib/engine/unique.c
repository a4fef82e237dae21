/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/unique.h"

#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/recordfile.h"

static bool has_root(const struct sp_account *a, const char *root)
{
    for (size_t i = 0; i < a->n_domains; i++)
        if (sp_streq(a->domains[i].document_root, root))
            return true;
    return false;
}

bool sp_unique_is_wider(const struct sp_account *before, const struct sp_account *a)
{
    if (a->shell == SP_SHELL_CHROOT && before->shell != SP_SHELL_CHROOT)
        return true;
    for (size_t i = 0; i < a->n_domains; i++)
        if (!has_root(before, a->domains[i].document_root))
            return true;
    return false;
}

/* A root that cannot be opened is refused elsewhere, with its reason. */
static bool is_roots_own(const struct sp_engine *e, const char *path)
{
    struct sp_error ignored;
    _cleanup_close_ int fd = sp_fsat_open_dir(e->host->root_fd, path, SP_FSAT_NONE, &ignored);
    struct stat st;

    return e->host->real && fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == 0;
}

static bool is_in(const char *path, const char *parent)
{
    const char *rest = NULL;

    return sp_str_prefix(path, parent, &rest) && (rest[0] == '/' || rest[0] == '\0');
}

static int refuse_root(const char *root, const struct sp_account *other, const struct sp_domain *d,
                       struct sp_error *err)
{
    sp_fail(err, SP_E_CONFLICT, 0, "%.200s belongs to root, and %s of the user %s has %s", root, d->name,
            other->user,
            sp_streq(root, d->document_root) ? "it"
            : is_in(root, d->document_root)  ? "what it lies in"
                                             : "what lies in it");
    sp_hint(err, "chown it to the user whose it is; a directory of root's is one account's");
    return sp_field(err, "document_root");
}

static int compare_roots(const char *root, const struct sp_account *other, struct sp_error *err)
{
    for (size_t i = 0; i < other->n_domains; i++) {
        const struct sp_domain *d = &other->domains[i];
        if (is_in(root, d->document_root) || is_in(d->document_root, root))
            return refuse_root(root, other, d, err);
    }
    return 0;
}

/* Every other account's state is read: only for the rare root that root owns, and only when it is new. A
 * state that is broken is loud elsewhere, and hides no other. */
static int check_root(struct sp_engine *e, const struct sp_account *a, const char *root,
                      struct sp_error *err)
{
    _cleanup_(sp_users_clear) struct sp_users users = {0};

    if (sp_store_users(e->host, &users, err) < 0)
        return -1;
    for (size_t i = 0; i < users.n; i++) {
        _cleanup_(sp_state_clear) struct sp_state s = {0};
        struct sp_error why;

        if (sp_streq(users.v[i], a->user))
            continue;
        if (sp_store_load(e->host, users.v[i], &s, &why) < 0 || s.desired.uid == a->uid ||
            (sp_extra_is(&s.desired.extra) && s.desired.extra.owner_uid == a->uid))
            continue;
        if (compare_roots(root, &s.desired, err) < 0 || compare_roots(root, &s.applied, err) < 0)
            return -1;
    }
    return 0;
}

/* He whom the record names may be gone, renamed, or out of his jail: then it is nobody's. */
static int check_jail(struct sp_engine *e, const struct sp_account *a, struct sp_error *err)
{
    _cleanup_(sp_state_clear) struct sp_state s = {0};
    _cleanup_(sp_record_clear) struct sp_record r = {0};
    struct sp_error ignored;
    struct sp_user user;

    if (sp_recordfile_read(e->host, a->uid, &r, &ignored) < 0 || sp_streq(r.user, a->user) ||
        sp_userdb_get(e->host, r.user, &user, &ignored) < 0 || user.uid != a->uid ||
        sp_store_load(e->host, r.user, &s, &ignored) < 0)
        return 0;
    if (s.desired.shell != SP_SHELL_CHROOT && s.applied.shell != SP_SHELL_CHROOT)
        return 0;
    sp_fail(err, SP_E_CONFLICT, 0, "the uid %u is the user %s too, who has a jail", (unsigned)a->uid,
            r.user);
    sp_hint(err, "a jail goes by uid: attach the domain to %s, or give %s a uid of his own", r.user,
            a->user);
    return sp_field(err, "user");
}

int sp_unique_check(struct sp_engine *e, const struct sp_account *before, const struct sp_account *a,
                    struct sp_error *err)
{
    if (!sp_account_is_empty(a) && a->shell == SP_SHELL_CHROOT && check_jail(e, a, err) < 0)
        return -1;
    /* An extra login's root is its owner's. */
    for (size_t i = 0; i < a->n_domains && !sp_extra_is(&a->extra); i++) {
        const char *root = a->domains[i].document_root;
        if (!has_root(before, root) && is_roots_own(e, root) && check_root(e, a, root, err) < 0)
            return -1;
    }
    return 0;
}
