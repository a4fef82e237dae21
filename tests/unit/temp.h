/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A temporary directory as the root of a struct sp_host, with the real operations but no change of owner:
 * unit tests run as anybody. */
#ifndef SP_TESTS_TEMP_H
#define SP_TESTS_TEMP_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "host/fsat.h"
#include "host/host.h"

struct temp_host {
    char dir[64];
    struct sp_host h;
    struct sp_host_ops ops;
    uid_t uid; /* what the last chown asked for */
    gid_t gid;
    int n_chowns;
};

static int temp_chown(struct sp_host *h, int fd, uid_t uid, gid_t gid)
{
    struct temp_host *t = h->ops_data;

    (void)fd;
    t->uid = uid;
    t->gid = gid;
    t->n_chowns++;
    return 0;
}

__attribute__((unused)) static int temp_open(void **state)
{
    struct temp_host *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return -1;
    (void)snprintf(t->dir, sizeof(t->dir), "/tmp/sallyport-unit-XXXXXX");
    if (mkdtemp(t->dir) == NULL)
        return -1;
    t->ops = sp_host_real_ops;
    t->ops.chown = temp_chown;
    t->h = (struct sp_host){
        .root_fd = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), .ops = &t->ops, .ops_data = t};
    *state = t;
    return t->h.root_fd >= 0 ? 0 : -1;
}

__attribute__((unused)) static int temp_close(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;
    int fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = sp_fsat_remove_tree(fd, t->dir + 5, &err);

    (void)close(fd);
    sp_host_close(&t->h);
    free(t);
    return r;
}

/* Write a file of the tree, as a test's fixture. */
__attribute__((unused)) static void temp_put(struct temp_host *t, const char *path, const char *text,
                                             mode_t mode)
{
    int fd = openat(t->h.root_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

    if (fd < 0 || sp_write_all(fd, text, strlen(text)) != 0 || fchmod(fd, mode) != 0)
        abort();
    (void)close(fd);
}

/* A directory, with those above it. */
__attribute__((unused)) static void temp_make_dir(struct temp_host *t, const char *path)
{
    struct sp_error err;
    int fd = sp_fsat_make_dirs(t->h.root_fd, path, 0755, &err);

    if (fd < 0)
        abort();
    (void)close(fd);
}

/* A file whose directory may be missing, too. */
__attribute__((unused)) static void temp_put_deep(struct temp_host *t, const char *path, const char *text)
{
    char dir[128];

    (void)snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path), path);
    temp_make_dir(t, dir);
    temp_put(t, path, text, 0644);
}

/* Its content; the caller clears b. */
__attribute__((unused)) static const char *temp_get(struct temp_host *t, const char *path, struct sp_buf *b)
{
    struct sp_error err;

    sp_buf_clear(b);
    return sp_fsat_read(t->h.root_fd, path, 1U << 24, b, NULL, &err) == 0 ? sp_buf_str(b) : NULL;
}

__attribute__((unused)) static mode_t temp_mode(struct temp_host *t, const char *path)
{
    struct stat st;

    return fstatat(t->h.root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_mode & 07777 : 0;
}

#endif
