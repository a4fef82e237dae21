/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/engine.h"
#include "host/fsat.h"
#include "host/lock.h"
#include "host/replace.h"
#include "model/json.h"

#define STATE_DIR SP_STORE_STATES
#define DOMAIN_DIR SP_STORE "/domains"

void sp_state_clear(struct sp_state *s)
{
    sp_account_clear(&s->desired);
    sp_account_clear(&s->applied);
    cJSON_Delete(s->opens);
    *s = (struct sp_state){0};
}

void sp_users_clear(struct sp_users *u)
{
    free(u->v);
    *u = (struct sp_users){0};
}

static int state_path(const char *user, char out[SP_PATH_SIZE], struct sp_error *err)
{
    if (sp_name_check_user(user, err) < 0)
        return -1;
    return sp_str_format(out, SP_PATH_SIZE, STATE_DIR "/%s.json", user);
}

struct reader {
    struct sp_state *state;
    bool has_applied;
};

static int read_format(const cJSON *v, void *dst, struct sp_error *err)
{
    int64_t n = 0;

    (void)dst;
    if (sp_json_integer(v, 1, INT64_C(1) << 30, &n, err) < 0)
        return -1;
    return n == SP_STATE_FORMAT ? 0
                                : sp_fail(err, SP_E_UNSUPPORTED, 0,
                                          "format %lld is newer than this sallyport", (long long)n);
}

static int read_generation(const cJSON *v, void *dst, struct sp_error *err)
{
    int64_t n = 0;

    if (sp_json_integer(v, 0, INT64_C(1) << 53, &n, err) < 0)
        return -1;
    ((struct reader *)dst)->state->generation = (uint64_t)n;
    return 0;
}

static int read_pending(const cJSON *v, void *dst, struct sp_error *err)
{
    (void)err;
    ((struct reader *)dst)->state->pending = cJSON_IsTrue(v);
    return 0;
}

static int read_shell(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_state *s = ((struct reader *)dst)->state;

    if (sp_str_copy(s->original_shell, sizeof(s->original_shell), v->valuestring) < 0)
        return sp_fail(err, SP_E_STATE, 0, "the shell is too long");
    return 0;
}

static int read_desired(const cJSON *v, void *dst, struct sp_error *err)
{
    return sp_account_from_json(v, &((struct reader *)dst)->state->desired, err);
}

static int read_applied(const cJSON *v, void *dst, struct sp_error *err)
{
    struct reader *r = dst;

    r->has_applied = true;
    return sp_account_from_json(v, &r->state->applied, err);
}

static int read_opens(const cJSON *v, void *dst, struct sp_error *err)
{
    struct sp_state *s = ((struct reader *)dst)->state;
    const cJSON *one;

    cJSON_ArrayForEach(one, v) if (!cJSON_IsString(one)) return sp_fail(err, SP_E_STATE, 0, "no text");
    s->opens = cJSON_Duplicate(v, true);
    return s->opens != NULL ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

static const struct sp_json_field state_fields[] = {
    {"format", SP_JSON_INTEGER, SP_JSON_REQUIRED, read_format},
    {"generation", SP_JSON_INTEGER, SP_JSON_REQUIRED, read_generation},
    {"pending", SP_JSON_BOOL, SP_JSON_REQUIRED, read_pending},
    {"original_shell", SP_JSON_STRING, SP_JSON_REQUIRED, read_shell},
    {"desired", SP_JSON_OBJECT, SP_JSON_REQUIRED, read_desired},
    {"applied", SP_JSON_OBJECT, SP_JSON_OPTIONAL, read_applied},
    {"opens", SP_JSON_ARRAY, SP_JSON_OPTIONAL, read_opens},
    {NULL},
};

/* The second line is "sha256 HEX" over the first; a file cut short, zeroed or edited by hand fails it. */
static int check_sum(const char *bytes, size_t len, size_t *ret_json_len, struct sp_error *err)
{
    char line[SHA256_DIGEST_STRING_LENGTH + 16], sum[SHA256_DIGEST_STRING_LENGTH];
    const char *newline = memchr(bytes, '\n', len);

    if (newline == NULL)
        return sp_fail(err, SP_E_STATE, 0, "cut short");
    *ret_json_len = (size_t)(newline - bytes);
    (void)SHA256Data((const uint8_t *)bytes, *ret_json_len, sum);
    (void)sp_str_format(line, sizeof(line), "sha256 %s\n", sum);
    if (len - *ret_json_len - 1 != strlen(line) || memcmp(newline + 1, line, strlen(line)) != 0)
        return sp_fail(err, SP_E_STATE, 0, "its checksum does not hold");
    return 0;
}

int sp_store_parse(const char *bytes, size_t len, struct sp_state *ret, struct sp_error *err)
{
    _cleanup_(sp_state_clear) struct sp_state s = {.exists = true};
    _cleanup_json_ cJSON *json = NULL;
    struct reader r = {.state = &s};
    const cJSON *format;
    size_t json_len = 0;

    if (check_sum(bytes, len, &json_len, err) < 0 ||
        sp_json_parse_large(bytes, json_len, SP_STATE_MAX_BYTES, &json, err) < 0)
        return -1;
    /* Before all else: a newer one has fields that we do not know. */
    format = cJSON_GetObjectItemCaseSensitive(json, "format");
    if ((format != NULL && read_format(format, NULL, err) < 0) ||
        sp_json_decode(json, state_fields, &r, err) < 0)
        return -1;
    if (!r.has_applied && sp_account_copy(&s.applied, &s.desired, err) < 0)
        return -1;
    *ret = s;
    s = (struct sp_state){0};
    return 0;
}

int sp_store_load(struct sp_host *h, const char *user, struct sp_state *ret, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf bytes = {0};
    char path[SP_PATH_SIZE], why[sizeof(err->text)];

    if (state_path(user, path, err) < 0)
        return -1;
    if (sp_fsat_read(h->root_fd, path, SP_STATE_MAX_BYTES, &bytes, NULL, err) < 0) {
        *ret = (struct sp_state){0};
        if (err->code == SP_E_NOT_FOUND)
            return 0;
        /* Too large, a link, a directory: it is there, and it is no state. */
        if (err->code != SP_E_INVALID && err->code != SP_E_UNSAFE_PATH)
            return -1;
    } else if (sp_store_parse(sp_buf_str(&bytes), bytes.len, ret, err) == 0)
        return 0;
    if (err->code == SP_E_NO_MEMORY)
        return -1;
    (void)sp_str_copy(why, sizeof(why), err->text);
    if (err->code == SP_E_UNSUPPORTED) {
        sp_fail(err, SP_E_STATE, 0, "the state of %s: %.200s", user, why);
        return sp_hint(err, "what is in force stays; install the sallyport that wrote %s again", path);
    }
    sp_fail(err, SP_E_STATE, 0, "the state of %s is broken: %.200s", user, why);
    return sp_hint(err, "what is in force stays; move %s away and apply the account's domains again", path);
}

void sp_store_tidy(struct sp_host *h, const char *user)
{
    char path[SP_PATH_SIZE];

    if (sp_str_format(path, sizeof(path), STATE_DIR "/%s.json" SP_REPLACE_SUFFIX, user) == 0)
        (void)unlinkat(h->root_fd, path + 1, 0);
}

static int tidy_state(struct sp_host *h, int states, const char *temp, struct sp_error *err)
{
    const size_t end = sizeof(".json" SP_REPLACE_SUFFIX) - 1, len = strlen(temp);
    char user[SP_USER_SIZE] = "", path[SP_PATH_SIZE];
    _cleanup_close_ int lock = -1;
    struct sp_error none;

    if (len <= end || len - end >= sizeof(user) || !sp_streq(temp + len - end, ".json" SP_REPLACE_SUFFIX))
        return 0;
    memcpy(user, temp, len - end);
    if (sp_name_check_user(user, &none) < 0)
        return 0;
    (void)sp_str_format(path, sizeof(path), STATE_DIR "/%s.lock", user);
    lock = sp_lock_take(h, path, 0, err);
    if (lock < 0)
        return err->code == SP_E_BUSY ? 0 : -1;
    return sp_replace_remove(h, states, temp, err);
}

int sp_store_tidy_states(struct sp_host *h, struct sp_error *err)
{
    _cleanup_closedir_ DIR *dir = sp_fsat_list(h->root_fd, STATE_DIR, SP_FSAT_NONE, err);
    const struct dirent *e;
    int rc;

    if (dir == NULL)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    while ((rc = sp_fsat_next(dir, STATE_DIR, &e, err)) > 0)
        if (tidy_state(h, dirfd(dir), e->d_name, err) < 0)
            return -1;
    return rc;
}

int sp_store_format(const struct sp_state *s, struct sp_buf *out, struct sp_error *err)
{
    _cleanup_json_ cJSON *json = cJSON_CreateObject();
    char sum[SHA256_DIGEST_STRING_LENGTH];
    cJSON *account = NULL;

    if (json == NULL || !cJSON_AddNumberToObject(json, "format", SP_STATE_FORMAT) ||
        !cJSON_AddNumberToObject(json, "generation", (double)s->generation) ||
        !cJSON_AddBoolToObject(json, "pending", s->pending) ||
        !cJSON_AddStringToObject(json, "original_shell", s->original_shell))
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (sp_account_to_json(&s->desired, &account, err) < 0)
        return -1;
    if (!sp_json_put(json, "desired", account))
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (s->pending) {
        if (sp_account_to_json(&s->applied, &account, err) < 0)
            return -1;
        if (!sp_json_put(json, "applied", account))
            return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
        /* Only read here: a reference, so that it stays the state's. */
        if (s->opens != NULL && !cJSON_AddItemReferenceToObject(json, "opens", s->opens))
            return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    }
    if (sp_json_print(json, out, err) < 0)
        return -1;
    (void)SHA256Data((const uint8_t *)sp_buf_str(out), out->len, sum);
    sp_buf_printf(out, "\nsha256 %s\n", sum);
    if (!sp_buf_ok(out))
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (out->len <= SP_STATE_MAX_BYTES) /* what is written can be read again */
        return 0;
    sp_fail(err, SP_E_INVALID, 0, "the account has more than can be kept");
    return sp_hint(err, "take keys and domains away that nobody uses");
}

int sp_store_save(struct sp_host *h, const char *user, const struct sp_state *s, struct sp_error *err)
{
    const struct sp_replace how = {.mode = 0600, .uid = 0, .gid = 0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    char path[SP_PATH_SIZE];

    if (state_path(user, path, err) < 0 || sp_store_format(s, &text, err) < 0)
        return -1;
    return sp_replace_path(h, path, text.data, text.len, &how, err);
}

static int remove_name(struct sp_host *h, const char *dir, const char *name, struct sp_error *err)
{
    _cleanup_close_ int fd = sp_fsat_open_dir(h->root_fd, dir, SP_FSAT_NONE, err);

    if (fd < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    return sp_replace_remove(h, fd, name, err);
}

int sp_store_remove(struct sp_host *h, const char *user, struct sp_error *err)
{
    char path[SP_PATH_SIZE];

    if (state_path(user, path, err) < 0)
        return -1;
    return remove_name(h, STATE_DIR, strrchr(path, '/') + 1, err);
}

#define LAST_GENERATION STATE_DIR "/generation"

int sp_store_last_generation(struct sp_host *h, uint64_t *ret, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    _cleanup_json_ cJSON *number = NULL;
    int64_t n = 0;

    *ret = 0;
    if (sp_fsat_read(h->root_fd, LAST_GENERATION, 32, &text, NULL, err) < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    if (sp_json_parse(sp_buf_str(&text), text.len, &number, err) < 0 ||
        sp_json_integer(number, 0, INT64_C(1) << 53, &n, err) < 0) {
        sp_fail(err, SP_E_STATE, 0, LAST_GENERATION " is no number");
        return sp_hint(err, "remove it: generations then begin again");
    }
    *ret = (uint64_t)n;
    return 0;
}

int sp_store_raise_generation(struct sp_host *h, uint64_t generation, struct sp_error *err)
{
    const struct sp_replace how = {.mode = 0600, .uid = 0, .gid = 0};
    _cleanup_close_ int lock = sp_lock_take(h, SP_STORE_DOMAINS_LOCK, SP_LOCK_DEADLINE_MS, err);
    char text[32];
    uint64_t last;

    if (lock < 0 || sp_store_last_generation(h, &last, err) < 0)
        return -1;
    if (generation <= last)
        return 0;
    (void)sp_str_format(text, sizeof(text), "%llu\n", (unsigned long long)generation);
    return sp_replace_path(h, LAST_GENERATION, text, strlen(text), &how, err);
}

int sp_store_owner(struct sp_host *h, const char *domain, char ret_user[SP_USER_SIZE], struct sp_error *err)
{
    _cleanup_(sp_state_clear) struct sp_state s = {0};
    char path[SP_PATH_SIZE], user[SP_USER_SIZE];
    ssize_t n;

    ret_user[0] = '\0';
    if (sp_name_check_domain(domain, err) < 0)
        return sp_field_prefix(err, "domain");
    (void)sp_str_format(path, sizeof(path), &DOMAIN_DIR "/%s"[1], domain);
    n = readlinkat(h->root_fd, path, user, sizeof(user));
    if (n < 0)
        return errno == ENOENT ? 0 : sp_fail(err, SP_E_IO, errno, "%s", path);
    if ((size_t)n >= sizeof(user))
        return sp_fail(err, SP_E_STATE, 0, "%s names no user", path);
    user[n] = '\0';
    if (sp_store_load(h, user, &s, err) < 0)
        return -1;
    if (sp_account_find(&s.desired, domain) != NULL || sp_account_find(&s.applied, domain) != NULL)
        (void)sp_str_copy(ret_user, SP_USER_SIZE, user);
    return 0;
}

int sp_store_index(struct sp_host *h, const char *domain, const char *user, struct sp_error *err)
{
    _cleanup_close_ int fd = sp_fsat_make_dirs(h->root_fd, DOMAIN_DIR, 0700, err);
    char old[SP_USER_SIZE] = "", temp[256]; /* a domain has 253 bytes at most, and begins with no dot */

    if (fd < 0 || sp_name_check_domain(domain, err) < 0 || sp_name_check_user(user, err) < 0)
        return -1;
    if (sp_str_format(temp, sizeof(temp), ".%s", domain) < 0)
        return sp_fail(err, SP_E_INTERNAL, 0, "the name %s is too long", domain);
    if (unlinkat(fd, temp, 0) < 0 && errno != ENOENT)
        return sp_fail(err, SP_E_IO, errno, "%s/%s", DOMAIN_DIR, temp);
    if (readlinkat(fd, domain, old, sizeof(old) - 1) > 0 && sp_streq(old, user))
        return 0;
    /* Whoever names the domain finds the one user or the other, never none. */
    if (symlinkat(user, fd, temp) < 0 || renameat(fd, temp, fd, domain) < 0)
        return sp_fail(err, SP_E_IO, errno, "%s/%s", DOMAIN_DIR, domain);
    return sp_sync_dir(h, fd, err);
}

static int read_index(struct sp_host *h, const char *domain, char ret_user[SP_USER_SIZE],
                      struct sp_error *err)
{
    char path[SP_PATH_SIZE];
    ssize_t n;

    (void)sp_str_format(path, sizeof(path), &DOMAIN_DIR "/%s"[1], domain);
    n = readlinkat(h->root_fd, path, ret_user, SP_USER_SIZE - 1);
    if (n < 0 && errno != ENOENT && errno != EINVAL)
        return sp_fail(err, SP_E_IO, errno, "reading whose %s is", domain);
    ret_user[n > 0 ? n : 0] = '\0';
    return 0;
}

/* 1: it is. */
static int is_indexed_for(struct sp_host *h, const char *domain, const char *user, struct sp_error *err)
{
    char now[SP_USER_SIZE];

    return read_index(h, domain, now, err) < 0 ? -1 : sp_streq(now, user);
}

int sp_store_unindex(struct sp_host *h, const char *domain, const char *user, struct sp_error *err)
{
    _cleanup_close_ int lock = -1;
    int rc;

    if (sp_name_check_domain(domain, err) < 0)
        return -1;
    rc = is_indexed_for(h, domain, user, err);
    if (rc <= 0)
        return rc;
    /* Another user's request may attach the domain meanwhile, and the name would be his. */
    lock = sp_lock_take(h, SP_STORE_DOMAINS_LOCK, SP_LOCK_DEADLINE_MS, err);
    if (lock < 0)
        return -1;
    rc = is_indexed_for(h, domain, user, err);
    return rc > 0 ? remove_name(h, DOMAIN_DIR, domain, err) : rc;
}

int sp_store_tidy_index(struct sp_host *h, const char *domain, struct sp_error *err)
{
    char user[SP_USER_SIZE];
    _cleanup_close_ int lock = -1;

    if (sp_name_check_domain(domain, err) < 0 || read_index(h, domain, user, err) < 0)
        return -1;
    if (user[0] == '\0')
        return 0;
    lock = sp_lock_take(h, SP_STORE_DOMAINS_LOCK, SP_LOCK_DEADLINE_MS, err);
    if (lock < 0 || sp_store_owner(h, domain, user, err) < 0)
        return -1;
    return user[0] != '\0' ? 0 : remove_name(h, DOMAIN_DIR, domain, err);
}

static bool is_nobodys(struct sp_host *h, int dir, const char *name)
{
    char user[SP_USER_SIZE] = "", path[SP_PATH_SIZE];
    struct sp_error ignored;

    return readlinkat(dir, name, user, sizeof(user) - 1) > 0 && state_path(user, path, &ignored) == 0 &&
           sp_fsat_is_missing(h->root_fd, path);
}

int sp_store_tidy_indexes(struct sp_host *h, struct sp_error *err)
{
    _cleanup_close_ int lock = -1;
    _cleanup_closedir_ DIR *dir = NULL;
    const struct dirent *e;
    int fd, rc;

    if (sp_fsat_is_missing(h->root_fd, DOMAIN_DIR))
        return 0;
    lock = sp_lock_take(h, SP_STORE_DOMAINS_LOCK, SP_LOCK_DEADLINE_MS, err);
    dir = lock < 0 ? NULL : sp_fsat_list(h->root_fd, DOMAIN_DIR, SP_FSAT_NONE, err);
    if (dir == NULL)
        return -1;
    fd = dirfd(dir);
    while ((rc = sp_fsat_next(dir, DOMAIN_DIR, &e, err)) > 0)
        if (is_nobodys(h, fd, e->d_name) && sp_replace_remove(h, fd, e->d_name, err) < 0)
            return -1;
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

int sp_store_users(struct sp_host *h, struct sp_users *ret, struct sp_error *err)
{
    _cleanup_(sp_users_clear) struct sp_users users = {0};
    _cleanup_closedir_ DIR *dir = sp_fsat_list(h->root_fd, STATE_DIR, SP_FSAT_NONE, err);
    const struct dirent *e;
    int rc;

    if (dir == NULL)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    while ((rc = sp_fsat_next(dir, STATE_DIR, &e, err)) > 0) {
        size_t n = strlen(e->d_name);
        void *grown;
        if (n <= 5 || n - 5 >= SP_USER_SIZE || !sp_streq(e->d_name + n - 5, ".json"))
            continue;
        grown = realloc(users.v, (users.n + 1) * sizeof(*users.v));
        if (grown == NULL)
            return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
        users.v = grown;
        memcpy(users.v[users.n], e->d_name, n - 5);
        users.v[users.n++][n - 5] = '\0';
    }
    if (rc < 0)
        return -1;
    if (users.n > 0)
        qsort(users.v, users.n, sizeof(*users.v), by_name);
    *ret = users;
    users = (struct sp_users){0};
    return 0;
}
