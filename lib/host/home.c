/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/home.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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

void sp_home_keys_clear(struct sp_home_keys *k)
{
    sp_buf_clear(&k->bytes);
    *k = (struct sp_home_keys){0};
}

/* What was found, then the bytes of the file. Both ends are one program. */
static int work(struct sp_host *h, const void *data, struct sp_buf *out, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf bytes = {0};
    const struct sp_homework *w = data;
    struct sp_homework_result found = {0};
    int result = w->as_sshd         ? sp_homework_shrink(h, w, err)
                 : w->bytes != NULL ? sp_homework_write(h, w, &found, err)
                                    : sp_homework_read(h, w, &found, &bytes, err);

    sp_buf_add(out, &found, sizeof(found));
    sp_buf_add(out, bytes.data, result == 0 ? bytes.len : 0);
    return result;
}

/* *found is filled on failure too, as far as the child came. */
static int run(struct sp_host *h, const struct sp_homework *w, struct sp_homework_result *found,
               struct sp_buf *ret, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    int result = sp_asuser_run(h, w->user, work, w, sizeof(*found) + SP_AUTHORIZED_KEYS_MAX, &out, err);

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
    if (fd < 0 || sp_acl_strip(fd, err) != 0 || (h->real && sp_label_set_at(fd, home, dir, err) != 0))
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
        .user = u, .relative = relative, .bytes = len != 0 ? bytes : "", .len = len};
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
        .user = u, .relative = relative, .bytes = len != 0 ? bytes : "", .len = len, .as_sshd = true};
    struct sp_homework_result found = {0};

    return sp_sync_now(h, err) != 0 ? -1 : run(h, &w, &found, NULL, err);
}
