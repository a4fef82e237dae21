/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/profile.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/name.h"
#include "model/shownpath.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"
#define FILE_NAME LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS "._+-[" /* "[" is a program, too */

void sp_profile_clear(struct sp_profile *p)
{
    for (size_t i = 0; i < p->n_items; i++)
        free(p->items[i].value);
    free(p->items);
    free(p->describe);
    *p = (struct sp_profile){0};
}

int sp_profile_check_name(const char *name, struct sp_error *err)
{
    const char *choice = sp_profile_choice(name);
    size_t len = strlen(name), head = choice != NULL ? (size_t)(choice - 1 - name) : len;
    bool chosen = choice == NULL || (choice[0] != '\0' && strchr(LOWER DIGITS, choice[0]) != NULL &&
                                     strspn(choice, LOWER DIGITS "._-") == strlen(choice));

    if (chosen && head > 0 && len < sizeof(((struct sp_profile *)0)->name) &&
        strchr(LOWER, name[0]) != NULL && strspn(name, LOWER DIGITS "-") == head)
        return 0;
    sp_fail(err, SP_E_INVALID, 0, "this is not the name of a profile");
    return sp_hint(err,
                   "a lower-case letter, then at most 30 more, digits and '-'; a choice such as a "
                   "version stands behind '@': php@8.2");
}

const char *sp_profile_choice(const char *name)
{
    const char *at = strchr(name, '@');

    return at != NULL ? at + 1 : NULL;
}

size_t sp_profile_next(const struct sp_profile *p, size_t from, enum sp_profile_kind kind)
{
    while (from < p->n_items && p->items[from].kind != kind)
        from++;
    return from;
}

static int refuse(struct sp_error *err, const char *what, const char *hint)
{
    sp_fail(err, SP_E_INVALID, 0, "%s", what);
    return sp_hint(err, "%s", hint);
}

/* A name without a directory: what is looked up must not leave the directories it is looked up in. */
static int check_file_name(const char *name, struct sp_error *err)
{
    if (name[0] == '.' || name[0] == '-' || strlen(name) > 255 || strspn(name, FILE_NAME) != strlen(name))
        return refuse(err, "this is not the name of a file", "letters, digits, '.', '_', '+', '-' and '['");
    return 0;
}

static int check_program(const char *value, struct sp_error *err)
{
    if (value[0] == '[' && value[1] == '\0') /* coreutils' test(1) */
        return 0;
    return value[0] == '/' ? sp_name_check_path(value, err) : check_file_name(value, err);
}

/* A generation is shared by every jail: it must not carry the host's secrets, nor the account files that
 * each jail gets written anew. */
static bool is_secret(const char *path)
{
    static const char *const secrets[] = {"/etc/shadow",    "/etc/shadow-",   "/etc/gshadow",
                                          "/etc/gshadow-",  "/etc/passwd",    "/etc/passwd-",
                                          "/etc/group",     "/etc/group-",    "/etc/sudoers",
                                          "/etc/sudoers.d", "/etc/sallyport", "/etc/ssl/private"};
    const char *rest;

    for (size_t i = 0; i < SP_COUNT(secrets); i++)
        if (sp_str_prefix(path, secrets[i], &rest) && (*rest == '\0' || *rest == '/'))
            return true;
    return false;
}

/* What is not copied but mounted. */
static bool is_elsewhere(const char *path)
{
    return !sp_str_prefix(path, "/usr/", NULL) && !sp_str_prefix(path, "/etc/", NULL);
}

static int check_tree(const char *path, struct sp_error *err)
{
    if (sp_name_check_path(path, err) < 0)
        return -1;
    if (is_elsewhere(path))
        return sp_shownpath_check_tree(path, err);
    if (is_secret(path))
        return refuse(err, "this file is not for jails", "leave it out: a jail gets its own account files");
    return 0;
}

static int check_prove(const char *value, struct sp_error *err)
{
    if (strpbrk(value, "\"'\\") != NULL)
        return refuse(err, "there is no quoting here", "write the words with blanks between them");
    return 0;
}

/* "PATH TARGET" */
static int check_link(const char *value, struct sp_error *err)
{
    const char *target = strchr(value, ' ');
    char path[512];

    if (target == NULL || strchr(target + 1, ' ') != NULL)
        return refuse(err, "a link takes a path and what it leads to", "link /usr/bin/php php8.2");
    if (sp_str_format(path, sizeof(path), "%.*s", (int)(target - value), value) < 0)
        return refuse(err, "the path is too long", "at most 511 bytes");
    target++;
    if (is_elsewhere(path))
        return refuse(err, "a link lies below /usr or /etc", "what lies elsewhere is the host's own");
    if (check_tree(path, err) < 0)
        return -1;
    return target[0] == '/' ? sp_name_check_path(target, err) : check_file_name(target, err);
}

static int check_text(const char *value, struct sp_error *err)
{
    (void)value;
    (void)err;
    return 0;
}

enum presence { MUST, MAY_BE_OPTIONAL };
enum words { ONE_WORD, MANY_WORDS };

static const struct directive {
    const char *word;
    enum sp_profile_kind kind;
    enum presence presence;
    enum words words;
    int (*check)(const char *value, struct sp_error *err);
} directives[] = {
    {"requires", SP_PROFILE_REQUIRES, MUST, ONE_WORD, sp_profile_check_name},
    {"program", SP_PROFILE_PROGRAM, MAY_BE_OPTIONAL, ONE_WORD, check_program},
    {"library", SP_PROFILE_LIBRARY, MAY_BE_OPTIONAL, ONE_WORD, check_file_name},
    {"tree", SP_PROFILE_TREE, MAY_BE_OPTIONAL, ONE_WORD, check_tree},
    {"socket", SP_PROFILE_SOCKET, MAY_BE_OPTIONAL, ONE_WORD, sp_shownpath_check_socket},
    {"prove", SP_PROFILE_PROVE, MAY_BE_OPTIONAL, MANY_WORDS, check_prove},
    {"prove-sh", SP_PROFILE_PROVE_SH, MAY_BE_OPTIONAL, MANY_WORDS, check_text},
    {"link", SP_PROFILE_LINK, MUST, MANY_WORDS, check_link},
    {"promise", SP_PROFILE_PROMISE, MUST, MANY_WORDS, check_text},
    {"install", SP_PROFILE_INSTALL, MUST, MANY_WORDS, check_text},
};

static const struct directive *find_directive(const char *word, size_t n)
{
    for (size_t i = 0; i < SP_COUNT(directives); i++)
        if (strlen(directives[i].word) == n && memcmp(directives[i].word, word, n) == 0)
            return &directives[i];
    return NULL;
}

/* A profile and which sums of its values were seen: a new one is most often no duplicate, and need not be
 * compared with all before it. */
struct reader {
    struct sp_profile p;
    uint64_t seen[64];
};

static void reader_clear(struct reader *r)
{
    sp_profile_clear(&r->p);
}

static bool was_seen(struct reader *r, const char *value)
{
    unsigned a = 0, b = 0; /* Fletcher's sum, with no modulus */
    uint64_t bit, *word;
    bool seen;

    for (; *value; value++) {
        a += (unsigned char)*value;
        b += a;
    }
    word = &r->seen[b % SP_COUNT(r->seen)];
    bit = (uint64_t)1 << (a % 64);
    seen = (*word & bit) != 0;
    *word |= bit;
    return seen;
}

static int push(struct reader *r, const struct sp_profile_item *item, struct sp_error *err)
{
    struct sp_profile *p = &r->p;
    struct sp_profile_item *grown;

    for (size_t i = was_seen(r, item->value) ? 0 : p->n_items; i < p->n_items; i++)
        if (p->items[i].kind == item->kind && p->items[i].optional == item->optional &&
            sp_streq(p->items[i].value, item->value))
            return 0;
    grown = reallocarray(p->items, p->n_items + 1, sizeof(*grown));
    if (grown == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    p->items = grown;
    p->items[p->n_items] = *item;
    p->items[p->n_items].value = strdup(item->value);
    if (p->items[p->n_items].value == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    p->n_items++;
    return 0;
}

static int set_describe(struct sp_profile *p, const char *text, struct sp_error *err)
{
    if (p->describe != NULL)
        return refuse(err, "the profile is described twice", "keep one describe line");
    p->describe = strdup(text);
    return p->describe != NULL ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* Blanks around go, those between the words become one each. In place. */
static void squeeze(char *line)
{
    char *to = line;

    for (const char *from = line; *from; from++) {
        char c = *from;
        if (c == '\t')
            c = ' ';
        if (c != ' ' || (to > line && to[-1] != ' '))
            *to++ = c;
    }
    if (to > line && to[-1] == ' ')
        to--;
    *to = '\0';
}

static int read_line(struct reader *r, char *line, struct sp_error *err)
{
    size_t n = strcspn(line, " ");
    char *value = line[n] == ' ' ? line + n + 1 : line + n;
    struct sp_profile_item item = {.optional = n > 0 && line[n - 1] == '?', .value = value};
    const struct directive *d = find_directive(line, n - item.optional);

    if (n == strlen("describe") && sp_str_prefix(line, "describe", NULL))
        return set_describe(&r->p, value, err);
    if (d == NULL || (item.optional && d->presence == MUST))
        return refuse(
            err, "this directive is not known",
            "known are: describe, requires, program, library, tree, socket, link, promise, prove, "
            "prove-sh, install");
    if (*value == '\0')
        return refuse(err, "this directive needs a value", "write it behind a blank");
    if (d->words == ONE_WORD && strchr(value, ' ') != NULL)
        return refuse(err, "this directive takes one value", "write one line for each");
    if (d->check(value, err) < 0)
        return -1;
    item.kind = d->kind == SP_PROFILE_TREE && is_elsewhere(value) ? SP_PROFILE_MOUNT : d->kind;
    return push(r, &item, err);
}

static bool is_clean(const char *line)
{
    size_t n;

    /* A tab is the only control byte that a line may have. */
    for (;; line += n + 1) {
        n = strcspn(line, "\t");
        if (!sp_str_is_clean(line, n))
            return false;
        if (line[n] == '\0')
            return true;
    }
}

/* The choice in the place of each "%i". */
static int expand(const char *name, const char *line, struct sp_buf *out, struct sp_error *err)
{
    const char *choice = sp_profile_choice(name), *at;

    while ((at = strstr(line, "%i")) != NULL) {
        if (choice == NULL)
            return refuse(err, "%i stands for what is behind the '@' of a profile's name, which has none",
                          "name the file NAME@.profile");
        sp_buf_add(out, line, (size_t)(at - line));
        sp_buf_puts(out, choice);
        line = at + 2;
    }
    sp_buf_puts(out, line);
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

static int take_line(struct reader *r, char *line, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf expanded = {0};

    if (!is_clean(line))
        return refuse(err, "the line has a control byte or is not UTF-8", "write plain text");
    squeeze(line);
    if (*line == '\0' || *line == '#')
        return 0;
    return expand(r->p.name, line, &expanded, err) < 0 ? -1 : read_line(r, expanded.data, err);
}

/* A promise and the line it stands on, until a proof follows. */
static int check_proved(unsigned promise, const struct sp_profile *p, struct sp_error *err)
{
    if (promise == 0)
        return 0;
    refuse(err, "nothing proves this promise", "write a prove line behind it");
    return sp_field(err, "%s.profile:%u", p->name, promise);
}

static int read_lines(struct reader *r, char *text, struct sp_error *err)
{
    unsigned number = 0, promise = 0;
    char *line;

    while ((line = strsep(&text, "\n")) != NULL) {
        number++;
        if (take_line(r, line, err) < 0)
            return sp_field(err, "%s.profile:%u", r->p.name, number);
        if (sp_str_prefix(line, "promise ", NULL)) {
            if (check_proved(promise, &r->p, err) < 0)
                return -1;
            promise = number;
        } else if (sp_str_prefix(line, "prove", NULL))
            promise = 0;
    }
    return check_proved(promise, &r->p, err);
}

int sp_profile_parse(const char *name, const char *bytes, size_t len, struct sp_profile *ret,
                     struct sp_error *err)
{
    _cleanup_(reader_clear) struct reader r = {0};
    _cleanup_free_ char *text = NULL;

    if (sp_profile_check_name(name, err) < 0)
        return -1;
    if (len > SP_PROFILE_MAX_BYTES || (len > 0 && memchr(bytes, '\0', len) != NULL)) {
        sp_fail(err, SP_E_INVALID, 0, "the profile %s has a NUL or more than %u bytes", name,
                SP_PROFILE_MAX_BYTES);
        return sp_hint(err, "a profile is a short text file");
    }
    (void)sp_str_copy(r.p.name, sizeof(r.p.name), name);
    text = malloc(len + 1);
    if (text == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (len > 0)
        memcpy(text, bytes, len);
    text[len] = '\0';
    if (read_lines(&r, text, err) < 0 || (r.p.describe == NULL && set_describe(&r.p, "", err) < 0))
        return -1;
    *ret = r.p;
    r.p = (struct sp_profile){0};
    return 0;
}
