/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/dbfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/lock.h"
#include "host/replace.h"
#include "host/spawn.h"

#define MAX_BYTES ((size_t)64 << 20)
#define LOCK_MS 5000

void sp_dbfile_clear(struct sp_dbfile *f)
{
    /* gshadow holds hashes. */
    sp_buf_wipe(&f->bytes);
    sp_cleanup_close(&f->etc);
    f->etc = -1;
}

int sp_dbfile_read(struct sp_host *h, const char *name, struct sp_dbfile *ret, struct sp_error *err)
{
    ret->name = name;
    ret->etc = sp_fsat_open_dir(h->root_fd, "etc", SP_FSAT_NONE, err);
    if (ret->etc < 0)
        return -1;
    ret->exists = sp_fsat_read(ret->etc, name, MAX_BYTES, &ret->bytes, &ret->st, err) == 0;
    if (!ret->exists && err->code != SP_E_NOT_FOUND)
        return -1;
    /* A file of no bytes is still bytes to the model. */
    sp_buf_add(&ret->bytes, "", 0);
    return sp_buf_ok(&ret->bytes) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for %s", name);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

int sp_dbfile_write(struct sp_host *h, const struct sp_dbfile *f, const struct sp_buf *bytes,
                    bool *ret_written, struct sp_error *err)
{
    struct sp_replace how = {
        .mode = f->st.st_mode & 07777, .uid = (uid_t)-1, .gid = (gid_t)-1, .keep_acl = true};
    char backup[64];
    struct stat now;

    if (ret_written != NULL)
        *ret_written = false;
    if (bytes->len == f->bytes.len && memcmp(bytes->data, f->bytes.data, bytes->len) == 0)
        return 0;
    /* Nothing we do empties such a file; one that came out empty is a fault, here or below us. */
    if (bytes->len == 0)
        return sp_fail(err, SP_E_INTERNAL, 0, "refusing to write an empty /etc/%s", f->name);
    if (fstatat(f->etc, f->name, &now, AT_SYMLINK_NOFOLLOW) != 0)
        return sp_fail(err, SP_E_IO, errno, "/etc/%s went away", f->name);
    if (!is_same(&now, &f->st)) {
        (void)sp_fail(err, SP_E_BUSY, 0, "/etc/%s was changed by a program that takes no lock", f->name);
        return sp_hint(err, "try again");
    }
    if (sp_str_format(backup, sizeof(backup), "%s-", f->name) != 0)
        return sp_fail(err, SP_E_INTERNAL, 0, "the name %s is too long", f->name);
    how.backup = backup;
    if (sp_replace_at(h, f->etc, f->name, bytes->data, bytes->len, &how, err) != 0)
        return -1;
    if (ret_written != NULL)
        *ret_written = true;
    return 0;
}

int sp_dbfile_lock(struct sp_host *h, struct sp_error *err)
{
    return sp_lock_passwd(h, LOCK_MS, err);
}

void sp_dbfile_flush_caches(struct sp_host *h)
{
    static const struct {
        const char *socket;
        const char *argv[4];
    } caches[] = {
        {"run/nscd/socket", {"/usr/sbin/nscd", "-i", "passwd", NULL}},
        {"run/nscd/socket", {"/usr/sbin/nscd", "-i", "group", NULL}},
        {"var/lib/sss/pipes/nss", {"/usr/sbin/sss_cache", "-U", "-G", NULL}},
    };

    for (size_t i = 0; i < SP_COUNT(caches); i++) {
        struct sp_spawn s = {.argv = caches[i].argv, .deadline_ms = 2000, .max_output = 4096};
        struct sp_error ignored;
        if (sp_fsat_exists(h->root_fd, caches[i].socket) && sp_fsat_exists(h->root_fd, caches[i].argv[0]))
            (void)sp_spawn_run(h, &s, &ignored);
        sp_spawn_clear(&s);
    }
}
