/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "host/label.h"
#include "host/spawn.h"

static int real_chown(struct sp_host *h, int fd, uid_t uid, gid_t gid)
{
    (void)h;
    return fchown(fd, uid, gid);
}

static int64_t real_now(struct sp_host *h)
{
    (void)h;
    return (int64_t)time(NULL);
}

const struct sp_host_ops sp_host_real_ops = {
    .chown = real_chown,
    .spawn = sp_spawn_real,
    .now = real_now,
};

int sp_host_open(struct sp_host *ret, struct sp_error *err)
{
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return sp_fail(err, SP_E_IO, errno, "cannot open /");
    *ret = (struct sp_host){.root_fd = fd, .real = true, .ops = &sp_host_real_ops};
    return 0;
}

void sp_host_close(struct sp_host *h)
{
    sp_cleanup_close(&h->root_fd);
    h->root_fd = -1;
    sp_label_close(&h->labels);
    if (h->left_fd > 0)
        (void)close(h->left_fd);
    h->left_fd = 0;
}
