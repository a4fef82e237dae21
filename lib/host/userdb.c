/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/userdb.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/dbfile.h"
#include "host/fsat.h"
#include "model/pwfile.h"
#include "model/pwline.h"

static int no_passwd(struct sp_error *err)
{
    return sp_fail(err, SP_E_IO, 0, "there is no /etc/passwd");
}

static int find_user(const struct sp_dbfile *f, const char *name, struct sp_pwfile_line *ret,
                     struct sp_error *err)
{
    struct sp_pwline line;

    if (f->index == NULL || sp_pwindex_find(f->index, name, &line) != SP_PWINDEX_YES)
        return sp_pwfile_find(f->bytes.data, f->bytes.len, name, ret, err);
    if (sp_name_check_user(name, err) != 0)
        return -1;
    return sp_pwfile_read(f->bytes.data, line.text, name, ret, err);
}

int sp_userdb_get(struct sp_host *h, const char *name, struct sp_user *ret, struct sp_error *err)
{
    _cleanup_(sp_dbfile_clear) struct sp_dbfile f = SP_DBFILE_INIT;
    struct sp_pwfile_line line;

    if (sp_dbfile_look_for(h, "passwd", name, &f, err) != 0)
        return -1;
    if (!f.exists)
        return no_passwd(err);
    if (find_user(&f, name, &line, err) != 0)
        return -1;
    ret->uid = line.uid;
    ret->gid = line.gid;
    if (sp_str_copy(ret->name, sizeof(ret->name), line.name) != 0 ||
        sp_str_copy(ret->home, sizeof(ret->home), line.home) != 0 ||
        sp_str_copy(ret->shell, sizeof(ret->shell), line.shell) != 0)
        return sp_fail(err, SP_E_STATE, 0, "the passwd line of %s is too long", name);
    return 0;
}

int sp_userdb_find_name(struct sp_host *h, uid_t uid, char ret[64], struct sp_error *err)
{
    _cleanup_(sp_dbfile_clear) struct sp_dbfile f = SP_DBFILE_INIT;
    struct sp_pwline l;
    char field[16];
    size_t n;

    (void)sp_str_format(field, sizeof(field), ":%u:", uid);
    if (sp_dbfile_look_for(h, "passwd", field, &f, err) != 0)
        return -1;
    if (!f.exists)
        return no_passwd(err);
    n = strlen(field);
    for (size_t at = 0; sp_pwline_with(f.bytes.data, f.bytes.len, at, field, &l); at = l.next) {
        const char *end = l.text.p + l.text.len;
        const char *password = memchr(l.text.p, ':', l.text.len);
        const char *number = memchr(password + 1, ':', (size_t)(end - password - 1));

        if ((size_t)(end - number) >= n && memcmp(number, field, n) == 0 &&
            sp_slice_copy((struct sp_slice){l.text.p, (size_t)(password - l.text.p)}, ret, 64))
            return 0;
    }
    return sp_fail(err, SP_E_NOT_FOUND, 0, "nobody has the uid %u", uid);
}

bool sp_userdb_name_of(struct sp_host *h, uid_t uid, char ret[64])
{
    struct sp_error ignored;

    return sp_userdb_find_name(h, uid, ret, &ignored) == 0;
}

int sp_userdb_set_shell(struct sp_host *h, const char *name, uid_t uid, const char *shell,
                        struct sp_error *err)
{
    if (sp_userdb_set_shells(h, &name, &uid, &shell, 1, err) == 0)
        return 0;
    err->field[0] = '\0'; /* "[0]" of an array that the caller never saw */
    return -1;
}

/* root's shell is nobody's to change here, whatever a policy above us says. */
static int list_changes(const char *const *names, const uid_t *uids, const char *const *shells, size_t n,
                        struct sp_pwfile_shell *changes, struct sp_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (uids[i] == 0) {
            (void)sp_fail(err, SP_E_FORBIDDEN, 0, "the shell of uid 0 is not changed");
            return sp_field(err, "[%zu]", i);
        }
        changes[i] = (struct sp_pwfile_shell){.name = names[i], .uid = uids[i], .shell = shells[i]};
    }
    return 0;
}

int sp_userdb_set_shells(struct sp_host *h, const char *const *names, const uid_t *uids,
                         const char *const *shells, size_t n, struct sp_error *err)
{
    _cleanup_(sp_dbfile_clear) struct sp_dbfile f = SP_DBFILE_INIT;
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    _cleanup_free_ struct sp_pwfile_shell *changes = calloc(n + 1, sizeof(*changes));
    _cleanup_close_ int lock = -1;
    bool written;

    if (changes == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for %zu changes", n);
    if (list_changes(names, uids, shells, n, changes, err) != 0)
        return -1;
    lock = sp_dbfile_lock(h, err);
    if (lock < 0 || sp_dbfile_read(h, "passwd", &f, err) != 0)
        return -1;
    if (!f.exists)
        return no_passwd(err);
    /* sp_pwfile_set_shells() reads its result again and asserts that these lines alone differ. */
    if (sp_pwfile_set_shells(f.bytes.data, f.bytes.len, changes, n, &out, err) != 0 ||
        sp_dbfile_write(h, &f, &out, &written, err) != 0)
        return -1;
    (void)close(sp_steal_fd(&lock));
    if (written)
        sp_dbfile_flush_caches(h);
    return 0;
}

int sp_userdb_tidy(struct sp_host *h, struct sp_error *err)
{
    static const char *const files[] = {"passwd", "passwd-", "group",   "group-",
                                        "shadow", "shadow-", "gshadow", "gshadow-"};
    _cleanup_close_ int lock = -1, etc = sp_fsat_open_dir(h->root_fd, "etc", SP_FSAT_NONE, err);
    char temp[32];

    if (etc < 0)
        return -1;
    for (size_t i = 0; i < SP_COUNT(files); i++) {
        (void)sp_str_format(temp, sizeof(temp), "%s" SP_REPLACE_SUFFIX, files[i]);
        if (sp_fsat_is_missing(etc, temp))
            continue;
        if (lock < 0)
            lock = sp_dbfile_lock(h, err);
        if (lock < 0 || sp_replace_remove(h, etc, temp, err) != 0)
            return -1;
    }
    return 0;
}
