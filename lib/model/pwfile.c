/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/pwfile.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/pwline.h"

static int read_passwd(const char *bytes, struct sp_slice line, const char *name,
                       struct sp_pwfile_line *ret, struct sp_error *err)
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
    return read_passwd(bytes, line.text, name, ret, err);
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
    size_t index; /* in the caller's array, for err->field */
    bool done;
};

static int compare_pending(const void *a, const void *b)
{
    return strcmp(((const struct pending *)a)->change->name, ((const struct pending *)b)->change->name);
}

static int compare_name(const void *key, const void *member)
{
    const struct sp_slice *s = key;
    const char *name = ((const struct pending *)member)->change->name;
    size_t n = strlen(name);
    int d = memcmp(s->p, name, s->len < n ? s->len : n);

    return d != 0 ? d : s->len < n ? -1 : s->len > n;
}

/* Check all the changes and sort them by name. */
static int prepare(const struct sp_pwfile_shell *changes, size_t n, struct pending *todo,
                   struct sp_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (sp_name_check_user(changes[i].name, err) < 0 || check_shell(changes[i].shell, err) < 0)
            return sp_field(err, "[%zu]", i);
        todo[i] = (struct pending){.change = &changes[i], .index = i};
    }
    qsort(todo, n, sizeof(*todo), compare_pending);
    for (size_t i = 1; i < n; i++) {
        if (compare_pending(&todo[i - 1], &todo[i]) == 0) {
            sp_fail(err, SP_E_INVALID, 0, "the same name twice");
            sp_hint(err, "name each account once");
            return sp_field(err, "[%zu]", todo[i].index);
        }
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
    if (read_passwd(old, line, c->name, &was, err) < 0)
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
static int assert_shells(const char *old, size_t len, const struct pending *todo, size_t n,
                         const struct sp_buf *out, struct sp_error *err)
{
    struct sp_pwline a, b;
    size_t at_a = 0, at_b = 0;

    for (; sp_pwline_next(old, len, at_a, &a); at_a = a.next, at_b = b.next) {
        struct sp_slice name = sp_pwline_name(a.text);
        const struct pending *p;
        size_t keep;

        if (!sp_pwline_next(out->data, out->len, at_b, &b))
            return sp_fail(err, SP_E_INTERNAL, 0, "the edit lost a line");
        p = name.len > 0 ? bsearch(&name, todo, n, sizeof(*todo), compare_name) : NULL;
        keep = p != NULL ? (size_t)((const char *)memrchr(a.text.p, ':', a.text.len) + 1 - a.text.p)
                         : a.text.len;
        if (b.text.len != keep + (p != NULL ? strlen(p->change->shell) : 0) ||
            memcmp(a.text.p, b.text.p, keep) != 0 ||
            (p != NULL && memcmp(b.text.p + keep, p->change->shell, b.text.len - keep) != 0))
            return sp_fail(err, SP_E_INTERNAL, 0, "the edit touched more than its line");
    }
    /* Both ended there, with or without a final newline alike. */
    return at_a - len == at_b - out->len ? 0 : sp_fail(err, SP_E_INTERNAL, 0, "the edit changed the end");
}

int sp_pwfile_set_shells(const char *old, size_t len, const struct sp_pwfile_shell *changes, size_t n,
                         struct sp_buf *out, struct sp_error *err)
{
    _cleanup_free_ struct pending *todo = calloc(n + 1, sizeof(*todo));
    struct sp_pwline l;

    if (todo == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (prepare(changes, n, todo, err) < 0)
        return -1;
    for (size_t at = 0; sp_pwline_next(old, len, at, &l); at = l.next) {
        struct sp_slice name = sp_pwline_name(l.text);
        struct pending *p = name.len > 0 ? bsearch(&name, todo, n, sizeof(*todo), compare_name) : NULL;

        if (p == NULL)
            sp_buf_add(out, l.text.p, l.text.len);
        else if (put_changed(old, l.text, p, out, err) < 0)
            return sp_field(err, "[%zu]", p->index);
        if (l.next <= len)
            sp_buf_add(out, "\n", 1);
    }
    for (size_t i = 0; i < n; i++) {
        if (!todo[i].done) {
            sp_fail(err, SP_E_NOT_FOUND, 0, "passwd has no line of %s", todo[i].change->name);
            sp_hint(err, "an account from LDAP or the like is not in /etc: it is changed where it is kept");
            return sp_field(err, "[%zu]", todo[i].index);
        }
    }
    if (!sp_buf_ok(out))
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    return assert_shells(old, len, todo, n, out, err);
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
