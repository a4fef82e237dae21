/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The half of userdb.h that is about group(5) and gshadow(5). */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/dbfile.h"
#include "host/fsat.h"
#include "host/userdb.h"
#include "model/pwfile.h"
#include "model/pwline.h"

/* Names of groups that are sallyport's own begin so. */
#define OURS "sallyport"

static int there_is(const struct sp_dbfile *f, struct sp_error *err)
{
    return f->exists ? 0 : sp_fail(err, SP_E_IO, 0, "there is no /etc/group");
}

static int look_at_group(struct sp_host *h, struct sp_dbfile *ret, struct sp_error *err)
{
    return sp_dbfile_look(h, "group", ret, err) != 0 ? -1 : there_is(ret, err);
}

static int find_group(const struct sp_dbfile *f, const char *group, struct sp_grfile_line *ret,
                      struct sp_error *err)
{
    if (f->index == NULL || sp_pwindex_group(f->index, group, ret) != SP_PWINDEX_YES)
        return sp_grfile_find(f->bytes.data, f->bytes.len, SP_GRFILE_GROUP, group, ret, err);
    return sp_name_check_user(group, err);
}

/* The line of one group, and what it stands in: for our own groups, their lines. */
static int look_up(struct sp_host *h, const char *group, struct sp_dbfile *ret_file,
                   struct sp_grfile_line *ret, struct sp_error *err)
{
    const char *text = sp_str_prefix(group, OURS, NULL) ? OURS : "";

    if (sp_dbfile_look_for(h, "group", text, ret_file, err) != 0 || there_is(ret_file, err) != 0)
        return -1;
    return find_group(ret_file, group, ret, err);
}

static int read_group(struct sp_host *h, struct sp_dbfile *ret, struct sp_error *err)
{
    return sp_dbfile_read(h, "group", ret, err) != 0 ? -1 : there_is(ret, err);
}

int sp_userdb_in_group(struct sp_host *h, const char *group, const char *user, bool *ret,
                       struct sp_error *err)
{
    _cleanup_(sp_dbfile_clear) struct sp_dbfile f = SP_DBFILE_INIT;
    struct sp_grfile_line line;

    if (look_up(h, group, &f, &line, err) != 0)
        return -1;
    *ret = f.index != NULL ? sp_pwindex_is_member(f.index, &line, user)
                           : sp_grfile_is_member(f.bytes.data, &line, user) == SP_GRFILE_MEMBER;
    return 0;
}

int sp_userdb_group_is_just(struct sp_host *h, const char *group, const char *members, bool *ret,
                            struct sp_error *err)
{
    _cleanup_(sp_dbfile_clear) struct sp_dbfile f = SP_DBFILE_INIT;
    struct sp_grfile_line line;

    if (look_up(h, group, &f, &line, err) != 0)
        return -1;
    *ret = line.members_len == strlen(members) &&
           memcmp(f.bytes.data + line.members_offset, members, line.members_len) == 0;
    return 0;
}

int sp_userdb_group_gid(struct sp_host *h, const char *group, gid_t *ret, struct sp_error *err)
{
    _cleanup_(sp_dbfile_clear) struct sp_dbfile f = SP_DBFILE_INIT;
    struct sp_grfile_line line;

    if (look_up(h, group, &f, &line, err) != 0)
        return -1;
    *ret = line.gid;
    return 0;
}

/* The file with all the changes made. gshadow need not have a group that group(5) has. */
static int change_all(const struct sp_dbfile *f, enum sp_grfile_kind kind, const char *user,
                      const struct sp_member *changes, size_t n, struct sp_buf *ret, struct sp_error *err)
{
    const struct sp_buf *now = &f->bytes;

    for (size_t i = 0; i < n; i++) {
        enum sp_grfile_membership want =
            changes[i].what == SP_MEMBER_ADD ? SP_GRFILE_MEMBER : SP_GRFILE_ABSENT;
        _cleanup_(sp_buf_wipe) struct sp_buf next = {0}, last = {0};

        if (sp_grfile_set_member(now->data, now->len, kind, changes[i].group, user, want, &next, err) ==
            0) {
            last = *ret;
            *ret = next;
            next = (struct sp_buf){0};
            now = ret;
        } else if (kind != SP_GRFILE_GSHADOW || err->code != SP_E_NOT_FOUND)
            return -1;
    }
    if (now != ret)
        sp_buf_add(ret, f->bytes.data, f->bytes.len);
    return sp_buf_ok(ret) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for /etc/%s", f->name);
}

int sp_userdb_set_member(struct sp_host *h, const char *group, const char *user, enum sp_membership what,
                         struct sp_error *err)
{
    const struct sp_member one = {group, what};

    return sp_userdb_set_members(h, user, &one, 1, err);
}

/* gshadow first: group(5) is what a plan looks at, so that a crash between the two leaves something to
 * plan, and the next call, which looks at each file by itself, mends the other. */
int sp_userdb_set_members(struct sp_host *h, const char *user, const struct sp_member *changes, size_t n,
                          struct sp_error *err)
{
    _cleanup_(sp_dbfile_clear) struct sp_dbfile f = SP_DBFILE_INIT, shadow = SP_DBFILE_INIT;
    _cleanup_(sp_buf_clear) struct sp_buf group = {0};
    _cleanup_(sp_buf_wipe) struct sp_buf gshadow = {0};
    _cleanup_(sp_stage_clear) struct sp_stage stage = {0};
    _cleanup_close_ int lock = sp_dbfile_lock(h, err);
    bool written;

    if (lock < 0 || read_group(h, &f, err) != 0 || sp_dbfile_read(h, "gshadow", &shadow, err) != 0 ||
        change_all(&f, SP_GRFILE_GROUP, user, changes, n, &group, err) != 0 ||
        change_all(&shadow, SP_GRFILE_GSHADOW, user, changes, n, &gshadow, err) != 0 ||
        (shadow.exists && sp_dbfile_stage(h, &shadow, &gshadow, &stage, err) != 0) ||
        sp_dbfile_stage(h, &f, &group, &stage, err) != 0)
        return -1;
    written = stage.n > 0;
    if (sp_stage_commit(h, &stage, err) != 0)
        return -1;
    (void)close(sp_steal_fd(&lock));
    if (written)
        sp_dbfile_flush_caches(h);
    return 0;
}

/* Is `user` in a list "a,b,c"? */
static bool lists(struct sp_slice members, const char *user)
{
    const char *p = members.p, *end = members.p + members.len;

    while (p < end) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        struct sp_slice one = {p, (size_t)((comma != NULL ? comma : end) - p)};
        if (sp_slice_is(one, user))
            return true;
        p += one.len + 1;
    }
    return false;
}

/* A walk over the groups of one user. Only lines that hold his name or his gid somewhere are taken apart.
 */
struct walk {
    const struct sp_dbfile *file;
    const struct sp_user *user;
    char gid[16];
    size_t offset;
    struct sp_pwline named, numbered; /* the next of each kind; text.p is NULL behind the last */
};

static struct walk start_walk(const struct sp_dbfile *f, const struct sp_user *user)
{
    struct walk w = {.file = f, .user = user};

    (void)sp_str_format(w.gid, sizeof(w.gid), "%u", user->gid);
    return w;
}

static void look_ahead(const struct walk *w, const char *text, struct sp_pwline *line)
{
    const char *here = w->file->bytes.data + w->offset;

    if ((w->offset > 0 && line->text.p == NULL) || line->text.p >= here)
        return;
    if (!sp_pwline_with(w->file->bytes.data, w->file->bytes.len, w->offset, text, line))
        *line = (struct sp_pwline){0};
}

/* The next line that may be a group of the user's; where there is a table, one that is. */
static bool next_line_for(struct walk *w, struct sp_pwline *ret)
{
    if (w->file->index != NULL)
        return sp_pwindex_next(w->file->index, w->user->name, w->user->gid, w->offset, ret);
    look_ahead(w, w->user->name, &w->named);
    look_ahead(w, w->gid, &w->numbered);
    *ret = w->named;
    if (ret->text.p == NULL || (w->numbered.text.p != NULL && w->numbered.text.p < ret->text.p))
        *ret = w->numbered;
    return ret->text.p != NULL;
}

/* The next group of the user. Malformed lines are nobody's. */
static bool next_group_of(struct walk *w, struct sp_slice *ret_name, uint32_t *ret_gid)
{
    struct sp_slice fields[SP_PWLINE_FIELDS];
    struct sp_pwline line;

    while (next_line_for(w, &line)) {
        w->offset = line.next;
        *ret_name = sp_pwline_name(line.text);
        if (ret_name->len > 0 && sp_pwline_split(line.text, 4, fields) &&
            sp_slice_to_id(fields[2], ret_gid) &&
            (*ret_gid == w->user->gid || w->file->index != NULL || lists(fields[3], w->user->name)))
            return true;
    }
    return false;
}

int sp_userdb_groups_of(struct sp_host *h, const struct sp_user *user, char ***ret, struct sp_error *err)
{
    _cleanup_(sp_dbfile_clear) struct sp_dbfile f = SP_DBFILE_INIT;
    _cleanup_(sp_userdb_free_names) char **names = calloc(1, sizeof(*names));
    size_t n = 0;
    struct sp_slice name;
    struct walk walk;
    uint32_t gid;

    if (names == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for a list of groups");
    if (look_at_group(h, &f, err) != 0)
        return -1;
    walk = start_walk(&f, user);
    while (next_group_of(&walk, &name, &gid)) {
        char **more = reallocarray(names, n + 2, sizeof(*names));
        if (more == NULL)
            return sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for a list of groups");
        names = more;
        names[n + 1] = NULL;
        names[n] = strndup(name.p, name.len);
        if (names[n++] == NULL)
            return sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for a list of groups");
    }
    *ret = sp_steal_ptr(names);
    return 0;
}

int sp_userdb_gids_of(struct sp_host *h, const struct sp_user *user, gid_t **ret, size_t *ret_n,
                      struct sp_error *err)
{
    _cleanup_(sp_dbfile_clear) struct sp_dbfile f = SP_DBFILE_INIT;
    _cleanup_free_ gid_t *gids = malloc(sizeof(*gids));
    size_t n = 1;
    struct sp_slice name;
    struct walk walk;
    uint32_t gid;

    if (gids == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for a list of groups");
    gids[0] = user->gid;
    if (look_at_group(h, &f, err) != 0)
        return -1;
    walk = start_walk(&f, user);
    while (next_group_of(&walk, &name, &gid)) {
        gid_t *more;
        if (gid == user->gid)
            continue;
        more = reallocarray(gids, n + 1, sizeof(*gids));
        if (more == NULL)
            return sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for a list of groups");
        gids = more;
        gids[n++] = gid;
    }
    *ret = sp_steal_ptr(gids);
    *ret_n = n;
    return 0;
}

int sp_userdb_group_name_of(struct sp_host *h, gid_t gid, char ret[64], struct sp_error *err)
{
    _cleanup_(sp_dbfile_clear) struct sp_dbfile f = SP_DBFILE_INIT;
    struct sp_slice fields[SP_PWLINE_FIELDS];
    struct sp_pwline line;
    char text[16];
    uint32_t found;

    if (look_at_group(h, &f, err) != 0)
        return -1;
    (void)sp_str_format(text, sizeof(text), ":%u:", gid);
    if (f.index != NULL)
        return sp_pwindex_next(f.index, NULL, gid, 0, &line) &&
               sp_slice_copy(sp_pwline_name(line.text), ret, 64);
    for (size_t at = 0; sp_pwline_with(f.bytes.data, f.bytes.len, at, text, &line); at = line.next) {
        struct sp_slice name = sp_pwline_name(line.text);

        if (name.len > 0 && sp_pwline_split(line.text, 4, fields) && sp_slice_to_id(fields[2], &found) &&
            found == gid)
            return sp_slice_copy(name, ret, 64);
    }
    return 0;
}

static bool is_named(const char *const *names, const struct sp_slice *name)
{
    for (; *names != NULL; names++)
        if (strlen(*names) == name->len && memcmp(*names, name->p, name->len) == 0)
            return true;
    return false;
}

int sp_userdb_group_lines(struct sp_host *h, const struct sp_user *user, const char *const *also,
                          struct sp_buf *out, struct sp_error *err)
{
    _cleanup_(sp_dbfile_clear) struct sp_dbfile f = SP_DBFILE_INIT;
    struct sp_grfile_line line;
    struct sp_slice name;
    struct walk walk;
    uint32_t gid;

    if (look_at_group(h, &f, err) != 0)
        return -1;
    walk = start_walk(&f, user);
    while (next_group_of(&walk, &name, &gid))
        if (!is_named(also, &name))
            sp_buf_printf(out, "%.*s:x:%u:\n", (int)name.len, name.p, gid);
    for (; *also != NULL; also++) {
        _cleanup_(sp_dbfile_clear) struct sp_dbfile own = SP_DBFILE_INIT;
        if (look_up(h, *also, &own, &line, err) == 0)
            sp_buf_printf(out, "%s:x:%u:\n", *also, line.gid);
    }
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for a list of groups");
}

void sp_userdb_free_names(char ***names)
{
    for (size_t i = 0; *names != NULL && (*names)[i] != NULL; i++)
        free((*names)[i]);
    free(*names);
    *names = NULL;
}

/* login.defs(5): "KEY  VALUE", the last one counts; else the default. */
static uint32_t login_def(const struct sp_buf *defs, const char *key, uint32_t otherwise)
{
    uint32_t found = otherwise;
    const char *p = sp_buf_str(defs);

    while (*p != '\0') {
        size_t line = strcspn(p, "\n"), at = strspn(p, " \t"), n = strlen(key);
        if (strncmp(p + at, key, n) == 0 && strchr(" \t", p[at + n]) != NULL && p[at + n] != '\0') {
            const char *value = p + at + n + strspn(p + at + n, " \t");
            char digits[16];
            uint64_t number;
            struct sp_slice s = {value, strcspn(value, " \t\n#")};
            if (sp_slice_copy(s, digits, sizeof(digits)) &&
                sp_str_to_u64(digits, UINT32_MAX - 1, &number) == 0)
                found = (uint32_t)number;
        }
        p += line + (p[line] == '\n');
    }
    return found;
}

static int choose_gid(struct sp_host *h, const struct sp_dbfile *group, uint32_t *ret, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf defs = {0};
    struct sp_error ignored;
    uint32_t min, max;

    if (sp_fsat_read(h->root_fd, "etc/login.defs", 1 << 20, &defs, NULL, &ignored) != 0)
        sp_buf_clear(&defs);
    min = login_def(&defs, "SYS_GID_MIN", 100);
    max = login_def(&defs, "SYS_GID_MAX", 999);
    return sp_grfile_free_gid(group->bytes.data, group->bytes.len, min != 0 ? min : 1, max, ret, err);
}

/* Append the group where it is missing. */
static int ensure_in(struct sp_host *h, const struct sp_dbfile *f, enum sp_grfile_kind kind,
                     const char *group, bool *ret_written, struct sp_error *err)
{
    _cleanup_(sp_buf_wipe) struct sp_buf out = {0};
    struct sp_grfile_line line;
    uint32_t gid = 0;

    *ret_written = false;
    if (sp_grfile_find(f->bytes.data, f->bytes.len, kind, group, &line, err) == 0)
        return 0;
    if (err->code != SP_E_NOT_FOUND || (kind == SP_GRFILE_GROUP && choose_gid(h, f, &gid, err) != 0) ||
        sp_grfile_append(f->bytes.data, f->bytes.len, kind, group, gid, &out, err) != 0)
        return -1;
    return sp_dbfile_write(h, f, &out, ret_written, err);
}

int sp_userdb_ensure_group(struct sp_host *h, const char *group, struct sp_error *err)
{
    _cleanup_(sp_dbfile_clear) struct sp_dbfile f = SP_DBFILE_INIT, shadow = SP_DBFILE_INIT;
    _cleanup_close_ int lock = sp_dbfile_lock(h, err);
    bool written, shadow_written;

    if (lock < 0 || read_group(h, &f, err) != 0 || sp_dbfile_read(h, "gshadow", &shadow, err) != 0 ||
        (shadow.exists && ensure_in(h, &shadow, SP_GRFILE_GSHADOW, group, &shadow_written, err) != 0) ||
        ensure_in(h, &f, SP_GRFILE_GROUP, group, &written, err) != 0)
        return -1;
    (void)close(sp_steal_fd(&lock));
    if (written)
        sp_dbfile_flush_caches(h);
    return 0;
}
