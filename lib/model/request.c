/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/request.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/json.h"
#include "model/when.h"

void sp_params_clear(struct sp_params *p)
{
    sp_account_clear(&p->jail);
    sp_key_list_clear(&p->keys);
    sp_cidr_list_clear(&p->sources);
    explicit_bzero(p->password, sizeof(p->password));
    *p = (struct sp_params){0};
}

static int read_domain(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_params *p = dst;

    if (sp_name_check_domain(v->valuestring, err) < 0)
        return -1;
    return sp_str_copy(p->domain, sizeof(p->domain), v->valuestring);
}

static int read_new_domain(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_params *p = dst;

    if (sp_name_check_domain(v->valuestring, err) < 0)
        return -1;
    return sp_str_copy(p->new_domain, sizeof(p->new_domain), v->valuestring);
}

static int read_host(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_params *p = dst;

    if (sp_name_check_host(v->valuestring, err) < 0)
        return -1;
    return sp_str_copy(p->host, sizeof(p->host), v->valuestring);
}

static int read_user(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_params *p = dst;

    if (sp_name_check_user(v->valuestring, err) < 0)
        return -1;
    return sp_str_copy(p->user, sizeof(p->user), v->valuestring);
}

static int read_root(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_params *p = dst;

    if (sp_name_check_path(v->valuestring, err) < 0)
        return -1;
    return sp_str_copy(p->document_root, sizeof(p->document_root), v->valuestring);
}

static int read_shell(const cJSON *v, void *dst, struct sp_error *err)
{
    return sp_shell_parse(v->valuestring, &((struct sp_params *)dst)->shell, err);
}

static int read_forwarding(const cJSON *v, void *dst, struct sp_error *err)
{
    return sp_forwarding_parse(v->valuestring, &((struct sp_params *)dst)->forwarding, err);
}

static int read_profiles(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_params *p = dst;

    p->has_profiles = true;
    return sp_profiles_from_json(v, &p->jail, err);
}

static int read_tmp(const cJSON *v, void *dst, struct sp_error *err)
{
    int64_t n = 0;

    if (sp_json_integer(v, 1, 1 << 20, &n, err) < 0)
        return -1;
    ((struct sp_params *)dst)->jail.tmp_mib = (uint32_t)n;
    return 0;
}

static int read_agent(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_params *p = dst;

    (void)err;
    p->has_agent = true;
    p->jail.agent = cJSON_IsTrue(v);
    return 0;
}

static const struct sp_json_field jail_fields[] = {
    {"profiles", SP_JSON_ARRAY, SP_JSON_OPTIONAL, read_profiles},
    {"tmp_mib", SP_JSON_INTEGER, SP_JSON_OPTIONAL, read_tmp},
    {"agent", SP_JSON_BOOL, SP_JSON_OPTIONAL, read_agent},
    {NULL},
};

static int read_jail(const cJSON *v, void *dst, struct sp_error *err)
{
    return sp_json_decode(v, jail_fields, dst, err);
}

/* Checked here; what it leaves out stays as the account has it, so it is read again into that. */
static int read_limits(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_limits ignored = {0};

    ((struct sp_params *)dst)->limits = v;
    return sp_limits_from_json(v, &ignored, err);
}

static int read_keys(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_params *p = dst;

    p->has_keys = true;
    return sp_keys_from_json(v, SP_KEY_PASTED, &p->keys, err);
}

static int read_sources(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_params *p = dst;

    p->has_sources = true;
    return sp_cidrs_from_json(v, &p->sources, err);
}

static int read_generation(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_params *p = dst;
    int64_t n = 0;

    if (sp_json_integer(v, 0, INT64_C(1) << 53, &n, err) < 0)
        return -1;
    p->has_generation = true;
    p->if_generation = (uint64_t)n;
    return 0;
}

/* What is only said or not said. */
#define FLAG(member)                                                                                       \
    static int read_##member(const cJSON *v, void *dst, struct sp_error *err)                              \
    {                                                                                                      \
        (void)err;                                                                                         \
        ((struct sp_params *)dst)->member = cJSON_IsTrue(v);                                               \
        return 0;                                                                                          \
    }
FLAG(account_wide)
FLAG(all)
FLAG(dry_run)
FLAG(force)
FLAG(keep_sessions)
FLAG(restore_access)
FLAG(when_quiet)
#undef FLAG

static int read_fingerprint(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_params *p = dst;

    if (sp_fingerprint_check(v->valuestring, err) < 0)
        return -1;
    return sp_str_copy(p->fingerprint, sizeof(p->fingerprint), v->valuestring);
}

static int read_password(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_params *p = dst;

    if (sp_str_copy(p->password, sizeof(p->password), v->valuestring) < 0) {
        sp_fail(err, SP_E_INVALID, 0, "longer than %d bytes", SP_PASSWORD_SIZE - 1);
        return sp_hint(err, "choose a shorter one: PAM takes no longer");
    }
    return 0;
}

static int read_authentication(const cJSON *v, void *dst, struct sp_error *err)
{
    return sp_authentication_parse(v->valuestring, &((struct sp_params *)dst)->access.authentication, err);
}

/* null takes a limit away. */
static int read_valid_from(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_params *p = dst;

    p->has_valid_from = true;
    return cJSON_IsNull(v) ? 0 : sp_when_parse(v->valuestring, &p->access.valid_from, err);
}

static int read_valid_until(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_params *p = dst;

    p->has_valid_until = true;
    return cJSON_IsNull(v) ? 0 : sp_when_parse(v->valuestring, &p->access.valid_until, err);
}

/* As sessions.list shows it: a process and when it began. */
static int read_session(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_params *p = dst;
    const char *s = v->valuestring;
    size_t pid = strspn(s, "0123456789"), start = s[pid] == '-' ? strspn(s + pid + 1, "0123456789") : 0;

    if (pid == 0 || start == 0 || s[pid + 1 + start] != '\0' ||
        sp_str_copy(p->session, sizeof(p->session), s) < 0) {
        sp_fail(err, SP_E_INVALID, 0, "this is no login's id");
        return sp_hint(err, "sessions.list (sallyport sessions) shows them, as 4711-283945");
    }
    return 0;
}

static int read_label(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_params *p = dst;

    if (sp_name_check_label(v->valuestring, err) < 0)
        return -1;
    p->has_label = true;
    return sp_str_copy(p->label, sizeof(p->label), v->valuestring);
}

static int read_sudo(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_params *p = dst;

    p->has_sudo = true;
    return sp_sudo_from_json(v, &p->sudo, err);
}

static int read_read_only(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_params *p = dst;

    (void)err;
    p->has_access = true;
    p->access_to_files = cJSON_IsTrue(v) ? SP_EXTRA_READS : SP_EXTRA_WRITES;
    return 0;
}

/* keys.add takes the fields of one key beside the domain's. They are gathered here and read as a key
 * afterwards. */
static int skip(const cJSON *v, void *dst, struct sp_error *err)
{
    (void)v;
    (void)dst;
    (void)err;
    return 0;
}

#define DOMAIN(presence)                                                                                   \
    {                                                                                                      \
        "domain", SP_JSON_STRING, presence, read_domain                                                    \
    }
#define USER                                                                                               \
    {                                                                                                      \
        "user", SP_JSON_STRING, SP_JSON_OPTIONAL, read_user                                                \
    }
#define DRY_RUN                                                                                            \
    {                                                                                                      \
        "dry_run", SP_JSON_BOOL, SP_JSON_OPTIONAL, read_dry_run                                            \
    }
#define IF_GENERATION                                                                                      \
    {                                                                                                      \
        "if_generation", SP_JSON_INTEGER, SP_JSON_OPTIONAL, read_generation                                \
    }

static const struct sp_json_field apply_fields[] = {
    DOMAIN(SP_JSON_REQUIRED),
    USER,
    {"document_root", SP_JSON_STRING, SP_JSON_OPTIONAL, read_root},
    {"shell", SP_JSON_STRING, SP_JSON_OPTIONAL, read_shell},
    {"account_wide", SP_JSON_BOOL, SP_JSON_OPTIONAL, read_account_wide},
    {"force", SP_JSON_BOOL, SP_JSON_OPTIONAL, read_force},
    {"forwarding", SP_JSON_STRING, SP_JSON_OPTIONAL, read_forwarding},
    {"jail", SP_JSON_OBJECT, SP_JSON_OPTIONAL, read_jail},
    {"limits", SP_JSON_OBJECT, SP_JSON_OPTIONAL, read_limits},
    {"authentication", SP_JSON_STRING, SP_JSON_OPTIONAL, read_authentication},
    {"valid_from", SP_JSON_STRING_OR_NULL, SP_JSON_OPTIONAL, read_valid_from},
    {"valid_until", SP_JSON_STRING_OR_NULL, SP_JSON_OPTIONAL, read_valid_until},
    {"authorized_keys", SP_JSON_ARRAY, SP_JSON_OPTIONAL, read_keys},
    {"keep_sessions", SP_JSON_BOOL, SP_JSON_OPTIONAL, read_keep_sessions},
    {"sources", SP_JSON_ARRAY, SP_JSON_OPTIONAL, read_sources},
    {"sudo", SP_JSON_ARRAY, SP_JSON_OPTIONAL, read_sudo},
    IF_GENERATION,
    DRY_RUN,
    {NULL},
};

static const struct sp_json_field target_fields[] = {DOMAIN(SP_JSON_REQUIRED), {NULL}};
static const struct sp_json_field host_fields[] = {
    DOMAIN(SP_JSON_OPTIONAL), {"host", SP_JSON_STRING, SP_JSON_OPTIONAL, read_host}, {NULL}};
static const struct sp_json_field rebind_fields[] = {
    DOMAIN(SP_JSON_REQUIRED),
    {"new_domain", SP_JSON_STRING, SP_JSON_OPTIONAL, read_new_domain},
    {"document_root", SP_JSON_STRING, SP_JSON_OPTIONAL, read_root},
    USER,
    IF_GENERATION,
    DRY_RUN,
    {NULL},
};

static const struct sp_json_field remove_fields[] = {
    DOMAIN(SP_JSON_REQUIRED), IF_GENERATION, DRY_RUN, {NULL}};

static const struct sp_json_field key_add_fields[] = {
    DOMAIN(SP_JSON_REQUIRED),
    {"key", SP_JSON_STRING, SP_JSON_REQUIRED, skip},
    {"label", SP_JSON_STRING, SP_JSON_OPTIONAL, skip},
    {"from", SP_JSON_ARRAY, SP_JSON_OPTIONAL, skip},
    {"expires_at", SP_JSON_STRING_OR_NULL, SP_JSON_OPTIONAL, skip},
    {"command", SP_JSON_STRING_OR_NULL, SP_JSON_OPTIONAL, skip},
    {"forwarding", SP_JSON_STRING, SP_JSON_OPTIONAL, skip},
    {"pty", SP_JSON_BOOL, SP_JSON_OPTIONAL, skip},
    IF_GENERATION,
    DRY_RUN,
    {NULL},
};

static const struct sp_json_field key_inspect_fields[] = {
    {"key", SP_JSON_STRING, SP_JSON_REQUIRED, skip},
    {NULL},
};

static const struct sp_json_field key_remove_fields[] = {
    DOMAIN(SP_JSON_REQUIRED),
    {"fingerprint", SP_JSON_STRING, SP_JSON_REQUIRED, read_fingerprint},
    {"keep_sessions", SP_JSON_BOOL, SP_JSON_OPTIONAL, read_keep_sessions},
    IF_GENERATION,
    DRY_RUN,
    {NULL},
};

static const struct sp_json_field fingerprint_fields[] = {
    {"fingerprint", SP_JSON_STRING, SP_JSON_REQUIRED, read_fingerprint}, DRY_RUN, {NULL}};

static const struct sp_json_field user_add_fields[] = {
    DOMAIN(SP_JSON_REQUIRED),
    {"user", SP_JSON_STRING, SP_JSON_REQUIRED, read_user},
    {"label", SP_JSON_STRING, SP_JSON_OPTIONAL, read_label},
    {"read_only", SP_JSON_BOOL, SP_JSON_OPTIONAL, read_read_only},
    {"expires_at", SP_JSON_STRING_OR_NULL, SP_JSON_OPTIONAL, read_valid_until},
    {"shell", SP_JSON_STRING, SP_JSON_OPTIONAL, read_shell},
    {"forwarding", SP_JSON_STRING, SP_JSON_OPTIONAL, read_forwarding},
    {"authorized_keys", SP_JSON_ARRAY, SP_JSON_OPTIONAL, read_keys},
    IF_GENERATION,
    DRY_RUN,
    {NULL},
};

static const struct sp_json_field user_remove_fields[] = {
    DOMAIN(SP_JSON_REQUIRED),
    {"user", SP_JSON_STRING, SP_JSON_REQUIRED, read_user},
    IF_GENERATION,
    DRY_RUN,
    {NULL},
};

static const struct sp_json_field password_fields[] = {
    DOMAIN(SP_JSON_REQUIRED),
    USER,
    {"password", SP_JSON_STRING, SP_JSON_REQUIRED, read_password},
    DRY_RUN,
    {NULL},
};

static const struct sp_json_field account_fields[] = {
    DOMAIN(SP_JSON_OPTIONAL), USER, IF_GENERATION, DRY_RUN, {NULL}};

static const struct sp_json_field sessions_fields[] = {DOMAIN(SP_JSON_OPTIONAL), USER, {NULL}};

static const struct sp_json_field sessions_end_fields[] = {
    DOMAIN(SP_JSON_OPTIONAL),
    USER,
    {"session", SP_JSON_STRING, SP_JSON_OPTIONAL, read_session},
    {"fingerprint", SP_JSON_STRING, SP_JSON_OPTIONAL, read_fingerprint},
    {"all", SP_JSON_BOOL, SP_JSON_OPTIONAL, read_all},
    DRY_RUN,
    {NULL},
};

static const struct sp_json_field reconcile_fields[] = {
    {"restore_access", SP_JSON_BOOL, SP_JSON_OPTIONAL, read_restore_access},
    DRY_RUN,
    {NULL},
};

static const struct sp_json_field jail_build_fields[] = {
    {"profiles", SP_JSON_ARRAY, SP_JSON_REQUIRED, read_profiles},
    DRY_RUN,
    {NULL},
};

static const struct sp_json_field jail_refresh_fields[] = {
    {"when_quiet", SP_JSON_BOOL, SP_JSON_OPTIONAL, read_when_quiet},
    DRY_RUN,
    {NULL},
};

static const struct sp_json_field dry_run_fields[] = {DRY_RUN, {NULL}};
static const struct sp_json_field no_fields[] = {{NULL}};

static const struct sp_json_field *const tables[] = {
    [SP_PARAMS_APPLY] = apply_fields,
    [SP_PARAMS_TARGET] = target_fields,
    [SP_PARAMS_HOST] = host_fields,
    [SP_PARAMS_REBIND] = rebind_fields,
    [SP_PARAMS_REMOVE] = remove_fields,
    [SP_PARAMS_JAIL_BUILD] = jail_build_fields,
    [SP_PARAMS_JAIL_REFRESH] = jail_refresh_fields,
    [SP_PARAMS_KEY_ADD] = key_add_fields,
    [SP_PARAMS_KEY_INSPECT] = key_inspect_fields,
    [SP_PARAMS_KEY_REMOVE] = key_remove_fields,
    [SP_PARAMS_FINGERPRINT] = fingerprint_fields,
    [SP_PARAMS_PASSWORD] = password_fields,
    [SP_PARAMS_SESSIONS] = sessions_fields,
    [SP_PARAMS_SESSIONS_END] = sessions_end_fields,
    [SP_PARAMS_USER_ADD] = user_add_fields,
    [SP_PARAMS_USER_REMOVE] = user_remove_fields,
    [SP_PARAMS_RECONCILE] = reconcile_fields,
    [SP_PARAMS_DRY_RUN] = dry_run_fields,
    [SP_PARAMS_ACCOUNT] = account_fields,
    [SP_PARAMS_NONE] = no_fields,
};

/* The key of keys.add or key.inspect: the same fields without those that are not a key's. */
static int read_one_key(const cJSON *params, struct sp_params *p, struct sp_error *err)
{
    static const char *const members[] = {"key",     "label",      "from", "expires_at",
                                          "command", "forwarding", "pty"};
    _cleanup_json_ cJSON *o = cJSON_CreateObject();
    _cleanup_(sp_key_clear) struct sp_key key = {0};

    for (size_t i = 0; i < SP_COUNT(members); i++) {
        cJSON *v = cJSON_GetObjectItemCaseSensitive(params, members[i]);
        if (v != NULL && !cJSON_AddItemReferenceToObject(o, members[i], v))
            return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    }
    if (sp_key_from_json(o, SP_KEY_PASTED, &key, err) < 0)
        return -1;
    return sp_key_list_add(&p->keys, &key, err);
}

int sp_params_decode(enum sp_method_params which, const cJSON *params, struct sp_params *ret,
                     struct sp_error *err)
{
    _cleanup_json_ cJSON *empty = cJSON_CreateObject();
    _cleanup_(sp_params_clear) struct sp_params p = {0};

    if (empty == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (params == NULL)
        params = empty;
    if (which != SP_PARAMS_RAW && sp_json_decode(params, tables[which], &p, err) < 0)
        return -1;
    if ((which == SP_PARAMS_KEY_ADD || which == SP_PARAMS_KEY_INSPECT) && read_one_key(params, &p, err) < 0)
        return -1;
    *ret = p;
    p = (struct sp_params){0};
    return 0;
}
