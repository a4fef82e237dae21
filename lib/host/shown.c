/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/shown.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/layout.h"

#define HEADER "sallyport-shown 1\n"

static const char *const words[] = {
    [SP_SHOWN_TREE] = "tree", [SP_SHOWN_SOCKET] = "socket", [SP_SHOWN_DENIED] = "denied"};

void sp_shown_clear(struct sp_shown *s)
{
    free(s->v);
    *s = (struct sp_shown){0};
}

static bool is_below(const char *path, const char *name)
{
    const char *rest;

    return sp_str_prefix(path + 1, name, &rest) && (*rest == '/' || *rest == '\0');
}

/* It is mounted at its own path, so that must not lie in what a jail has of its own - but for /run, which
 * is empty there. */
static bool has_place(const struct sp_shown_item *item)
{
    size_t depth = item->kind == SP_SHOWN_SOCKET ? 3 : 2;

    if (item->kind == SP_SHOWN_DENIED)
        return true;
    for (size_t i = 0; sp_layout_points[i] != NULL; i++)
        if (is_below(item->path, sp_layout_points[i]) &&
            !(item->kind == SP_SHOWN_SOCKET && sp_streq(sp_layout_points[i], "run")))
            return false;
    for (const char *at = item->path; (at = strchr(at, '/')) != NULL; at++)
        depth -= depth > 0;
    return depth == 0;
}

int sp_shown_add(struct sp_shown *s, const struct sp_shown_item *item, struct sp_error *err)
{
    struct sp_shown_item *grown;

    if (!sp_record_path_ok(item->path) || !has_place(item))
        return sp_fail(err, SP_E_INVALID, 0, "%.200s cannot be shown in a jail", item->path);
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].kind == item->kind && sp_streq(s->v[i].path, item->path))
            return 0;
    if (s->n == SP_SHOWN_MAX)
        return sp_fail(err, SP_E_INVALID, 0, "more than %d trees and sockets in one set of profiles",
                       SP_SHOWN_MAX);
    grown = reallocarray(s->v, s->n + 1, sizeof(*grown));
    if (grown == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    s->v = grown;
    s->v[s->n++] = *item;
    return 0;
}

int sp_shown_format(const struct sp_shown *s, struct sp_buf *out, struct sp_error *err)
{
    sp_buf_puts(out, HEADER);
    for (size_t i = 0; i < s->n; i++)
        sp_buf_printf(out, "%s%s %s\n", words[s->v[i].kind], s->v[i].optional ? "?" : "", s->v[i].path);
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

static int parse_line(struct sp_shown *s, const char *line, struct sp_error *err)
{
    for (size_t kind = 0; kind < SP_COUNT(words); kind++) {
        struct sp_shown_item item = {.kind = (enum sp_shown_kind)kind};
        const char *rest;

        if (!sp_str_prefix(line, words[kind], &rest))
            continue;
        item.optional = *rest == '?';
        rest += item.optional;
        if (*rest == ' ' && sp_str_copy(item.path, sizeof(item.path), rest + 1) == 0)
            return sp_shown_add(s, &item, err);
    }
    return -1;
}

int sp_shown_parse(const char *bytes, size_t len, struct sp_shown *ret, struct sp_error *err)
{
    _cleanup_(sp_shown_clear) struct sp_shown s = {0};
    _cleanup_free_ char *text = NULL;
    const char *rest;

    if (len > SP_SHOWN_MAX_BYTES || memchr(bytes, '\0', len) != NULL)
        return sp_fail(err, SP_E_STATE, 0, "the list of what a jail shows is no text");
    text = malloc(len + 1);
    if (text == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    memcpy(text, bytes, len);
    text[len] = '\0';
    if (!sp_str_prefix(text, HEADER, &rest))
        return sp_fail(err, SP_E_STATE, 0, "the list of what a jail shows is of no format that is known");
    for (char *line = text + (rest - text), *end; *line != '\0'; line = end + 1) {
        end = strchr(line, '\n');
        if (end != NULL)
            *end = '\0';
        if (end == NULL || parse_line(&s, line, err) < 0)
            return sp_fail(err, SP_E_STATE, 0, "the list of what a jail shows has a bad line");
    }
    *ret = s;
    s = (struct sp_shown){0};
    return 0;
}

void sp_shown_dir(const struct sp_shown_item *item, char ret[SP_RECORD_PATH])
{
    (void)sp_str_copy(ret, SP_RECORD_PATH, item->path);
    if (item->kind == SP_SHOWN_SOCKET)
        *strrchr(ret, '/') = '\0';
}

size_t sp_shown_paths(const struct sp_shown *s, const char *ret[SP_SHOWN_MAX + 1])
{
    bool run = false;
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++) {
        if (s->v[i].kind == SP_SHOWN_DENIED)
            continue;
        if (is_below(s->v[i].path, "run"))
            run = true;
        else
            ret[n++] = s->v[i].path;
    }
    if (run)
        ret[n++] = "/var";
    return n;
}
