/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/genusers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/proctable.h"

#define MARK "/gen/"

enum { HASH = 64, MOUNTINFO_MAX = 64 << 20 };

struct scan {
    int proc;
    struct sp_buf seen; /* inodes of the mount namespaces that were read, ino_t each */
    struct sp_genusers *users;
};

void sp_genusers_clear(struct sp_genusers *u)
{
    sp_buf_clear(&u->hashes);
    u->loaded = false;
}

bool sp_genusers_has(const struct sp_genusers *u, const char *hash)
{
    const char *at = sp_buf_str(&u->hashes);

    for (size_t i = 0; i + HASH <= u->hashes.len; i += HASH)
        if (memcmp(at + i, hash, HASH) == 0)
            return true;
    return false;
}

/* proc_pid_mountinfo(5): the fourth field is the part of its filesystem that is mounted, so a bind of
 * gen/HASH/usr shows as ".../gen/HASH/usr" whatever the store lies on. */
static void take_mounts(struct sp_genusers *u, const char *text)
{
    for (const char *at = text; (at = strstr(at, MARK)) != NULL;) {
        char hash[HASH + 1] = "";

        at += sizeof(MARK) - 1;
        if (strspn(at, "0123456789abcdef") != HASH)
            continue;
        memcpy(hash, at, HASH);
        if (!sp_genusers_has(u, hash))
            sp_buf_add(&u->hashes, hash, HASH);
    }
}

static bool is_new(struct scan *s, const struct stat *ns)
{
    for (size_t i = 0; i + sizeof(ns->st_ino) <= s->seen.len; i += sizeof(ns->st_ino))
        if (memcmp(s->seen.data + i, &ns->st_ino, sizeof(ns->st_ino)) == 0)
            return false;
    sp_buf_add(&s->seen, &ns->st_ino, sizeof(ns->st_ino));
    return true;
}

/* What it has mounted may be in use by nobody else. */
static int unseen(const char *pid, int os_errno, struct sp_error *err)
{
    return sp_fail(err, SP_E_IO, os_errno, "cannot look at the mounts of process %s", pid);
}

/* A process may end at any moment; then its namespace is another's to show, or gone. */
static int take_process(struct scan *s, const char *pid, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    _cleanup_close_ int fd = -1;
    struct sp_error gone;
    char path[64];
    struct stat ns;

    if (sp_str_format(path, sizeof(path), "%s/ns/mnt", pid) < 0)
        return 0;
    if (fstatat(s->proc, path, &ns, 0) < 0)
        return sp_proctable_is_blind(errno) ? unseen(pid, errno, err) : 0;
    if (!is_new(s, &ns))
        return 0;
    if (sp_str_format(path, sizeof(path), "%s/mountinfo", pid) < 0)
        return 0;
    fd = openat(s->proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && sp_proctable_is_blind(errno))
        return unseen(pid, errno, err);
    if (fd < 0 || sp_buf_read_fd(&text, fd, MOUNTINFO_MAX, 0, &gone) < 0) {
        /* The next process of that namespace is asked instead. */
        s->seen.len -= sizeof(ns.st_ino);
        return 0;
    }
    take_mounts(s->users, sp_buf_str(&text));
    return sp_buf_ok(&s->seen) && sp_buf_ok(&s->users->hashes)
               ? 0
               : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

static void scan_clear(struct scan *s)
{
    sp_buf_clear(&s->seen);
}

int sp_genusers_load(struct sp_genusers *u, struct sp_error *err)
{
    _cleanup_closedir_ DIR *d = u->loaded ? NULL : opendir("/proc");
    _cleanup_(scan_clear) struct scan s = {.users = u};
    const struct dirent *e;
    int rc;

    if (u->loaded)
        return 0;
    if (d == NULL)
        return sp_fail(err, SP_E_IO, errno, "reading /proc");
    s.proc = dirfd(d);
    while ((rc = sp_fsat_next(d, "/proc", &e, err)) > 0)
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && take_process(&s, e->d_name, err) < 0)
            return -1;
    if (rc < 0)
        return -1;
    u->loaded = true;
    return 0;
}
