/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/shfile.h"

/* The first line of that name from `offset` on. */
static bool find(struct sp_slice file, size_t offset, struct sp_slice name, struct sp_pwline *ret)
{
    for (; sp_pwline_next(file.p, file.len, offset, ret); offset = ret->next)
        if (sp_slice_equal(sp_pwline_name(ret->text), name))
            return true;
    return false;
}

static void put(struct sp_buf *out, struct sp_slice text)
{
    sp_buf_add(out, text.p, text.len);
    sp_buf_add(out, "\n", 1);
}

static void put_all(struct sp_buf *out, struct sp_slice file, size_t from, size_t to)
{
    struct sp_pwline line;

    for (; from < to && sp_pwline_next(file.p, file.len, from, &line); from = line.next)
        put(out, line.text);
}

/* What stands behind the third colon: the rules of ageing. All of it where there are not so many. */
static struct sp_slice dates(struct sp_slice line)
{
    size_t at = 0;

    for (int colons = 0; at < line.len && colons < 3; at++)
        colons += line.p[at] == ':';
    return (struct sp_slice){line.p + at, line.len - at};
}

/* PAM writes a user whose line it did not find without any dates: then those of before stand again. */
static bool put_changed(struct sp_buf *out, struct sp_slice before, struct sp_slice now)
{
    const struct sp_slice old = dates(before), new = dates(now);
    bool lost = sp_slice_is(new, ":::::") && !sp_slice_equal(old, new);

    sp_buf_add(out, now.p, now.len - new.len);
    put(out, lost ? old : new);
    return lost;
}

/* The lines are in order nearly always: then each is found where the last one ended. */
int sp_shfile_keep(const struct sp_shfile *f, struct sp_buf *out, size_t *ret_lost, struct sp_error *err)
{
    struct sp_pwline old, now, ignored;
    size_t at = 0;

    *ret_lost = 0;
    sp_buf_add(out, "", 0);
    for (size_t offset = 0; sp_pwline_next(f->before.p, f->before.len, offset, &old); offset = old.next) {
        const struct sp_slice name = sp_pwline_name(old.text);
        if (name.len == 0)
            continue;
        if (find(f->now, at, name, &now)) {
            const size_t begin = (size_t)(now.text.p - f->now.p);
            put_all(out, f->now, at, begin);
            if (sp_slice_is(name, f->user))
                *ret_lost += put_changed(out, old.text, now.text);
            else
                put(out, now.text);
            at = now.next;
        } else if (!find(f->now, 0, name, &ignored) && find(f->passwd, 0, name, &ignored)) {
            put(out, old.text);
            ++*ret_lost;
        }
    }
    put_all(out, f->now, at, f->now.len);
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}
