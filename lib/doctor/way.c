/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The way to a file or directory, as the user walks it: where it ends for him, and the command that opens
 * it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"
#include "doctor/doctor.h"

#define PASS 01U
#define READ 04U

static bool is_in(const struct sp_visit *v, gid_t gid)
{
    _cleanup_free_ gid_t *gids = NULL;
    struct sp_error ignored;
    size_t n = 0;

    if (sp_userdb_gids_of(v->login->host, &v->user, &gids, &n, &ignored) < 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (gids[i] == gid)
            return true;
    return false;
}

/* The owner's bits are the owner's alone, even where everybody has more (path_resolution(7)). */
static bool may(const struct sp_visit *v, const struct stat *st, mode_t right)
{
    if (st->st_uid == v->user.uid)
        return (st->st_mode & right << 6) != 0;
    return (st->st_mode & (is_in(v, st->st_gid) ? right << 3 : right)) != 0;
}

/* The home, a document root, and what lies in them is to be his; what is above is to let others pass. */
static bool is_to_be_his(const struct sp_visit *v, const char *path)
{
    const struct sp_account *a = v->login->account;
    const char *rest;

    if (sp_str_prefix(path, v->user.home, &rest) && (*rest == '/' || *rest == '\0'))
        return true;
    for (size_t i = 0; a != NULL && i < a->n_domains; i++)
        if (sp_str_prefix(path, a->domains[i].document_root, &rest) && (*rest == '/' || *rest == '\0'))
            return true;
    return false;
}

static enum sp_way_state open_part(const struct sp_visit *v, const struct stat *st, struct sp_way *ret)
{
    bool give = st->st_uid != v->user.uid && is_to_be_his(v, ret->at);

    return sp_mend_path(v->login->host, &v->user, give ? SP_MEND_HIS : SP_MEND_OPEN, ret->at, ret->mend)
               ? SP_WAY_CLOSED
               : SP_WAY_UNKNOWN;
}

enum sp_way_state sp_doctor_way(const struct sp_visit *v, const char *path, struct sp_way *ret)
{
    struct stat st;

    *ret = (struct sp_way){.at = ""};
    for (size_t len = 0; (len = sp_str_next_part(path, len)) != 0;) {
        if (sp_str_format(ret->at, sizeof(ret->at), "%.*s", (int)len, path) < 0)
            break;
        if (lstat(ret->at, &st) != 0)
            return errno == ENOENT && sp_mend_path(v->login->host, &v->user, SP_MEND_DIR, path, ret->mend)
                       ? SP_WAY_MISSING
                       : SP_WAY_UNKNOWN;
        /* Of a name that somebody chose: it is not followed, and not in a mend. */
        if (S_ISLNK(st.st_mode)) {
            (void)sp_mend_path(v->login->host, &v->user, SP_MEND_OPEN, path, ret->mend);
            return SP_WAY_UNKNOWN;
        }
        if (!may(v, &st, S_ISDIR(st.st_mode) ? PASS : READ))
            return open_part(v, &st, ret);
    }
    return SP_WAY_OPEN;
}

int sp_doctor_mend_root(struct sp_visit *v, const char *root)
{
    char mend[SP_MEND_SIZE];
    struct sp_way way;
    struct stat st;

    switch (sp_doctor_way(v, root, &way)) {
    case SP_WAY_MISSING:
        return sp_finding_mend(v, "%s; sallyport reconcile", way.mend);
    case SP_WAY_CLOSED:
    case SP_WAY_UNKNOWN:
        return sp_finding_mend(v, "%s", way.mend);
    case SP_WAY_OPEN:
        break;
    }
    if (lstat(root, &st) != 0 || st.st_uid == 0 || st.st_uid == v->user.uid)
        return sp_finding_mend(v, "sallyport reconcile");
    (void)sp_mend_path(v->login->host, &v->user, SP_MEND_HIS, root, mend);
    return sp_finding_mend(v, "%s", mend);
}
