/* SPDX-License-Identifier: GPL-3.0-or-later */
/* jail.*: the profiles that there are, their generations, and whether they keep what they promise. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/methods.h"
#include "engine/refresh.h"
#include "host/closure.h"
#include "host/generation.h"
#include "model/json.h"

/* More is told as a number: after a dist-upgrade every file is another. */
enum { PROBLEMS_MAX = 50 };

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

static int add_items(const struct sp_profile *p, cJSON *o, struct sp_error *err)
{
    static const char *const kinds[] = {
        [SP_PROFILE_REQUIRES] = "requires", [SP_PROFILE_PROGRAM] = "program",
        [SP_PROFILE_LIBRARY] = "library",   [SP_PROFILE_TREE] = "tree",
        [SP_PROFILE_LINK] = "link",         [SP_PROFILE_PROMISE] = "promise",
        [SP_PROFILE_MOUNT] = "tree",        [SP_PROFILE_SOCKET] = "socket",
        [SP_PROFILE_PROVE] = "prove",       [SP_PROFILE_PROVE_SH] = "prove-sh",
    };
    cJSON *array = cJSON_AddArrayToObject(o, "promises");

    if (array == NULL)
        return no_memory(err);
    for (size_t i = 0; i < p->n_items; i++) {
        const struct sp_profile_item *item = &p->items[i];
        cJSON *promise;

        if ((size_t)item->kind >= SP_COUNT(kinds) || kinds[item->kind] == NULL)
            continue;
        promise = cJSON_CreateObject();
        if (!cJSON_AddItemToArray(array, promise) ||
            !cJSON_AddStringToObject(promise, "kind", kinds[item->kind]) ||
            !cJSON_AddStringToObject(promise, "value", item->value) ||
            !cJSON_AddBoolToObject(promise, "optional", item->optional))
            return no_memory(err);
    }
    return 0;
}

/* Could it be built here? The files are looked for; nothing is copied and nothing runs. */
static int add_availability(struct sp_engine *e, const struct sp_profiles *p, cJSON *o,
                            struct sp_error *err)
{
    _cleanup_(sp_manifest_clear) struct sp_manifest m = {0};
    struct sp_error why;
    int r = sp_closure_collect(e->host, p->v, p->n, &m, &why);

    if (!cJSON_AddBoolToObject(o, "available", r == 0) ||
        (r < 0 && (!cJSON_AddStringToObject(o, "problem", why.text) ||
                   !cJSON_AddStringToObject(o, "hint", why.hint))))
        return no_memory(err);
    return r < 0 ? 0 : sp_refresh_words(o, "missing", m.missing, err);
}

static int describe(struct sp_engine *e, const char *name, cJSON *o, struct sp_error *err)
{
    _cleanup_(sp_profiles_clear) struct sp_profiles p = {0};
    struct sp_error why;
    size_t i = 0;

    if (!cJSON_AddStringToObject(o, "name", name))
        return no_memory(err);
    if (sp_profiles_load_set(e->host, e->config, name, &p, &why) < 0)
        return cJSON_AddBoolToObject(o, "available", false) &&
                       cJSON_AddStringToObject(o, "problem", why.text) &&
                       cJSON_AddStringToObject(o, "hint", why.hint)
                   ? 0
                   : no_memory(err);
    while (i < p.n && !sp_streq(p.v[i]->name, name))
        i++;
    if (i < p.n &&
        (!cJSON_AddStringToObject(o, "describe", p.v[i]->describe) || add_items(p.v[i], o, err) < 0))
        return no_memory(err);
    return add_availability(e, &p, o, err);
}

SP_METHOD(sp_jail_profiles)
{
    _cleanup_(sp_profile_names_clear) struct sp_profile_names names = {0};
    cJSON *array = cJSON_AddArrayToObject(result, "profiles");

    (void)p;
    (void)raw;
    if (array == NULL)
        return no_memory(err);
    if (sp_profiles_names(e->host, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        cJSON *o = cJSON_CreateObject();
        if (!cJSON_AddItemToArray(array, o) || !cJSON_AddBoolToObject(o, "own", names.v[i].own))
            return no_memory(err);
        if (describe(e, names.v[i].name, o, err) < 0)
            return -1;
    }
    return 0;
}

SP_METHOD(sp_jail_build)
{
    struct sp_account set = p->jail;
    _cleanup_(sp_profiles_clear) struct sp_profiles profiles = {0};
    char name[SP_PROFILES_MAX * SP_PROFILE_NAME_SIZE];

    (void)raw;
    /* Named as an account's set is: with what its profiles require. */
    if (sp_profiles_load(e->host, e->config, &p->jail, &profiles, err) < 0)
        return err->field[0] != '\0' ? sp_field(err, "profiles") : -1;
    for (size_t i = 0; i < profiles.n; i++)
        if (sp_account_add_profile(&set, profiles.v[i]->name, err) < 0)
            return sp_field(err, "profiles");
    sp_account_set_name(&set, name);
    return sp_refresh_one(e, name, SP_REFRESH_STORED | (p->dry_run ? SP_REFRESH_DRY : SP_REFRESH_APPLY),
                          result, err);
}

/* Rounds until nobody asked during the last one; result tells of that one. */
static int refresh_when_quiet(struct sp_engine *e, cJSON **ret_round, struct sp_error *err)
{
    int lock = -1, rc;

    do {
        cJSON_Delete(*ret_round);
        *ret_round = NULL;
        if (sp_refresh_begin(e, &lock, err) < 0)
            return -1;
        if (lock < 0)
            return 0;
        *ret_round = cJSON_CreateObject();
        rc = *ret_round == NULL ? no_memory(err) : sp_refresh_sets(e, SP_REFRESH_STORED, *ret_round, err);
    } while (sp_refresh_end(e, lock) && rc == 0);
    return rc;
}

static int move_members(cJSON *to, cJSON *from, struct sp_error *err)
{
    while (from->child != NULL) {
        cJSON *item = from->child;
        (void)cJSON_DetachItemViaPointer(from, item);
        if (!cJSON_AddItemToObject(to, item->string, item))
            return no_memory(err);
    }
    return 0;
}

SP_METHOD(sp_jail_refresh)
{
    _cleanup_json_ cJSON *round = NULL;

    (void)raw;
    if (p->dry_run || !p->when_quiet)
        return sp_refresh_sets(e, SP_REFRESH_STORED | (p->dry_run ? SP_REFRESH_DRY : SP_REFRESH_APPLY),
                               result, err);
    if (refresh_when_quiet(e, &round, err) < 0)
        return -1;
    if (round != NULL)
        return move_members(result, round, err);
    return cJSON_AddBoolToObject(result, "joined", true) &&
                   cJSON_AddBoolToObject(result, "changed", false) &&
                   cJSON_AddNumberToObject(result, "failed", 0) && cJSON_AddArrayToObject(result, "sets") &&
                   cJSON_AddArrayToObject(result, "warnings")
               ? 0
               : no_memory(err);
}

/* jail.check: what is wrong with one set. */
struct verdict {
    cJSON *problems;
    int n, n_of[SP_GENERATION_TROUBLES];
};

static const char *const troubles[SP_GENERATION_TROUBLES] = {
    [SP_GENERATION_ABSENT] = "absent",
    [SP_GENERATION_STALE] = "stale",
    [SP_GENERATION_DAMAGED] = "damaged",
    [SP_GENERATION_BROKEN] = "broken",
};

static int take_problem(void *ctx, enum sp_generation_trouble trouble, const char *path, const char *text)
{
    struct verdict *v = ctx;
    cJSON *o;

    v->n++;
    /* Of each kind some, whatever the others: a broken proof comes last. */
    if (v->n_of[trouble]++ >= PROBLEMS_MAX)
        return 0;
    o = cJSON_CreateObject();
    if (cJSON_AddItemToArray(v->problems, o) && cJSON_AddStringToObject(o, "trouble", troubles[trouble]) &&
        cJSON_AddStringToObject(o, "path", path) && cJSON_AddStringToObject(o, "text", text))
        return 0;
    return -1;
}

/* The worst first. */
static const char *state_of(const int n_of[SP_GENERATION_TROUBLES])
{
    static const enum sp_generation_trouble order[] = {SP_GENERATION_ABSENT, SP_GENERATION_BROKEN,
                                                       SP_GENERATION_DAMAGED, SP_GENERATION_STALE};

    for (size_t i = 0; i < SP_COUNT(order); i++)
        if (n_of[order[i]] > 0)
            return troubles[order[i]];
    return "good";
}

static int check_set(struct sp_engine *e, const char *set, int accounts, cJSON *o, struct verdict *all,
                     struct sp_error *err)
{
    _cleanup_(sp_profiles_clear) struct sp_profiles profiles = {0};
    struct verdict v = {.problems = cJSON_AddArrayToObject(o, "problems")};
    struct sp_generation g = {0};
    struct sp_error why;
    int r;

    if (v.problems == NULL || !cJSON_AddStringToObject(o, "set", set) ||
        !cJSON_AddNumberToObject(o, "accounts", accounts))
        return no_memory(err);
    if (sp_profiles_load_set(e->host, e->config, set, &profiles, &why) < 0)
        r = take_problem(&v, SP_GENERATION_BROKEN, "", why.text);
    else
        r = sp_generation_inspect(e->host, set, profiles.v, profiles.n, take_problem, &v, &g, err);
    if (r != 0)
        return no_memory(err);
    for (int i = 0; i < SP_GENERATION_TROUBLES; i++)
        all->n_of[i] += v.n_of[i];
    if (!cJSON_AddStringToObject(o, "state", state_of(v.n_of)) ||
        !(g.hash[0] != '\0' ? cJSON_AddStringToObject(o, "generation", g.hash)
                            : cJSON_AddNullToObject(o, "generation")) ||
        !cJSON_AddNumberToObject(o, "files", (double)g.n_files) ||
        !cJSON_AddNumberToObject(o, "more_problems", v.n - cJSON_GetArraySize(v.problems)))
        return no_memory(err);
    return sp_refresh_words(o, "missing", g.missing, err);
}

SP_METHOD(sp_jail_check)
{
    _cleanup_(sp_sets_in_use_clear) struct sp_sets_in_use sets = {0};
    cJSON *array = cJSON_AddArrayToObject(result, "sets");
    struct verdict all = {0};

    (void)p;
    (void)raw;
    if (array == NULL)
        return no_memory(err);
    if (sp_sets_in_use(e, SP_SETS_ALL, &sets, err) < 0)
        return -1;
    for (size_t i = 0; i < sets.n; i++) {
        cJSON *o = cJSON_CreateObject();
        if (!cJSON_AddItemToArray(array, o))
            return no_memory(err);
        if (check_set(e, sets.v[i].name, sets.v[i].accounts, o, &all, err) < 0)
            return -1;
    }
    return cJSON_AddStringToObject(result, "state", state_of(all.n_of)) != NULL ? 0 : no_memory(err);
}
