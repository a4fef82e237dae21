/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/bulk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/replace.h"

static int temp_of(const char *name, char out[96])
{
    return sp_str_format(out, 96, "%s" SP_REPLACE_SUFFIX, name);
}

void sp_bulk_clear(struct sp_bulk *b)
{
    char temp[96];

    for (size_t i = 0; i < b->n; i++)
        if (b->names[i][0] != '\0' && temp_of(b->names[i], temp) == 0)
            (void)unlinkat(b->dirfd, temp, 0);
    if (b->dirfd >= 0)
        (void)close(b->dirfd);
    *b = (struct sp_bulk){.dirfd = -1};
}

int sp_bulk_open(struct sp_host *h, const char *dir, struct sp_bulk *ret, struct sp_error *err)
{
    *ret = (struct sp_bulk){.dirfd = -1};
    /* For reading: syncfs(2) takes no O_PATH. */
    ret->dirfd = sp_fsat_open(h->root_fd, dir, O_RDONLY | O_DIRECTORY, 0, SP_FSAT_NONE, err);
    return ret->dirfd < 0 ? -1 : 0;
}

int sp_bulk_add(struct sp_bulk *b, const char *name, const void *bytes, size_t len, struct sp_error *err)
{
    _cleanup_close_ int fd = -1;
    char temp[96];

    if (b->n == SP_BULK_MAX || sp_str_copy(b->names[b->n], sizeof(b->names[0]), name) < 0 ||
        temp_of(name, temp) < 0)
        return sp_fail(err, SP_E_INTERNAL, 0, "too many files, or too long a name");
    (void)unlinkat(b->dirfd, temp, 0);
    fd = openat(b->dirfd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return sp_fail(err, SP_E_IO, errno, "%s", temp);
    if (fchmod(fd, 0600) < 0 || sp_write_all(fd, bytes, len) < 0 || close(sp_steal_fd(&fd)) < 0) {
        sp_fail(err, SP_E_IO, errno, "%s", temp);
        (void)unlinkat(b->dirfd, temp, 0); /* the others' commit must not give it its name */
        return -1;
    }
    b->n++;
    return 0;
}

int sp_bulk_commit(struct sp_bulk *b, struct sp_error *err)
{
    char temp[96];

    if (b->n > 0 && syncfs(b->dirfd) < 0)
        return sp_fail(err, SP_E_IO, errno, "syncfs");
    for (size_t i = 0; i < b->n; i++) {
        (void)temp_of(b->names[i], temp);
        if (renameat2(b->dirfd, temp, b->dirfd, b->names[i], RENAME_NOREPLACE) < 0)
            return sp_fail(err, errno == EEXIST ? SP_E_CONFLICT : SP_E_IO, errno, "%s", b->names[i]);
        b->names[i][0] = '\0';
    }
    b->n = 0;
    return fsync(b->dirfd) == 0 ? 0 : sp_fail(err, SP_E_IO, errno, "fsync");
}
