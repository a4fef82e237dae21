/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/layout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

const char *const sp_layout_points[] = {
    "bin", "lib", "lib64", "sbin", "usr", "etc", "dev", "proc", "tmp", "run", NULL,
};

void sp_layout_idmap(const struct sp_idmap *m, char ret[128])
{
    (void)sp_str_format(ret, 128, SP_IDMAP_DIR "/%u.%u-%u.%u", m->disk_uid, m->disk_gid, m->uid, m->gid);
}

/* The first component of an absolute path; false if there is none. */
static bool first_component(const char *path, char ret[256])
{
    size_t n;

    path += strspn(path, "/");
    n = strcspn(path, "/");
    if (n == 0 || n > 255)
        return false;
    memcpy(ret, path, n);
    ret[n] = '\0';
    return true;
}

static bool add_name(const char *name, char (*names)[256], size_t *n, size_t max)
{
    for (size_t i = 0; i < *n; i++)
        if (sp_streq(names[i], name))
            return true;
    return *n < max && sp_str_copy(names[(*n)++], 256, name) == 0;
}

size_t sp_layout_names(const char *const *paths, size_t n, char (*names)[256], size_t max)
{
    size_t count = 0;
    char name[256];

    for (size_t i = 0; sp_layout_points[i] != NULL; i++)
        add_name(sp_layout_points[i], names, &count, max);
    for (size_t i = 0; i < n; i++)
        if (first_component(paths[i], name))
            add_name(name, names, &count, max);
    return count;
}

static const char missing[] = "is missing";

/* Without openat2(2) (before 5.6, or a filter that does not know it) what is mounted there is asked. */
static int open_and_look(int root_fd, const char *name, int flags)
{
    int fd = openat(root_fd, name, flags | O_NOFOLLOW | O_CLOEXEC);
    struct statx stx;

    if (fd < 0 || (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &stx) == 0 &&
                   (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0))
        return fd;
    (void)close(fd);
    errno = EXDEV;
    return -1;
}

/* Where something is mounted the walk ends in front of it. */
static int open_unmounted(int root_fd, const char *name, int flags)
{
    const struct open_how how = {.flags = (uint64_t)(unsigned)flags | O_NOFOLLOW | O_CLOEXEC,
                                 .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS};
    long fd = syscall(SYS_openat2, root_fd, name, &how, sizeof(how));

    return fd < 0 && errno == ENOSYS ? open_and_look(root_fd, name, flags) : (int)fd;
}

int sp_layout_stat(int root_fd, const char *name, struct stat *ret)
{
    _cleanup_close_ int fd = open_unmounted(root_fd, name, O_PATH);

    return fd < 0 ? -1 : fstat(fd, ret);
}

/* What the host has mounted there is not ours to cover. */
const char *sp_layout_unfit(int root_fd, const char *name)
{
    _cleanup_closedir_ DIR *dir = NULL;
    struct dirent *entry;
    int fd = open_unmounted(root_fd, name, O_RDONLY | O_DIRECTORY | O_NONBLOCK);

    if (fd < 0)
        return errno == ENOENT                      ? missing
               : errno == ENOTDIR || errno == ELOOP ? "is not a directory"
               : errno == EXDEV                     ? "is a mount point of the host"
                                                    : "cannot be read";
    dir = fdopendir(fd); /* owns fd from here */
    if (dir == NULL) {
        (void)close(fd);
        return "cannot be read";
    }
    for (errno = 0; (entry = readdir(dir)) != NULL; errno = 0)
        if (!sp_streq(entry->d_name, ".") && !sp_streq(entry->d_name, ".."))
            return "has content of its own";
    return errno == 0 ? NULL : "cannot be read";
}

/* Where one point has something of the site's, the others were not made at all: what stands there is the
 * reason, what is only missing follows from it. */
enum sp_layout sp_layout_probe(int root_fd, const char *const *paths, size_t n, char ret_why[300])
{
    char names[128][256];
    size_t count = sp_layout_names(paths, n, names, SP_COUNT(names));

    ret_why[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        const char *why = sp_layout_unfit(root_fd, names[i]);
        if (why == NULL || (why == missing && ret_why[0] != '\0'))
            continue;
        (void)sp_str_format(ret_why, 300, "%s %s", names[i], why);
        if (why != missing)
            break;
    }
    return ret_why[0] == '\0' ? SP_LAYOUT_ROOT : SP_LAYOUT_PATH;
}
