/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The empty directories below the first document root on which a jail is mounted. Where the site has
 * content of its own at such a name none are made and the path layout is used (layout.h). They stay while
 * the account has that document root, whatever its shell, so that running sessions are not disturbed; a
 * root that is given up gets them taken away.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/label.h"
#include "host/layout.h"
#include "host/recordfile.h"
#include "host/replace.h"
#include "resource/resource.h"
#include "resource/shown.h"
#include "resource/watch.h"

/* A mount point of ours is known by its mode, which a panel's `chown -R` leaves alone: sticky, and nobody
 * writes. */
#define POINT_MODE 01555
/* While it is made: it has neither the label nor the mode of one yet, and a rerun finishes it. */
#define BEGUN_MODE 01000
#define MAX_POINTS (SP_ROOTS_MAX + SP_SHOWN_MAX + 16)
#define MAX_PATHS (2 * SP_ROOTS_MAX + SP_SHOWN_MAX + 4)

/* What profiles usually show lies below these. */
static const char *const once_shown[] = {"/opt", "/var"};

/* What a look below one document root found; why: what stands in the way, "" if nothing does. */
struct points {
    char names[MAX_POINTS][256];
    size_t n, missing, ours;
    uid_t owner; /* the document root's */
    char why[300];
};

/* Nobody but root could have put anything into a directory of this mode, so it is empty, too. */
static bool is_ours(const struct stat *st)
{
    return S_ISDIR(st->st_mode) && (st->st_mode & 07777) == POINT_MODE;
}

/* A document root may hand its set-group-id bit down. A user may have a directory of this mode, too; ours
 * are still root's. */
static bool is_begun(const struct sp_host *h, const struct stat *st)
{
    return S_ISDIR(st->st_mode) && (st->st_mode & 07777 & ~(mode_t)S_ISGID) == BEGUN_MODE &&
           (!h->real || st->st_uid == 0);
}

static int look(const struct sp_host *h, int root_fd, const char *const *paths, size_t n_paths,
                struct points *ret, struct sp_error *err)
{
    struct stat st;

    *ret = (struct points){0};
    if (fstat(root_fd, &st) < 0)
        return sp_fail(err, SP_E_IO, errno, "cannot look at the document root");
    ret->owner = st.st_uid;
    ret->n = sp_layout_names(paths, n_paths, ret->names, MAX_POINTS);
    for (size_t i = 0; i < ret->n; i++) {
        const char *why;
        bool there = sp_layout_stat(root_fd, ret->names[i], &st) == 0;

        if (!there && errno != ENOENT && errno != EXDEV)
            return sp_fail(err, SP_E_IO, errno, "cannot look at the mount point %s", ret->names[i]);
        if (!there && errno == ENOENT) {
            ret->missing++;
            continue;
        }
        ret->missing += there && is_begun(h, &st);
        if (there && (is_ours(&st) || is_begun(h, &st))) {
            ret->ours++;
            continue;
        }
        why = sp_layout_unfit(root_fd, ret->names[i]);
        if (why != NULL && ret->why[0] == '\0')
            (void)sp_str_format(ret->why, sizeof(ret->why), "%s %s", ret->names[i], why);
    }
    return 0;
}

/* The paths whose first components are mount points too: the roots of an account, its home, and what its
 * profiles show of the host. */
static size_t paths_of(const struct sp_account *a, const struct sp_user *user, const struct sp_shown *shown,
                       const char *paths[MAX_PATHS])
{
    size_t n = sp_account_roots(a, paths);

    if (user != NULL)
        paths[n++] = user->home;
    return n + sp_shown_paths(shown, paths + n);
}

/* The names to take away are those of the account before; a home that is gone with its user adds none. */
static int look_at(const struct sp_ctx *c, const char *root, const struct sp_account *a,
                   const struct sp_plan *p, int *ret_fd, struct points *ret, struct sp_error *err)
{
    _cleanup_(sp_shown_clear) struct sp_shown shown = {0};
    const char *paths[MAX_PATHS];
    size_t n;

    *ret_fd = sp_fsat_open_dir(c->host->root_fd, root, SP_FSAT_NONE, err);
    if (*ret_fd < 0 || sp_shown_of(c, a, p, &shown, err) < 0)
        return -1;
    n = paths_of(a, c->user, &shown, paths);
    if (a == c->applied) /* a profile that has changed since made them */
        for (size_t i = 0; i < SP_COUNT(once_shown); i++)
            paths[n++] = once_shown[i];
    return look(c->host, *ret_fd, paths, n, ret, err);
}

/* Whoever may write above it can have put another user's directory there; the jailed shell enters none,
 * either. */
static bool is_strangers(const struct sp_ctx *c, const struct points *at)
{
    return c->host->real && at->owner != 0 && at->owner != c->desired->uid;
}

static int add(struct sp_plan *p, const char *root, size_t from, size_t to, enum sp_phase phase,
               struct sp_error *err)
{
    struct sp_change *change = sp_plan_add(p, &sp_resource_points, phase, SP_NEUTRAL, 0, err);

    if (change == NULL)
        return -1;
    (void)sp_str_format(change->target, sizeof(change->target), "%.511s", root);
    if (from > 0)
        (void)sp_str_format(change->from, sizeof(change->from), "%zu", from);
    if (to > 0)
        (void)sp_str_format(change->to, sizeof(change->to), "%zu", to);
    return 0;
}

static int plan_made(const struct sp_ctx *c, const char *root, struct sp_plan *p, struct sp_error *err)
{
    _cleanup_close_ int fd = -1;
    struct points points;

    if (look_at(c, root, c->desired, p, &fd, &points, err) < 0)
        return -1;
    if (is_strangers(c, &points))
        return sp_plan_warn(p, err, "the document root %.200s belongs to another user", root);
    if (points.why[0] != '\0')
        return sp_plan_warn(p, err, "the path layout is used below %.200s: %s", root, points.why);
    return points.missing > 0 ? add(p, root, points.n - points.missing, points.n, SP_BUILD, err) : 0;
}

static bool keeps(const struct sp_account *a, const char *root)
{
    for (size_t i = 0; i < a->n_domains; i++)
        if (sp_streq(a->domains[i].document_root, root))
            return true;
    return false;
}

/* The jail there may be that of another name of this uid, or of the user whose directory it is by now. 1;
 * 0; -1: nobody knows. */
static int is_anothers(const struct sp_ctx *c, const struct points *at, const char *root,
                       struct sp_error *err)
{
    _cleanup_(sp_record_clear) struct sp_record r = {0};
    bool strange = is_strangers(c, at);

    if (sp_recordfile_read(c->host, strange ? at->owner : c->desired->uid, &r, err) < 0)
        return sp_error_is_blind(err) ? -1 : strange && err->code != SP_E_NOT_FOUND;
    return strange || (!sp_streq(r.user, c->desired->user) && r.n_roots > 0 && sp_streq(r.roots[0], root));
}

/* 1: there are some of ours to take away. */
static int look_given_up(const struct sp_ctx *c, const char *root, struct points *ret, struct sp_error *err)
{
    _cleanup_close_ int fd = -1;
    int anothers;

    if (look_at(c, root, c->applied, NULL, &fd, ret, err) < 0)
        return sp_error_is_blind(err) ? -1 : 0; /* gone with its document root */
    if (ret->ours == 0)
        return 0;
    anothers = is_anothers(c, ret, root, err);
    return anothers < 0 ? -1 : !anothers;
}

static int plan_given_up(const struct sp_ctx *c, const char *root, struct sp_plan *p, struct sp_error *err)
{
    struct sp_error why;
    struct points points;
    int left = look_given_up(c, root, &points, &why);

    if (left >= 0)
        return left > 0 ? add(p, root, points.ours, 0, SP_NARROW, err) : 0;
    if (c->withdraws) /* which a disk that cannot be read does not hold up */
        return sp_plan_warn(p, err, "the mount points below %.200s could not be looked at: %s", root,
                            why.text);
    *err = why;
    return -1;
}

static int points_plan(const struct sp_ctx *c, struct sp_plan *p, struct sp_error *err)
{
    const char *before[SP_ROOTS_MAX], *now[SP_ROOTS_MAX];
    size_t n_before = sp_account_roots(c->applied, before), n_now = sp_account_roots(c->desired, now);

    if (sp_extra_is(&c->desired->extra) || c->hangs) /* they are its owner's; or out of reach */
        return 0;
    for (size_t i = 0; i < n_before; i++)
        if (!keeps(c->desired, before[i]) && plan_given_up(c, before[i], p, err) < 0)
            return -1;
    if (c->user == NULL || n_now == 0 || c->desired->shell != SP_SHELL_CHROOT)
        return 0;
    return plan_made(c, now[0], p, err);
}

/* Whose they are by now is no matter: any change of one has the root looked at again. */
static int points_watch(const struct sp_ctx *c, struct sp_watch *w, struct sp_error *err)
{
    _cleanup_(sp_shown_clear) struct sp_shown shown = {0};
    const char *paths[MAX_PATHS];
    char names[MAX_POINTS][256];
    size_t n;

    if (c->desired->shell != SP_SHELL_CHROOT || c->desired->n_domains == 0)
        return 0;
    if (sp_shown_of(c, c->desired, NULL, &shown, err) < 0)
        return -1;
    n = sp_layout_names(paths, paths_of(c->desired, c->user, &shown, paths), names, MAX_POINTS);
    sp_watch_add(w, 'T', c->desired->domains[0].document_root);
    for (size_t i = 0; i < n; i++)
        sp_watch_add(w, 'D', names[i]);
    return 0;
}

/* Its parent's label is a home's, and an ACL there may have thinned its mode. Not one that we began: the
 * site's own, one exchanged by whoever can rename here, or a file system that has no modes to give. */
static int finish(struct sp_host *h, int root_fd, const char *name, struct sp_error *err)
{
    _cleanup_close_ int fd = sp_fsat_open_dir(root_fd, name, SP_FSAT_NO_XDEV, err);
    struct stat st;

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0)
        return sp_fail(err, SP_E_IO, errno, "cannot look at the mount point %s", name);
    if (!is_begun(h, &st))
        return 0;
    if (h->real && sp_label_set_at(&h->labels, fd, root_fd, name, err) < 0)
        return -1;
    if (fchmod(fd, POINT_MODE) < 0)
        return sp_fail(err, SP_E_IO, errno, "cannot give the mount point %s its mode", name);
    return 0;
}

/* The mode comes last: what has it has its label, too. */
static int make(struct sp_host *h, int root_fd, const struct points *points, struct sp_error *err)
{
    for (size_t i = 0; i < points->n; i++) {
        const char *name = points->names[i];
        if (mkdirat(root_fd, name, BEGUN_MODE) < 0 && errno != EEXIST)
            return sp_fail(err, SP_E_IO, errno, "cannot make the mount point %s", name);
        if (finish(h, root_fd, name, err) < 0)
            return -1;
    }
    return 0;
}

/* rmdir removes nothing but an empty directory, and the mode says that it is ours. */
static int take_away(const struct sp_host *h, int root_fd, const struct points *points,
                     struct sp_error *err)
{
    for (size_t i = 0; i < points->n; i++) {
        struct stat st;
        if (sp_layout_stat(root_fd, points->names[i], &st) < 0) {
            if (errno != ENOENT && errno != EXDEV) /* what is mounted there is not ours */
                return sp_fail(err, SP_E_IO, errno, "cannot look at the mount point %s", points->names[i]);
        } else if ((is_ours(&st) || is_begun(h, &st)) &&
                   sp_fsat_remove_empty(root_fd, points->names[i], err) < 0)
            return -1;
    }
    return 0;
}

static int apply_one(const struct sp_ctx *c, const struct sp_change *change, struct sp_error *err)
{
    _cleanup_close_ int fd = -1;
    bool making = change->phase == SP_BUILD;
    struct points points;
    int anothers;

    if (look_at(c, change->target, making ? c->desired : c->applied, NULL, &fd, &points, err) < 0)
        return -1;
    anothers = making ? is_strangers(c, &points) : is_anothers(c, &points, change->target, err);
    if (anothers < 0)
        return -1;
    if (anothers)
        return sp_fail(err, SP_E_UNSAFE_PATH, 0, "the document root %s belongs to another user",
                       change->target);
    if (making && make(c->host, fd, &points, err) < 0)
        return -1;
    if (!making && take_away(c->host, fd, &points, err) < 0)
        return -1;
    return sp_sync_dir(c->host, fd, err);
}

static int points_apply(const struct sp_ctx *c, const struct sp_plan *p, enum sp_phase phase,
                        struct sp_error *err)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].resource == &sp_resource_points && p->v[i].phase == phase &&
            apply_one(c, &p->v[i], err) < 0)
            return -1;
    return 0;
}

static int points_read_back(const struct sp_ctx *c, struct sp_change *change, struct sp_error *err)
{
    _cleanup_close_ int fd = -1;
    bool making = change->phase == SP_BUILD;
    struct points points;
    size_t n;

    if (look_at(c, change->target, making ? c->desired : c->applied, NULL, &fd, &points, err) < 0)
        return -1;
    n = making ? points.n - points.missing : points.ours;
    return n == 0 ? 0 : sp_str_format(change->read_back, sizeof(change->read_back), "%zu", n);
}

const struct sp_resource sp_resource_points = {"mount_points",   points_plan, points_apply,
                                               points_read_back, NULL,        points_watch};
