/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/seennames.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "host/fsat.h"
#include "model/pwline.h"
#include "model/siphash.h"

#define MAX_BYTES ((size_t)64 << 20)

void sp_seennames_clear(struct sp_seennames *n)
{
    sp_buf_clear(&n->passwd);
    sp_buf_clear(&n->group);
    free(n->names);
    free(n->gids);
    *n = (struct sp_seennames){0};
}

static struct sp_seenname *place(const struct sp_seennames *n, const uint64_t key[2], const char *name,
                                 size_t len)
{
    size_t at = sp_siphash(key, name, len) & n->mask;

    while (n->names[at].name != NULL &&
           (n->names[at].name_len != len || memcmp(n->names[at].name, name, len) != 0))
        at = (at + 1) & n->mask;
    return &n->names[at];
}

static struct sp_seengid *gid_place(const struct sp_seennames *n, uint32_t gid)
{
    size_t at = (gid * UINT32_C(2654435761)) & n->mask;

    while (n->gids[at].used && n->gids[at].gid != gid)
        at = (at + 1) & n->mask;
    return &n->gids[at];
}

/* A name that stands twice gets the sum of both lines: neither of them alone. */
static void take_passwd(struct sp_seennames *n, const uint64_t key[2])
{
    struct sp_slice f[SP_PWLINE_FIELDS];
    struct sp_pwline l;

    for (size_t at = 0; sp_pwline_next(n->passwd.data, n->passwd.len, at, &l); at = l.next) {
        struct sp_slice name = sp_pwline_name(l.text);
        struct sp_seenname *to;

        if (name.len == 0)
            continue;
        to = place(n, key, name.p, name.len);
        to->name = name.p;
        to->name_len = name.len;
        to->line += sp_siphash(key, l.text.p, l.text.len);
        if (!sp_pwline_split(l.text, 7, f) || !sp_slice_to_id(f[2], &to->uid) ||
            !sp_slice_to_id(f[3], &to->gid))
            continue;
        to->home = f[5].p;
        to->home_len = f[5].len;
    }
}

/* Sums, so that their order is nothing, and a name that is listed twice is not one that is not listed. */
static void take_members(struct sp_seennames *n, const uint64_t key[2], struct sp_slice list, uint64_t sum)
{
    const char *p = list.p, *end = list.p + list.len;

    while (p < end) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        size_t len = (size_t)((comma != NULL ? comma : end) - p);
        struct sp_seenname *to = place(n, key, p, len);
        if (to->name != NULL)
            to->groups += sum;
        p += len + 1;
    }
}

static void take_group(struct sp_seennames *n, const uint64_t key[2])
{
    struct sp_slice f[SP_PWLINE_FIELDS];
    struct sp_pwline l;

    for (size_t at = 0; sp_pwline_next(n->group.data, n->group.len, at, &l); at = l.next) {
        struct sp_seengid *to;
        uint32_t gid;
        uint64_t sum;

        if (sp_pwline_name(l.text).len == 0 || !sp_pwline_split(l.text, 4, f) ||
            !sp_slice_to_id(f[2], &gid))
            continue;
        sum = sp_siphash(key, f[0].p, (size_t)(f[2].p + f[2].len - f[0].p));
        to = gid_place(n, gid);
        *to = (struct sp_seengid){gid, to->sum + sum, true};
        take_members(n, key, f[3], sum);
    }
}

static size_t count_lines(const struct sp_buf *b)
{
    size_t n = 1;

    for (const char *p = b->data; p != NULL && (p = memchr(p, '\n', b->len - (size_t)(p - b->data))); p++)
        n++;
    return n;
}

int sp_seennames_read(struct sp_host *h, const uint64_t key[2], struct sp_seennames *ret,
                      struct sp_error *err)
{
    size_t lines, places = 64;

    sp_seennames_clear(ret);
    if (sp_fsat_read(h->root_fd, "etc/passwd", MAX_BYTES, &ret->passwd, &ret->passwd_st, err) < 0 ||
        sp_fsat_read(h->root_fd, "etc/group", MAX_BYTES, &ret->group, &ret->group_st, err) < 0)
        return -1;
    lines = count_lines(&ret->passwd) + count_lines(&ret->group);
    while (places < 2 * lines)
        places *= 2;
    ret->mask = places - 1;
    ret->names = calloc(places, sizeof(*ret->names));
    ret->gids = calloc(places, sizeof(*ret->gids));
    if (ret->names == NULL || ret->gids == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    take_passwd(ret, key);
    take_group(ret, key);
    return 0;
}

static bool is_same(const struct stat *now, const struct stat *was)
{
    return now->st_dev == was->st_dev && now->st_ino == was->st_ino && now->st_size == was->st_size &&
           now->st_ctim.tv_sec == was->st_ctim.tv_sec && now->st_ctim.tv_nsec == was->st_ctim.tv_nsec;
}

bool sp_seennames_now(struct sp_host *h, struct sp_seentimes *ret)
{
    return fstatat(h->root_fd, "etc/passwd", &ret->passwd, AT_SYMLINK_NOFOLLOW) == 0 &&
           fstatat(h->root_fd, "etc/group", &ret->group, AT_SYMLINK_NOFOLLOW) == 0;
}

bool sp_seennames_are_of(const struct sp_seennames *n, const struct sp_seentimes *t)
{
    return n->names != NULL && is_same(&t->passwd, &n->passwd_st) && is_same(&t->group, &n->group_st);
}

bool sp_seennames_stand(struct sp_host *h, const struct sp_seennames *n)
{
    struct sp_seentimes now;

    return sp_seennames_now(h, &now) && sp_seennames_are_of(n, &now);
}

const struct sp_seenname *sp_seennames_find(const struct sp_seennames *n, const uint64_t key[2],
                                            const char *user)
{
    const struct sp_seenname *found = place(n, key, user, strlen(user));

    return found->name != NULL ? found : NULL;
}

uint64_t sp_seennames_group(const struct sp_seennames *n, const uint64_t key[2], const char *group)
{
    struct sp_slice f[SP_PWLINE_FIELDS];
    struct sp_error ignored;
    struct sp_pwline l;

    if (sp_pwline_find(n->group.data, n->group.len, "group", group, &l, &ignored) < 0 ||
        !sp_pwline_split(l.text, 4, f))
        return 0;
    return sp_siphash(key, f[0].p, (size_t)(f[2].p + f[2].len - f[0].p));
}

uint64_t sp_seennames_gid(const struct sp_seennames *n, uint32_t gid)
{
    return gid_place(n, gid)->sum;
}
