/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/pwfile.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/pwline.h"

int sp_pwfile_read(const char *bytes, struct sp_slice line, const char *name, struct sp_pwfile_line *ret,
                   struct sp_error *err)
{
    struct sp_slice f[SP_PWLINE_FIELDS];

    if (sp_pwline_has_control(line) || !sp_pwline_split(line, 7, f) || !sp_slice_is(f[0], name) ||
        !sp_slice_copy(f[0], ret->name, sizeof(ret->name)) || !sp_slice_to_id(f[2], &ret->uid) ||
        !sp_slice_to_id(f[3], &ret->gid) || !sp_slice_copy(f[5], ret->home, sizeof(ret->home)) ||
        !sp_slice_copy(f[6], ret->shell, sizeof(ret->shell)))
        return sp_pwline_malformed("passwd", name, err);
    ret->offset = (size_t)(line.p - bytes);
    ret->len = line.len;
    return 0;
}

int sp_pwfile_find(const char *bytes, size_t len, const char *name, struct sp_pwfile_line *ret,
                   struct sp_error *err)
{
    struct sp_pwline line;

    if (sp_name_check_user(name, err) < 0 || sp_pwline_find(bytes, len, "passwd", name, &line, err) < 0)
        return -1;
    return sp_pwfile_read(bytes, line.text, name, ret, err);
}

/* Shells are given back as they were found, so an odd path ("/bin//sh") is written; a byte that would make
 * a field or a line is not. */
static int check_shell(const char *shell, struct sp_error *err)
{
    size_t len = strlen(shell);

    if (len == 0)
        return 0;
    if (shell[0] != '/' || len >= SP_PATH_SIZE || !sp_str_is_clean(shell, len) ||
        memchr(shell, ':', len) != NULL) {
        sp_fail(err, SP_E_INVALID, 0, "this shell may not be written to passwd");
        return sp_hint(err, "an absolute path without ':' and control bytes");
    }
    return 0;
}

struct pending {
    const struct sp_pwfile_shell *change; /* NULL: an empty slot */
    size_t index;                         /* in the caller's array, for err->field */
    bool done;
};

/* The changes by name: 10,000 of them must not cost much more than one, so every line is looked up in a
 * hash table (open addressing, a power of two of slots, at most half of them used). */
struct todo {
    struct pending *slots; /* owned */
    size_t mask;
};

static void todo_clear(struct todo *t)
{
    free(t->slots);
}

/* The slot of a name, or the empty one where it would go. FNV-1a. */
static struct pending *todo_slot(const struct todo *t, struct sp_slice name)
{
    uint32_t hash = 2166136261U;
    size_t at;

    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.p[i]) * 16777619U;
    for (at = hash & t->mask; t->slots[at].change != NULL; at = (at + 1) & t->mask)
        if (sp_slice_is(name, t->slots[at].change->name))
            break;
    return &t->slots[at];
}

/* The change for a line, or NULL. */
static struct pending *todo_find(const struct todo *t, struct sp_slice line)
{
    struct sp_slice name = sp_pwline_name(line);
    struct pending *p = name.len > 0 ? todo_slot(t, name) : NULL;

    return p != NULL && p->change != NULL ? p : NULL;
}

/* Check all the changes and file them by name. */
static int prepare(const struct sp_pwfile_shell *changes, size_t n, struct todo *t, struct sp_error *err)
{
    for (t->mask = 3; t->mask / 2 < n; t->mask = t->mask * 2 + 1)
        ;
    t->slots = calloc(t->mask + 1, sizeof(*t->slots));
    if (t->slots == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    for (size_t i = 0; i < n; i++) {
        struct pending *p;

        if (sp_name_check_user(changes[i].name, err) < 0 || check_shell(changes[i].shell, err) < 0)
            return sp_field(err, "[%zu]", i);
        p = todo_slot(t, (struct sp_slice){changes[i].name, strlen(changes[i].name)});
        if (p->change != NULL) {
            sp_fail(err, SP_E_INVALID, 0, "the same name twice");
            sp_hint(err, "name each account once");
            return sp_field(err, "[%zu]", i);
        }
        *p = (struct pending){.change = &changes[i], .index = i};
    }
    return 0;
}

/* Append the line with its new shell; everything before the last ':' is copied as it stands. */
static int put_changed(const char *old, struct sp_slice line, struct pending *p, struct sp_buf *out,
                       struct sp_error *err)
{
    const struct sp_pwfile_shell *c = p->change;
    struct sp_pwfile_line was;

    if (p->done)
        return sp_pwline_twice("passwd", c->name, err);
    p->done = true;
    if (sp_pwfile_read(old, line, c->name, &was, err) < 0)
        return -1;
    if (was.uid != c->uid) {
        sp_fail(err, SP_E_STATE, 0, "%s has the uid %u in passwd, not %u", c->name, was.uid, c->uid);
        return sp_hint(err, "the account was made anew meanwhile: send the request again");
    }
    sp_buf_add(out, line.p, line.len - strlen(was.shell));
    sp_buf_puts(out, c->shell);
    return 0;
}

/* The second reading: line by line, old and new differ in the last field of the lines named, nowhere else.
 */
static int assert_shells(const char *old, size_t len, const struct todo *t, const struct sp_buf *out,
                         struct sp_error *err)
{
    struct sp_pwline a, b;
    size_t at_a = 0, at_b = 0;

    for (; sp_pwline_next(old, len, at_a, &a); at_a = a.next, at_b = b.next) {
        const struct pending *p = todo_find(t, a.text);
        const char *shell = p != NULL ? p->change->shell : "";
        size_t keep = p != NULL ? (size_t)((const char *)memrchr(a.text.p, ':', a.text.len) + 1 - a.text.p)
                                : a.text.len;

        if (!sp_pwline_next(out->data, out->len, at_b, &b))
            return sp_fail(err, SP_E_INTERNAL, 0, "the edit lost a line");
        if (b.text.len != keep + strlen(shell) || memcmp(a.text.p, b.text.p, keep) != 0 ||
            memcmp(b.text.p + keep, shell, b.text.len - keep) != 0)
            return sp_fail(err, SP_E_INTERNAL, 0, "the edit touched more than its line");
    }
    /* Both ended there, with or without a final newline alike. */
    return at_a - len == at_b - out->len ? 0 : sp_fail(err, SP_E_INTERNAL, 0, "the edit changed the end");
}

/* Every change must have met its line. */
static int check_done(const struct todo *t, struct sp_error *err)
{
    for (size_t i = 0; i <= t->mask; i++) {
        const struct pending *p = &t->slots[i];

        if (p->change == NULL || p->done)
            continue;
        sp_fail(err, SP_E_NOT_FOUND, 0, "passwd has no line of %s", p->change->name);
        sp_hint(err, "an account from LDAP or the like is not in /etc: it is changed where it is kept");
        return sp_field(err, "[%zu]", p->index);
    }
    return 0;
}

/* One change needs no table: its line is found, and all before and behind its last field stays. Read again,
 * the result shows the new shell. */
static int set_one(const char *old, size_t len, const struct sp_pwfile_shell *c, struct sp_buf *out,
                   struct sp_error *err)
{
    struct pending p = {.change = c};
    struct sp_pwfile_line now;
    struct sp_pwline l;
    size_t before, behind;

    if (sp_name_check_user(c->name, err) < 0 || check_shell(c->shell, err) < 0 ||
        sp_pwline_find(old, len, "passwd", c->name, &l, err) < 0)
        return -1;
    sp_buf_reserve(out, len + strlen(c->shell));
    sp_buf_add(out, old, (size_t)(l.text.p - old));
    if (put_changed(old, l.text, &p, out, err) < 0)
        return -1;
    before = out->len - strlen(c->shell);
    behind = len - (size_t)(l.text.p + l.text.len - old);
    sp_buf_add(out, old + len - behind, behind);
    if (!sp_buf_ok(out))
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (memcmp(old, out->data, before) != 0 ||
        memcmp(old + len - behind, out->data + out->len - behind, behind) != 0 ||
        sp_pwfile_find(out->data, out->len, c->name, &now, err) < 0 || now.uid != c->uid ||
        strcmp(now.shell, c->shell) != 0)
        return sp_fail(err, SP_E_INTERNAL, 0, "the edit touched more than its line");
    return 0;
}

int sp_pwfile_set_shells(const char *old, size_t len, const struct sp_pwfile_shell *changes, size_t n,
                         struct sp_buf *out, struct sp_error *err)
{
    _cleanup_(todo_clear) struct todo todo = {0};
    struct sp_pwline l;
    size_t kept = 0; /* everything before it is in *out */
    size_t room = len;

    if (n == 1)
        return set_one(old, len, changes, out, err) < 0 ? sp_field(err, "[0]") : 0;
    if (prepare(changes, n, &todo, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        room += strlen(changes[i].shell);
    sp_buf_reserve(out, room);
    for (size_t at = 0; sp_pwline_next(old, len, at, &l); at = l.next) {
        struct pending *p = todo_find(&todo, l.text);

        if (p == NULL)
            continue;
        sp_buf_add(out, old + kept, at - kept);
        if (put_changed(old, l.text, p, out, err) < 0)
            return sp_field(err, "[%zu]", p->index);
        kept = at + l.text.len;
    }
    sp_buf_add(out, old + kept, len - kept);
    if (check_done(&todo, err) < 0)
        return -1;
    if (!sp_buf_ok(out))
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    return assert_shells(old, len, &todo, out, err);
}

int sp_pwfile_set_shell(const char *old, size_t len, const char *name, uint32_t uid, const char *shell,
                        struct sp_buf *out, struct sp_error *err)
{
    const struct sp_pwfile_shell one = {name, uid, shell};

    if (sp_pwfile_set_shells(old, len, &one, 1, out, err) < 0) {
        err->field[0] = '\0';
        return -1;
    }
    return 0;
}
