/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/label.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

#define ATTRIBUTE "security.selinux"

/* selabel_open(3), selabel_lookup(3): SELABEL_CTX_FILE is 0. */
#define FILE_CONTEXTS 0

struct sp_labels {
    void *dl;
    void *contexts;
    void *(*open)(unsigned backend, const void *options, unsigned n);
    void (*close)(void *contexts);
    int (*lookup)(void *contexts, char **ret, const char *path, int mode);
    int (*set)(int fd, const char *context);
    void (*free)(char *context);
};

bool sp_label_on(void)
{
    /* Where nobody can look, what comes next fails: a file without its label would be one that no sshd
     * reads.
     */
    return access("/sys/fs/selinux/enforce", F_OK) == 0 || errno == ENOMEM || errno == EIO;
}

void sp_label_close(struct sp_labels **l)
{
    if (*l == NULL)
        return;
    if ((*l)->contexts != NULL)
        (*l)->close((*l)->contexts);
    if ((*l)->dl != NULL)
        (void)dlclose((*l)->dl);
    free(*l);
    *l = NULL;
}

static int load(struct sp_labels *l, struct sp_error *err)
{
    l->dl = dlopen("libselinux.so.1", RTLD_NOW | RTLD_LOCAL);
    if (l->dl == NULL)
        return sp_fail(err, SP_E_UNSUPPORTED, 0, "SELinux is on, but libselinux.so.1 cannot be loaded");
    l->open = (void *(*)(unsigned, const void *, unsigned))dlsym(l->dl, "selabel_open");
    l->close = (void (*)(void *))dlsym(l->dl, "selabel_close");
    l->lookup = (int (*)(void *, char **, const char *, int))dlsym(l->dl, "selabel_lookup_raw");
    l->set = (int (*)(int, const char *))dlsym(l->dl, "fsetfilecon_raw");
    l->free = (void (*)(char *))dlsym(l->dl, "freecon");
    if (l->open == NULL || l->close == NULL || l->lookup == NULL || l->set == NULL || l->free == NULL)
        return sp_fail(err, SP_E_UNSUPPORTED, 0, "libselinux.so.1 lacks a function");
    l->contexts = l->open(FILE_CONTEXTS, NULL, 0);
    if (l->contexts == NULL)
        return sp_fail(err, SP_E_UNSUPPORTED, errno, "cannot read the policy's file contexts");
    return 0;
}

int sp_label_open(struct sp_labels **l, struct sp_error *err)
{
    struct sp_labels *loaded;

    if (*l != NULL || !sp_label_on())
        return 0;
    loaded = calloc(1, sizeof(*loaded));
    if (loaded == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for the policy's file contexts");
    if (load(loaded, err) < 0) {
        sp_label_close(&loaded);
        return -1;
    }
    *l = loaded;
    return 0;
}

int sp_label_set(struct sp_labels **l, int fd, const char *path, struct sp_error *err)
{
    struct stat st;
    char *context = NULL;
    int r, saved;

    if (sp_label_open(l, err) != 0)
        return -1;
    if (*l == NULL)
        return 0;
    if (fstat(fd, &st) != 0)
        return sp_fail(err, SP_E_IO, errno, "fstat of %s failed", path);
    if ((*l)->lookup((*l)->contexts, &context, path, (int)st.st_mode) != 0)
        return errno == ENOENT ? 0 : sp_fail(err, SP_E_IO, errno, "no file context for %s", path);
    r = (*l)->set(fd, context);
    saved = errno;
    (*l)->free(context);
    if (r != 0 && saved != EOPNOTSUPP)
        return sp_fail(err, SP_E_IO, saved, "cannot label %s", path);
    return 0;
}

int sp_label_set_at(struct sp_labels **l, int fd, int dirfd, const char *name, struct sp_error *err)
{
    char link[64], dir[PATH_MAX], path[PATH_MAX + 256];
    ssize_t n;

    if (!sp_label_on())
        return 0;
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", dirfd);
    n = readlink(link, dir, sizeof(dir) - 1);
    if (n < 0)
        return sp_fail(err, SP_E_IO, errno, "cannot name the directory of %s", name);
    dir[n] = '\0';
    if (sp_str_format(path, sizeof(path), "%s/%s", sp_streq(dir, "/") ? "" : dir, name) != 0)
        return sp_fail(err, SP_E_INVALID, 0, "the path of %s is too long", name);
    return sp_label_set(l, fd, path, err);
}

int sp_label_copy(int from, int to, bool *ret_copied, struct sp_error *err)
{
    char context[4096];
    ssize_t n;

    *ret_copied = false;
    /* Without a policy the attribute means nothing, and setting it needs rights that we gave up. */
    if (!sp_label_on())
        return 0;
    n = fgetxattr(from, ATTRIBUTE, context, sizeof(context));
    if (n < 0)
        return errno == ENODATA || errno == EOPNOTSUPP
                   ? 0
                   : sp_fail(err, SP_E_IO, errno, "cannot read a label");
    if (fsetxattr(to, ATTRIBUTE, context, (size_t)n, 0) != 0)
        return sp_fail(err, SP_E_IO, errno, "cannot copy a label");
    *ret_copied = true;
    return 0;
}
