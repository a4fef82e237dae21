/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/manifest.h"

#include <sha2.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define HEADER "sallyport-generation 1"

enum { PATH_LIMIT = 4096, HEAD_LINES = 4 };

void sp_manifest_clear(struct sp_manifest *m)
{
    for (size_t i = m->n_text; i < m->n; i++) {
        free(m->entries[i].path);
        free(m->entries[i].extra);
        free(m->entries[i].digest);
    }
    free(m->entries);
    free(m->index);
    free(m->text);
    *m = (struct sp_manifest){0};
}

/* Both loops over bytes have no way out, so that the compiler looks at 16 of them at once. */
static bool is_plain(const char *s, size_t len)
{
    unsigned char bad = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        bad |= (unsigned char)((c < 0x20) | (c == 0x7f));
    }
    return bad == 0;
}

/* Is there a component that is empty or begins with a dot? s ends with a NUL. */
static bool is_odd(const char *s, size_t len)
{
    unsigned char odd = (unsigned char)((s[0] == '/') | (s[0] == '.') | (s[0] == '\0'));

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i], next = (unsigned char)s[i + 1];
        odd |= (unsigned char)((c == '/') & ((next == '/') | (next == '.') | (next == '\0')));
    }
    return odd != 0;
}

static bool components_ok(const char *path)
{
    for (;; path++) {
        size_t n = strcspn(path, "/");

        if (n == 0 || (path[0] == '.' && (n == 1 || (n == 2 && path[1] == '.'))))
            return false;
        path += n;
        if (*path == '\0')
            return true;
    }
}

/* A check reads thousands of them. */
static bool path_ok(const char *path, size_t len)
{
    return len < PATH_LIMIT && is_plain(path, len) && (!is_odd(path, len) || components_ok(path));
}

bool sp_manifest_path_ok(const char *path)
{
    return path_ok(path, strlen(path));
}

/* FNV-1a: the paths are the host's own, nobody gains by making them collide. */
static size_t hash_of(const char *s)
{
    uint64_t h = 0xcbf29ce484222325U;

    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 0x100000001b3U;
    return (size_t)(h ^ (h >> 32));
}

/* The slot of path: where it is, or the empty one where it goes. Slots hold place + 1. */
static size_t slot_of(const struct sp_manifest *m, const char *path)
{
    size_t i = hash_of(path) & (m->index_size - 1);

    while (m->index[i] != 0 && strcmp(m->entries[m->index[i] - 1].path, path) != 0)
        i = (i + 1) & (m->index_size - 1);
    return i;
}

const struct sp_manifest_entry *sp_manifest_find(const struct sp_manifest *m, const char *path)
{
    size_t place = m->index_size != 0 ? m->index[slot_of(m, path)] : 0;

    for (size_t i = 0; m->index_size == 0 && i < m->n; i++)
        if (sp_streq(m->entries[i].path, path))
            return &m->entries[i];
    return place != 0 ? &m->entries[place - 1] : NULL;
}

static int make_index(struct sp_manifest *m, size_t size, struct sp_error *err)
{
    size_t *index = calloc(size, sizeof(*index));

    if (index == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    free(m->index);
    m->index = index;
    m->index_size = size;
    for (size_t i = 0; i < m->n; i++)
        m->index[slot_of(m, m->entries[i].path)] = i + 1;
    return 0;
}

int sp_manifest_index(struct sp_manifest *m, struct sp_error *err)
{
    size_t size = 1024;

    while (size < m->size * 2 || size < m->n * 2)
        size *= 2;
    return make_index(m, size, err);
}

static int grow(struct sp_manifest *m, struct sp_error *err)
{
    size_t size = m->size != 0 ? m->size * 2 : 1024;
    struct sp_manifest_entry *entries = reallocarray(m->entries, size, sizeof(*entries));

    if (entries == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    m->entries = entries;
    m->size = size;
    return sp_manifest_index(m, err);
}

static void discard(struct sp_manifest_entry *e)
{
    free(e->path);
    free(e->extra);
    free(e->digest);
}

int sp_manifest_add(struct sp_manifest *m, const struct sp_manifest_entry *e, bool *ret_new,
                    struct sp_error *err)
{
    struct sp_manifest_entry copy = *e;
    size_t slot;

    if (ret_new != NULL)
        *ret_new = false;
    if (!sp_manifest_path_ok(e->path) || (e->extra != NULL && !is_plain(e->extra, strlen(e->extra))))
        return sp_fail(err, SP_E_INVALID, 0, "a file name that cannot be listed: %s", e->path);
    if ((m->n == m->size && grow(m, err) < 0) || (m->index_size == 0 && sp_manifest_index(m, err) < 0))
        return -1;
    slot = slot_of(m, e->path);
    if (m->index[slot] != 0)
        return 0;
    copy.path = strdup(e->path);
    copy.extra = e->extra != NULL ? strdup(e->extra) : NULL;
    copy.digest = e->digest != NULL ? strdup(e->digest) : NULL;
    if (copy.path == NULL || (e->extra != NULL && copy.extra == NULL) ||
        (e->digest != NULL && copy.digest == NULL)) {
        discard(&copy);
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    }
    m->entries[m->n++] = copy;
    m->index[slot] = m->n;
    if (ret_new != NULL)
        *ret_new = true;
    return 0;
}

void sp_manifest_miss(struct sp_manifest *m, const char *name)
{
    size_t used = strlen(m->missing), n = strlen(name);

    for (const char *at = m->missing; *at != '\0'; at += strspn(at, " ")) {
        size_t word = strcspn(at, " ");
        if (word == n && memcmp(at, name, n) == 0)
            return;
        at += word;
    }
    if (used + 1 + n >= sizeof(m->missing) || !is_plain(name, n) || strchr(name, ' ') != NULL)
        return;
    if (used > 0)
        m->missing[used++] = ' ';
    memcpy(m->missing + used, name, n + 1);
}

bool sp_manifest_same(const struct sp_manifest_entry *a, const struct sp_manifest_entry *b)
{
    return a->kind == b->kind && a->mode == b->mode && a->size == b->size && a->mtime == b->mtime &&
           a->ino == b->ino && sp_streq(a->digest, b->digest);
}

struct line {
    const struct sp_manifest_entry *entry;
};

static int by_directory(const void *a, const void *b)
{
    const struct sp_manifest_entry *x = ((const struct line *)a)->entry,
                                   *y = ((const struct line *)b)->entry;
    const char *sx = strrchr(x->path, '/'), *sy = strrchr(y->path, '/');
    size_t nx = sx != NULL ? (size_t)(sx - x->path) : 0, ny = sy != NULL ? (size_t)(sy - y->path) : 0;
    int order = memcmp(x->path, y->path, nx < ny ? nx : ny);

    if (order == 0)
        order = (nx > ny) - (nx < ny);
    return order != 0 ? order : strcmp(x->path, y->path);
}

static void cover(const struct sp_manifest *m, struct sp_manifest_entry *e)
{
    const char *slash = strrchr(e->path, '/');
    const struct sp_manifest_entry *dir = NULL;
    char parent[PATH_LIMIT];

    if ((e->kind != SP_MANIFEST_LINK && e->kind != SP_MANIFEST_ABSENT) || slash == NULL)
        return;
    if (sp_str_format(parent, sizeof(parent), "%.*s", (int)(slash - e->path), e->path) == 0)
        dir = sp_manifest_find(m, parent);
    e->mode = dir != NULL && dir->kind == SP_MANIFEST_DIR ? SP_MANIFEST_COVERED : 0;
}

static void write_entry(const struct sp_manifest_entry *e, struct sp_buf *out)
{
    sp_buf_printf(out, "%c %o %llu %llu %llu %s", e->kind, (unsigned)e->mode, (unsigned long long)e->size,
                  (unsigned long long)e->mtime, (unsigned long long)e->ino, e->path);
    if (e->extra != NULL)
        sp_buf_printf(out, "\t%s", e->extra);
    if (e->digest != NULL)
        sp_buf_printf(out, "\t%s", e->digest);
    sp_buf_add(out, "\n", 1);
}

void sp_manifest_write(struct sp_manifest *m, struct sp_buf *out)
{
    _cleanup_free_ struct line *sorted = reallocarray(NULL, m->n + 1, sizeof(*sorted));

    if (sorted == NULL) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < m->n; i++) {
        cover(m, &m->entries[i]);
        sorted[i].entry = &m->entries[i];
    }
    qsort(sorted, m->n, sizeof(*sorted), by_directory);
    sp_buf_printf(out, HEADER "\nprofiles %s\nnonce %s\nmissing %s\n", m->profiles, m->nonce, m->missing);
    for (size_t i = 0; i < m->n; i++)
        write_entry(sorted[i].entry, out);
}

static int bad_line(struct sp_error *err, size_t line)
{
    return sp_fail(err, SP_E_STATE, 0, "the manifest of a generation is broken at line %zu", line);
}

/* A number that ends with a blank, which is skipped; 0 or -1. */
static int take_number(char **at, unsigned base, uint64_t *ret)
{
    enum { NEVER_TOO_MANY = 19 }; /* digits */
    const char *s = *at;
    uint64_t value = 0;
    unsigned digit;
    size_t n = 0;

    for (; n < NEVER_TOO_MANY && (digit = (unsigned)(unsigned char)s[n] - '0') < base; n++)
        value = value * base + digit;
    for (; (digit = (unsigned)(unsigned char)s[n] - '0') < base; n++)
        if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit, &value))
            return -1;
    if (n == 0 || s[n] != ' ')
        return -1;
    *at += n + 1;
    *ret = value;
    return 0;
}

/* The word up to the next tab or the end, terminated; what follows, or NULL. */
static char *cut_word(char *word, const char *end, size_t *ret_len)
{
    char *tab = memchr(word, '\t', (size_t)(end - word));

    *ret_len = (size_t)((tab != NULL ? tab : end) - word);
    if (tab == NULL)
        return NULL;
    *tab = '\0';
    return tab + 1;
}

static bool is_kind(char c)
{
    return c == SP_MANIFEST_FILE || c == SP_MANIFEST_LINK || c == SP_MANIFEST_MADE ||
           c == SP_MANIFEST_DIR || c == SP_MANIFEST_ABSENT || c == SP_MANIFEST_CONTENT;
}

static int take_entry(char *line, const char *end, struct sp_manifest_entry *e)
{
    char *at = line + 2;
    size_t path = 0, extra = 0;
    uint64_t mode = 0;

    *e = (struct sp_manifest_entry){.kind = (enum sp_manifest_kind)line[0]};
    if (!is_kind(line[0]) || line[1] != ' ' || take_number(&at, 8, &mode) < 0 ||
        take_number(&at, 10, &e->size) < 0 || take_number(&at, 10, &e->mtime) < 0 ||
        take_number(&at, 10, &e->ino) < 0)
        return -1;
    e->mode = (uint32_t)mode;
    e->path = at;
    e->extra = cut_word(at, end, &path);
    e->digest = e->extra != NULL ? cut_word(e->extra, end, &extra) : NULL;
    if (e->extra == NULL && e->kind != SP_MANIFEST_FILE && e->kind != SP_MANIFEST_DIR &&
        e->kind != SP_MANIFEST_ABSENT)
        return -1;
    return path_ok(e->path, path) && is_plain(e->extra, extra) ? 0 : -1;
}

static int take_head(const char *line, size_t n, struct sp_manifest *m)
{
    const char *rest = NULL;

    switch (n) {
    case 1:
        return sp_streq(line, HEADER) ? 0 : -1;
    case 2:
        return sp_str_prefix(line, "profiles ", &rest) ? sp_str_copy(m->profiles, sizeof(m->profiles), rest)
                                                       : -1;
    case 3:
        return sp_str_prefix(line, "nonce ", &rest) ? sp_str_copy(m->nonce, sizeof(m->nonce), rest) : -1;
    default:
        return sp_str_prefix(line, "missing ", &rest) ? sp_str_copy(m->missing, sizeof(m->missing), rest)
                                                      : -1;
    }
}

/* The next line, terminated; NULL where none ends any more. */
static char *next_line(char **at, const char *end)
{
    char *line = *at, *newline = line < end ? memchr(line, '\n', (size_t)(end - line)) : NULL;

    if (newline == NULL)
        return NULL;
    *newline = '\0';
    *at = newline + 1;
    return line;
}

int sp_manifest_begin(struct sp_buf *text, struct sp_manifest *ret, struct sp_error *err)
{
    _cleanup_(sp_manifest_clear) struct sp_manifest m = {0};
    size_t len = text->len;

    *ret = (struct sp_manifest){0};
    m.rest = m.text = sp_buf_steal(text);
    if (m.text == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    for (size_t n = 1; n <= HEAD_LINES; n++) {
        const char *line = next_line(&m.rest, m.text + len);
        if (line == NULL || take_head(line, n, &m) < 0)
            return bad_line(err, n);
    }
    m.rest_len = len - (size_t)(m.rest - m.text);
    *ret = m;
    m = (struct sp_manifest){0};
    return 0;
}

/* So begins a covered one: its mode is the first number. */
static bool is_covered(const char *line)
{
    return (line[0] == SP_MANIFEST_LINK || line[0] == SP_MANIFEST_ABSENT) && line[1] == ' ' &&
           line[2] == '0' + SP_MANIFEST_COVERED && line[3] == ' ';
}

int sp_manifest_each(char *lines, size_t len, enum sp_manifest_flags flags, sp_manifest_visit visit,
                     void *ctx)
{
    const char *end = lines + len;
    struct sp_manifest_entry e;
    int r = 0;

    while (r == 0 && lines < end) {
        char *line = next_line(&lines, end);
        if (line == NULL)
            return -1;
        if ((flags & SP_MANIFEST_UNCOVERED) != 0 && is_covered(line))
            continue;
        if (take_entry(line, lines - 1, &e) < 0)
            return -1;
        r = visit(ctx, &e);
    }
    return r;
}

static int keep(void *ctx, const struct sp_manifest_entry *e)
{
    struct sp_manifest *m = ctx;

    m->entries[m->n] = *e;
    m->n_text = ++m->n;
    return 0;
}

int sp_manifest_parse(struct sp_buf *text, struct sp_manifest *ret, struct sp_error *err)
{
    _cleanup_(sp_manifest_clear) struct sp_manifest m = {0};
    const char *end;

    *ret = (struct sp_manifest){0};
    if (sp_manifest_begin(text, &m, err) < 0)
        return -1;
    /* Room for all entries at once. */
    end = m.rest + m.rest_len;
    for (const char *at = m.rest; at != NULL && at < end; m.size++) {
        at = memchr(at, '\n', (size_t)(end - at));
        at = at != NULL ? at + 1 : NULL;
    }
    m.entries = calloc(m.size + 1, sizeof(*m.entries));
    if (m.entries == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (sp_manifest_each(m.rest, m.rest_len, SP_MANIFEST_ALL, keep, &m) < 0)
        return bad_line(err, HEAD_LINES + m.n + 1);
    m.rest_len = 0;
    *ret = m;
    m = (struct sp_manifest){0};
    return 0;
}

static const char *const moved[] = {"bin/", "sbin/", "lib/", "lib32/", "lib64/", "libx32/"};

bool sp_manifest_has_dest(const char *path)
{
    if (strncmp(path, "usr/", 4) == 0 || sp_str_prefix(path, "etc/", NULL) || sp_streq(path, "usr") ||
        sp_streq(path, "etc"))
        return true;
    for (size_t i = 0; i < SP_COUNT(moved); i++)
        if (sp_str_prefix(path, moved[i], NULL))
            return true;
    return false;
}

int sp_manifest_dest(const char *path, char *dst, size_t size)
{
    for (size_t i = 0; i < SP_COUNT(moved); i++)
        if (sp_str_prefix(path, moved[i], NULL))
            return sp_str_format(dst, size, "usr/%s", path);
    return sp_manifest_has_dest(path) ? sp_str_copy(dst, size, path) : -1;
}

void sp_manifest_digest(const void *bytes, size_t len, char ret[65])
{
    (void)SHA256Data(bytes, len, ret);
}
