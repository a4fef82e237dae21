/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The store's directories, and the files in the one that all may pass through, as they must be: who can
 * write in one makes records of his own, and who can write to the firewall's policy opens the port. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/store.h"
#include "host/fsat.h"

static const struct {
    const char *path;
    mode_t mode;
} dirs[] = {
    {SP_STORE, 0711},           {SP_STORE "/domains", 0700}, {SP_STORE "/entry", 0711},
    {SP_STORE "/names", 0711},  {SP_STORE "/keys", 0711},    {SP_STORE "/gen", 0755},
    {SP_STORE "/sets", 0755},   {SP_STORE "/access", 0700},  {SP_STORE "/principals", 0711},
    {SP_STORE "/global", 0711}, {SP_STORE "/ca", 0700},      {SP_STORE "/logins", 0711},
    {SP_STORE "/state", 0700}, /* made last: then the others are there */
};

static const char *const files[] = {
    SP_STORE "/firewall.json",   SP_STORE "/firewall.json-", SP_STORE "/firewall.pending",
    SP_STORE "/firewall.opened", SP_STORE "/firewall.seen",  SP_STORE "/reconcile.seen",
    SP_STORE "/sshd.proofs",
};

/* Those that only some requests want are made by them. */
static bool is_basic(size_t i)
{
    return i < 7 || i == SP_COUNT(dirs) - 1;
}

int sp_store_prepare(struct sp_host *h, struct sp_error *err)
{
    if (sp_fsat_exists(h->root_fd, dirs[SP_COUNT(dirs) - 1].path))
        return 0;
    for (size_t i = 0; i < SP_COUNT(dirs); i++) {
        _cleanup_close_ int fd = -1;
        if (!is_basic(i) || sp_fsat_exists(h->root_fd, dirs[i].path))
            continue;
        fd = sp_fsat_make_dirs(h->root_fd, dirs[i].path, dirs[i].mode, err);
        if (fd < 0)
            return -1;
    }
    return 0;
}

static int set_rights(struct sp_host *h, int fd, const char *path, mode_t mode, enum sp_store_mend how,
                      int *ret_n, struct sp_error *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return sp_fail(err, SP_E_IO, errno, "%s", path);
    if (!h->real || (st.st_uid == 0 && (st.st_mode & 07777) == mode))
        return 0;
    ++*ret_n;
    if (how == SP_STORE_MEND && (h->ops->chown(h, fd, 0, 0) != 0 || fchmod(fd, mode) < 0))
        return sp_fail(err, SP_E_IO, errno, "%s", path);
    return 0;
}

static int mend_file(struct sp_host *h, const char *path, enum sp_store_mend how, int *ret_n,
                     struct sp_error *err)
{
    _cleanup_close_ int fd =
        sp_fsat_open(h->root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, SP_FSAT_NONE, err);

    if (fd < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    return set_rights(h, fd, path, 0600, how, ret_n, err);
}

static int mend(struct sp_host *h, size_t i, enum sp_store_mend how, int *ret_n, struct sp_error *err)
{
    _cleanup_close_ int fd = sp_fsat_open_dir(h->root_fd, dirs[i].path, SP_FSAT_NONE, err);

    if (fd < 0 && err->code == SP_E_NOT_FOUND) {
        if (!is_basic(i))
            return 0;
        ++*ret_n;
        if (how == SP_STORE_LOOK)
            return 0;
        fd = sp_fsat_make_dirs(h->root_fd, dirs[i].path, dirs[i].mode, err);
        return fd < 0 ? -1 : 0;
    }
    return fd < 0 ? -1 : set_rights(h, fd, dirs[i].path, dirs[i].mode, how, ret_n, err);
}

int sp_store_mend_rights(struct sp_host *h, enum sp_store_mend how, int *ret_n, struct sp_error *err)
{
    *ret_n = 0;
    if (sp_fsat_is_missing(h->root_fd, dirs[SP_COUNT(dirs) - 1].path)) /* nothing was ever asked for */
        return 0;
    for (size_t i = 0; i < SP_COUNT(dirs); i++)
        if (mend(h, i, how, ret_n, err) < 0)
            return -1;
    for (size_t i = 0; i < SP_COUNT(files); i++)
        if (mend_file(h, files[i], how, ret_n, err) < 0)
            return -1;
    return 0;
}
