/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/genbuild.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/gencopy.h"
#include "host/prove.h"
#include "host/shown.h"

enum { MAX_OLD = 6 };

/* passwd and group are there to be mounted upon. */
static const struct {
    const char *path, *text;
} own_files[] = {
    {"etc/passwd", ""},
    {"etc/group", ""},
    {"etc/nsswitch.conf",
     "# Made by sallyport: a jail knows the names of its own files only.\n"
     "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n"
     "protocols: files\nservices: files\nethers: files\nrpc: files\n"},
};
_Static_assert(SP_COUNT(own_files) == SP_GENBUILD_OWN_FILES, "the header counts them");

/* Mounted on /bin, /lib, ... by the entry program, so they are in every generation. */
static const char *const always[] = {"usr", "usr/bin", "usr/lib", "usr/lib64", "usr/sbin", "etc"};

struct build {
    struct sp_host *h;
    const struct sp_genstore *s;
    struct sp_manifest *m;
    int fd; /* the stage */
    struct sp_error *err;
};

struct olds {
    struct sp_gencopy_old at[MAX_OLD];
    struct sp_manifest manifests[MAX_OLD];
    size_t n;
};

static void olds_clear(struct olds *o)
{
    for (size_t i = 0; i < o->n; i++) {
        sp_cleanup_close(&o->at[i].fd);
        sp_manifest_clear(&o->manifests[i]);
    }
}

/* The generations of other sets serve as well as the one before: all are copies of the same host. */
static void load_olds(const struct sp_genstore *s, struct olds *o)
{
    char hashes[MAX_OLD][65];
    size_t n = sp_genstore_list(s, hashes, MAX_OLD);
    struct sp_error ignored;

    for (size_t i = 0; i < n; i++) {
        o->at[o->n].fd = sp_genstore_load(s, hashes[i], &o->manifests[o->n], &ignored);
        o->at[o->n].manifest = &o->manifests[o->n];
        if (o->at[o->n].fd >= 0 && sp_manifest_index(&o->manifests[o->n], &ignored) == 0)
            o->n++;
    }
}

static int put_file(struct build *b, const char *path, const void *bytes, size_t len, mode_t mode)
{
    _cleanup_close_ int fd =
        openat(b->fd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0 || sp_write_all(fd, bytes, len) < 0 || fchmod(fd, mode) < 0 ||
        b->h->ops->chown(b->h, fd, 0, 0) < 0)
        return sp_fail(b->err, SP_E_IO, errno, "writing /%s of a generation", path);
    return 0;
}

static int put_own(struct build *b)
{
    for (size_t i = 0; i < SP_COUNT(always); i++) {
        /* A link is as good: some hosts have sbin -> bin. */
        if (mkdirat(b->fd, always[i], 0755) == 0 ? fchmodat(b->fd, always[i], 0755, 0) < 0
                                                 : errno != EEXIST)
            return sp_fail(b->err, SP_E_IO, errno, "making /%s of a generation", always[i]);
    }
    for (size_t i = 0; i < SP_COUNT(own_files); i++)
        if (put_file(b, own_files[i].path, own_files[i].text, strlen(own_files[i].text), 0644) < 0)
            return -1;
    /* Programs of old look here for what is mounted. */
    if (symlinkat("../proc/self/mounts", b->fd, "etc/mtab") < 0)
        return sp_fail(b->err, SP_E_IO, errno, "making /etc/mtab of a generation");
    return 0;
}

int sp_genbuild_shown(const struct sp_profile *const *profiles, size_t n, struct sp_shown *ret,
                      struct sp_error *err)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < profiles[i]->n_items; k++) {
            const struct sp_profile_item *from = &profiles[i]->items[k];
            struct sp_shown_item item = {.optional = from->optional};

            if (from->kind != SP_PROFILE_MOUNT && from->kind != SP_PROFILE_SOCKET)
                continue;
            item.kind = from->denied                      ? SP_SHOWN_DENIED
                        : from->kind == SP_PROFILE_SOCKET ? SP_SHOWN_SOCKET
                                                          : SP_SHOWN_TREE;
            if (sp_str_copy(item.path, sizeof(item.path), from->value) < 0)
                return sp_fail(err, SP_E_INVALID, 0, "%.200s... is too long", from->value);
            if (sp_shown_add(ret, &item, err) < 0)
                return -1;
        }
    return 0;
}

/* As the entry program looks: the tree itself, or the socket's directory, without a link on the way. */
const char *sp_genbuild_lacks(struct sp_host *h, const struct sp_shown_item *item)
{
    struct sp_error why;
    char dir[SP_RECORD_PATH];
    struct stat st;
    _cleanup_close_ int fd = -1;

    if (item->kind == SP_SHOWN_DENIED)
        return NULL;
    sp_shown_dir(item, dir);
    fd = sp_fsat_open(h->root_fd, dir, O_PATH, 0, SP_FSAT_NONE, &why);
    if (fd < 0 && why.code == SP_E_UNSAFE_PATH)
        return "a link is in the way: name the place that it leads to";
    if (h->real && fd >= 0 && item->kind == SP_SHOWN_SOCKET && fstat(fd, &st) == 0 && st.st_uid == 0)
        return "its directory is root's, and a server of root's does what its callers say, as root";
    if (item->optional ||
        (fd >= 0 && (item->kind != SP_SHOWN_SOCKET ||
                     fstatat(fd, strrchr(item->path, '/') + 1, &st, AT_SYMLINK_NOFOLLOW) == 0)))
        return NULL;
    return "this host has none at the moment";
}

/* The nonce makes the name new even where nothing else is: who holds an old name never meets a new tree. */
static int make_nonce(struct build *b)
{
    unsigned char random[16];

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return sp_fail(b->err, SP_E_IO, errno, "getrandom");
    for (size_t i = 0; i < sizeof(random); i++)
        (void)sp_str_format(b->m->nonce + 2 * i, 3, "%02x", random[i]);
    return 0;
}

static int put_manifest(struct build *b, char ret_hash[65])
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};

    if (make_nonce(b) < 0)
        return -1;
    sp_manifest_write(b->m, &text);
    if (!sp_buf_ok(&text))
        return sp_fail(b->err, SP_E_NO_MEMORY, 0, "out of memory");
    sp_manifest_digest(sp_buf_str(&text), text.len, ret_hash);
    return put_file(b, "manifest", sp_buf_str(&text), text.len, 0600);
}

/* What the entry program mounts beside it. Everybody may read it: every login does. */
static int put_shown(struct build *b, const struct sp_shown *shown)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};

    if (sp_shown_format(shown, &text, b->err) < 0)
        return -1;
    return put_file(b, SP_SHOWN_FILE, sp_buf_str(&text), text.len, 0644);
}

static int fill(struct build *b)
{
    _cleanup_(olds_clear) struct olds olds = {0};
    struct sp_gencopy done;

    load_olds(b->s, &olds);
    return sp_gencopy_fill(b->h, b->fd, b->m, olds.at, olds.n, &done, b->err);
}

static int make_stage(struct build *b)
{
    if (sp_fsat_remove_tree(b->s->gens, SP_GENBUILD_STAGE, b->err) < 0)
        return -1;
    b->fd = sp_fsat_make_dirs(b->s->gens, SP_GENBUILD_STAGE, 0755, b->err);
    if (b->fd < 0)
        return -1;
    return b->h->ops->chown(b->h, b->fd, 0, 0) == 0
               ? 0
               : sp_fail(b->err, SP_E_IO, errno, "giving a generation to root");
}

static int run(struct build *b, const char *set, const struct sp_profile *const *profiles, size_t n,
               char ret_hash[65])
{
    _cleanup_(sp_shown_clear) struct sp_shown shown = {0};
    char hash[65];

    if (sp_genbuild_shown(profiles, n, &shown, b->err) < 0)
        return -1;
    if (make_stage(b) < 0 || fill(b) < 0 || put_own(b) < 0 || put_shown(b, &shown) < 0 ||
        put_manifest(b, hash) < 0)
        return -1;
    /* A directory of the tests has no root to change into. */
    if (b->h->real && sp_prove_run(SP_GENBUILD_STAGE, profiles, n, &shown, b->err) < 0)
        return -1;
    /* One syncfs(2) for thousands of files; then the names, each after what it names. */
    if (syncfs(b->fd) < 0 || renameat(b->s->gens, SP_GENBUILD_STAGE, b->s->gens, hash) < 0 ||
        fsync(b->s->gens) < 0)
        return sp_fail(b->err, SP_E_IO, errno, "storing a generation");
    if (sp_genstore_point(b->h, b->s, set, hash, b->err) < 0)
        return -1;
    memcpy(ret_hash, hash, sizeof(hash));
    return 0;
}

int sp_genbuild_run(struct sp_host *h, const struct sp_genstore *s, const char *set,
                    const struct sp_profile *const *profiles, size_t n, struct sp_manifest *m,
                    char ret_hash[65], struct sp_error *err)
{
    struct build b = {.h = h, .s = s, .m = m, .fd = -1, .err = err};
    struct sp_error ignored;
    int r = run(&b, set, profiles, n, ret_hash);

    sp_cleanup_close(&b.fd);
    if (r < 0)
        (void)sp_fsat_remove_tree(s->gens, SP_GENBUILD_STAGE, &ignored);
    return r;
}
