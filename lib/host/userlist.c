/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/userlist.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/dbfile.h"
#include "model/pwline.h"

void sp_userlist_clear(struct sp_userlist *l)
{
    free(l->v);
    free(l->by_uid);
    *l = (struct sp_userlist){0};
}

static bool read_user(struct sp_slice line, struct sp_user *ret)
{
    struct sp_slice f[SP_PWLINE_FIELDS], name = sp_pwline_name(line);
    uint32_t uid, gid;

    *ret = (struct sp_user){0};
    if (name.len == 0 || sp_pwline_has_control(line) || !sp_pwline_split(line, SP_PWLINE_FIELDS, f) ||
        !sp_slice_copy(name, ret->name, sizeof(ret->name)) || !sp_slice_to_id(f[2], &uid) ||
        !sp_slice_to_id(f[3], &gid) || !sp_slice_copy(f[5], ret->home, sizeof(ret->home)) ||
        !sp_slice_copy(f[6], ret->shell, sizeof(ret->shell)))
        return false;
    ret->uid = uid;
    ret->gid = gid;
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct sp_user *)a)->name, ((const struct sp_user *)b)->name);
}

static int by_uid(const void *a, const void *b)
{
    const struct sp_user *x = *(struct sp_user *const *)a, *y = *(struct sp_user *const *)b;

    return x->uid != y->uid ? (x->uid < y->uid ? -1 : 1) : strcmp(x->name, y->name);
}

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

int sp_userlist_read(struct sp_host *h, struct sp_userlist *ret, struct sp_error *err)
{
    _cleanup_(sp_userlist_clear) struct sp_userlist l = {0};
    _cleanup_(sp_dbfile_clear) struct sp_dbfile f = SP_DBFILE_INIT;
    struct sp_pwline line;
    size_t room = 1;

    if (sp_dbfile_look(h, "passwd", &f, err) < 0)
        return -1;
    for (size_t i = 0; i < f.bytes.len; i++)
        room += f.bytes.data[i] == '\n';
    l.v = calloc(room, sizeof(*l.v));
    l.by_uid = calloc(room, sizeof(struct sp_user *));
    if (l.v == NULL || l.by_uid == NULL)
        return no_memory(err);
    for (size_t at = 0; l.n < room && sp_pwline_next(f.bytes.data, f.bytes.len, at, &line); at = line.next)
        l.n += read_user(line.text, &l.v[l.n]);
    qsort(l.v, l.n, sizeof(*l.v), by_name);
    for (size_t i = 0; i < l.n; i++)
        l.by_uid[i] = &l.v[i];
    qsort(l.by_uid, l.n, sizeof(struct sp_user *), by_uid);
    *ret = l;
    l = (struct sp_userlist){0};
    return 0;
}

int sp_userlist_find(const struct sp_userlist *l, const char *name, const struct sp_user **ret,
                     struct sp_error *err)
{
    struct sp_user key = {.uid = 0};
    const struct sp_user *u = NULL;

    if (sp_str_copy(key.name, sizeof(key.name), name) == 0 && l->n > 0)
        u = bsearch(&key, l->v, l->n, sizeof(*l->v), by_name);
    if (u == NULL)
        return sp_fail(err, SP_E_NOT_FOUND, 0, "there is no local user %s", name);
    if ((u > l->v && sp_streq(u[-1].name, name)) || (u + 1 < l->v + l->n && sp_streq(u[1].name, name)))
        return sp_fail(err, SP_E_STATE, 0, "%s stands twice in /etc/passwd", name);
    *ret = u;
    return 0;
}

struct sp_user *const *sp_userlist_of_uid(const struct sp_userlist *l, uid_t uid, size_t *ret_n)
{
    size_t low = 0, high = l->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (l->by_uid[middle]->uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_n = 0;
    while (low + *ret_n < l->n && l->by_uid[low + *ret_n]->uid == uid)
        ++*ret_n;
    return *ret_n > 0 ? &l->by_uid[low] : NULL;
}
