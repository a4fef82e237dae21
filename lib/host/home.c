/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/home.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/acl.h"
#include "host/asuser.h"
#include "host/fsat.h"
#include "host/homework.h"
#include "host/label.h"
#include "host/replace.h"

/* A sync waits for all that its file system has to write. */
#define SETTLE_MS 60000

void sp_home_keys_clear(struct sp_home_keys *k)
{
    sp_buf_clear(&k->bytes);
    *k = (struct sp_home_keys){0};
}

/* A homework on its way to the child: the bytes to be written follow. */
struct parcel {
    char relative[256];
    enum sp_homework_what what;
    size_t len;
};

static int do_it(struct sp_host *h, const struct sp_homework *w, struct sp_homework_result *found,
                 struct sp_buf *bytes, struct sp_error *err)
{
    switch (w->what) {
    case SP_HOMEWORK_READ:
        return sp_homework_read(h, w, found, bytes, err);
    case SP_HOMEWORK_WRITE:
        return sp_homework_write(h, w, found, err);
    case SP_HOMEWORK_SHRINK:
        return sp_homework_shrink(h, w, err);
    case SP_HOMEWORK_NARROW:
        return sp_homework_narrow(h, w, found, err);
    case SP_HOMEWORK_SETTLE:
        return sp_homework_settle(h, w, err);
    }
    return sp_fail(err, SP_E_INTERNAL, 0, "no such homework");
}

/* What was found, then the bytes of the file. Both ends are one program. */
static int work(struct sp_host *h, const struct sp_user *u, const void *data, struct sp_buf *out,
                struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf bytes = {0};
    struct sp_homework_result found = {0};
    struct parcel p;
    int result;

    memcpy(&p, data, sizeof(p));
    result = do_it(h,
                   &(struct sp_homework){.user = u,
                                         .relative = p.relative,
                                         .what = p.what,
                                         .bytes = (const char *)data + sizeof(p),
                                         .len = p.len},
                   &found, &bytes, err);
    sp_buf_add(out, &found, sizeof(found));
    sp_buf_add(out, bytes.data, result == 0 ? bytes.len : 0);
    return result;
}

static int pack(const struct sp_homework *w, struct sp_buf *out, struct sp_error *err)
{
    struct parcel p = {.what = w->what, .len = w->len};

    if (sp_str_copy(p.relative, sizeof(p.relative), w->relative) != 0)
        return sp_fail(err, SP_E_INVALID, 0, "%s is too long", w->relative);
    sp_buf_add(out, &p, sizeof(p));
    sp_buf_add(out, w->bytes, w->len);
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for a file");
}

/* *found is filled on failure too, as far as the child came. */
static int run(struct sp_host *h, const struct sp_homework *w, struct sp_homework_result *found,
               struct sp_buf *ret, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf out = {0}, parcel = {0};
    struct sp_asuser a = {.user = w->user,
                          .work = work,
                          .max = sizeof(*found) + SP_AUTHORIZED_KEYS_MAX,
                          .deadline_ms = w->what == SP_HOMEWORK_SETTLE ? SETTLE_MS : 0};
    int result;

    /* A child that stays will write, whatever its first work is. */
    if (h->real && (w->what != SP_HOMEWORK_READ || h->users != NULL) && sp_label_open(&h->labels, err) != 0)
        return -1;
    if (pack(w, &parcel, err) != 0)
        return -1;
    a.data = parcel.data;
    a.len = parcel.len;
    result = sp_asuser_run(h, &a, &out, err);
    if (out.len >= sizeof(*found))
        memcpy(found, out.data, sizeof(*found));
    if (result != 0)
        return -1;
    if (ret != NULL)
        sp_buf_add(ret, out.data + sizeof(*found), out.len - sizeof(*found));
    return ret == NULL || sp_buf_ok(ret) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for a file");
}

int sp_home_read(struct sp_host *h, const struct sp_user *u, const char *relative, struct sp_home_keys *ret,
                 struct sp_error *err)
{
    const struct sp_homework w = {.user = u, .relative = relative};
    struct sp_homework_result found = {0};

    if (run(h, &w, &found, &ret->bytes, err) != 0)
        return -1;
    ret->exists = found.exists;
    ret->mode = found.mode;
    ret->wide = found.wide;
    ret->refused = found.refused;
    return 0;
}

/* A new directory in a home where root alone can write: made under another name and given away before it
 * gets its own, so that a crash leaves no directory that the user cannot enter. */
static int give_dir(struct sp_host *h, int home, const char *dir, const struct sp_user *u,
                    struct sp_error *err)
{
    _cleanup_close_ int fd = -1;
    char temp[256 + sizeof(".sallyport")];

    if (sp_str_format(temp, sizeof(temp), "%s.sallyport", dir) != 0)
        return sp_fail(err, SP_E_INVALID, 0, "the name %s is too long", dir);
    (void)unlinkat(home, temp, AT_REMOVEDIR);
    if (mkdirat(home, temp, 0700) != 0)
        return sp_fail(err, SP_E_IO, errno, "cannot make %s in %s", dir, u->home);
    fd = sp_fsat_open_dir(home, temp, SP_FSAT_NO_XDEV, err);
    if (fd < 0 || sp_acl_strip(fd, err) != 0 ||
        (h->real && sp_label_set_at(&h->labels, fd, home, dir, err) != 0))
        return -1;
    if (fchmod(fd, 0700) != 0 || h->ops->chown(h, fd, u->uid, u->gid) != 0 || fsync(fd) != 0 ||
        renameat2(home, temp, home, dir, RENAME_NOREPLACE) != 0 || fsync(home) != 0) {
        int saved = errno;
        (void)unlinkat(home, temp, AT_REMOVEDIR);
        return sp_fail(err, SP_E_IO, saved, "cannot make %s in %s", dir, u->home);
    }
    return 0;
}

/* The child found the home to be root's alone; the check is made again on the descriptor that is used. */
static int make_dir_as_root(struct sp_host *h, const struct sp_user *u, const char *relative,
                            struct sp_error *err)
{
    _cleanup_close_ int home = sp_fsat_open_dir(h->root_fd, u->home, SP_FSAT_NONE, err);
    const char *name;
    char dir[256];
    struct stat st;

    if (home < 0 || sp_homework_dir(relative, dir, &name, err) != 0)
        return -1;
    if (fstat(home, &st) != 0)
        return sp_fail(err, SP_E_IO, errno, "fstat of %s failed", u->home);
    if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0 || dir[0] == '\0' ||
        strchr(dir, '/') != NULL)
        return sp_fail(err, SP_E_UNSAFE_PATH, 0, "%s changed while it was looked at", u->home);
    return give_dir(h, home, dir, u, err);
}

static int too_long(struct sp_error *err)
{
    (void)sp_fail(err, SP_E_INVALID, 0, "authorized_keys would have more than %u bytes",
                  SP_AUTHORIZED_KEYS_MAX);
    return sp_hint(err, "remove keys that nobody uses");
}

int sp_home_write(struct sp_host *h, const struct sp_user *u, const char *relative, const void *bytes,
                  size_t len, struct sp_error *err)
{
    const struct sp_homework w = {
        .user = u, .relative = relative, .what = SP_HOMEWORK_WRITE, .bytes = bytes, .len = len};
    struct sp_homework_result found = {0};

    if (len > SP_AUTHORIZED_KEYS_MAX)
        return too_long(err);
    /* The child knows nothing of what was put off: a new key is not durable before what was narrowed. */
    if (sp_sync_now(h, err) != 0)
        return -1;
    if (run(h, &w, &found, NULL, err) == 0)
        return 0;
    if (!found.needs_root || make_dir_as_root(h, u, relative, err) != 0)
        return -1;
    return run(h, &w, &found, NULL, err);
}

int sp_home_shrink(struct sp_host *h, const struct sp_user *u, const char *relative, const void *bytes,
                   size_t len, struct sp_error *err)
{
    const struct sp_homework w = {
        .user = u, .relative = relative, .what = SP_HOMEWORK_SHRINK, .bytes = bytes, .len = len};
    struct sp_homework_result found = {0};

    return sp_sync_now(h, err) != 0 ? -1 : run(h, &w, &found, NULL, err);
}

/* --- what is narrowed by the thousand --- */

/* One file system of homes with something that is not durable yet. */
struct unsettled {
    dev_t dev;
    struct sp_user user; /* somebody who lives there */
};

struct sp_home_later {
    struct unsettled *v;
    size_t n;
};

static int put_off(struct sp_home_later *l, const struct sp_user *u, dev_t dev, struct sp_error *err)
{
    struct unsettled *grown;

    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].dev == dev)
            return 0;
    grown = reallocarray(l->v, l->n + 1, sizeof(*grown));
    if (grown == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    l->v = grown;
    l->v[l->n++] = (struct unsettled){dev, *u};
    return 0;
}

int sp_home_narrow(struct sp_host *h, const struct sp_user *u, const char *relative, bool *ret_done,
                   struct sp_error *err)
{
    const struct sp_homework w = {.user = u, .relative = relative, .what = SP_HOMEWORK_NARROW};
    struct sp_homework_result found = {0};

    *ret_done = false;
    if (h->homes == NULL) /* nobody would settle it */
        return 0;
    if (run(h, &w, &found, NULL, err) != 0)
        return -1;
    *ret_done = !found.needs_rewrite;
    return found.needs_rewrite ? 0 : put_off(h->homes, u, found.dev, err);
}

void sp_home_keep(struct sp_host *h)
{
    sp_asuser_keep(h);
    sp_asuser_take_turns(h);
    if (h->homes == NULL)
        h->homes = calloc(1, sizeof(*h->homes));
}

int sp_home_settle(struct sp_host *h, struct sp_error *err)
{
    struct sp_error one;
    int rc = 0;

    for (size_t i = 0; h->homes != NULL && i < h->homes->n; i++) {
        const struct sp_homework w = {
            .user = &h->homes->v[i].user, .relative = "", .what = SP_HOMEWORK_SETTLE};
        struct sp_homework_result found = {0};

        if (run(h, &w, &found, NULL, &one) == 0)
            continue;
        rc = -1;
        *err = one;
    }
    if (h->homes != NULL)
        h->homes->n = 0;
    return rc;
}

void sp_home_forget(struct sp_host *h)
{
    sp_asuser_forget(h);
    if (h->homes == NULL)
        return;
    free(h->homes->v);
    free(h->homes);
    h->homes = NULL;
}
