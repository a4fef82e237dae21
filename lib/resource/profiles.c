/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "resource/profiles.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "model/shownpath.h"

#define PROFILE_MAX_BYTES (1U << 16)

enum { LINKS_MAX = 64 };

void sp_profiles_clear(struct sp_profiles *p)
{
    for (size_t i = 0; i < p->n; i++)
        sp_profile_clear(&p->owned[i]);
    *p = (struct sp_profiles){0};
}

/* The first `n` bytes of name, in the administrator's directory or in ours. 1 read, 0 not there, -1. */
static int read_file(struct sp_host *h, const char *name, size_t n, struct sp_buf *text,
                     char path[SP_PATH_SIZE], struct sp_error *err)
{
    static const char *const places[] = {SP_PROFILES_LOCAL, SP_PROFILES_VENDOR};

    for (size_t i = 0; i < SP_COUNT(places); i++) {
        if (sp_str_format(path, SP_PATH_SIZE, "%s/%.*s.profile", places[i], (int)n, name) < 0)
            return sp_fail(err, SP_E_INVALID, 0, "the name is too long");
        if (sp_fsat_read(h->root_fd, path, PROFILE_MAX_BYTES, text, NULL, err) == 0)
            return 1;
        if (err->code != SP_E_NOT_FOUND)
            return -1;
    }
    return 0;
}

/* php@8.2 is told by php@8.2.profile, or else by php@.profile. */
static int read_profile(struct sp_host *h, const char *name, struct sp_buf *text, char path[SP_PATH_SIZE],
                        struct sp_error *err)
{
    const char *choice = sp_profile_choice(name);
    int r = read_file(h, name, strlen(name), text, path, err);

    if (r == 0 && choice != NULL)
        r = read_file(h, name, (size_t)(choice - name), text, path, err);
    if (r != 0)
        return r < 0 ? -1 : 0;
    sp_fail(err, SP_E_INVALID, 0, "there is no jail profile named %s", name);
    sp_hint(err, "profiles are files in " SP_PROFILES_VENDOR " and " SP_PROFILES_LOCAL);
    return sp_field(err, "jail.profiles");
}

/* The administrator's mistake, not the request's: the file and its line are named in the text. */
static int broken(const char *path, struct sp_error *err)
{
    struct sp_error why = *err;
    const char *line = strrchr(why.field, ':');

    if (why.code == SP_E_NO_MEMORY)
        return -1;
    sp_fail(err, SP_E_STATE, 0, "%s%s: %s", path, line != NULL ? line : "", why.text);
    return sp_hint(err, "%s; see sallyport-profile(5)", why.hint);
}

static int load(struct sp_host *h, const char *name, struct sp_profiles *p, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    char path[SP_PATH_SIZE];

    if (sp_profile_check_name(name, err) < 0)
        return -1;
    for (size_t i = 0; i < p->n; i++)
        if (sp_streq(p->owned[i].name, name))
            return 0;
    if (p->n == SP_PROFILES_MAX)
        return sp_fail(err, SP_E_INVALID, 0, "more than %d profiles", SP_PROFILES_MAX);
    if (read_profile(h, name, &text, path, err) < 0)
        return -1;
    if (sp_profile_parse(name, sp_buf_str(&text), text.len, &p->owned[p->n], err) < 0)
        return broken(path, err);
    p->n++;
    return 0;
}

/* Insertion by name: the set's hash must not depend on the order in which profiles were named. */
static void sort(struct sp_profiles *p)
{
    for (size_t i = 0; i < p->n; i++) {
        size_t at = i;
        for (; at > 0 && strcmp(p->v[at - 1]->name, p->owned[i].name) > 0; at--)
            p->v[at] = p->v[at - 1];
        p->v[at] = &p->owned[i];
    }
}

/* Two profiles of one set that make the same link (php@8.1, php@8.3): which one is meant? */
static int check_links(const struct sp_profiles *p, struct sp_error *err)
{
    const char *seen[LINKS_MAX], *owner[LINKS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < p->n; i++)
        for (size_t k = 0; (k = sp_profile_next(p->v[i], k, SP_PROFILE_LINK)) < p->v[i]->n_items; k++) {
            const char *link = p->v[i]->items[k].value;
            size_t len = strcspn(link, " ") + 1;

            for (size_t m = 0; m < n; m++)
                if (strncmp(seen[m], link, len) == 0 && !sp_streq(seen[m], link)) {
                    sp_fail(err, SP_E_INVALID, 0, "%s and %s both say what %.*s is", owner[m],
                            p->v[i]->name, (int)len - 1, link);
                    sp_hint(err, "name one of them");
                    return sp_field(err, "jail.profiles");
                }
            if (n == LINKS_MAX)
                return sp_fail(err, SP_E_INVALID, 0, "more than %d links in one set of profiles",
                               LINKS_MAX);
            seen[n] = link;
            owner[n++] = p->v[i]->name;
        }
    return 0;
}

static bool is_allowed(const struct sp_words *dirs, const char *path)
{
    for (size_t i = 0; i < dirs->n; i++)
        if (sp_shownpath_is_within(path, dirs->v[i]))
            return true;
    return false;
}

/* What of the host the configuration does not let jails show is marked. Here, so that no reader of profiles
 * can skip it. */
static void permit(const struct sp_config *config, struct sp_profiles *p)
{
    for (size_t i = 0; i < p->n; i++)
        for (size_t k = 0; k < p->owned[i].n_items; k++) {
            struct sp_profile_item *item = &p->owned[i].items[k];

            if (item->kind == SP_PROFILE_MOUNT)
                item->denied = !is_allowed(&config->jail_trees, item->value);
            else if (item->kind == SP_PROFILE_SOCKET)
                item->denied = !is_allowed(&config->jail_sockets, item->value);
        }
}

int sp_profiles_load(struct sp_host *h, const struct sp_config *config, const struct sp_account *a,
                     struct sp_profiles *ret, struct sp_error *err)
{
    _cleanup_(sp_profiles_clear) struct sp_profiles p = {0};

    if (load(h, "base", &p, err) < 0)
        return -1;
    for (size_t i = 0; i < a->n_profiles; i++)
        if (load(h, a->profiles[i], &p, err) < 0)
            return -1;
    for (size_t i = 0; i < p.n; i++) /* grows while it runs: what is required may require */
        for (size_t k = 0; k < p.owned[i].n_items; k++)
            if (p.owned[i].items[k].kind == SP_PROFILE_REQUIRES &&
                load(h, p.owned[i].items[k].value, &p, err) < 0)
                return -1;
    memcpy(ret, &p, sizeof(p));
    p = (struct sp_profiles){0};
    permit(config, ret);
    sort(ret);
    return check_links(ret, err);
}

int sp_profiles_load_set(struct sp_host *h, const struct sp_config *config, const char *set,
                         struct sp_profiles *ret, struct sp_error *err)
{
    struct sp_account a = {0};
    char name[SP_PROFILE_NAME_SIZE];

    for (const char *at = set; *at != '\0'; at += *at == '+') {
        size_t n = strcspn(at, "+");

        if (sp_str_format(name, sizeof(name), "%.*s", (int)n, at) < 0)
            return sp_fail(err, SP_E_INVALID, 0, "not the name of a set of profiles: %s", set);
        if (sp_account_add_profile(&a, name, err) < 0)
            return -1;
        at += n;
    }
    return sp_profiles_load(h, config, &a, ret, err);
}
