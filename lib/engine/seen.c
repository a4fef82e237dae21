/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/seen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/seencheck.h"
#include "host/fsat.h"
#include "host/replace.h"
#include "host/sign.h"
#include "model/siphash.h"
#include "resource/watch.h"

#define SEEN_FILE SP_STORE "/reconcile.seen"
#define SEEN_MAX_BYTES ((size_t)256 << 20)
#define HALF_A_DAY 43200

struct sp_seen {
    struct sp_engine *engine;
    const struct sp_users *users; /* borrowed; sorted by name */
    struct sp_seencheck check;
    struct sp_buf old;   /* the file as it was; the records of check point into it */
    struct sp_buf fresh; /* what is new */
    bool is_open;
    struct sp_seentimes opened; /* the names' files, when the account was opened */
    size_t n_kept, n_fresh;
};

/* Records are "#USER SUM UNTIL QUIET SECONDS NANOSECONDS BELOW" and a line for each name: none begins with
 * '#'. */
static bool read_record(char *line, struct sp_seenrecord *r, char **ret_user)
{
    char *rest = line, *word;

    *ret_user = strsep(&rest, " ");
    word = strsep(&rest, " ");
    if (word == NULL || rest == NULL)
        return false;
    r->sum = strtoull(word, NULL, 16);
    word = strsep(&rest, " ");
    if (word == NULL || rest == NULL)
        return false;
    r->until = strtoll(word, NULL, 10);
    r->quiet = rest[0] == '1';
    r->changed[0] = strtoll(rest + 1, &rest, 10);
    r->changed[1] = strtoll(rest, &rest, 10);
    r->below = strtoull(rest, NULL, 16);
    return true;
}

/* Both are sorted: one walk finds each account's record. */
static void find_records(struct sp_seen *s, char *at)
{
    size_t i = 0;

    while (at != NULL && at[0] == '#') {
        struct sp_seenrecord r = {0};
        char *user, *line = strsep(&at, "\n");
        bool good;

        r.list = at;
        while (at != NULL && at[0] != '#' && at[0] != '\0')
            at = strchr(at, '\n') != NULL ? strchr(at, '\n') + 1 : NULL;
        if (at == NULL)
            return;
        r.len = (size_t)(at - r.list);
        good = read_record(line + 1, &r, &user);
        while (i < s->users->n && strcmp(s->users->v[i], user) < 0)
            i++;
        if (good && i < s->users->n && strcmp(s->users->v[i], user) == 0)
            s->check.records[i] = r;
    }
}

/* "sallyport-seen 1 KEY KEY" */
static bool read_head(struct sp_seen *s, char **ret_rest)
{
    char *rest = s->old.data, *line = rest != NULL ? strsep(&rest, "\n") : NULL;
    const char *keys = NULL;
    char *end;

    *ret_rest = rest;
    if (line == NULL || !sp_str_prefix(line, "sallyport-seen 1 ", &keys))
        return false;
    s->check.key[0] = strtoull(keys, &end, 16);
    s->check.key[1] = strtoull(end, NULL, 16);
    return true;
}

static int load(struct sp_seen *s, struct sp_error *err)
{
    struct sp_error ignored;
    struct stat st;
    char *rest = NULL;

    if (sp_fsat_read(s->engine->host->root_fd, SEEN_FILE, SEEN_MAX_BYTES, &s->old, &st, &ignored) == 0 &&
        (!s->engine->host->real || (st.st_uid == 0 && (st.st_mode & 077) == 0)) && read_head(s, &rest)) {
        find_records(s, rest);
        return 0;
    }
    return sp_sign_random(s->check.key, sizeof(s->check.key), err);
}

struct sp_seen *sp_seen_begin(struct sp_engine *e, const struct sp_users *users, struct sp_error *err)
{
    struct sp_seen *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
        return NULL;
    }
    s->engine = e;
    s->users = users;
    s->check.host = e->host;
    s->check.store = -1;
    s->check.n = users->n;
    s->check.users = users->v;
    s->check.records = calloc(users->n + 1, sizeof(*s->check.records));
    if (s->check.records == NULL)
        sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (s->check.records == NULL || load(s, err) < 0 ||
        sp_watch_host(e->host, e->config, &s->check.host_list, err) < 0 ||
        sp_seennames_read(e->host, s->check.key, &s->check.names, err) < 0 ||
        sp_seencheck_run(&s->check, err) < 0)
        sp_seen_end(&s);
    return s;
}

enum sp_seen_verdict sp_seen_verdict(const struct sp_seen *s, size_t i)
{
    return (enum sp_seen_verdict)s->check.verdicts[i];
}

void sp_seen_open(struct sp_seen *s)
{
    s->is_open = sp_seennames_now(s->engine->host, &s->opened);
    s->check.begun = s->engine->host->ops->now(s->engine->host);
}

/* Twice a day, and not all at the same time. */
static int64_t bound(const struct sp_seen *s, const char *user, int64_t until)
{
    uint64_t spread = sp_siphash(s->check.key, user, strlen(user)) % HALF_A_DAY;
    int64_t latest = s->check.begun + HALF_A_DAY / 2 + (int64_t)spread / 2;

    return until == 0 || latest < until ? latest : until;
}

/* The names as they were when the account was opened, which its plan has seen. They are read again only for
 * an account that is noted: each that is mended may have changed them. */
static bool have_names(struct sp_seen *s)
{
    struct sp_error ignored;

    return s->is_open &&
           (sp_seennames_are_of(&s->check.names, &s->opened) ||
            (sp_seennames_read(s->engine->host, s->check.key, &s->check.names, &ignored) == 0 &&
             sp_seennames_are_of(&s->check.names, &s->opened)));
}

/* The home as passwd(5) has it: root may have put a link on its way. */
static void watch_links(const struct sp_seenname *name, const char *home, struct sp_buf *list)
{
    if (name->home != NULL &&
        (strlen(home) != name->home_len || memcmp(home, name->home, name->home_len) != 0))
        sp_buf_printf(list, "S%.*s\n", (int)name->home_len, name->home);
}

static void put_record(const char *user, const struct sp_seenrecord *r, struct sp_buf *out)
{
    sp_buf_printf(out, "#%s %016llx %lld %d %lld %lld %016llx\n", user, (unsigned long long)r->sum,
                  (long long)r->until, r->quiet, (long long)r->changed[0], (long long)r->changed[1],
                  (unsigned long long)r->below);
    sp_buf_add(out, r->list, r->len);
}

void sp_seen_note(struct sp_seen *s, const struct sp_ctx *c)
{
    _cleanup_(sp_watch_clear) struct sp_watch w = {0};
    _cleanup_(sp_buf_clear) struct sp_buf list = {0};
    const struct sp_seenname *name;
    struct sp_seenrecord r = {0};
    struct sp_error ignored;
    bool can = false;

    if (c->user == NULL || !have_names(s) || sp_watch_account(c, &w, &can, &ignored) < 0 || !can)
        return;
    for (size_t i = 0; sp_resources[i] != NULL; i++)
        if (sp_resources[i]->watch != NULL && sp_resources[i]->watch(c, &w, &ignored) < 0)
            return;
    name = sp_seennames_find(&s->check.names, s->check.key, c->user->name);
    if (name == NULL)
        return;
    watch_links(name, c->user->home, &list);
    sp_buf_add(&list, w.list.data, w.list.len);
    if (!sp_buf_ok(&list))
        return;
    r = (struct sp_seenrecord){.list = list.data, .len = list.len, .quiet = w.quiet};
    r.until = bound(s, c->user->name, w.until);
    if (!sp_seencheck_sum(&s->check, c->user->name, &r, SP_SEENCHECK_SETTLED, &r.sum) ||
        !sp_seennames_stand(s->engine->host, &s->check.names))
        return;
    put_record(c->user->name, &r, &s->fresh);
    s->n_fresh++;
}

/* The fresh ones come in the order of the users. */
static void merge(const struct sp_seen *s, struct sp_buf *out)
{
    const char *at = sp_buf_str(&s->fresh);

    for (size_t i = 0; i < s->users->n; i++) {
        size_t n = strlen(s->users->v[i]);
        const char *end;

        if (s->check.verdicts[i] == SP_SEEN_CLEAN) {
            put_record(s->users->v[i], &s->check.records[i], out);
            continue;
        }
        if (at[0] != '#' || strncmp(at + 1, s->users->v[i], n) != 0 || at[n + 1] != ' ')
            continue;
        end = strstr(at, "\n#");
        end = end != NULL ? end + 1 : s->fresh.data + s->fresh.len;
        sp_buf_add(out, at, (size_t)(end - at));
        at = end;
    }
}

int sp_seen_save(struct sp_seen *s, struct sp_error *err)
{
    const struct sp_replace how = {.mode = 0600, .uid = 0, .gid = 0};
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};

    if (s->n_fresh == 0 || !sp_buf_ok(&s->fresh))
        return 0;
    sp_buf_printf(&out, "sallyport-seen 1 %llx %llx\n", (unsigned long long)s->check.key[0],
                  (unsigned long long)s->check.key[1]);
    merge(s, &out);
    if (!sp_buf_ok(&out))
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    return sp_replace_path(s->engine->host, SEEN_FILE, out.data, out.len, &how, err);
}

void sp_seen_end(struct sp_seen **s)
{
    if (*s == NULL)
        return;
    sp_seencheck_clear(&(*s)->check);
    sp_buf_clear(&(*s)->old);
    sp_buf_clear(&(*s)->fresh);
    free(*s);
    *s = NULL;
}
