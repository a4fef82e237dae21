/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The places where keys of an account may be beside the one that key_store names. */
#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "model/authkeys.h"
#include "resource/keys.h"

bool sp_keys_is_named(const struct sp_account *a, const char *fingerprint)
{
    for (size_t i = 0; i < a->n_domains; i++)
        if (sp_key_list_find(&a->domains[i].keys, fingerprint) != NULL)
            return true;
    return false;
}

bool sp_keys_is_dropped(const struct sp_ctx *c, const char *fingerprint)
{
    return !sp_ctx_absent(c) && sp_found_has_key(&c->applied->found, fingerprint) &&
           !sp_found_has_key(&c->desired->found, fingerprint);
}

int sp_keys_out_of_reach(const struct sp_ctx *c, struct sp_error *err)
{
    sp_fail(err, SP_E_BUSY, 0, "the home of %s does not answer", c->user->name);
    return sp_hint(err, "is its file system alive?");
}

int sp_keys_root_file(const struct sp_ctx *c, char out[SP_PATH_SIZE])
{
    return sp_str_format(out, SP_PATH_SIZE, SP_KEYS_ROOT_DIR "/%s", c->desired->user);
}

static int look_for(const struct sp_authkeys_entry *e, void *data)
{
    return sp_streq(e->fingerprint, data);
}

const char *sp_keys_other_file(const struct sp_ctx *c)
{
    if (c->config->key_store == SP_KEY_STORE_HOME)
        return SP_KEYS_HOME_FILE "2";
    return c->config->foreign_keys == SP_FOREIGN_REFUSE ? NULL : SP_KEYS_HOME_FILE;
}

/* The same keys in the other place, "" where there are none or nobody can look. */
static void read_elsewhere(const struct sp_ctx *c, struct sp_home_keys *ret)
{
    struct sp_error ignored;
    char path[SP_PATH_SIZE];

    if (c->config->key_store == SP_KEY_STORE_ROOT)
        (void)sp_home_read(c->host, c->user, SP_KEYS_HOME_FILE, ret, &ignored);
    else if (sp_keys_root_file(c, path) == 0)
        (void)sp_fsat_read(c->host->root_fd, path, SP_AUTHORIZED_KEYS_MAX, &ret->bytes, NULL, &ignored);
}

void sp_keys_see_moves(const struct sp_ctx *c, const struct sp_resource *keys, struct sp_plan *p)
{
    _cleanup_(sp_home_keys_clear) struct sp_home_keys have = {0};
    bool looked = false;

    for (size_t i = 0; i < p->n; i++) {
        struct sp_change *change = &p->v[i];

        if (change->resource != keys || change->effect != SP_LOOSENS || change->from[0] != '\0' ||
            !sp_keys_is_named(c->applied, change->target))
            continue;
        if (!looked)
            read_elsewhere(c, &have);
        looked = true;
        if (sp_authkeys_each(sp_buf_str(&have.bytes), have.bytes.len, look_for, change->target) != 0)
            change->effect = SP_NEUTRAL;
    }
}
