/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The way to a file or directory, as the user walks it: where it ends for him, and the command that opens
 * it. */
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

/* The next longer beginning of path: of "/a/b" it is "/a", then "/a/b". */
static bool next_part(const char *path, size_t *at, char ret[SP_PATH_SIZE])
{
    if (path[*at] == '\0')
        return false;
    *at += 1 + strcspn(path + *at + 1, "/");
    return sp_str_format(ret, SP_PATH_SIZE, "%.*s", (int)*at, path) == 0;
}

/* Root types it: what it passes through must be nobody's to exchange meanwhile. So in a directory of the
 * user's it runs as the user, in one of root's as root, and elsewhere there is none. */
static enum sp_way_state open_part(const struct sp_visit *v, const struct stat *above,
                                   const struct stat *st, struct sp_way *ret)
{
    const char *user = v->user.name, *at = ret->at;
    int n = -1;

    if (st->st_uid == v->user.uid)
        n = snprintf(ret->mend, sizeof(ret->mend), "runuser -u %s -- chmod %s %s", user,
                     S_ISDIR(st->st_mode) ? "u+rwx" : "u+rw", at);
    else if (above->st_uid == v->user.uid)
        n = snprintf(ret->mend, sizeof(ret->mend),
                     "runuser -u %s -- mv -T %s %s.away; sallyport reconcile --restore-access", user, at,
                     at);
    else if (above->st_uid == 0 && is_to_be_his(v, at))
        n = snprintf(ret->mend, sizeof(ret->mend), "chown -h %s %s", user, at);
    else if (above->st_uid == 0 && st->st_uid == 0)
        n = snprintf(ret->mend, sizeof(ret->mend), "chmod o+x %s", at);
    return n > 0 && (size_t)n < sizeof(ret->mend) ? SP_WAY_CLOSED : SP_WAY_UNKNOWN;
}

static enum sp_way_state make_rest(const struct sp_visit *v, const struct stat *above, const char *path,
                                   struct sp_way *ret)
{
    int n = -1;

    if (above->st_uid == v->user.uid)
        n = snprintf(ret->mend, sizeof(ret->mend), "runuser -u %s -- mkdir -p %s", v->user.name, path);
    else if (above->st_uid == 0)
        n = snprintf(ret->mend, sizeof(ret->mend), "install -d -o %s -g %u %s", v->user.name, v->user.gid,
                     path);
    return n > 0 && (size_t)n < sizeof(ret->mend) ? SP_WAY_MISSING : SP_WAY_UNKNOWN;
}

enum sp_way_state sp_doctor_way(const struct sp_visit *v, const char *path, struct sp_way *ret)
{
    struct stat st, above = {.st_uid = 0};
    size_t at = 0;

    *ret = (struct sp_way){.at = ""};
    for (; next_part(path, &at, ret->at); above = st) {
        if (lstat(ret->at, &st) != 0)
            return make_rest(v, &above, path, ret);
        if (S_ISLNK(st.st_mode)) /* of a name that somebody chose: it is not followed, and not in a mend */
            return SP_WAY_UNKNOWN;
        if (!may(v, &st, S_ISDIR(st.st_mode) ? PASS : READ))
            return open_part(v, &above, &st, ret);
    }
    return SP_WAY_OPEN;
}

int sp_doctor_mend_root(struct sp_visit *v, const char *root)
{
    struct sp_way way;
    struct stat st;

    switch (sp_doctor_way(v, root, &way)) {
    case SP_WAY_MISSING:
        return sp_finding_mend(v, "%s; sallyport reconcile", way.mend);
    case SP_WAY_CLOSED:
        return sp_finding_mend(v, "%s", way.mend);
    case SP_WAY_UNKNOWN:
        return sp_finding_mend(v, "namei -l %s", root);
    case SP_WAY_OPEN:
        break;
    }
    if (lstat(root, &st) != 0 || st.st_uid == 0 || st.st_uid == v->user.uid)
        return sp_finding_mend(v, "sallyport reconcile");
    *strrchr(way.at, '/') = '\0';
    if (lstat(way.at[0] != '\0' ? way.at : "/", &st) == 0 && st.st_uid == 0)
        return sp_finding_mend(v, "chown -h %s %s", v->user.name, root);
    return sp_finding_mend(v, "namei -l %s", root);
}
