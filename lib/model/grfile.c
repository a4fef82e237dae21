/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The sp_grfile_* half of pwfile.h: group(5) and gshadow(5). */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/pwfile.h"
#include "model/pwline.h"

/* What every edit must be: `old` with `cut` bytes at `at` replaced by `len` others, none of them a newline
 * unless a whole line was appended. */
static int assert_edit(const char *old, size_t old_len, size_t at, size_t cut, const struct sp_buf *out,
                       struct sp_error *err)
{
    size_t tail = old_len - at - cut;

    if (!sp_buf_ok(out))
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (out->len < at + tail || (at > 0 && memcmp(out->data, old, at) != 0) ||
        (tail > 0 && memcmp(out->data + out->len - tail, old + at + cut, tail) != 0) ||
        memchr(out->data + at, '\n', out->len - at - tail) != NULL)
        return sp_fail(err, SP_E_INTERNAL, 0, "the edit touched more than its line");
    return 0;
}

static const char *kind_file(enum sp_grfile_kind kind)
{
    return kind == SP_GRFILE_GROUP ? "group" : "gshadow";
}

int sp_grfile_find(const char *bytes, size_t len, enum sp_grfile_kind kind, const char *group,
                   struct sp_grfile_line *ret, struct sp_error *err)
{
    struct sp_slice f[SP_PWLINE_FIELDS];
    struct sp_pwline line;
    uint32_t gid = 0;

    if (sp_name_check_user(group, err) < 0 ||
        sp_pwline_find(bytes, len, kind_file(kind), group, &line, err) < 0)
        return -1;
    if (sp_pwline_has_control(line.text) || !sp_pwline_split(line.text, 4, f) ||
        !sp_slice_is(f[0], group) || (kind == SP_GRFILE_GROUP && !sp_slice_to_id(f[2], &gid)))
        return sp_pwline_malformed(kind_file(kind), group, err);
    *ret = (struct sp_grfile_line){
        .offset = (size_t)(line.text.p - bytes),
        .len = line.text.len,
        .gid = gid,
        .members_offset = (size_t)(f[3].p - bytes),
        .members_len = f[3].len,
    };
    return 0;
}

/* The next element of a comma list, and the list behind it. */
static bool next_member(struct sp_slice *list, struct sp_slice *ret)
{
    const char *comma;

    if (list->p == NULL)
        return false;
    comma = memchr(list->p, ',', list->len);
    if (comma == NULL) {
        *ret = *list;
        list->p = NULL;
        return true;
    }
    *ret = (struct sp_slice){list->p, (size_t)(comma - list->p)};
    *list = (struct sp_slice){comma + 1, list->len - ret->len - 1};
    return true;
}

/* glibc skips blanks before a member, so " alice" is alice. */
static bool member_is(struct sp_slice m, const char *user)
{
    while (m.len > 0 && (*m.p == ' ' || *m.p == '\t')) {
        m.p++;
        m.len--;
    }
    return sp_slice_is(m, user);
}

enum sp_grfile_membership sp_grfile_is_member(const char *bytes, const struct sp_grfile_line *line,
                                              const char *user)
{
    struct sp_slice list = {bytes + line->members_offset, line->members_len}, m;

    while (next_member(&list, &m))
        if (member_is(m, user))
            return SP_GRFILE_MEMBER;
    return SP_GRFILE_ABSENT;
}

static void put_members(struct sp_slice list, const char *user, enum sp_grfile_membership want,
                        struct sp_buf *out)
{
    const char *last = list.len > 0 ? list.p + list.len - 1 : NULL;
    const char *comma = "";
    struct sp_slice m;

    if (want == SP_GRFILE_MEMBER) {
        sp_buf_add(out, list.p, list.len);
        sp_buf_puts(out, last != NULL && *last != ',' ? "," : "");
        sp_buf_puts(out, user);
        return;
    }
    while (next_member(&list, &m)) {
        if (member_is(m, user))
            continue;
        sp_buf_puts(out, comma);
        sp_buf_add(out, m.p, m.len);
        comma = ",";
    }
}

int sp_grfile_set_member(const char *old, size_t len, enum sp_grfile_kind kind, const char *group,
                         const char *user, enum sp_grfile_membership want, struct sp_buf *out,
                         struct sp_error *err)
{
    struct sp_grfile_line line, after;
    size_t at, cut;

    if (sp_name_check_user(user, err) < 0 || sp_grfile_find(old, len, kind, group, &line, err) < 0)
        return -1;
    at = line.members_offset;
    cut = line.members_len;
    sp_buf_reserve(out, len + strlen(user) + 1);
    sp_buf_add(out, old, at);
    if (sp_grfile_is_member(old, &line, user) == want)
        sp_buf_add(out, old + at, cut);
    else
        put_members((struct sp_slice){old + at, cut}, user, want, out);
    sp_buf_add(out, old + at + cut, len - at - cut);
    if (assert_edit(old, len, at, cut, out, err) < 0 ||
        sp_grfile_find(out->data, out->len, kind, group, &after, err) < 0)
        return -1;
    if (after.members_offset != at || sp_grfile_is_member(out->data, &after, user) != want)
        return sp_fail(err, SP_E_INTERNAL, 0, "the membership did not come out as wanted");
    return 0;
}

/* The gid of any well-formed line of group(5). */
static bool line_gid(struct sp_slice line, uint32_t *ret)
{
    struct sp_slice f[SP_PWLINE_FIELDS];

    return sp_pwline_name(line).len > 0 && sp_pwline_split(line, 4, f) && sp_slice_to_id(f[2], ret);
}

static int check_is_free(const char *bytes, size_t len, enum sp_grfile_kind kind, const char *group,
                         uint32_t gid, struct sp_error *err)
{
    struct sp_pwline l;
    uint32_t other;

    for (size_t at = 0; sp_pwline_next(bytes, len, at, &l); at = l.next) {
        if (sp_slice_is(sp_pwline_name(l.text), group)) {
            sp_fail(err, SP_E_CONFLICT, 0, "%s has a line of %s already", kind_file(kind), group);
            return sp_hint(err, "edit the line that is there");
        }
        if (kind == SP_GRFILE_GROUP && line_gid(l.text, &other) && other == gid) {
            sp_fail(err, SP_E_CONFLICT, 0, "the gid %u is taken", gid);
            return sp_hint(err, "choose a free one");
        }
    }
    return 0;
}

int sp_grfile_append(const char *old, size_t len, enum sp_grfile_kind kind, const char *group, uint32_t gid,
                     struct sp_buf *out, struct sp_error *err)
{
    struct sp_grfile_line line;

    if (sp_name_check_user(group, err) < 0 || check_is_free(old, len, kind, group, gid, err) < 0)
        return -1;
    if (kind == SP_GRFILE_GROUP && (gid == 0 || gid == UINT32_MAX)) {
        sp_fail(err, SP_E_INVALID, 0, "%u is no gid for a group", gid);
        return sp_hint(err, "choose one of the system range of login.defs");
    }
    sp_buf_add(out, old, len);
    if (len > 0 && old[len - 1] != '\n')
        sp_buf_add(out, "\n", 1);
    if (kind == SP_GRFILE_GROUP)
        sp_buf_printf(out, "%s:x:%u:\n", group, gid);
    else
        sp_buf_printf(out, "%s:!::\n", group);
    if (!sp_buf_ok(out))
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (memcmp(out->data, old, len) != 0 ||
        sp_grfile_find(out->data, out->len, kind, group, &line, err) < 0 || line.offset < len)
        return sp_fail(err, SP_E_INTERNAL, 0, "the appended line does not read back");
    return 0;
}

/* A bit for each gid of the range: system ranges have at most a thousand. */
int sp_grfile_free_gid(const char *bytes, size_t len, uint32_t min, uint32_t max, uint32_t *ret,
                       struct sp_error *err)
{
    size_t span = (size_t)max - min + 1;
    _cleanup_free_ bool *taken = NULL;
    struct sp_pwline l;
    uint32_t gid;

    if (min == 0 || min > max || max == UINT32_MAX || span > 1U << 20) {
        sp_fail(err, SP_E_INVALID, 0, "%u to %u is no range of gids", min, max);
        return sp_hint(err, "look at SYS_GID_MIN and SYS_GID_MAX of login.defs");
    }
    taken = calloc(span, sizeof(*taken));
    if (taken == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    for (size_t at = 0; sp_pwline_next(bytes, len, at, &l); at = l.next)
        if (line_gid(l.text, &gid) && gid >= min && gid <= max)
            taken[gid - min] = true;
    for (size_t i = span; i > 0; i--) {
        if (!taken[i - 1]) {
            *ret = min + (uint32_t)(i - 1);
            return 0;
        }
    }
    {
        sp_fail(err, SP_E_NOT_FOUND, 0, "every gid from %u to %u is taken", min, max);
        return sp_hint(err, "widen SYS_GID_MIN to SYS_GID_MAX in login.defs");
    }
}
