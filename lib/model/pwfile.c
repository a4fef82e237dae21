/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/pwfile.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/pwline.h"

/* The fields of a line that is whole: FIELDS[5] is the home, [6] the shell. */
static bool take_fields(struct sp_slice line, const char *name, struct sp_slice f[SP_PWLINE_FIELDS],
                        struct sp_pwfile_line *ret)
{
    return !sp_pwline_has_control(line) && sp_pwline_split(line, SP_PWLINE_FIELDS, f) &&
           sp_slice_is(f[0], name) && f[0].len < sizeof(ret->name) && sp_slice_to_id(f[2], &ret->uid) &&
           sp_slice_to_id(f[3], &ret->gid) && f[5].len < sizeof(ret->home) && f[6].len < sizeof(ret->shell);
}

int sp_pwfile_read(const char *bytes, struct sp_slice line, const char *name, struct sp_pwfile_line *ret,
                   struct sp_error *err)
{
    struct sp_slice f[SP_PWLINE_FIELDS];

    if (!take_fields(line, name, f, ret) || !sp_slice_copy(f[0], ret->name, sizeof(ret->name)) ||
        !sp_slice_copy(f[5], ret->home, sizeof(ret->home)) ||
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
    const struct sp_pwfile_shell *change;
    size_t name_len, shell_len;
    bool done;
};

/* The line of a change. */
struct met {
    const struct pending *pending;
    size_t at; /* in the old bytes */
};

/* The changes by name: 10,000 of them must not cost much more than one, so every line is looked up in a
 * hash table (open addressing, a power of two of slots, at most half of them used). */
struct todo {
    struct pending *pending; /* owned; n, in the caller's order */
    size_t n;
    uint32_t *slots; /* owned; 0 empty, else the place in pending, counted from 1 */
    size_t mask;
    struct met *met; /* owned; in the order of the lines */
    size_t n_met;
};

static void todo_clear(struct todo *t)
{
    free(t->pending);
    free(t->slots);
    free(t->met);
}

/* The slot of a name, or the empty one where it would go. FNV-1a. */
static uint32_t *todo_slot(const struct todo *t, struct sp_slice name)
{
    uint32_t hash = 2166136261U;
    size_t at;

    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.p[i]) * 16777619U;
    for (at = hash & t->mask; t->slots[at] != 0; at = (at + 1) & t->mask) {
        const struct pending *p = &t->pending[t->slots[at] - 1];

        if (p->name_len == name.len && memcmp(p->change->name, name.p, name.len) == 0)
            break;
    }
    return &t->slots[at];
}

/* The change for a line, or NULL. */
static struct pending *todo_find(const struct todo *t, struct sp_slice line)
{
    struct sp_slice name = sp_pwline_name(line);
    uint32_t place = name.len > 0 ? *todo_slot(t, name) : 0;

    return place != 0 ? &t->pending[place - 1] : NULL;
}

static int make_room(size_t n, struct todo *t, struct sp_error *err)
{
    for (t->mask = 3; t->mask / 2 < n; t->mask = t->mask * 2 + 1)
        ;
    t->slots = n < UINT32_MAX ? calloc(t->mask + 1, sizeof(*t->slots)) : NULL;
    t->pending = calloc(n + 1, sizeof(*t->pending));
    t->met = calloc(n + 1, sizeof(*t->met));
    if (t->slots == NULL || t->pending == NULL || t->met == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    return 0;
}

/* Check all the changes and file them by name. */
static int prepare(const struct sp_pwfile_shell *changes, size_t n, struct todo *t, struct sp_error *err)
{
    if (make_room(n, t, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct pending *p = &t->pending[i];
        uint32_t *slot;

        if (sp_name_check_user(changes[i].name, err) < 0 || check_shell(changes[i].shell, err) < 0)
            return sp_field(err, "[%zu]", i);
        *p = (struct pending){&changes[i], strlen(changes[i].name), strlen(changes[i].shell), false};
        slot = todo_slot(t, (struct sp_slice){changes[i].name, p->name_len});
        if (*slot != 0) {
            sp_fail(err, SP_E_INVALID, 0, "the same name twice");
            sp_hint(err, "name each account once");
            return sp_field(err, "[%zu]", i);
        }
        *slot = (uint32_t)++t->n;
    }
    return 0;
}

/* Append the line with its new shell; everything before the last ':' is copied as it stands. */
static int put_changed(struct sp_slice line, struct pending *p, struct sp_buf *out, struct sp_error *err)
{
    const struct sp_pwfile_shell *c = p->change;
    struct sp_slice f[SP_PWLINE_FIELDS];
    struct sp_pwfile_line was;

    if (p->done)
        return sp_pwline_twice("passwd", c->name, err);
    p->done = true;
    if (!take_fields(line, c->name, f, &was))
        return sp_pwline_malformed("passwd", c->name, err);
    if (was.uid != c->uid) {
        sp_fail(err, SP_E_STATE, 0, "%s has the uid %u in passwd, not %u", c->name, was.uid, c->uid);
        return sp_hint(err, "the account was made anew meanwhile: send the request again");
    }
    sp_buf_add(out, line.p, line.len - f[6].len);
    sp_buf_add(out, c->shell, p->shell_len);
    return 0;
}

static int touched_more(struct sp_error *err)
{
    return sp_fail(err, SP_E_INTERNAL, 0, "the edit touched more than its lines");
}

/* The second reading: old and new differ in the last field of the lines named, nowhere else. What lies
 * between two such fields is compared as one. */
static int assert_shells(const char *old, size_t len, const struct todo *t, const struct sp_buf *out,
                         struct sp_error *err)
{
    size_t a = 0, b = 0; /* old and new are compared up to here */

    for (size_t i = 0; i < t->n_met; i++) {
        const struct pending *p = t->met[i].pending;
        size_t at = t->met[i].at, same;
        const char *colon;
        struct sp_pwline l;

        if (at < a || (at > 0 && old[at - 1] != '\n') || !sp_pwline_next(old, len, at, &l) ||
            !sp_slice_is(sp_pwline_name(l.text), p->change->name))
            return sp_fail(err, SP_E_INTERNAL, 0, "the edit met a line that is not named");
        colon = memrchr(l.text.p, ':', l.text.len);
        same = (size_t)(colon + 1 - old) - a;
        if (out->len - b < same + p->shell_len || memcmp(old + a, out->data + b, same) != 0 ||
            memcmp(out->data + b + same, p->change->shell, p->shell_len) != 0)
            return touched_more(err);
        a = at + l.text.len;
        b += same + p->shell_len;
    }
    return len - a == out->len - b && memcmp(old + a, out->data + b, len - a) == 0 ? 0 : touched_more(err);
}

/* Every change must have met its line. */
static int check_done(const struct todo *t, struct sp_error *err)
{
    for (size_t i = 0; i < t->n; i++) {
        if (t->pending[i].done)
            continue;
        sp_fail(err, SP_E_NOT_FOUND, 0, "passwd has no line of %s", t->pending[i].change->name);
        sp_hint(err, "an account from LDAP or the like is not in /etc: it is changed where it is kept");
        return sp_field(err, "[%zu]", i);
    }
    return 0;
}

/* One change needs no table: its line is found, and all before and behind its last field stays. Read again,
 * the result shows the new shell. */
static int set_one(const char *old, size_t len, const struct sp_pwfile_shell *c, struct sp_buf *out,
                   struct sp_error *err)
{
    struct pending p = {.change = c, .shell_len = strlen(c->shell)};
    struct sp_pwfile_line now;
    struct sp_pwline l;
    size_t before, behind;

    if (sp_name_check_user(c->name, err) < 0 || check_shell(c->shell, err) < 0 ||
        sp_pwline_find(old, len, "passwd", c->name, &l, err) < 0)
        return -1;
    sp_buf_reserve(out, len + strlen(c->shell));
    sp_buf_add(out, old, (size_t)(l.text.p - old));
    if (put_changed(l.text, &p, out, err) < 0)
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
        room += todo.pending[i].shell_len;
    sp_buf_reserve(out, room);
    for (size_t at = 0; sp_pwline_next(old, len, at, &l); at = l.next) {
        struct pending *p = todo_find(&todo, l.text);

        if (p == NULL)
            continue;
        sp_buf_add(out, old + kept, at - kept);
        if (put_changed(l.text, p, out, err) < 0)
            return sp_field(err, "[%zu]", (size_t)(p - todo.pending));
        todo.met[todo.n_met++] = (struct met){p, at};
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
