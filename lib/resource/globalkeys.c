/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "resource/globalkeys.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/layout.h"
#include "host/lock.h"
#include "host/replace.h"
#include "host/rootfile.h"
#include "model/json.h"
#include "resource/sshd-files.h"
#include "resource/sshd.h"

#define LOCK_DEADLINE_MS 10000
#define STATE_MAX_BYTES (1U << 24)
#define HOSTS_OWN ".ssh/authorized_keys .ssh/authorized_keys2" /* sshd_config(5) */

static const char state_path[] = SP_GLOBAL_DIR "/state";

void sp_globals_clear(struct sp_globals *g)
{
    for (size_t i = 0; i < g->n; i++)
        sp_key_list_clear(&g->v[i].keys);
    *g = (struct sp_globals){0};
}

int sp_globals_lock(struct sp_host *h, struct sp_error *err)
{
    _cleanup_close_ int dir = sp_fsat_make_dirs(h->root_fd, SP_GLOBAL_DIR, 0711, err);

    return dir < 0 ? -1 : sp_lock_take(h, SP_GLOBAL_DIR "/lock", LOCK_DEADLINE_MS, err);
}

static int read_class(const cJSON *item, struct sp_globals *g, struct sp_error *err)
{
    const cJSON *group = cJSON_GetObjectItemCaseSensitive(item, "group");
    struct sp_global_class *to = &g->v[g->n];

    if (!cJSON_IsString(group) || g->n == SP_GLOBAL_GROUPS_MAX ||
        sp_str_copy(to->group, sizeof(to->group), group->valuestring) < 0)
        return sp_fail(err, SP_E_STATE, 0, "%s is no list of global keys", state_path);
    g->n++;
    return sp_keys_from_json(cJSON_GetObjectItemCaseSensitive(item, "keys"), SP_KEY_STORED, &to->keys, err);
}

int sp_globals_read(struct sp_host *h, struct sp_globals *ret, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf bytes = {0};
    _cleanup_(sp_globals_clear) struct sp_globals g = {0};
    _cleanup_json_ cJSON *json = NULL;
    const cJSON *item = NULL;

    *ret = g;
    if (sp_rootfile_read(h, state_path, STATE_MAX_BYTES, &bytes, err) < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    if (sp_json_parse_large(sp_buf_str(&bytes), bytes.len, STATE_MAX_BYTES, &json, err) < 0)
        return err->code == SP_E_NO_MEMORY
                   ? -1
                   : sp_fail(err, SP_E_STATE, 0, "%s is no list of global keys", state_path);
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(json, "classes"))
    {
        if (read_class(item, &g, err) < 0)
            return -1;
    }
    *ret = g;
    g = (struct sp_globals){0};
    return 0;
}

static int put_class(const struct sp_global_class *class, cJSON *array, struct sp_error *err)
{
    cJSON *o = cJSON_CreateObject(), *keys;

    if (o == NULL || !cJSON_AddItemToArray(array, o) || !cJSON_AddStringToObject(o, "group", class->group))
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    keys = cJSON_AddArrayToObject(o, "keys");
    for (size_t i = 0; i < class->keys.n; i++) {
        cJSON *key = NULL;
        if (sp_key_to_json(&class->keys.v[i], &key, err) < 0)
            return -1;
        (void)cJSON_AddItemToArray(keys, key);
    }
    return keys != NULL ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

int sp_globals_save(struct sp_host *h, const struct sp_globals *g, struct sp_error *err)
{
    const struct sp_replace how = {.mode = 0600, .uid = 0, .gid = 0};
    _cleanup_json_ cJSON *json = cJSON_CreateObject();
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    cJSON *array = cJSON_AddArrayToObject(json, "classes");

    if (array == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    for (size_t i = 0; i < g->n; i++)
        if (put_class(&g->v[i], array, err) < 0)
            return -1;
    if (sp_json_print(json, &text, err) < 0)
        return -1;
    sp_buf_puts(&text, "\n");
    return sp_replace_path(h, state_path, sp_buf_str(&text), text.len, &how, err);
}

static void name_of(const char *group, char out[64])
{
    (void)sp_str_format(out, 64, "%s%s", group[0] != '\0' ? "group-" : "all", group);
}

/* Labels stay in the state: every member can read this. */
static int make_text(const struct sp_key_list *keys, int64_t now, struct sp_buf *out, struct sp_error *err)
{
    for (size_t i = 0; i < keys->n; i++) {
        struct sp_key bare = keys->v[i]; /* borrows */
        bare.label[0] = '\0';
        if ((bare.expires_at == 0 || bare.expires_at > now) && sp_authkeys_line(&bare, out, err) < 0)
            return -1;
    }
    return 0;
}

static int write_class(struct sp_host *h, int dir, const struct sp_global_class *class,
                       enum sp_globals_how how_far, bool *ret_changed, struct sp_error *err)
{
    struct sp_replace how = {.mode = 0640, .uid = 0, .gid = 0};
    _cleanup_(sp_buf_clear) struct sp_buf want = {0}, have = {0};
    struct sp_error ignored;
    char name[64];
    struct stat st;

    name_of(class->group, name);
    if (make_text(&class->keys, h->ops->now(h), &want, err) < 0 ||
        sp_userdb_group_gid(h, class->group[0] != '\0' ? class->group : SP_GROUP_ALL, &how.gid, err) < 0)
        return -1;
    if (sp_fsat_read(dir, name, STATE_MAX_BYTES, &have, &st, &ignored) == 0 &&
        sp_streq(sp_buf_str(&have), sp_buf_str(&want)) &&
        (!h->real || (st.st_uid == 0 && st.st_gid == how.gid && (st.st_mode & 07777) == 0640)))
        return 0;
    *ret_changed = true;
    return how_far == SP_GLOBALS_LOOK ? 0
                                      : sp_replace_at(h, dir, name, sp_buf_str(&want), want.len, &how, err);
}

static bool is_wanted(const struct sp_globals *g, const char *file)
{
    for (size_t i = 0; i < g->n; i++) {
        char name[64];
        name_of(g->v[i].group, name);
        if (sp_streq(name, file))
            return true;
    }
    return false;
}

typedef int each_file(const char *name, void *data);

/* "all" and "group-NAME", in the order of their names. */
static int visit_files(struct sp_host *h, each_file *visit, void *data, struct sp_error *err)
{
    _cleanup_close_ int fd =
        sp_fsat_open(h->root_fd, SP_GLOBAL_DIR, O_RDONLY | O_DIRECTORY, 0, SP_FSAT_NONE, err);
    struct dirent **names = NULL;
    int n = fd >= 0 ? scandirat(fd, ".", &names, NULL, alphasort) : 0, rc = 0;

    if (fd < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    if (n < 0)
        return sp_fail(err, SP_E_IO, errno, "%s", SP_GLOBAL_DIR);
    for (int i = 0; i < n; i++) {
        const char *name = names[i]->d_name;
        if (rc == 0 && strstr(name, SP_REPLACE_SUFFIX) == NULL &&
            (sp_streq(name, "all") || sp_str_prefix(name, "group-", NULL)))
            rc = visit(name, data);
        free(names[i]);
    }
    free(names);
    return rc;
}

struct sweep {
    struct sp_host *host;
    const struct sp_globals *wanted;
    int dir;
    enum sp_globals_how how;
    bool *changed;
    struct sp_error *err;
};

static int sweep_file(const char *name, void *data)
{
    struct sweep *s = data;

    if (is_wanted(s->wanted, name))
        return 0;
    *s->changed = true;
    return s->how == SP_GLOBALS_LOOK ? 0 : sp_replace_remove(s->host, s->dir, name, s->err);
}

int sp_globals_write(struct sp_host *h, const struct sp_globals *g, enum sp_globals_how how,
                     bool *ret_changed, struct sp_error *err)
{
    _cleanup_close_ int dir = sp_fsat_open_dir(h->root_fd, SP_GLOBAL_DIR, SP_FSAT_NONE, err);
    struct sweep s = {h, g, dir, how, ret_changed, err};

    if (dir < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    if (visit_files(h, sweep_file, &s, err) < 0)
        return -1;
    for (size_t i = 0; i < g->n; i++)
        if (write_class(h, dir, &g->v[i], how, ret_changed, err) < 0)
            return -1;
    return 0;
}

/* --- sshd --- */

struct own_value {
    const char *main;        /* the first file */
    char file[SP_PATH_SIZE]; /* where the Match blocks of the file begin to count */
    bool in_match, conditional;
    bool is_blind;     /* something could not be looked at */
    bool others_first; /* the main file includes the others before it says anything itself */
    bool of_main;      /* `value` is the main file's */
    char value[1024], place[SP_SSHD_WHERE];
};

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);

    return n >= k && sp_streq(text + n - k, end);
}

/* sshd_config(5): the first value counts, and an included file stands where its Include does. */
static void take_own(struct own_value *o, const struct sp_sshd_line *l, bool is_main)
{
    if (o->value[0] != '\0' && !(o->of_main && o->others_first && !is_main))
        return;
    (void)sp_str_copy(o->value, sizeof(o->value), l->value);
    o->of_main = is_main;
}

/* What the host's files say outside of any Match block; within one, ours would push it aside. */
static int find_own(const struct sp_sshd_line *l, void *data)
{
    struct own_value *o = data;
    bool is_main = sp_streq(l->file, o->main);

    o->is_blind |= l->is_blind;
    if (!is_main && !ends_with(l->file, ".conf")) /* nobody includes it */
        return 0;
    if (!sp_streq(o->file, l->file)) {
        (void)sp_str_copy(o->file, sizeof(o->file), l->file);
        o->in_match = false;
    }
    if (l->keyword == NULL)
        return 0;
    if (strcasecmp(l->keyword, "match") == 0)
        o->in_match = strcasecmp(l->value, "all") != 0;
    if (is_main && !o->in_match && o->value[0] == '\0' && strcasecmp(l->keyword, "include") == 0 &&
        strstr(l->value, "sshd_config.d/*.conf") != NULL)
        o->others_first = true;
    if (strcasecmp(l->keyword, "authorizedkeysfile") != 0)
        return 0;
    if (o->in_match) {
        o->conditional = true;
        (void)sp_str_format(o->place, sizeof(o->place), "%s:%zu", l->file, l->number);
    } else
        take_own(o, l, is_main);
    return 0;
}

static int unseen(struct sp_error *err)
{
    return sp_fail(err, SP_E_IO, 0, "cannot look at all of sshd's configuration files");
}

static int add_file(const char *name, void *data)
{
    sp_buf_printf(data, " " SP_GLOBAL_DIR "/%s", name);
    return 0;
}

int sp_globals_lines(const struct sp_ctx *c, const char *own, struct sp_buf *out, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf files = {0};
    struct own_value o = {.main = c->config->sshd_config};

    /* What stands in the way there lets nobody in. */
    if (visit_files(c->host, add_file, &files, err) < 0 && sp_error_is_blind(err))
        return -1;
    if (own[0] == '\0' && files.len > 0) {
        (void)sp_sshd_each_line(c, find_own, &o);
        if (o.is_blind)
            return unseen(err);
        own = o.value[0] == '\0' ? HOSTS_OWN : strcasecmp(o.value, "none") == 0 ? "" : o.value;
    }
    if (files.len > 0 || own[0] != '\0')
        sp_buf_printf(out, "\tAuthorizedKeysFile %s%s\n", own, sp_buf_str(&files));
    return 0;
}

struct expectation {
    const struct sp_sshdconf *conf;
    char missing[128];
};

static int expect_file(const char *name, void *data)
{
    struct expectation *e = data;
    char path[128];

    (void)sp_str_format(path, sizeof(path), SP_GLOBAL_DIR "/%.64s", name);
    if (sp_sshdconf_has(e->conf, "authorizedkeysfile", path))
        return 0;
    return sp_str_copy(e->missing, sizeof(e->missing), path) | 1;
}

int sp_globals_expect(const struct sp_ctx *c, const struct sp_sshdconf *conf, struct sp_error *err)
{
    struct expectation e = {.conf = conf};
    char where[SP_SSHD_WHERE];

    if (visit_files(c->host, expect_file, &e, err) == 0)
        return 0;
    if (e.missing[0] == '\0')
        return -1;
    sp_fail(err, SP_E_NOT_IN_FORCE, 0, "global keys: sshd does not read %s for %s", e.missing,
            c->user->name);
    return sp_hint(
        err, "%s%s: take that AuthorizedKeysFile away, or leave the group " SP_GROUP_ALL " out of it",
        sp_sshd_where(c, "authorizedkeysfile", NULL, where) ? "set in " : "it comes before ours", where);
}

int sp_globals_conflict(const struct sp_ctx *c, struct sp_error *err)
{
    struct own_value o = {.main = c->config->sshd_config};

    (void)sp_sshd_each_line(c, find_own, &o);
    if (o.is_blind)
        return unseen(err);
    if (!o.conditional || c->config->key_store == SP_KEY_STORE_ROOT)
        return 0;
    sp_fail(err, SP_E_CONFLICT, 0, "%s sets AuthorizedKeysFile within a Match block", o.place);
    return sp_hint(err, "for managed accounts global keys would push it aside: take it away there");
}
