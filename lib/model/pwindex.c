/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/pwindex.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

struct sp_pwindex_line {
    struct sp_pwline text;
    struct sp_slice name;
    struct sp_slice members; /* group(5) */
    uint32_t gid;
    uint32_t next; /* of those whose gid has the same place, in the file's order */
    bool twice;    /* its name stands in another line too */
    bool good;     /* group(5): well-formed */
    bool control;  /* and yet with control bytes */
};

struct sp_pwindex_member {
    struct sp_slice name;
    uint32_t line, next;
};

void sp_pwindex_clear(struct sp_pwindex *x)
{
    free(x->lines);
    free(x->members);
    free(x->names);
    free(x->gids);
    free(x->users);
    *x = (struct sp_pwindex){0};
}

/* FNV-1a. The names are root's: nobody chooses them so that they meet. */
static size_t place(const struct sp_pwindex *x, struct sp_slice name)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.p[i]) * UINT64_C(1099511628211);
    return (size_t)(hash ^ hash >> 32) & x->mask;
}

static size_t gid_place(const struct sp_pwindex *x, uint32_t gid)
{
    return (gid * UINT32_C(2654435761) >> 8) & x->mask;
}

/* The place of a name, or the empty one where it would go. */
static uint32_t *name_place(const struct sp_pwindex *x, struct sp_slice name)
{
    size_t at = place(x, name);

    while (x->names[at] != NONE && !sp_slice_equal(x->lines[x->names[at]].name, name))
        at = (at + 1) & x->mask;
    return &x->names[at];
}

static void take_name(struct sp_pwindex *x, uint32_t i)
{
    uint32_t *at = name_place(x, x->lines[i].name);

    if (*at == NONE)
        *at = i;
    else
        x->lines[i].twice = x->lines[*at].twice = true;
}

/* From the last line to the first, so that each chain is in the file's order. False: blanks before a
 * member, which some readers skip. */
static bool take_members(struct sp_pwindex *x, uint32_t i)
{
    struct sp_slice rest = x->lines[i].members;

    while (rest.len > 0) {
        const char *comma = memchr(rest.p, ',', rest.len);
        struct sp_slice one = {rest.p, comma != NULL ? (size_t)(comma - rest.p) : rest.len};
        struct sp_pwindex_member *m = &x->members[x->n_members];
        uint32_t *head = &x->users[place(x, one)];

        if (one.len > 0 && (one.p[0] == ' ' || one.p[0] == '\t'))
            return false;
        *m = (struct sp_pwindex_member){one, i, *head};
        if (one.len > 0)
            *head = (uint32_t)x->n_members++;
        rest = comma != NULL ? (struct sp_slice){comma + 1, rest.len - one.len - 1} : (struct sp_slice){0};
    }
    return true;
}

static void take_group(struct sp_pwindex_line *l)
{
    struct sp_slice f[SP_PWLINE_FIELDS];

    if (!sp_pwline_split(l->text.text, 4, f) || !sp_slice_to_id(f[2], &l->gid))
        return;
    l->good = true;
    l->control = sp_pwline_has_control(l->text.text);
    l->members = f[3];
}

static void count(const char *bytes, size_t len, size_t *ret_lines, size_t *ret_members)
{
    *ret_lines = *ret_members = 1;
    for (size_t i = 0; i < len; i++) {
        *ret_lines += bytes[i] == '\n';
        *ret_members += bytes[i] == ',' || bytes[i] == '\n';
    }
}

static int make_room(struct sp_pwindex *x, size_t lines, size_t members, enum sp_pwindex_kind kind)
{
    size_t most = lines > members ? lines : members, size;

    for (x->mask = 63; x->mask < 2 * most; x->mask = x->mask * 2 + 1)
        ;
    size = (x->mask + 1) * sizeof(*x->names);
    x->lines = calloc(lines, sizeof(*x->lines));
    x->names = malloc(size);
    if (x->lines == NULL || x->names == NULL || most >= NONE)
        return -1;
    memset(x->names, 0xff, size);
    if (kind == SP_PWINDEX_PASSWD)
        return 0;
    x->members = calloc(members, sizeof(*x->members));
    x->gids = malloc(size);
    x->users = malloc(size);
    if (x->members == NULL || x->gids == NULL || x->users == NULL)
        return -1;
    memset(x->gids, 0xff, size);
    memset(x->users, 0xff, size);
    return 0;
}

static bool fill(struct sp_pwindex *x, size_t len, enum sp_pwindex_kind kind)
{
    struct sp_pwline l;

    for (size_t at = 0; sp_pwline_next(x->bytes, len, at, &l); at = l.next) {
        struct sp_pwindex_line *new = &x->lines[x->n];

        *new = (struct sp_pwindex_line){.text = l, .name = sp_pwline_name(l.text), .next = NONE};
        if (new->name.len == 0)
            continue;
        if (kind == SP_PWINDEX_GROUP)
            take_group(new);
        take_name(x, (uint32_t)x->n++);
    }
    for (size_t i = x->n; kind == SP_PWINDEX_GROUP && i-- > 0;) {
        uint32_t *head;

        if (!x->lines[i].good)
            continue;
        if (!take_members(x, (uint32_t)i))
            return false;
        head = &x->gids[gid_place(x, x->lines[i].gid)];
        x->lines[i].next = *head;
        *head = (uint32_t)i;
    }
    return true;
}

int sp_pwindex_build(const char *bytes, size_t len, enum sp_pwindex_kind kind, struct sp_pwindex *ret)
{
    size_t lines, members;

    *ret = (struct sp_pwindex){.bytes = bytes};
    count(bytes, len, &lines, &members);
    if (make_room(ret, lines, members, kind) == 0 && fill(ret, len, kind))
        return 0;
    sp_pwindex_clear(ret);
    return -1;
}

static enum sp_pwindex_answer line_of(const struct sp_pwindex *x, const char *name,
                                      const struct sp_pwindex_line **ret)
{
    uint32_t i = *name_place(x, (struct sp_slice){name, strlen(name)});

    if (i == NONE)
        return SP_PWINDEX_NO;
    *ret = &x->lines[i];
    return x->lines[i].twice ? SP_PWINDEX_UNSURE : SP_PWINDEX_YES;
}

enum sp_pwindex_answer sp_pwindex_find(const struct sp_pwindex *x, const char *name, struct sp_pwline *ret)
{
    const struct sp_pwindex_line *l = NULL;
    enum sp_pwindex_answer answer = line_of(x, name, &l);

    if (answer == SP_PWINDEX_YES)
        *ret = l->text;
    return answer;
}

enum sp_pwindex_answer sp_pwindex_group(const struct sp_pwindex *x, const char *name,
                                        struct sp_grfile_line *ret)
{
    const struct sp_pwindex_line *l = NULL;
    enum sp_pwindex_answer answer = line_of(x, name, &l);

    if (answer != SP_PWINDEX_YES)
        return answer;
    if (!l->good || l->control || l->name.p != l->text.text.p)
        return SP_PWINDEX_UNSURE;
    *ret = (struct sp_grfile_line){
        .offset = (size_t)(l->text.text.p - x->bytes),
        .len = l->text.text.len,
        .gid = l->gid,
        .members_offset = (size_t)(l->members.p - x->bytes),
        .members_len = l->members.len,
    };
    return SP_PWINDEX_YES;
}

/* The first line from `from` on that lists him; NONE: there is none. */
static uint32_t next_listing(const struct sp_pwindex *x, const char *user, const char *from)
{
    struct sp_slice name = {user, strlen(user)};

    for (uint32_t i = x->users[place(x, name)]; i != NONE; i = x->members[i].next)
        if (sp_slice_equal(x->members[i].name, name) && x->lines[x->members[i].line].text.text.p >= from)
            return x->members[i].line;
    return NONE;
}

bool sp_pwindex_is_member(const struct sp_pwindex *x, const struct sp_grfile_line *line, const char *user)
{
    const char *at = x->bytes + line->offset;
    uint32_t i = next_listing(x, user, at);

    return i != NONE && x->lines[i].text.text.p == at;
}

bool sp_pwindex_next(const struct sp_pwindex *x, const char *user, uint32_t gid, size_t from,
                     struct sp_pwline *ret)
{
    uint32_t listed = user != NULL ? next_listing(x, user, x->bytes + from) : NONE;
    uint32_t i = x->gids[gid_place(x, gid)];

    while (i != NONE && (x->lines[i].gid != gid || x->lines[i].text.text.p < x->bytes + from))
        i = x->lines[i].next;
    i = listed < i ? listed : i; /* NONE is the largest */
    if (i != NONE)
        *ret = x->lines[i].text;
    return i != NONE;
}
