/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/dbfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/lock.h"
#include "host/spawn.h"
#include "host/userdb.h"
#include "model/pwline.h"

#define MAX_BYTES ((size_t)64 << 20)
#define LOCK_MS 5000
/* So many parts are read before the whole is. */
#define PARTS 3
#define CHUNK 65536
/* About what going through ten thousand lines this often costs is what their table costs. */
#define INDEX_AFTER 64

void sp_dbfile_clear(struct sp_dbfile *f)
{
    if (f->lent)
        f->bytes = (struct sp_buf){0};
    else if (f->name != NULL && (sp_streq(f->name, "gshadow") || sp_streq(f->name, "shadow")))
        sp_buf_wipe(&f->bytes); /* they hold hashes */
    else
        sp_buf_clear(&f->bytes);
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
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static struct sp_dbkept *kept(struct sp_host *h, const char *name)
{
    if (h->names == NULL)
        return NULL;
    return sp_streq(name, "passwd") ? &h->names->passwd : sp_streq(name, "group") ? &h->names->group : NULL;
}

static void forget(struct sp_dbkept *k)
{
    if (k == NULL)
        return;
    sp_pwindex_clear(&k->index);
    sp_buf_clear(&k->part);
    sp_dbfile_clear(&k->file);
    *k = (struct sp_dbkept){.file = SP_DBFILE_INIT};
}

static void lend(struct sp_dbkept *from, struct sp_dbfile *to)
{
    bool is_group = sp_streq(from->file.name, "group");

    if (++from->looks == INDEX_AFTER && from->file.exists &&
        !from->in_part) /* else every look goes through the bytes */
        (void)sp_pwindex_build(from->file.bytes.data, from->file.bytes.len,
                               is_group ? SP_PWINDEX_GROUP : SP_PWINDEX_PASSWD, &from->index);
    *to = from->file;
    to->etc = -1;
    to->lent = true;
    to->index = from->index.n > 0 ? &from->index : NULL;
}

static bool is_current(struct sp_host *h, const char *path, const struct sp_dbkept *k)
{
    struct stat now;

    return k->file.exists && fstatat(h->root_fd, path, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
           is_same(&now, &k->file.st);
}

static int path_of(const char *name, char ret[64], struct sp_error *err)
{
    return sp_str_format(ret, 64, "etc/%s", name) == 0
               ? 0
               : sp_fail(err, SP_E_INTERNAL, 0, "the name %s is too long", name);
}

static int look_at_whole(struct sp_host *h, const char *name, struct sp_dbkept *k, bool current,
                         struct sp_dbfile *ret, struct sp_error *err)
{
    struct sp_dbfile fresh = SP_DBFILE_INIT;

    if (k->in_part || !current) {
        if (sp_dbfile_read(h, name, &fresh, err) != 0) {
            sp_dbfile_clear(&fresh);
            return -1;
        }
        forget(k);
        k->file = fresh;
    }
    lend(k, ret);
    return 0;
}

int sp_dbfile_look(struct sp_host *h, const char *name, struct sp_dbfile *ret, struct sp_error *err)
{
    struct sp_dbkept *k = kept(h, name);
    char path[64];

    if (k == NULL)
        return sp_dbfile_read(h, name, ret, err);
    if (path_of(name, path, err) != 0)
        return -1;
    return look_at_whole(h, name, k, is_current(h, path, k), ret, err);
}

static void add_lines(struct sp_dbkept *k, const char *bytes, size_t len, const char *text)
{
    struct sp_pwline line;

    for (size_t at = 0; sp_pwline_with(bytes, len, at, text, &line); at = line.next) {
        sp_buf_add(&k->part, line.text.p, line.text.len);
        sp_buf_add(&k->part, "\n", 1);
    }
}

static bool name_part(struct sp_dbkept *k, const char *text)
{
    sp_buf_add(&k->part, "", 0);
    return sp_buf_ok(&k->part) && sp_str_copy(k->part_of, sizeof(k->part_of), text) == 0;
}

static void gather(struct sp_dbkept *k, const char *text)
{
    sp_buf_clear(&k->part);
    add_lines(k, k->file.bytes.data, k->file.bytes.len, text);
    if (!name_part(k, text)) /* then all of them are looked through */
        k->part_of[0] = '\0';
}

/* Only those lines, where nothing of the file is in memory: most requests are about one user, and never
 * touch the pages that all of passwd would fill. Whatever is in the way is for sp_dbfile_look() to tell. */
static bool read_part(struct sp_host *h, const char *path, const char *text, struct sp_dbkept *k)
{
    struct sp_error ignored;
    _cleanup_close_ int fd =
        sp_fsat_open(h->root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, SP_FSAT_NONE, &ignored);
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    struct stat st;
    ssize_t n;

    sp_buf_clear(&k->part);
    k->file.exists = false;
    if (k->n_parts++ >= PARTS || fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
        (size_t)st.st_size > MAX_BYTES)
        return false;
    while ((n = sp_buf_read(&b, fd, CHUNK)) > 0 && b.len <= MAX_BYTES) {
        const char *last = memrchr(b.data, '\n', b.len);
        size_t whole = last != NULL ? (size_t)(last - b.data) + 1 : 0;

        add_lines(k, b.data, whole, text);
        b.len -= whole;
        memmove(b.data, b.data + whole, b.len);
    }
    add_lines(k, b.data, b.len, text);
    if (n != 0 || !name_part(k, text))
        return false;
    k->file.st = st;
    k->file.name = "passwd";
    k->file.exists = k->in_part = true;
    return true;
}

int sp_dbfile_look_for(struct sp_host *h, const char *name, const char *text, struct sp_dbfile *ret,
                       struct sp_error *err)
{
    struct sp_dbkept *k = kept(h, name);
    char path[64];
    bool current;

    if (k == NULL || text[0] == '\0')
        return sp_dbfile_look(h, name, ret, err);
    if (path_of(name, path, err) != 0)
        return -1;
    current = is_current(h, path, k);
    if (!current)
        forget(k);
    /* group is wanted as a whole by every request: whose groups are whose. */
    if ((k->in_part && sp_streq(k->part_of, text)) ||
        ((k->in_part || !k->file.exists) && sp_streq(name, "passwd") && read_part(h, path, text, k)))
        lend(k, ret);
    else if (look_at_whole(h, name, k, current, ret, err) != 0)
        return -1;
    if (!ret->exists || ret->index != NULL)
        return 0;
    if (!sp_streq(k->part_of, text))
        gather(k, text);
    if (k->part_of[0] != '\0')
        ret->bytes = k->part;
    return 0;
}

void sp_userdb_keep(struct sp_host *h)
{
    if (h->names != NULL)
        return;
    h->names = calloc(1, sizeof(*h->names));
    if (h->names == NULL) /* then every look reads */
        return;
    h->names->passwd.file.etc = h->names->group.file.etc = -1;
}

void sp_userdb_forget(struct sp_host *h)
{
    if (h->names == NULL)
        return;
    forget(&h->names->passwd);
    forget(&h->names->group);
    free(h->names);
    h->names = NULL;
}

static bool is_written(const struct sp_dbfile *f, const struct sp_buf *bytes)
{
    return bytes->len != f->bytes.len || memcmp(bytes->data, f->bytes.data, bytes->len) != 0;
}

int sp_dbfile_stage(struct sp_host *h, const struct sp_dbfile *f, const struct sp_buf *bytes,
                    struct sp_stage *stage, struct sp_error *err)
{
    struct sp_replace how = {
        .mode = f->st.st_mode & 07777, .uid = (uid_t)-1, .gid = (gid_t)-1, .keep_acl = true};
    char backup[64];
    struct stat now;

    if (!is_written(f, bytes))
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
    how.old = &f->bytes;
    forget(kept(h, f->name)); /* an inode number may come back within one tick of its times */
    return sp_stage_add(h, stage, f->etc, f->name, bytes->data, bytes->len, &how, err);
}

int sp_dbfile_write(struct sp_host *h, const struct sp_dbfile *f, const struct sp_buf *bytes,
                    bool *ret_written, struct sp_error *err)
{
    _cleanup_(sp_stage_clear) struct sp_stage stage = {0};

    if (ret_written != NULL)
        *ret_written = false;
    if (sp_dbfile_stage(h, f, bytes, &stage, err) != 0 || sp_stage_commit(h, &stage, err) != 0)
        return -1;
    if (ret_written != NULL)
        *ret_written = is_written(f, bytes);
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
