/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/refresh.h"
#include "host/generation.h"

void sp_sets_in_use_clear(struct sp_sets_in_use *s)
{
    free(s->v);
    *s = (struct sp_sets_in_use){0};
}

static int count(struct sp_sets_in_use *s, const char *name, int accounts, struct sp_error *err)
{
    struct sp_set_in_use *grown;
    size_t i = 0;

    while (i < s->n && !sp_streq(s->v[i].name, name))
        i++;
    if (i < s->n) {
        s->v[i].accounts += accounts;
        return 0;
    }
    grown = reallocarray(s->v, s->n + 1, sizeof(*s->v));
    if (grown == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    s->v = grown;
    s->v[s->n].accounts = accounts;
    return sp_str_copy(s->v[s->n++].name, sizeof(s->v[0].name), name) == 0
               ? 0
               : sp_fail(err, SP_E_INVALID, 0, "too many profiles in one set");
}

/* A state that cannot be read is reconcile's to report; here it may use any. */
static int count_account(struct sp_engine *e, const char *user, struct sp_sets_in_use *s,
                         struct sp_error *err)
{
    _cleanup_(sp_state_clear) struct sp_state state = {0};
    char name[SP_PROFILES_MAX * SP_PROFILE_NAME_SIZE];
    struct sp_error broken;

    if (sp_store_load(e->host, user, &state, &broken) < 0) {
        s->is_partial = true;
        return 0;
    }
    if (sp_account_is_empty(&state.desired) || state.desired.shell != SP_SHELL_CHROOT)
        return 0;
    sp_account_set_name(&state.desired, name);
    return count(s, name, 1, err);
}

static int by_name(const void *a, const void *b)
{
    const struct sp_set_in_use *x = a, *y = b;

    return strcmp(x->name, y->name);
}

int sp_sets_in_use(struct sp_engine *e, enum sp_sets_which which, struct sp_sets_in_use *ret,
                   struct sp_error *err)
{
    _cleanup_(sp_sets_in_use_clear) struct sp_sets_in_use s = {0};
    _cleanup_(sp_generation_sets_clear) struct sp_generation_sets built = {0};
    _cleanup_(sp_users_clear) struct sp_users users = {0};

    if (sp_generation_sets(e->host, &built, err) < 0 ||
        (which == SP_SETS_ALL && sp_store_users(e->host, &users, err) < 0))
        return -1;
    for (size_t i = 0; i < built.n; i++)
        if (count(&s, built.v[i], which == SP_SETS_ALL ? 0 : -1, err) < 0)
            return -1;
    for (size_t i = 0; i < users.n; i++)
        if (count_account(e, users.v[i], &s, err) < 0)
            return -1;
    if (s.n > 0)
        qsort(s.v, s.n, sizeof(*s.v), by_name);
    *ret = s;
    s = (struct sp_sets_in_use){0};
    return 0;
}
