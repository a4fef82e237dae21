/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/pwuser.h"

#include <string.h>

#include "base/str.h"
#include "model/name.h"
#include "model/pwline.h"

static const struct {
    const char *name;
    size_t fields;
    bool has_id; /* the third field */
} files[] = {
    [SP_PWUSER_PASSWD] = {"passwd", 7, true},
    [SP_PWUSER_SHADOW] = {"shadow", 9, false},
    [SP_PWUSER_GROUP] = {"group", 4, true},
    [SP_PWUSER_GSHADOW] = {"gshadow", 4, false},
};

const char *sp_pwuser_file_name(enum sp_pwuser_file file)
{
    return files[file].name;
}

/* The id of a line. A malformed one is nobody's. */
static bool line_id(enum sp_pwuser_file file, struct sp_slice line, uint32_t *ret)
{
    struct sp_slice f[9];

    return files[file].has_id && sp_pwline_name(line).len > 0 &&
           sp_pwline_split(line, files[file].fields, f) && sp_slice_to_id(f[2], ret);
}

static int check(const struct sp_pwuser *u, struct sp_error *err)
{
    if (sp_name_check_user(u->name, err) < 0 || sp_name_check_path(u->home, err) < 0 ||
        sp_name_check_path(u->shell, err) < 0)
        return -1;
    if (u->id == 0 || u->id > INT32_MAX || u->today < 0)
        return sp_fail(err, SP_E_INVALID, 0, "%u is no uid for a user", u->id);
    return 0;
}

static int taken(const char *file, const char *what, struct sp_error *err)
{
    sp_fail(err, SP_E_CONFLICT, 0, "/etc/%s has a line of %s already", file, what);
    return sp_hint(err, "choose another name, or remove what stands there");
}

/* Where two names have one id, or one name stands twice, nobody can tell whose a process is. */
static int look(const char *old, size_t len, enum sp_pwuser_file file, const struct sp_pwuser *u,
                bool *ret_there, struct sp_error *err)
{
    struct sp_pwline l;
    char number[32];

    *ret_there = false;
    for (size_t at = 0; sp_pwline_next(old, len, at, &l); at = l.next) {
        bool named = sp_slice_is(sp_pwline_name(l.text), u->name), numbered;
        uint32_t id = 0;

        numbered = line_id(file, l.text, &id) && id == u->id;
        if (named && *ret_there)
            return sp_pwline_twice(files[file].name, u->name, err);
        if (named && files[file].has_id && !numbered)
            return taken(files[file].name, u->name, err);
        if (numbered && !named) {
            (void)sp_str_format(number, sizeof(number), "the id %u", id);
            return taken(files[file].name, number, err);
        }
        *ret_there |= named;
    }
    return 0;
}

/* shadow(5): "*" is no password that anybody can have, yet not the "!" of a locked account. */
static void put_line(enum sp_pwuser_file file, const struct sp_pwuser *u, struct sp_buf *out)
{
    switch (file) {
    case SP_PWUSER_PASSWD:
        sp_buf_printf(out, "%s:x:%u:%u::%s:%s\n", u->name, u->id, u->id, u->home, u->shell);
        break;
    case SP_PWUSER_SHADOW:
        sp_buf_printf(out, "%s:*:%lld:0:99999:7:::\n", u->name, (long long)u->today);
        break;
    case SP_PWUSER_GROUP:
        sp_buf_printf(out, "%s:x:%u:\n", u->name, u->id);
        break;
    case SP_PWUSER_GSHADOW:
        sp_buf_printf(out, "%s:!::\n", u->name);
        break;
    }
}

static int finish(const struct sp_buf *out, struct sp_error *err)
{
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

int sp_pwuser_add(const char *old, size_t len, enum sp_pwuser_file file, const struct sp_pwuser *u,
                  struct sp_buf *out, struct sp_error *err)
{
    struct sp_pwline line;
    bool there = false;

    if (check(u, err) < 0 || look(old, len, file, u, &there, err) < 0)
        return -1;
    sp_buf_add(out, old, len);
    if (there)
        return finish(out, err);
    if (len > 0 && old[len - 1] != '\n')
        sp_buf_add(out, "\n", 1);
    put_line(file, u, out);
    if (finish(out, err) < 0)
        return -1;
    if ((len > 0 && memcmp(out->data, old, len) != 0) ||
        sp_pwline_find(out->data, out->len, files[file].name, u->name, &line, err) < 0 ||
        (size_t)(line.text.p - out->data) < len)
        return sp_fail(err, SP_E_INTERNAL, 0, "the appended line does not read back");
    return 0;
}

int sp_pwuser_remove(const char *old, size_t len, enum sp_pwuser_file file, const char *name, uint32_t id,
                     struct sp_buf *out, struct sp_error *err)
{
    struct sp_pwline line;
    uint32_t has = 0;
    size_t at;

    if (sp_name_check_user(name, err) < 0)
        return -1;
    if (sp_pwline_find(old, len, files[file].name, name, &line, err) < 0) {
        if (err->code != SP_E_NOT_FOUND)
            return -1;
        sp_buf_add(out, old, len);
        return finish(out, err);
    }
    if (files[file].has_id && (!line_id(file, line.text, &has) || has != id)) {
        sp_buf_add(out, old, len);
        return finish(out, err);
    }
    at = (size_t)(line.text.p - old);
    sp_buf_add(out, old, at);
    if (line.next < len)
        sp_buf_add(out, old + line.next, len - line.next);
    return finish(out, err);
}

bool sp_pwuser_has(const char *bytes, size_t len, enum sp_pwuser_file file, const char *name, uint32_t id)
{
    struct sp_pwline l;
    uint32_t has;

    for (size_t at = 0; sp_pwline_next(bytes, len, at, &l); at = l.next)
        if ((name != NULL && sp_slice_is(sp_pwline_name(l.text), name)) ||
            (id != 0 && line_id(file, l.text, &has) && has == id))
            return true;
    return false;
}
