/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "resource/certstore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/lock.h"
#include "host/replace.h"
#include "host/sign.h"

#define LOCK_DEADLINE_MS 10000
#define ISSUED_MAX_BYTES (256U << 20)

void sp_cas_clear(struct sp_cas *c)
{
    for (size_t i = 0; i < c->n; i++)
        sp_sshkey_clear(&c->v[i].key);
    *c = (struct sp_cas){0};
}

int sp_cas_look(struct sp_host *h, struct sp_error *err)
{
    return sp_fsat_look(h->root_fd, SP_CA_TRUSTED, err);
}

bool sp_cas_exist(struct sp_host *h)
{
    struct sp_error ignored;

    return sp_cas_look(h, &ignored) != 0;
}

static int read_ca(struct sp_host *h, unsigned number, struct sp_cas *c, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    char path[SP_PATH_SIZE];
    struct sp_ca *ca = &c->v[c->n];

    if (c->n == SP_CA_MAX)
        return sp_fail(err, SP_E_STATE, 0, "more than %d CAs in " SP_CA_DIR, SP_CA_MAX);
    (void)sp_str_format(path, sizeof(path), SP_CA_DIR "/%u.pub", number);
    if (sp_fsat_read(h->root_fd, path, 65536, &text, NULL, err) < 0)
        return -1;
    while (text.len > 0 && text.data[text.len - 1] == '\n')
        text.data[--text.len] = '\0';
    *ca = (struct sp_ca){.number = number};
    if (sp_sshkey_parse(sp_buf_str(&text), text.len, &ca->key, NULL, err) < 0)
        return sp_hint(err, "%s is no public key of a CA: move it away", path);
    (void)sp_str_format(path, sizeof(path), SP_CA_DIR "/%u", number);
    ca->in_agent = sp_fsat_is_missing(h->root_fd, path);
    c->n++;
    return 0;
}

static int by_number(const void *a, const void *b)
{
    const struct sp_ca *x = a, *y = b;

    return (x->number > y->number) - (x->number < y->number);
}

int sp_cas_read(struct sp_host *h, struct sp_cas *ret, struct sp_error *err)
{
    _cleanup_(sp_cas_clear) struct sp_cas c = {0};
    _cleanup_closedir_ DIR *dir = sp_fsat_list(h->root_fd, SP_CA_DIR, SP_FSAT_NONE, err);
    const struct dirent *e;
    int rc;

    *ret = c;
    if (dir == NULL)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    while ((rc = sp_fsat_next(dir, SP_CA_DIR, &e, err)) > 0) {
        char *end = NULL;
        unsigned long number = strtoul(e->d_name, &end, 10);
        if (end != e->d_name && sp_streq(end, ".pub") && number > 0 && number < 1000000 &&
            read_ca(h, (unsigned)number, &c, err) < 0)
            return -1;
    }
    if (rc < 0)
        return -1;
    qsort(c.v, c.n, sizeof(*c.v), by_number);
    *ret = c;
    c = (struct sp_cas){0};
    return 0;
}

int sp_certstore_lock(struct sp_host *h, struct sp_error *err)
{
    _cleanup_close_ int dir = sp_fsat_make_dirs(h->root_fd, SP_CA_DIR, 0700, err);

    return dir < 0 ? -1 : sp_lock_take(h, SP_CA_DIR "/lock", LOCK_DEADLINE_MS, err);
}

int sp_cas_trust(struct sp_host *h, const struct sp_cas *c, bool *ret_changed, struct sp_error *err)
{
    const struct sp_replace how = {.mode = 0644, .uid = 0, .gid = 0};
    _cleanup_(sp_buf_clear) struct sp_buf want = {0}, have = {0};
    struct sp_error ignored;

    for (size_t i = 0; i < c->n; i++) {
        sp_sshkey_format(&c->v[i].key, &want);
        sp_buf_puts(&want, "\n");
    }
    if (!sp_buf_ok(&want))
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (sp_fsat_read(h->root_fd, SP_CA_TRUSTED, 65536, &have, NULL, &ignored) == 0 &&
        sp_streq(sp_buf_str(&have), sp_buf_str(&want)))
        return 0;
    if (ret_changed != NULL)
        *ret_changed = true;
    return sp_replace_path(h, SP_CA_TRUSTED, sp_buf_str(&want), want.len, &how, err);
}

int sp_certstore_read(struct sp_host *h, struct sp_certlog *ret, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf bytes = {0};

    if (sp_fsat_read(h->root_fd, SP_CA_ISSUED, ISSUED_MAX_BYTES, &bytes, NULL, err) < 0 &&
        err->code != SP_E_NOT_FOUND)
        return -1;
    return sp_certlog_parse(sp_buf_str(&bytes), bytes.len, ret, err);
}

/* The file's end; *ret_whole is where its last whole line ends. */
static int look_at_end(int fd, uint64_t *ret_next, off_t *ret_whole, struct sp_error *err)
{
    char tail[SP_CERTLOG_TAIL];
    struct stat st;
    size_t whole = 0;
    off_t from;
    ssize_t n;

    if (fstat(fd, &st) < 0)
        return sp_fail(err, SP_E_IO, errno, SP_CA_ISSUED);
    from = st.st_size > SP_CERTLOG_TAIL ? st.st_size - SP_CERTLOG_TAIL : 0;
    n = pread(fd, tail, sizeof(tail), from);
    if (n < 0)
        return sp_fail(err, SP_E_IO, errno, SP_CA_ISSUED);
    *ret_next = sp_certlog_next(tail, (size_t)n, &whole);
    *ret_whole = from + (off_t)whole;
    if (*ret_next > 0)
        return 0;
    sp_fail(err, SP_E_STATE, 0, SP_CA_ISSUED " ends in a line that is none of ours");
    return sp_hint(err,
                   "restore it: what it does not list cannot be revoked, and no serial may be given twice");
}

int sp_certstore_next(struct sp_host *h, uint64_t *ret, struct sp_error *err)
{
    _cleanup_close_ int fd = sp_fsat_open(h->root_fd, SP_CA_ISSUED, O_RDONLY, 0, SP_FSAT_NONE, err);
    off_t whole = 0;

    *ret = 1;
    if (fd < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    return look_at_end(fd, ret, &whole, err);
}

static int open_issued(struct sp_host *h, struct sp_error *err)
{
    _cleanup_close_ int dir = -1;
    int fd = sp_fsat_open(h->root_fd, SP_CA_ISSUED, O_RDWR, 0, SP_FSAT_NONE, err);

    if (fd >= 0 || err->code != SP_E_NOT_FOUND)
        return fd;
    fd = sp_fsat_open(h->root_fd, SP_CA_ISSUED, O_RDWR | O_CREAT | O_EXCL, 0600, SP_FSAT_NONE, err);
    dir = fd >= 0 ? sp_fsat_open_dir(h->root_fd, SP_CA_DIR, SP_FSAT_NONE, err) : -1;
    if (dir >= 0 && fsync(dir) == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return dir < 0 ? -1 : sp_fail(err, SP_E_IO, errno, SP_CA_DIR);
}

int sp_certstore_append(struct sp_host *h, const struct sp_buf *lines, struct sp_error *err)
{
    _cleanup_close_ int fd = open_issued(h, err);
    uint64_t next = 0;
    off_t whole = 0;

    if (fd < 0 || look_at_end(fd, &next, &whole, err) < 0)
        return -1;
    if (ftruncate(fd, whole) < 0 || lseek(fd, whole, SEEK_SET) < 0 ||
        sp_write_all(fd, lines->data, lines->len) < 0 || fdatasync(fd) < 0)
        return sp_fail(err, SP_E_IO, errno, SP_CA_ISSUED);
    return 0;
}

static void principal_path(const char *user, char out[SP_PATH_SIZE])
{
    (void)sp_str_format(out, SP_PATH_SIZE, SP_PRINCIPALS_DIR "/%s", user);
}

int sp_principal_read(struct sp_host *h, const char *user, char ret[SP_SSHCERT_PRINCIPAL_SIZE],
                      struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    char path[SP_PATH_SIZE];

    ret[0] = '\0';
    if (sp_name_check_user(user, err) < 0)
        return -1;
    principal_path(user, path);
    if (sp_fsat_read(h->root_fd, path, SP_SSHCERT_PRINCIPAL_SIZE, &text, NULL, err) < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    text.len = strcspn(sp_buf_str(&text), "\n");
    return sp_str_format(ret, SP_SSHCERT_PRINCIPAL_SIZE, "%.*s", (int)text.len, sp_buf_str(&text));
}

/* "sallyport-UID-" and 128 bits in hex: what begins otherwise is another account's. */
static bool is_his(const struct sp_user *user, const char *principal)
{
    char mine[64];
    const char *rest = NULL;

    (void)sp_str_format(mine, sizeof(mine), "sallyport-%u-", user->uid);
    return sp_str_prefix(principal, mine, &rest) && strlen(rest) == 32 &&
           strspn(rest, "0123456789abcdef") == 32;
}

bool sp_principal_is_right(struct sp_host *h, const struct sp_user *user)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    struct sp_error ignored;
    char path[SP_PATH_SIZE];
    struct stat st;

    principal_path(user->name, path);
    if (sp_fsat_read(h->root_fd, path, SP_SSHCERT_PRINCIPAL_SIZE, &text, &st, &ignored) < 0 ||
        text.len < 2 || text.data[text.len - 1] != '\n')
        return false;
    text.data[text.len - 1] = '\0';
    return is_his(user, text.data) &&
           (!h->real || (st.st_uid == 0 && st.st_gid == user->gid && (st.st_mode & 07777) == 0640));
}

int sp_principal_mend(struct sp_host *h, const struct sp_user *user, struct sp_error *err)
{
    const struct sp_replace how = {.mode = 0640, .uid = 0, .gid = user->gid};
    char now[SP_SSHCERT_PRINCIPAL_SIZE], line[SP_SSHCERT_PRINCIPAL_SIZE + 1], path[SP_PATH_SIZE];
    int rc;

    principal_path(user->name, path);
    rc = sp_principal_read(h, user->name, now, err);
    if (rc < 0 && sp_error_is_blind(err)) /* a new one would void every certificate of his */
        return -1;
    if (rc == 0 && is_his(user, now)) {
        (void)sp_str_format(line, sizeof(line), "%s\n", now);
        return sp_replace_path(h, path, line, strlen(line), &how, err);
    }
    return sp_principal_remove(h, user->name, err) < 0 ? -1 : sp_principal_make(h, user, now, err);
}

int sp_principal_make(struct sp_host *h, const struct sp_user *user, char ret[SP_SSHCERT_PRINCIPAL_SIZE],
                      struct sp_error *err)
{
    /* sshd reads it as the user. */
    const struct sp_replace how = {.mode = 0640, .uid = 0, .gid = user->gid};
    _cleanup_close_ int dir = -1;
    uint64_t random[2] = {0};
    char line[SP_SSHCERT_PRINCIPAL_SIZE + 1];

    if (sp_principal_read(h, user->name, ret, err) < 0 || ret[0] != '\0')
        return ret[0] != '\0' ? 0 : -1;
    dir = sp_fsat_make_dirs(h->root_fd, SP_PRINCIPALS_DIR, 0711, err);
    if (dir < 0 || sp_sign_random(random, sizeof(random), err) < 0)
        return -1;
    (void)sp_str_format(ret, SP_SSHCERT_PRINCIPAL_SIZE, "sallyport-%u-%016llx%016llx", user->uid,
                        (unsigned long long)random[0], (unsigned long long)random[1]);
    (void)sp_str_format(line, sizeof(line), "%s\n", ret);
    return sp_replace_at(h, dir, user->name, line, strlen(line), &how, err);
}

int sp_principal_remove(struct sp_host *h, const char *user, struct sp_error *err)
{
    _cleanup_close_ int dir = sp_fsat_open_dir(h->root_fd, SP_PRINCIPALS_DIR, SP_FSAT_NONE, err);

    if (dir < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    return sp_replace_remove(h, dir, user, err);
}
