/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Our keys in the place that key_store does not name: what was written there before the configuration
 * changed. A key that is taken away would come back from it with the next change, and in the home it has
 * none of the limits that were set since. Root's file goes as a whole; in the home only the lines that a
 * request named.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/replace.h"
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

    if (sp_keys_root_file(c, path) < 0 || !sp_fsat_exists(c->host->root_fd, path))
        return 0;
    return add(p, WHOLE, path, "keys of another key_store", err);
}

struct lines {
    const struct sp_ctx *ctx;
    struct sp_plan *plan;
    struct sp_error *err;
};

static int plan_line(const struct sp_authkeys_entry *e, void *data)
{
    const struct lines *l = data;

    if (e->fingerprint[0] == '\0' || (!sp_keys_is_named(l->ctx->desired, e->fingerprint) &&
                                      !sp_keys_is_named(l->ctx->applied, e->fingerprint)))
        return 0;
    for (size_t i = 0; i < l->plan->n; i++)
        if (l->plan->v[i].resource == &sp_resource_keys_elsewhere &&
            sp_streq(l->plan->v[i].target, e->fingerprint))
            return 0;
    return add(l->plan, LINE, e->fingerprint, SP_KEYS_HOME_FILE, l->err);
}

/* With foreign_keys = keep sshd reads the home beside root's file, and what the user puts there is his: a
 * home that cannot be looked at holds nothing up. */
static int plan_home(const struct sp_ctx *c, struct sp_plan *p, struct sp_error *err)
{
    _cleanup_(sp_home_keys_clear) struct sp_home_keys have = {0};
    struct lines l = {c, p, err};
    struct sp_error why;

    if (sp_home_read(c->host, c->user, SP_KEYS_HOME_FILE, &have, &why) < 0) {
        if (why.code == SP_E_NO_MEMORY) {
            *err = why;
            return -1;
        }
        return 0;
    }
    return sp_authkeys_each(sp_buf_str(&have.bytes), have.bytes.len, plan_line, &l) == 0 ? 0 : -1;
}

static int elsewhere_plan(const struct sp_ctx *c, struct sp_plan *p, struct sp_error *err)
{
    if (c->config->key_store == SP_KEY_STORE_HOME)
        return plan_file(c, p, err);
    return c->user != NULL ? plan_home(c, p, err) : 0;
}

static int remove_lines(const struct sp_ctx *c, const struct sp_plan *p, struct sp_error *err)
{
    const struct sp_key_list none = {0};
    _cleanup_(sp_home_keys_clear) struct sp_home_keys have = {0};
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    _cleanup_free_ const char **drop = calloc(p->n + 1, sizeof(*drop));
    size_t n = 0;

    if (drop == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].resource == &sp_resource_keys_elsewhere && p->v[i].what == LINE)
            drop[n++] = p->v[i].target;
    if (n == 0)
        return 0;
    if (sp_home_read(c->host, c->user, SP_KEYS_HOME_FILE, &have, err) < 0 ||
        sp_authkeys_edit(sp_buf_str(&have.bytes), have.bytes.len, &none, drop, n, &out, err) < 0)
        return -1;
    return sp_home_write(c->host, c->user, SP_KEYS_HOME_FILE, sp_buf_str(&out), out.len, err);
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
        if (dir < 0 || sp_replace_remove(dir, c->desired->user, err) < 0)
            return -1;
    }
    return c->user != NULL ? remove_lines(c, p, err) : 0;
}

static int look_for(const struct sp_authkeys_entry *e, void *data)
{
    return sp_streq(e->fingerprint, data);
}

static int elsewhere_read_back(const struct sp_ctx *c, struct sp_change *change, struct sp_error *err)
{
    _cleanup_(sp_home_keys_clear) struct sp_home_keys have = {0};
    bool there;

    if (change->what == WHOLE)
        there = sp_fsat_exists(c->host->root_fd, change->target);
    else {
        if (sp_home_read(c->host, c->user, SP_KEYS_HOME_FILE, &have, err) < 0)
            return -1;
        there = sp_authkeys_each(sp_buf_str(&have.bytes), have.bytes.len, look_for, change->target) != 0;
    }
    return there ? sp_str_copy(change->read_back, sizeof(change->read_back), "there") : 0;
}

const struct sp_resource sp_resource_keys_elsewhere = {"authorized_keys", elsewhere_plan, elsewhere_apply,
                                                       elsewhere_read_back, NULL};
