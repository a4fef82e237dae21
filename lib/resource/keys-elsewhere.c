/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Our keys where keys.c does not look. In the place that key_store does not name: what was written there
 * before the configuration changed would bring a key back with the next change, and in the home it has none
 * of the limits that were set since. Root's file goes as a whole; in the home only the lines that a request
 * named.
 *
 * And a key that is taken away, wherever in the home sshd would still find it: in the second file that it
 * reads, or behind links that the user made of .ssh. To take away, what sshd reads is read as sshd does.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/replace.h"
#include "host/strictmodes.h"
#include "model/authkeys.h"
#include "resource/keys.h"
#include "resource/resource.h"

enum { LINE, WHOLE };

static int add(struct sp_plan *p, int what, const char *target, const char *from, struct sp_error *err)
{
    struct sp_change *change =
        sp_plan_add(p, &sp_resource_keys_elsewhere, SP_NARROW, SP_TIGHTENS, what, err);

    if (change == NULL)
        return -1;
    (void)sp_str_format(change->target, sizeof(change->target), "%.500s", target);
    return sp_str_copy(change->from, sizeof(change->from), from);
}

static int plan_file(const struct sp_ctx *c, struct sp_plan *p, struct sp_error *err)
{
    char path[SP_PATH_SIZE];

    if (sp_keys_root_file(c, path) < 0 || sp_fsat_is_missing(c->host->root_fd, path))
        return 0;
    return add(p, WHOLE, path, "keys of another key_store", err);
}

/* What sshd would find there, and find again as soon as a mode is set right. A plan changes nothing: what
 * the user closed to himself is opened only to take a key away. */
static int read_as_sshd(const struct sp_ctx *c, const char *file, enum sp_strictmodes how,
                        struct sp_buf *ret, struct sp_error *err)
{
    _cleanup_(sp_strictmodes_file_clear) struct sp_strictmodes_file f = {0};
    _cleanup_(sp_home_keys_clear) struct sp_home_keys have = {0};
    char path[SP_PATH_SIZE];

    if (c->hangs)
        return sp_keys_out_of_reach(c, err);
    if (!c->host->real) { /* a test's directory, which sshd knows nothing of */
        if (sp_home_read(c->host, c->user, file, &have, err) < 0)
            return -1;
        sp_buf_add(ret, have.bytes.data, have.bytes.len);
    } else {
        if (sp_str_format(path, sizeof(path), "%s/%s", c->user->home, file) < 0)
            return sp_fail(err, SP_E_INTERNAL, 0, "path too long");
        if (sp_strictmodes_read(c->host, c->user, path, how, &f, err) < 0)
            return -1;
        if (f.unread) {
            sp_fail(err, SP_E_UNSAFE_PATH, 0, "sshd may read %.200s, and it could not be looked at: %s",
                    path, f.problem);
            return sp_hint(err, "%.400s", f.mend[0] != '\0' ? f.mend : "see what it is, and mend it");
        }
        sp_buf_add(ret, f.bytes.data, f.bytes.len);
    }
    return sp_buf_ok(ret) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

struct lines {
    const struct sp_ctx *ctx;
    const struct sp_key_list *want; /* what may stay where it is */
    const char *file;
    struct sp_plan *plan;
    struct sp_error *err;
};

static bool is_planned(const struct lines *l, const char *fingerprint)
{
    for (size_t i = 0; i < l->plan->n; i++)
        if (l->plan->v[i].resource == &sp_resource_keys_elsewhere && l->plan->v[i].what == LINE &&
            strcmp(l->plan->v[i].target, fingerprint) == 0 && sp_streq(l->plan->v[i].from, l->file))
            return true;
    return false;
}

static int plan_key(const struct lines *l, const char *fingerprint)
{
    if (sp_key_list_find(l->want, fingerprint) != NULL || is_planned(l, fingerprint) ||
        sp_account_leaves_key(l->ctx->desired, fingerprint))
        return 0;
    return add(l->plan, LINE, fingerprint, l->file, l->err);
}

static int plan_line(const struct sp_authkeys_entry *e, void *data)
{
    const struct lines *l = data;

    if (e->unread)
        return sp_fail(l->err, SP_E_NO_MEMORY, 0, "out of memory");
    if (e->fingerprint[0] == '\0' ||
        (!sp_keys_is_named(l->ctx->desired, e->fingerprint) &&
         !sp_keys_is_named(l->ctx->applied, e->fingerprint) && !sp_keys_is_dropped(l->ctx, e->fingerprint)))
        return 0;
    return plan_key(l, e->fingerprint);
}

/* Each key that an account names and that is not wanted, as if it stood there. */
static int plan_all(const struct sp_account *a, const struct lines *l)
{
    for (size_t i = 0; i < a->n_domains; i++)
        for (size_t k = 0; k < a->domains[i].keys.n; k++)
            if (plan_key(l, a->domains[i].keys.v[k].key.fingerprint) < 0)
                return -1;
    for (size_t i = 0; i < a->found.n_keys; i++)
        if (sp_keys_is_dropped(l->ctx, a->found.keys[i].fingerprint) &&
            plan_key(l, a->found.keys[i].fingerprint) < 0)
            return -1;
    return 0;
}

/* A key that goes is not left behind what could not be looked at, where sshd reads it: it is planned as if
 * it stood there. Beside root's file the rest is the user's, and holds nothing up; but whether a key that
 * stays has a line without its limits there, nobody knows. */
static int plan_unseen(const struct lines *l, const struct sp_error *why)
{
    _cleanup_(sp_key_list_clear) struct sp_key_list stay = {0};
    const struct sp_ctx *c = l->ctx;
    struct lines gone = *l;
    size_t n = l->plan->n;

    gone.want = &stay;
    if (sp_keys_wanted(c, &stay, NULL, NULL, l->err) < 0)
        return -1;
    if (sp_keys_other_file(c) != NULL &&
        (plan_all(c->desired, &gone) < 0 || plan_all(c->applied, &gone) < 0))
        return -1;
    return c->config->key_store != SP_KEY_STORE_ROOT || l->plan->n > n
               ? 0
               : sp_plan_warn(l->plan, l->err, "the keys in the home of %s could not be looked at: %s",
                              c->user->name, why->text);
}

static int plan_home(const struct sp_ctx *c, const char *file, const struct sp_key_list *want,
                     struct sp_plan *p, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf have = {0};
    struct lines l = {c, want, file, p, err};
    struct sp_error why;

    if (read_as_sshd(c, file, SP_STRICTMODES_NO, &have, &why) == 0)
        return sp_authkeys_each(sp_buf_str(&have), have.len, plan_line, &l) == 0 ? 0 : -1;
    if (why.code == SP_E_NO_MEMORY) {
        *err = why;
        return -1;
    }
    return why.code == SP_E_NOT_FOUND ? 0 : plan_unseen(&l, &why);
}

static bool has_unwanted(const struct sp_ctx *c, const struct sp_account *a, const struct sp_key_list *want)
{
    for (size_t i = 0; i < a->n_domains; i++)
        for (size_t k = 0; k < a->domains[i].keys.n; k++)
            if (sp_key_list_find(want, a->domains[i].keys.v[k].key.fingerprint) == NULL)
                return true;
    for (size_t i = 0; i < a->found.n_keys; i++)
        if (sp_keys_is_dropped(c, a->found.keys[i].fingerprint))
            return true;
    return false;
}

/* The main file is keys.c's, where it can be had the strict way. */
static int plan_withdrawn(const struct sp_ctx *c, struct sp_plan *p, struct sp_error *err)
{
    _cleanup_(sp_key_list_clear) struct sp_key_list want = {0};
    _cleanup_(sp_home_keys_clear) struct sp_home_keys have = {0};
    struct sp_error ignored;

    if (sp_keys_wanted(c, &want, NULL, NULL, err) < 0)
        return -1;
    if (!has_unwanted(c, c->desired, &want) && !has_unwanted(c, c->applied, &want))
        return 0;
    if ((c->hangs || sp_home_read(c->host, c->user, SP_KEYS_HOME_FILE, &have, &ignored) < 0) &&
        plan_home(c, SP_KEYS_HOME_FILE, &want, p, err) < 0)
        return -1;
    return plan_home(c, sp_keys_other_file(c), &want, p, err);
}

static int elsewhere_plan(const struct sp_ctx *c, struct sp_plan *p, struct sp_error *err)
{
    const struct sp_key_list none = {0};

    if (c->leave_home)
        return 0;
    if (c->config->key_store == SP_KEY_STORE_ROOT)
        return c->user != NULL ? plan_home(c, SP_KEYS_HOME_FILE, &none, p, err) : 0;
    if (plan_file(c, p, err) < 0)
        return -1;
    return c->user != NULL ? plan_withdrawn(c, p, err) : 0;
}

static int remove_lines(const struct sp_ctx *c, const struct sp_plan *p, const char *file,
                        struct sp_error *err)
{
    const struct sp_key_list none = {0};
    _cleanup_(sp_buf_clear) struct sp_buf have = {0}, out = {0};
    _cleanup_free_ const char **drop = calloc(p->n + 1, sizeof(*drop));
    size_t n = 0;

    if (drop == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].resource == &sp_resource_keys_elsewhere && p->v[i].what == LINE &&
            sp_streq(p->v[i].from, file))
            drop[n++] = p->v[i].target;
    if (n == 0)
        return 0;
    if (read_as_sshd(c, file, SP_STRICTMODES_OPEN, &have, err) < 0 ||
        sp_authkeys_edit(sp_buf_str(&have), have.len, &none, drop, n, &out, err) < 0)
        return -1;
    if (out.len == have.len) /* gone meanwhile */
        return 0;
    return c->host->real ? sp_home_shrink(c->host, c->user, file, sp_buf_str(&out), out.len, err)
                         : sp_home_write(c->host, c->user, file, sp_buf_str(&out), out.len, err);
}

static int elsewhere_apply(const struct sp_ctx *c, const struct sp_plan *p, enum sp_phase phase,
                           struct sp_error *err)
{
    if (phase != SP_NARROW)
        return 0;
    for (size_t i = 0; i < p->n; i++) {
        _cleanup_close_ int dir = -1;

        if (p->v[i].resource != &sp_resource_keys_elsewhere || p->v[i].what != WHOLE)
            continue;
        dir = sp_fsat_open_dir(c->host->root_fd, SP_KEYS_ROOT_DIR, SP_FSAT_NONE, err);
        if (dir < 0 || sp_replace_remove(c->host, dir, c->desired->user, err) < 0)
            return -1;
    }
    if (c->user == NULL)
        return 0;
    return remove_lines(c, p, SP_KEYS_HOME_FILE, err) < 0 ? -1
                                                          : remove_lines(c, p, SP_KEYS_HOME_FILE "2", err);
}

static int look_for(const struct sp_authkeys_entry *e, void *data)
{
    return e->unread || sp_streq(e->fingerprint, data);
}

static int elsewhere_read_back(const struct sp_ctx *c, struct sp_change *change, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf have = {0};
    bool there;

    if (change->what == WHOLE)
        there = !sp_fsat_is_missing(c->host->root_fd, change->target);
    else {
        if (read_as_sshd(c, change->from, SP_STRICTMODES_OPEN, &have, err) < 0)
            return -1;
        there = sp_authkeys_each(sp_buf_str(&have), have.len, look_for, change->target) != 0;
    }
    return there ? sp_str_copy(change->read_back, sizeof(change->read_back), "there") : 0;
}

const struct sp_resource sp_resource_keys_elsewhere = {"authorized_keys", elsewhere_plan, elsewhere_apply,
                                                       elsewhere_read_back, NULL};
