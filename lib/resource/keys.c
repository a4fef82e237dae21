/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The account's keys: ~/.ssh/authorized_keys, or a file that root owns (key_store). A line is ours when the
 * panel named its fingerprint, now or before; every other line is the user's and stays byte for byte.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/home.h"
#include "host/layout.h"
#include "host/mend.h"
#include "host/replace.h"
#include "model/authkeys.h"
#include "model/when.h"
#include "resource/keys.h"
#include "resource/resource.h"
#include "resource/sshd.h"

enum { REMOVE, CHANGE, ADD, MODE, WHOLE, UNSEEN };

int sp_keys_read(const struct sp_ctx *c, struct sp_home_keys *ret, struct sp_error *err)
{
    char path[SP_PATH_SIZE];
    struct stat st;

    if (c->config->key_store == SP_KEY_STORE_HOME && c->hangs)
        return sp_keys_out_of_reach(c, err);
    if (c->config->key_store == SP_KEY_STORE_HOME)
        return sp_home_read(c->host, c->user, SP_KEYS_HOME_FILE, ret, err);
    if (sp_keys_root_file(c, path) < 0)
        return sp_fail(err, SP_E_INTERNAL, 0, "path too long");
    if (sp_fsat_read(c->host->root_fd, path, SP_AUTHORIZED_KEYS_MAX, &ret->bytes, &st, err) < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    ret->exists = true;
    ret->mode = st.st_mode & 07777;
    ret->wide = c->host->real && (st.st_uid != 0 || st.st_gid != c->user->gid || ret->mode != 0640);
    return 0;
}

static int write_keys(const struct sp_ctx *c, const struct sp_buf *bytes, struct sp_error *err)
{
    /* sshd reads it as the user: root writes, his group reads. */
    const struct sp_replace how = {.mode = 0640, .uid = 0, .gid = c->user->gid};
    _cleanup_close_ int dir = -1;

    if (c->config->key_store == SP_KEY_STORE_HOME)
        return sp_home_write(c->host, c->user, SP_KEYS_HOME_FILE, sp_buf_str(bytes), bytes->len, err);
    dir = sp_fsat_make_dirs(c->host->root_fd, SP_KEYS_ROOT_DIR, 0711, err);
    if (dir < 0)
        return -1;
    return sp_replace_at(c->host, dir, c->user->name, sp_buf_str(bytes), bytes->len, &how, err);
}

/* What the file holds of one fingerprint. */
struct search {
    const char *fingerprint;
    size_t found;
    const char *line; /* the first one */
    size_t len;
};

static int find_line(const struct sp_authkeys_entry *e, void *data)
{
    struct search *s = data;

    if (e->unread) /* it may be this one */
        return -1;
    if (!sp_streq(e->fingerprint, s->fingerprint))
        return 0;
    if (s->found++ == 0) {
        s->line = e->line;
        s->len = e->line_len;
    }
    return 0;
}

static int search(const struct sp_home_keys *have, struct search *s, struct sp_error *err)
{
    return sp_authkeys_each(sp_buf_str(&have->bytes), have->bytes.len, find_line, s) == 0
               ? 0
               : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* A forced command may hold anything: the key stands outside of quotes. */
static const char *find_blob(const char *line, size_t len)
{
    bool quoted = false;

    for (size_t i = 0; i + 4 <= len; i++)
        if (line[i] == '\\' && line[i + 1] == '"')
            i++;
        else if (line[i] == '"')
            quoted = !quoted;
        else if (!quoted && memcmp(line + i, "AAAA", 4) == 0)
            return line + i;
    return NULL;
}

/* A line for people: what stands around the base64. */
static void describe(const char *line, size_t len, char out[SP_CHANGE_TEXT])
{
    const char *blob = find_blob(line, len);
    size_t before = blob != NULL ? (size_t)(blob - line) : len, after = before;
    size_t shown = before < 350 ? before : 350;

    while (after < len && line[after] != ' ' && line[after] != '\t')
        after++;
    if (after < len && shown > 0 && line[shown - 1] == ' ') /* one blank where the base64 was */
        after++;
    (void)snprintf(out, SP_CHANGE_TEXT, "%.*s%.*s", (int)shown, line,
                   (int)(len - after < 140 ? len - after : 140), line + after);
}

static int add(struct sp_plan *p, int what, enum sp_phase phase, enum sp_effect effect, const char *target,
               const struct search *from, const struct sp_buf *to, struct sp_error *err)
{
    struct sp_change *change = sp_plan_add(p, &sp_resource_keys, phase, effect, what, err);

    if (change == NULL)
        return -1;
    (void)sp_str_format(change->target, sizeof(change->target), "%s", target);
    if (from != NULL && from->line != NULL)
        describe(from->line, from->len, change->from);
    if (to != NULL)
        describe(to->data, to->len - 1, change->to);
    return 0;
}

static const char wide_text[] = "others may write", tight_text[] = "only its owner may write";

static int add_mode(struct sp_plan *p, struct sp_error *err)
{
    struct sp_change *change = sp_plan_add(p, &sp_resource_keys, SP_NARROW, SP_TIGHTENS, MODE, err);

    if (change == NULL)
        return -1;
    (void)sp_str_copy(change->target, sizeof(change->target), SP_KEYS_HOME_FILE);
    (void)sp_str_copy(change->from, sizeof(change->from), wide_text);
    return sp_str_copy(change->to, sizeof(change->to), tight_text);
}

static int plan_wanted(const struct sp_key *key, const struct sp_home_keys *have, struct sp_plan *p,
                       struct sp_error *err)
{
    struct search s = {.fingerprint = key->key.fingerprint};
    _cleanup_(sp_buf_clear) struct sp_buf line = {0};

    if (sp_authkeys_line(key, &line, err) < 0 || search(have, &s, err) < 0)
        return -1;
    if (s.found == 0)
        return add(p, ADD, SP_BUILD, SP_LOOSENS, key->key.fingerprint, NULL, &line, err);
    if (s.found == 1 && s.len + 1 == line.len && memcmp(s.line, line.data, s.len) == 0)
        return 0;
    /* Options that somebody put before a key that should have none make the door narrower. */
    if (key->from.n == 0 && key->expires_at == 0 && sp_keyrules_is_plain(&key->rules) &&
        !sp_str_prefix(s.line, key->key.type, NULL))
        return add(p, CHANGE, SP_BUILD, SP_LOOSENS, key->key.fingerprint, &s, &line, err);
    return add(p, CHANGE, SP_NARROW, SP_TIGHTENS, key->key.fingerprint, &s, &line, err);
}

static int plan_away(const char *fingerprint, const struct sp_key_list *want,
                     const struct sp_home_keys *have, struct sp_plan *p, struct sp_error *err)
{
    struct search s = {.fingerprint = fingerprint};

    for (size_t n = 0; n < p->n; n++)
        if (p->v[n].resource == &sp_resource_keys && sp_streq(p->v[n].target, fingerprint))
            return 0;
    if (sp_key_list_find(want, fingerprint) != NULL)
        return 0;
    if (search(have, &s, err) < 0)
        return -1;
    return s.found > 0 ? add(p, REMOVE, SP_NARROW, SP_TIGHTENS, fingerprint, &s, NULL, err) : 0;
}

/* Everything that was ever ours and is not wanted now, and what was found and has been named since: of the
 * last state and of this one (an expired key is named and not wanted). */
static int plan_unwanted(const struct sp_ctx *c, const struct sp_account *a, const struct sp_key_list *want,
                         const struct sp_home_keys *have, struct sp_plan *p, struct sp_error *err)
{
    for (size_t i = 0; i < a->n_domains; i++)
        for (size_t k = 0; k < a->domains[i].keys.n; k++) {
            const char *fingerprint = a->domains[i].keys.v[k].key.fingerprint;
            if (!sp_account_leaves_key(c->desired, fingerprint) &&
                plan_away(fingerprint, want, have, p, err) < 0)
                return -1;
        }
    for (size_t i = 0; i < a->found.n_keys; i++)
        if (sp_keys_is_dropped(c, a->found.keys[i].fingerprint) &&
            plan_away(a->found.keys[i].fingerprint, want, have, p, err) < 0)
            return -1;
    return 0;
}

struct warn {
    struct sp_plan *plan;
    struct sp_error *err;
};

static void warn_skipped(const struct sp_domain *d, const struct sp_key *k, const char *why, void *data)
{
    struct warn *w = data;

    (void)sp_plan_warn(w->plan, w->err, "the key %s of %s is not written: %s", k->key.fingerprint, d->name,
                       why);
}

static const char main_file[] = "authorized_keys";

struct foreign {
    const struct sp_ctx *ctx;
    const char *file;
    struct sp_plan *plan;
    struct sp_error *err;
};

static int warn_foreign(const struct sp_authkeys_entry *e, void *data)
{
    const struct foreign *f = data;
    bool ours = sp_keys_is_named(f->ctx->desired, e->fingerprint) ||
                sp_keys_is_named(f->ctx->applied, e->fingerprint);

    if (e->unread)
        return sp_fail(f->err, SP_E_NO_MEMORY, 0, "out of memory");
    if (e->fingerprint[0] == '\0' || (ours && f->file == main_file))
        return 0;
    return sp_plan_warn(f->plan, f->err, "line %zu of %s is the user's own and lets in too: %s %s",
                        e->line_number, f->file, e->type, e->fingerprint);
}

static int warn_unread(struct sp_plan *p, const char *file, struct sp_error *err)
{
    const struct sp_error why = *err;

    return why.code == SP_E_NOT_FOUND
               ? 0
               : sp_plan_warn(p, err, "%s could not be looked at: %s", file, why.text);
}

/* A key in the other file is the user's even where we named the same one: there it has none of our limits.
 */
static int show_other_file(const struct sp_ctx *c, struct sp_plan *p, struct sp_error *err)
{
    struct foreign f = {c, sp_keys_other_file(c), p, err};
    _cleanup_(sp_home_keys_clear) struct sp_home_keys have = {0};

    if (f.file == NULL)
        return 0;
    if (sp_home_read(c->host, c->user, f.file, &have, err) < 0)
        return err->code == SP_E_NO_MEMORY ? -1 : warn_unread(p, f.file, err);
    return sp_authkeys_each(sp_buf_str(&have.bytes), have.bytes.len, warn_foreign, &f);
}

static bool has_access(const struct sp_account *a)
{
    return !a->access.suspended && (a->shell == SP_SHELL_BASH || a->shell == SP_SHELL_CHROOT);
}

/* Options stand before the key, in quotes: a blob or a comment is no place for them. */
static int warn_command(const struct sp_authkeys_entry *e, void *data)
{
    const struct foreign *f = data;
    const char *key = e->type[0] != '\0' ? memmem(e->line, e->line_len, e->type, strlen(e->type)) : NULL;

    if (key == NULL || memmem(e->line, (size_t)(key - e->line), "command=\"", 9) == NULL)
        return 0;
    return sp_plan_warn(
        f->plan, f->err,
        "the command= of line %zu of authorized_keys is not in force: this sshd serves sftp "
        "itself (internal-sftp), so jailed logins go through a ForceCommand",
        e->line_number);
}

/* sshd's ForceCommand overrides a key's command=: whoever relies on one is told. */
static int show_commands(const struct sp_ctx *c, const struct sp_home_keys *have, struct sp_plan *p,
                         struct sp_error *err)
{
    struct foreign f = {c, main_file, p, err};
    enum sp_sftp sftp;
    struct sp_error ignored;

    if (sp_ctx_absent(c) || c->desired->shell != SP_SHELL_CHROOT ||
        strstr(sp_buf_str(&have->bytes), "command=\"") == NULL || sp_sshd_sftp(c, &sftp, &ignored) < 0 ||
        sftp != SP_SFTP_INTERNAL)
        return 0;
    return sp_authkeys_each(sp_buf_str(&have->bytes), have->bytes.len, warn_command, &f);
}

/* Malware plants keys while the shell is none: whoever switches SSH on is shown every key that he did not
 * name. */
static int show_foreign(const struct sp_ctx *c, const struct sp_home_keys *have, struct sp_plan *p,
                        struct sp_error *err)
{
    struct foreign f = {c, main_file, p, err};
    bool switched_on = has_access(c->desired) && !has_access(c->applied);

    if (sp_ctx_absent(c) || (!switched_on && c->config->foreign_keys != SP_FOREIGN_REPORT))
        return 0;
    if (sp_authkeys_each(sp_buf_str(&have->bytes), have->bytes.len, warn_foreign, &f) != 0)
        return -1;
    return show_other_file(c, p, err);
}

/* Keys that sshd will not read are no access: say so instead of success. */
static int check_home(const struct sp_ctx *c, const struct sp_key_list *want,
                      const struct sp_home_keys *have, struct sp_error *err)
{
    if (!have->refused || !has_access(c->desired) || want->n == 0)
        return 0;
    sp_fail(err, SP_E_UNSAFE_PATH, 0,
            "sshd will refuse the keys: the home %.200s is root's and others can write to it",
            c->user->home);
    return sp_mend_hint(c->host, c->user, SP_MEND_SAFE, c->user->home,
                        "set key_store = root in sallyport.conf", err);
}

static int show_unseen(const struct sp_ctx *c, const struct sp_error *why, struct sp_plan *p,
                       struct sp_error *err)
{
    struct sp_change *change = sp_plan_add(p, &sp_resource_keys, SP_BUILD, SP_NEUTRAL, UNSEEN, err);

    if (change == NULL)
        return -1;
    (void)sp_str_copy(change->target, sizeof(change->target), c->user->home);
    (void)sp_str_format(change->from, sizeof(change->from), "could not be looked at: %.300s", why->text);
    return sp_str_copy(change->to, sizeof(change->to), "the keys");
}

/* The home is the user's ground, and nothing he makes of it keeps him in: what only takes away goes on. A
 * key that has to go is looked for as sshd looks (keys-elsewhere.c), and the gate and the shell are no
 * concern of the home's. Where root's own file cannot be read, there is no such way. */
static int plan_blind(const struct sp_ctx *c, struct sp_plan *p, struct sp_error *err)
{
    const struct sp_error why = *err;

    if (why.code == SP_E_NO_MEMORY)
        return -1;
    if (c->shows && !sp_ctx_shut(c))
        return show_unseen(c, &why, p, err);
    if (!sp_ctx_shut(c) &&
        (c->config->key_store == SP_KEY_STORE_ROOT || !(sp_ctx_absent(c) || c->withdraws)))
        return -1;
    if (why.code == SP_E_NOT_FOUND) /* a home that is gone holds no keys */
        return 0;
    return sp_plan_warn(p, err, "the keys in the home of %s could not be looked at: %s", c->user->name,
                        why.text);
}

/* A file of root's outlives its user, and would let his keys in to the next of that name. */
static int plan_whole(const struct sp_ctx *c, struct sp_plan *p, struct sp_error *err)
{
    struct sp_change *change;
    char path[SP_PATH_SIZE];

    if (!sp_ctx_absent(c) || c->config->key_store == SP_KEY_STORE_HOME || sp_keys_root_file(c, path) < 0 ||
        sp_fsat_is_missing(c->host->root_fd, path))
        return 0;
    change = sp_plan_add(p, &sp_resource_keys, SP_NARROW, SP_TIGHTENS, WHOLE, err);
    if (change == NULL)
        return -1;
    (void)sp_str_copy(change->target, sizeof(change->target), path);
    return sp_str_copy(change->from, sizeof(change->from), "keys of a user who is gone");
}

static int remove_whole(const struct sp_ctx *c, struct sp_error *err)
{
    _cleanup_close_ int dir = sp_fsat_open_dir(c->host->root_fd, SP_KEYS_ROOT_DIR, SP_FSAT_NONE, err);

    if (dir < 0)
        return -1;
    return sp_replace_remove(c->host, dir, c->desired->user, err);
}

static int keys_plan(const struct sp_ctx *c, struct sp_plan *p, struct sp_error *err)
{
    _cleanup_(sp_key_list_clear) struct sp_key_list want = {0};
    _cleanup_(sp_home_keys_clear) struct sp_home_keys have = {0};
    struct warn w = {p, err};

    if (c->user == NULL)
        return plan_whole(c, p, err);
    if (c->leave_home)
        return 0;
    if (sp_keys_wanted(c, &want, warn_skipped, &w, err) < 0)
        return -1;
    if (sp_keys_read(c, &have, err) < 0) {
        /* Without keys to write or to take back, a missing home is nobody's trouble. */
        return err->code == SP_E_NOT_FOUND && want.n == 0 ? 0 : plan_blind(c, p, err);
    }
    for (size_t i = 0; i < want.n; i++)
        if (plan_wanted(&want.v[i], &have, p, err) < 0)
            return -1;
    sp_keys_see_moves(c, &sp_resource_keys, p);
    if (plan_unwanted(c, c->desired, &want, &have, p, err) < 0 ||
        plan_unwanted(c, c->applied, &want, &have, p, err) < 0)
        return -1;
    if (show_foreign(c, &have, p, err) < 0 || show_commands(c, &have, p, err) < 0 ||
        check_home(c, &want, &have, err) < 0)
        return -1;
    /* A file of ours is 0600. That others can read it is nothing a request need wait for, nor sshd mind. */
    if (c->thorough && c->config->key_store == SP_KEY_STORE_HOME && (have.mode & 077) != 0)
        have.wide = true;
    if (have.exists && have.wide && !sp_ctx_absent(c))
        return add_mode(p, err);
    return 0;
}

/* The file after this phase: what the plan removes or changes in it, and in BUILD what it adds. What the
 * plan does not list stays. */
static int edit(const struct sp_plan *p, enum sp_phase phase, const struct sp_key_list *all,
                const struct sp_home_keys *have, struct sp_buf *out, size_t *ret_changes,
                struct sp_error *err)
{
    _cleanup_(sp_key_list_clear) struct sp_key_list want = {0};
    _cleanup_free_ const char **drop = calloc(p->n + 1, sizeof(*drop));
    size_t n_drop = 0;

    if (drop == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    *ret_changes = 0;
    for (size_t i = 0; i < p->n; i++) {
        const struct sp_change *change = &p->v[i];
        const struct sp_key *key;
        if (change->resource != &sp_resource_keys || change->phase != phase)
            continue;
        ++*ret_changes;
        key = sp_key_list_find(all, change->target);
        if (change->what == REMOVE)
            drop[n_drop++] = change->target;
        else if (key != NULL && sp_key_list_add(&want, key, err) < 0)
            return -1;
    }
    return sp_authkeys_edit(sp_buf_str(&have->bytes), have->bytes.len, &want, drop, n_drop, out, err);
}

static bool is_mode_alone(const struct sp_plan *p, enum sp_phase phase)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].resource == &sp_resource_keys && p->v[i].phase == phase && p->v[i].what != MODE)
            return false;
    return true;
}

static int keys_apply(const struct sp_ctx *c, const struct sp_plan *p, enum sp_phase phase,
                      struct sp_error *err)
{
    _cleanup_(sp_key_list_clear) struct sp_key_list all = {0};
    _cleanup_(sp_home_keys_clear) struct sp_home_keys have = {0};
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    bool narrowed = false;
    size_t changes = 0;

    for (size_t i = 0; i < p->n; i++)
        changes += p->v[i].resource == &sp_resource_keys && p->v[i].phase == phase;
    if (changes == 0)
        return 0;
    if (c->user == NULL)
        return remove_whole(c, err);
    if (is_mode_alone(p, phase) && c->config->key_store == SP_KEY_STORE_HOME) {
        if (sp_home_narrow(c->host, c->user, SP_KEYS_HOME_FILE, &narrowed, err) < 0 || narrowed)
            return narrowed ? 0 : -1;
    }
    if (sp_account_effective_keys(c->desired, c->host->ops->now(c->host), &all, NULL, NULL, err) < 0 ||
        sp_keys_read(c, &have, err) < 0 || edit(p, phase, &all, &have, &out, &changes, err) < 0)
        return -1;
    return write_keys(c, &out, err);
}

static int keys_read_back(const struct sp_ctx *c, struct sp_change *change, struct sp_error *err)
{
    _cleanup_(sp_home_keys_clear) struct sp_home_keys have = {0};
    struct search s = {.fingerprint = change->target};

    if (change->what == WHOLE)
        return sp_str_copy(change->read_back, sizeof(change->read_back),
                           sp_fsat_is_missing(c->host->root_fd, change->target) ? "" : "there");
    if (sp_keys_read(c, &have, err) < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    if (change->what == MODE)
        return sp_str_copy(change->read_back, sizeof(change->read_back),
                           have.wide ? wide_text : tight_text);
    if (search(&have, &s, err) < 0)
        return -1;
    if (s.found > 0)
        describe(s.line, s.len, change->read_back);
    return 0;
}

const struct sp_resource sp_resource_keys = {"authorized_keys", keys_plan, keys_apply, keys_read_back,
                                             NULL};
