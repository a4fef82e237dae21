/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/password.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/dbfile.h"
#include "host/fsat.h"
#include "host/library.h"
#include "host/pamchild.h"
#include "host/userdb.h"
#include "model/pwline.h"
#include "model/shfile.h"

/* struct crypt_data has 32 KiB in libxcrypt and 128 KiB in glibc's former one; zeroes are its initial
 * state. */
#define CRYPT_DATA_SIZE (1U << 18)
#define HASH_SIZE 512

int sp_password_check(const char *secret, struct sp_error *err)
{
    size_t len = strlen(secret);
    bool clean = true;

    for (size_t i = 0; i < len; i++)
        clean = clean && (unsigned char)secret[i] >= 0x20 && secret[i] != 0x7f;
    if (len > 0 && len <= SP_PASSWORD_MAX && clean)
        return 0;
    (void)sp_fail(err, SP_E_INVALID, 0, "the password is empty, too long, or holds a control byte");
    return sp_hint(err, "1 to %d bytes, no newline and no other control byte", SP_PASSWORD_MAX);
}

/* The alphabet divides no byte evenly: what lies above its last whole multiple is drawn again. */
static int draw(const char *alphabet, char *ret, struct sp_error *err)
{
    size_t n = strlen(alphabet);
    unsigned char byte = 0;

    do
        if (getrandom(&byte, 1, 0) != 1)
            return sp_fail(err, SP_E_IO, errno, "no random bytes");
    while (byte >= 256 - 256 % n);
    *ret = alphabet[byte % n];
    return 0;
}

/* What libpwquality(3) and its like count: three classes of characters, and the fourth are the dashes. */
static bool is_mixed(const char *secret)
{
    return strpbrk(secret, "abcdefghijkmnpqrstuvwxyz") != NULL &&
           strpbrk(secret, "ABCDEFGHJKLMNPQRSTUVWXYZ") != NULL && strpbrk(secret, "23456789") != NULL;
}

int sp_password_generate(unsigned groups, char ret[SP_PASSWORD_MADE_SIZE], struct sp_error *err)
{
    static const char alphabet[] = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

    if (groups < 2 || groups > SP_PASSWORD_GROUPS_MAX)
        return sp_fail(err, SP_E_INTERNAL, 0, "%u groups", groups);
    do {
        for (size_t i = 0; i < (size_t)groups * 6; i++) {
            ret[i] = '-';
            if (i % 6 != 5 && draw(alphabet, &ret[i], err) < 0)
                return -1;
        }
        ret[groups * 6 - 1] = '\0';
    } while (!is_mixed(ret));
    return 0;
}

/* pam_unix renames the new shadow into place and leaves it to the kernel when that reaches the disk. */
static int make_durable(struct sp_host *h, struct sp_error *err)
{
    _cleanup_close_ int etc = sp_fsat_open_dir(h->root_fd, "etc", SP_FSAT_NONE, err);

    if (etc < 0)
        return -1;
    return fsync(etc) == 0 ? 0 : sp_fail(err, SP_E_IO, errno, "fsync of /etc failed");
}

/* before: shadow as it was. Whatever PAM answered, nobody else's line goes by it. */
static int keep_others(struct sp_host *h, const char *name, const struct sp_dbfile *before,
                       struct sp_error *err)
{
    _cleanup_(sp_dbfile_clear) struct sp_dbfile now = SP_DBFILE_INIT, passwd = SP_DBFILE_INIT;
    _cleanup_(sp_buf_wipe) struct sp_buf out = {0};
    _cleanup_close_ int lock = sp_dbfile_lock(h, err);
    struct sp_shfile f = {.user = name};
    size_t lost;

    if (lock < 0 || sp_dbfile_read(h, "shadow", &now, err) != 0 ||
        sp_dbfile_read(h, "passwd", &passwd, err) != 0)
        return -1;
    f.before = (struct sp_slice){sp_buf_str(&before->bytes), before->bytes.len};
    f.now = (struct sp_slice){sp_buf_str(&now.bytes), now.bytes.len};
    f.passwd = (struct sp_slice){sp_buf_str(&passwd.bytes), passwd.bytes.len};
    if (sp_shfile_keep(&f, &out, &lost, err) != 0)
        return -1;
    return lost == 0 || !now.exists ? 0 : sp_dbfile_write(h, &now, &out, NULL, err);
}

int sp_password_set(struct sp_host *h, const char *name, const char *secret, struct sp_error *err)
{
    _cleanup_(sp_dbfile_clear) struct sp_dbfile before = SP_DBFILE_INIT;
    struct sp_error lost;
    struct sp_user u;
    int rc;

    if (sp_password_check(secret, err) != 0 || sp_userdb_get(h, name, &u, err) != 0)
        return -1;
    if (u.uid == 0)
        return sp_fail(err, SP_E_FORBIDDEN, 0, "the password of uid 0 is not changed");
    if (!h->real)
        return sp_fail(err, SP_E_UNSUPPORTED, 0, "PAM knows one root directory only");
    if (sp_dbfile_read(h, "shadow", &before, err) != 0)
        return -1;
    rc = sp_pamchild_change(u.name, secret, err);
    if (keep_others(h, u.name, &before, rc == 0 ? err : &lost) != 0 || rc != 0 || make_durable(h, err) != 0)
        return -1;
    sp_dbfile_flush_caches(h);
    return 0;
}

/* The second field of the name's line; "" where there is no line. hash is wiped by the caller. */
static int read_hash(struct sp_host *h, const char *name, char hash[HASH_SIZE], struct sp_error *err)
{
    _cleanup_(sp_dbfile_clear) struct sp_dbfile f = SP_DBFILE_INIT;
    struct sp_slice field;
    struct sp_pwline line;
    const char *colon;

    hash[0] = '\0';
    if (sp_dbfile_read(h, "shadow", &f, err) != 0)
        return -1;
    if (sp_pwline_find(f.bytes.data, f.bytes.len, "shadow", name, &line, err) != 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    colon = memchr(line.text.p, ':', line.text.len);
    if (colon == NULL)
        return sp_pwline_malformed("shadow", name, err);
    field.p = colon + 1;
    field.len = line.text.len - (size_t)(field.p - line.text.p);
    colon = memchr(field.p, ':', field.len);
    if (colon != NULL)
        field.len = (size_t)(colon - field.p);
    return sp_slice_copy(field, hash, HASH_SIZE) ? 0 : sp_pwline_malformed("shadow", name, err);
}

struct crypt {
    void *dl;
    char *(*crypt_r)(const char *phrase, const char *setting, void *data);
    char *data;
};

static void unload(struct crypt *c)
{
    if (c->data != NULL)
        explicit_bzero(c->data, CRYPT_DATA_SIZE);
    free(c->data);
    if (c->dl != NULL)
        (void)dlclose(c->dl);
}

static int load(struct crypt *c, struct sp_error *err)
{
    static const char *const names[] = {"libcrypt.so.1", "libcrypt.so.2", NULL}; /* Debian's, EL9's */

    c->dl = sp_library_open(names, RTLD_NOW | RTLD_LOCAL, err);
    if (c->dl == NULL)
        return -1;
    c->crypt_r = (char *(*)(const char *, const char *, void *))dlsym(c->dl, "crypt_r");
    if (c->crypt_r == NULL)
        return sp_fail(err, SP_E_UNSUPPORTED, 0, "libcrypt lacks a function");
    c->data = calloc(1, CRYPT_DATA_SIZE);
    return c->data != NULL ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for crypt");
}

/* In a time that does not tell how much was alike. */
static bool is_equal(const char *a, const char *b)
{
    size_t n = strlen(a);
    unsigned char differ = 0;

    if (strlen(b) != n)
        return false;
    for (size_t i = 0; i < n; i++)
        differ |= (unsigned char)(a[i] ^ b[i]);
    return differ == 0;
}

static int compare(const char *secret, const char *hash, bool *ret, struct sp_error *err)
{
    _cleanup_(unload) struct crypt c = {0};
    const char *made;

    if (load(&c, err) != 0)
        return -1;
    errno = 0;
    made = c.crypt_r(secret, hash, c.data);
    if (made == NULL && errno == ENOMEM)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for crypt");
    /* crypt(3) answers a hash that it does not know with NULL or with "*0": it is not this one. */
    *ret = made != NULL && made[0] != '*' && is_equal(made, hash);
    return 0;
}

/* crypt(5): no hash begins with these, and an empty field lets everybody in. */
static bool is_hash(const char *field)
{
    return strchr("!*", field[0]) == NULL;
}

int sp_password_matches(struct sp_host *h, const char *name, const char *secret, bool *ret,
                        struct sp_error *err)
{
    char hash[HASH_SIZE];
    int r = 0;

    *ret = false;
    if (sp_password_check(secret, err) != 0 || read_hash(h, name, hash, err) != 0)
        return -1;
    if (is_hash(hash))
        r = compare(secret, hash, ret, err);
    explicit_bzero(hash, sizeof(hash));
    return r;
}

int sp_password_is_locked(struct sp_host *h, const char *name, bool *ret, struct sp_error *err)
{
    char hash[HASH_SIZE];

    if (read_hash(h, name, hash, err) != 0)
        return -1;
    *ret = hash[0] == '!' && is_hash(hash + strspn(hash, "!"));
    explicit_bzero(hash, sizeof(hash));
    return 0;
}
