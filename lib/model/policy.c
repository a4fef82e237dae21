/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/policy.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/when.h"

void sp_words_clear(struct sp_words *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->v[i]);
    free(w->v);
    *w = (struct sp_words){0};
}

int sp_words_add(struct sp_words *w, const char *word, size_t len, struct sp_error *err)
{
    char **grown = realloc(w->v, (w->n + 1) * sizeof(*grown));

    if (grown == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    w->v = grown;
    w->v[w->n] = strndup(word, len);
    if (w->v[w->n] == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    w->n++;
    return 0;
}

int sp_words_split(const char *text, const char *separators, struct sp_words *ret, struct sp_error *err)
{
    sp_words_clear(ret);
    while (*text) {
        size_t n = strcspn(text, separators);
        if (n > 0 && sp_words_add(ret, text, n, err) < 0)
            return -1;
        text += n + (text[n] != '\0');
    }
    return 0;
}

bool sp_words_have(const struct sp_words *w, const char *word)
{
    for (size_t i = 0; i < w->n; i++)
        if (sp_streq(w->v[i], word))
            return true;
    return false;
}

void sp_config_clear(struct sp_config *c)
{
    sp_words_clear(&c->document_roots);
    sp_words_clear(&c->denied_users);
    sp_words_clear(&c->required_groups);
    sp_words_clear(&c->denied_callers);
    sp_words_clear(&c->jail_trees);
    sp_words_clear(&c->jail_sockets);
    sp_words_clear(&c->panel_methods);
    sp_cidr_list_clear(&c->always_allow);
    *c = (struct sp_config){0};
}

/* What other lists are separated by, and what a shell would expand: taken literally it would allow nothing,
 * and nobody would know. */
static int check_literal(const char *path, struct sp_error *err)
{
    const char *comma = strchr(path, ',');

    if (comma != NULL && (comma[1] == '\0' || comma[1] == '/')) {
        sp_fail(err, SP_E_INVALID, 0, "directories are separated by ':', not by ','");
        return sp_hint(err, "write them as /var/www:/home");
    }
    if (strpbrk(path, "*?[") != NULL) {
        sp_fail(err, SP_E_INVALID, 0, "%.200s is a pattern, and there are none here", path);
        return sp_hint(err, "name the directory that holds them: all that lies below it is meant");
    }
    return 0;
}

static int set_paths(const char *value, struct sp_words *ret, struct sp_error *err)
{
    if (sp_words_split(value, " :\t", ret, err) < 0)
        return -1;
    for (size_t i = 0; i < ret->n; i++)
        if (sp_name_check_path(ret->v[i], err) < 0 || check_literal(ret->v[i], err) < 0)
            return -1;
    return 0;
}

static int set_roots(struct sp_config *c, const char *value, struct sp_error *err)
{
    return set_paths(value, &c->document_roots, err);
}

static int set_jail_trees(struct sp_config *c, const char *value, struct sp_error *err)
{
    return set_paths(value, &c->jail_trees, err);
}

static int set_jail_sockets(struct sp_config *c, const char *value, struct sp_error *err)
{
    return set_paths(value, &c->jail_sockets, err);
}

static int set_number(const char *value, uint64_t min, uint64_t max, uint32_t *ret, struct sp_error *err)
{
    uint64_t n = 0;

    if (sp_str_to_u64(value, max, &n) < 0 || n < min)
        return sp_fail(err, SP_E_INVALID, 0, "\"%.40s\" is no number from %llu to %llu", value,
                       (unsigned long long)min, (unsigned long long)max);
    *ret = (uint32_t)n;
    return 0;
}

static int set_uid_min(struct sp_config *c, const char *value, struct sp_error *err)
{
    return set_number(value, 1, INT32_MAX, &c->uid_min, err);
}

static int set_uid_max(struct sp_config *c, const char *value, struct sp_error *err)
{
    return set_number(value, 1, INT32_MAX, &c->uid_max, err);
}

static int set_denied_users(struct sp_config *c, const char *value, struct sp_error *err)
{
    return sp_words_split(value, " ,\t", &c->denied_users, err);
}

static int set_required_groups(struct sp_config *c, const char *value, struct sp_error *err)
{
    return sp_words_split(value, " ,\t", &c->required_groups, err);
}

static int set_denied_callers(struct sp_config *c, const char *value, struct sp_error *err)
{
    return sp_words_split(value, " ,\t", &c->denied_callers, err);
}

static int set_choice(const char *value, const char *const *choices, size_t n, int *ret,
                      struct sp_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (sp_streq(value, choices[i])) {
            *ret = (int)i;
            return 0;
        }
    return sp_fail(err, SP_E_INVALID, 0, "\"%.40s\" is not one of %s, %s%s%s", value, choices[0],
                   choices[1], n > 2 ? ", " : "", n > 2 ? choices[2] : "");
}

static int set_key_store(struct sp_config *c, const char *value, struct sp_error *err)
{
    static const char *const choices[] = {"home", "root"};
    int i = 0;

    if (set_choice(value, choices, SP_COUNT(choices), &i, err) < 0)
        return -1;
    c->key_store = (enum sp_key_store)i;
    return 0;
}

static int set_foreign_keys(struct sp_config *c, const char *value, struct sp_error *err)
{
    static const char *const choices[] = {"keep", "report", "refuse"};
    int i = 0;

    if (set_choice(value, choices, SP_COUNT(choices), &i, err) < 0)
        return -1;
    c->foreign_keys = (enum sp_foreign_keys)i;
    return 0;
}

static int set_forwarding(struct sp_config *c, const char *value, struct sp_error *err)
{
    return sp_forwarding_parse(value, &c->forwarding, err);
}

static int set_tmp(struct sp_config *c, const char *value, struct sp_error *err)
{
    return set_number(value, 1, 1 << 20, &c->tmp_mib, err);
}

/* 0 is no limit, and below `min` nobody could log in. */
static int set_limit(const char *value, uint32_t min, uint32_t max, uint32_t *ret, struct sp_error *err)
{
    return sp_streq(value, "0") ? (int)(*ret = 0) : set_number(value, min, max, ret, err);
}

static int set_processes(struct sp_config *c, const char *value, struct sp_error *err)
{
    return set_limit(value, SP_PROCESSES_MIN, SP_PROCESSES_MAX, &c->limits.processes, err);
}

static int set_memory(struct sp_config *c, const char *value, struct sp_error *err)
{
    return set_limit(value, SP_MEMORY_MIB_MIN, SP_MEMORY_MIB_MAX, &c->limits.memory_mib, err);
}

static int set_login_uids(struct sp_config *c, const char *value, struct sp_error *err)
{
    _cleanup_(sp_words_clear) struct sp_words ends = {0};

    if (sp_words_split(value, "-", &ends, err) < 0)
        return -1;
    if (ends.n == 2 && set_number(ends.v[0], 1000, INT32_MAX, &c->login_uid_min, err) == 0 &&
        set_number(ends.v[1], c->login_uid_min, INT32_MAX, &c->login_uid_max, err) == 0 &&
        c->login_uid_max - c->login_uid_min < 1U << 20)
        return 0;
    return sp_fail(err, SP_E_INVALID, 0, "\"%.40s\" is no range such as 70000-99999, at most 1048576 wide",
                   value);
}

static int set_always_allow(struct sp_config *c, const char *value, struct sp_error *err)
{
    _cleanup_(sp_words_clear) struct sp_words words = {0};

    sp_cidr_list_clear(&c->always_allow);
    if (sp_words_split(value, " ,\t", &words, err) < 0)
        return -1;
    for (size_t i = 0; i < words.n; i++) {
        struct sp_cidr block = {0};
        if (sp_cidr_parse(words.v[i], &block, err) < 0 ||
            sp_cidr_list_add(&c->always_allow, &block, err) < 0)
            return -1;
    }
    return 0;
}

static int set_path(char *dst, const char *value, struct sp_error *err)
{
    if (sp_name_check_path(value, err) < 0)
        return -1;
    return sp_str_copy(dst, SP_PATH_SIZE, value);
}

static int set_lifetime(struct sp_config *c, const char *value, struct sp_error *err)
{
    return sp_when_duration(value, &c->certificate_lifetime, err);
}

static int set_lifetime_max(struct sp_config *c, const char *value, struct sp_error *err)
{
    return sp_when_duration(value, &c->certificate_max, err);
}

static int set_ca_agent(struct sp_config *c, const char *value, struct sp_error *err)
{
    c->ca_agent[0] = '\0';
    return value[0] != '\0' ? set_path(c->ca_agent, value, err) : 0;
}

static int set_auth_log(struct sp_config *c, const char *value, struct sp_error *err)
{
    c->auth_log[0] = '\0';
    return value[0] != '\0' ? set_path(c->auth_log, value, err) : 0;
}

int sp_config_check_metrics(const char *path, struct sp_error *err)
{
    size_t n = strlen(path);

    if (sp_name_check_path(path, err) < 0)
        return -1;
    if (n > 5 && sp_streq(path + n - 5, ".prom"))
        return 0;
    sp_fail(err, SP_E_INVALID, 0, "node_exporter reads no file but NAME.prom");
    return sp_hint(err,
                   "name a file that ends in .prom, in node_exporter's --collector.textfile.directory");
}

static int set_metrics_file(struct sp_config *c, const char *value, struct sp_error *err)
{
    c->metrics_file[0] = '\0';
    if (value[0] == '\0')
        return 0;
    return sp_config_check_metrics(value, err) < 0 ? -1 : set_path(c->metrics_file, value, err);
}

static int set_panel_methods(struct sp_config *c, const char *value, struct sp_error *err)
{
    return sp_words_split(value, " ,\t", &c->panel_methods, err);
}

static int set_key_blocklist(struct sp_config *c, const char *value, struct sp_error *err)
{
    c->key_blocklist[0] = '\0';
    return value[0] != '\0' ? set_path(c->key_blocklist, value, err) : 0;
}

static int set_sshd(struct sp_config *c, const char *value, struct sp_error *err)
{
    return set_path(c->sshd, value, err);
}

static int set_sshd_config(struct sp_config *c, const char *value, struct sp_error *err)
{
    return set_path(c->sshd_config, value, err);
}

static const struct option {
    const char *name;
    int (*set)(struct sp_config *, const char *value, struct sp_error *);
    const char *initial;
} options[] = {
    {"document_roots", set_roots, "/var/www:/home:/srv"},
    {"uid_min", set_uid_min, "1000"},
    {"uid_max", set_uid_max, "2000000000"},
    {"denied_users", set_denied_users, "root,nobody,www-data,apache,nginx,psaadm,psaftp"},
    {"required_groups", set_required_groups, ""},
    {"denied_callers", set_denied_callers, "www-data,apache,nginx,nobody"},
    {"panel_methods", set_panel_methods, ""},
    {"certificate_lifetime", set_lifetime, "6h"},
    {"certificate_max", set_lifetime_max, "1d"},
    {"ca_agent", set_ca_agent, ""},
    {"auth_log", set_auth_log, ""},
    {"metrics_file", set_metrics_file, ""},
    {"key_store", set_key_store, "home"},
    {"key_blocklist", set_key_blocklist, ""},
    {"foreign_keys", set_foreign_keys, "keep"},
    {"forwarding", set_forwarding, "local"},
    {"tmp_mib", set_tmp, "512"},
    {"processes", set_processes, "512"},
    {"memory_mib", set_memory, "0"},
    {"jail_trees", set_jail_trees, "/opt"},
    {"jail_sockets", set_jail_sockets,
     "/run/mysqld:/run/mariadb:/run/postgresql:/run/redis:/run/valkey:/var/lib/mysql"},
    {"login_uids", set_login_uids, "70000-99999"},
    {"always_allow", set_always_allow, ""},
    {"sshd", set_sshd, "/usr/sbin/sshd"},
    {"sshd_config", set_sshd_config, "/etc/ssh/sshd_config"},
};

const char *const sp_config_names[] = {
    "document_roots",
    "uid_min",
    "uid_max",
    "denied_users",
    "required_groups",
    "denied_callers",
    "panel_methods",
    "certificate_lifetime",
    "certificate_max",
    "ca_agent",
    "auth_log",
    "key_store",
    "key_blocklist",
    "foreign_keys",
    "forwarding",
    "tmp_mib",
    "processes",
    "memory_mib",
    "jail_trees",
    "jail_sockets",
    "login_uids",
    "always_allow",
    "sshd",
    "sshd_config",
    NULL,
};

int sp_config_defaults(struct sp_config *ret, struct sp_error *err)
{
    _cleanup_(sp_config_clear) struct sp_config c = {0};

    for (size_t i = 0; i < SP_COUNT(options); i++)
        if (options[i].set(&c, options[i].initial, err) < 0)
            return sp_field_prefix(err, "%s", options[i].name);
    *ret = c;
    c = (struct sp_config){0};
    return 0;
}

int sp_config_set(struct sp_config *c, const char *name, const char *value, struct sp_error *err)
{
    for (size_t i = 0; i < SP_COUNT(options); i++)
        if (sp_streq(options[i].name, name)) {
            if (options[i].set(c, value, err) == 0)
                return 0;
            return sp_field_prefix(err, "%s", name);
        }
    sp_fail(err, SP_E_INVALID, 0, "no such option: %.60s", name);
    sp_hint(err, "sallyport.conf(5) lists them all");
    return sp_field(err, "%.60s", name);
}

struct sp_limits sp_policy_limits(const struct sp_config *c, const struct sp_account *a)
{
    struct sp_limits l = c->limits;

    if (a->limits.processes != 0)
        l.processes = a->limits.processes;
    if (a->limits.memory_mib != 0)
        l.memory_mib = a->limits.memory_mib;
    return l;
}

int sp_policy_check_user(const struct sp_config *c, const char *user, uint32_t uid, struct sp_error *err)
{
    if (uid < c->uid_min || uid > c->uid_max) {
        sp_fail(err, SP_E_FORBIDDEN, 0, "the uid %u of %s is outside %u..%u", uid, user, c->uid_min,
                c->uid_max);
        return sp_hint(err,
                       "system accounts are refused; uid_min and uid_max in sallyport.conf draw the line");
    }
    if (sp_words_have(&c->denied_users, user)) {
        sp_fail(err, SP_E_FORBIDDEN, 0, "%s is one of denied_users", user);
        return sp_hint(err, "denied_users in sallyport.conf keeps the panel's own and shared users out");
    }
    return 0;
}

int sp_policy_check_root(const struct sp_config *c, const char *document_root, struct sp_error *err)
{
    for (size_t i = 0; i < c->document_roots.n; i++) {
        const char *rest = NULL;
        if (sp_str_prefix(document_root, c->document_roots.v[i], &rest) && rest[0] == '/')
            return 0;
    }
    sp_fail(err, SP_E_FORBIDDEN, 0, "%.200s does not lie below a directory that holds document roots",
            document_root);
    return sp_hint(err, "document_roots in sallyport.conf lists them");
}
