/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The part of userdb.h that changes a group's members as a whole, in one rewrite. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/dbfile.h"
#include "host/userdb.h"
#include "model/pwfile.h"
#include "model/pwline.h"

/* Sorted, and pointing into the bytes of the file. */
struct roster {
    struct sp_slice *v;
    size_t n;
};

static void clear_roster(struct roster *r)
{
    free(r->v);
    *r = (struct roster){0};
}

static int by_name(const void *a, const void *b)
{
    const struct sp_slice *x = a, *y = b;
    int rc = memcmp(x->p, y->p, x->len < y->len ? x->len : y->len);

    return rc != 0 ? rc : (x->len > y->len) - (x->len < y->len);
}

static bool is_on(const struct roster *r, const struct sp_slice *name)
{
    return r->n > 0 && bsearch(name, r->v, r->n, sizeof(*r->v), by_name) != NULL;
}

/* Adds the members of a group. One that is not there has none. */
static int add_members(const struct sp_dbfile *f, enum sp_grfile_kind kind, const char *group,
                       struct roster *r, struct sp_error *err)
{
    struct sp_grfile_line line;
    const char *p, *end;

    if (sp_grfile_find(f->bytes.data, f->bytes.len, kind, group, &line, err) != 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    p = f->bytes.data + line.members_offset;
    end = p + line.members_len;
    while (p < end) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        size_t len = (size_t)((comma != NULL ? comma : end) - p);
        struct sp_slice *more = reallocarray(r->v, r->n + 1, sizeof(*more));
        if (more == NULL)
            return sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for the members of %s", group);
        r->v = more;
        if (len > 0)
            r->v[r->n++] = (struct sp_slice){p, len};
        p += len + 1;
    }
    if (r->n > 0)
        qsort(r->v, r->n, sizeof(*r->v), by_name);
    return 0;
}

/* The file with another list of members in one line. */
static int splice(const struct sp_dbfile *f, enum sp_grfile_kind kind, const char *group,
                  const struct sp_buf *members, struct sp_buf *out, struct sp_error *err)
{
    struct sp_grfile_line line;
    size_t rest;

    if (sp_grfile_find(f->bytes.data, f->bytes.len, kind, group, &line, err) != 0) {
        if (err->code != SP_E_NOT_FOUND)
            return -1;
        sp_buf_add(out, f->bytes.data, f->bytes.len);
    } else {
        rest = line.members_offset + line.members_len;
        sp_buf_add(out, f->bytes.data, line.members_offset);
        sp_buf_add(out, members->data, members->len);
        sp_buf_add(out, f->bytes.data + rest, f->bytes.len - rest);
    }
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for /etc/%s", f->name);
}

/* gshadow first, as in sp_userdb_set_members(). */
static int write_both(struct sp_host *h, const struct sp_dbfile *group, const struct sp_dbfile *shadow,
                      const char *name, const struct sp_buf *members, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    _cleanup_(sp_buf_wipe) struct sp_buf shadow_out = {0};
    _cleanup_(sp_stage_clear) struct sp_stage stage = {0};

    if (splice(group, SP_GRFILE_GROUP, name, members, &out, err) != 0 ||
        (shadow->exists && (splice(shadow, SP_GRFILE_GSHADOW, name, members, &shadow_out, err) != 0 ||
                            sp_dbfile_stage(h, shadow, &shadow_out, &stage, err) != 0)) ||
        sp_dbfile_stage(h, group, &out, &stage, err) != 0 || sp_stage_commit(h, &stage, err) != 0)
        return -1;
    return 0;
}

/* Its members, and those of `of` who are in none of `but`. */
static int list_members(const struct sp_dbfile *f, const char *group, const char *of,
                        const char *const *but, struct sp_buf *out, struct sp_error *err)
{
    _cleanup_(clear_roster) struct roster all = {0}, not = {0};

    if (add_members(f, SP_GRFILE_GROUP, of, &all, err) != 0)
        return -1;
    for (; *but != NULL; but++)
        if (add_members(f, SP_GRFILE_GROUP, *but, &not, err) != 0)
            return -1;
    for (size_t i = 0; i < all.n; i++)
        if (!is_on(&not, &all.v[i]))
            sp_buf_printf(out, "%s%.*s", out->len > 0 ? "," : "", (int)all.v[i].len, all.v[i].p);
    all.n = 0;
    if (add_members(f, SP_GRFILE_GROUP, group, &all, err) != 0)
        return -1;
    for (size_t i = 0; i < all.n; i++)
        sp_buf_printf(out, "%s%.*s", out->len > 0 ? "," : "", (int)all.v[i].len, all.v[i].p);
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for /etc/group");
}

int sp_userdb_fill_group(struct sp_host *h, const char *group, const char *of, const char *const *but,
                         sp_userdb_still *still, struct sp_error *err)
{
    _cleanup_(sp_dbfile_clear) struct sp_dbfile f = SP_DBFILE_INIT, shadow = SP_DBFILE_INIT;
    _cleanup_(sp_buf_clear) struct sp_buf members = {0};
    _cleanup_close_ int lock = sp_dbfile_lock(h, err);
    const char *others[16] = {group};
    size_t n = 1;
    int is_still;

    while (*but != NULL && n < SP_COUNT(others) - 1)
        others[n++] = *but++;
    if (lock < 0 || sp_dbfile_read(h, "group", &f, err) != 0 ||
        sp_dbfile_read(h, "gshadow", &shadow, err) != 0)
        return -1;
    is_still = still(h, err);
    if (is_still <= 0)
        return is_still;
    if (list_members(&f, group, of, others, &members, err) != 0 ||
        write_both(h, &f, &shadow, group, &members, err) != 0)
        return -1;
    (void)close(sp_steal_fd(&lock));
    sp_dbfile_flush_caches(h);
    return 0;
}

int sp_userdb_empty_group(struct sp_host *h, const char *group, struct sp_error *err)
{
    _cleanup_(sp_dbfile_clear) struct sp_dbfile f = SP_DBFILE_INIT, shadow = SP_DBFILE_INIT;
    _cleanup_close_ int lock = sp_dbfile_lock(h, err);
    const struct sp_buf none = {0};

    if (lock < 0 || sp_dbfile_read(h, "group", &f, err) != 0 ||
        sp_dbfile_read(h, "gshadow", &shadow, err) != 0 ||
        write_both(h, &f, &shadow, group, &none, err) != 0)
        return -1;
    (void)close(sp_steal_fd(&lock));
    sp_dbfile_flush_caches(h);
    return 0;
}
