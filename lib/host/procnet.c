/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/procnet.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/proctable.h"

#define ENVIRON_MAX ((size_t)4 << 20) /* execve(2): the arguments' share of the stack */

void sp_procnet_sockets_clear(struct sp_procnet_sockets *l)
{
    free(l->v);
    *l = (struct sp_procnet_sockets){0};
}

static DIR *open_dir(struct sp_host *h, const char *path)
{
    int fd = openat(h->root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    int saved = errno;

    if (d == NULL && fd >= 0)
        (void)close(fd);
    errno = saved;
    return d;
}

/* What a look at a process that failed means: 0, it is gone, or none of ours; -1, nobody knows. */
static int unseen(pid_t pid, int os_errno, struct sp_error *err)
{
    return sp_proctable_is_blind(os_errno)
               ? sp_fail(err, SP_E_IO, os_errno, "cannot look at the process %ld", (long)pid)
               : 0;
}

/* A small file of proc(5), whole, with a NUL behind it: 1. 0 when the process is gone or not ours to read.
 */
static int read_file(struct sp_host *h, pid_t pid, const char *name, size_t max, struct sp_buf *out,
                     struct sp_error *err)
{
    char path[64];
    _cleanup_close_ int fd = -1;

    (void)sp_str_format(path, sizeof(path), "proc/%d/%s", (int)pid, name);
    fd = openat(h->root_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return unseen(pid, errno, err);
    if (sp_buf_read_fd(out, fd, max, 0, err) == 0)
        return 1;
    return err->code == SP_E_NO_MEMORY ? -1 : unseen(pid, err->os_errno, err);
}

/* The decimal number at *text, which then stands behind it. False where there is none. */
static bool read_number(const char **text, uint64_t max, uint64_t *ret)
{
    size_t blanks = strspn(*text, " \t"), len = strspn(*text + blanks, "0123456789");
    char digits[24];

    if (sp_str_format(digits, sizeof(digits), "%.*s", (int)len, *text + blanks) < 0 ||
        sp_str_to_u64(digits, max, ret) < 0)
        return false;
    *text += blanks + len;
    return true;
}

/* Root in all four senses: somebody's own program that calls itself sshd opens no port of the host's. 1; 0;
 * -1. */
static int is_root(struct sp_host *h, pid_t pid, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf status = {0};
    int rc = read_file(h, pid, "status", 65536, &status, err);
    const char *at = rc > 0 ? strstr(sp_buf_str(&status), "\nUid:") : NULL;
    uint64_t uid;

    if (at == NULL)
        return rc < 0 ? -1 : 0;
    at += sizeof("\nUid:") - 1;
    for (int i = 0; i < 4; i++)
        if (!read_number(&at, UINT32_MAX, &uid) || uid != 0)
            return 0;
    return 1;
}

/* Is its program called sshd? An upgrade leaves the old one running as "/usr/sbin/sshd (deleted)". 1; 0;
 * -1.
 */
static int is_sshd(struct sp_host *h, pid_t pid, struct sp_error *err)
{
    char path[64], exe[1024];
    char *base, *deleted;
    ssize_t n;

    (void)sp_str_format(path, sizeof(path), "proc/%d/exe", (int)pid);
    n = readlinkat(h->root_fd, path, exe, sizeof(exe) - 1);
    if (n <= 0)
        return n < 0 ? unseen(pid, errno, err) : 0;
    exe[n] = '\0';
    deleted = strstr(exe, " (deleted)");
    if (deleted != NULL)
        *deleted = '\0';
    base = strrchr(exe, '/');
    return base != NULL && sp_streq(base + 1, "sshd") ? is_root(h, pid, err) : 0;
}

static const struct sp_procnet_socket *find(const struct sp_procnet_sockets *l, uint64_t inode)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].inode == inode)
            return &l->v[i];
    return NULL;
}

/* The inode of the socket that an entry of proc(5)'s fd is: 1. 0: it is none. -1: errno tells why nobody
 * knows. */
static int read_socket(int dir, const char *name, uint64_t *ret)
{
    char link[64];
    const char *number;
    ssize_t n = readlinkat(dir, name, link, sizeof(link) - 1);

    if (n <= 0)
        return n < 0 && sp_proctable_is_blind(errno) ? -1 : 0;
    link[n] = '\0';
    return sp_str_prefix(link, "socket:[", &number) && read_number(&number, UINT64_MAX, ret);
}

bool sp_procnet_peer(struct sp_host *h, pid_t pid, const struct sp_diag_peers *all,
                     struct sp_diag_peer *ret)
{
    char path[64];
    _cleanup_closedir_ DIR *d = NULL;
    const struct dirent *e;
    uint64_t inode;

    if (sp_str_format(path, sizeof(path), "proc/%d/fd", (int)pid) < 0 || (d = open_dir(h, path)) == NULL)
        return false;
    while ((e = readdir(d)) != NULL) {
        if (read_socket(dirfd(d), e->d_name, &inode) <= 0)
            continue;
        for (size_t i = 0; i < all->n; i++)
            if (all->v[i].inode == inode) {
                *ret = all->v[i];
                return true;
            }
    }
    return false;
}

/* The ports among `l` that this process holds; one that is gone by now holds none. SP_E_UNSUPPORTED where
 * they are too many. */
static int add_ports(struct sp_host *h, pid_t pid, const struct sp_procnet_sockets *l, uint16_t *ports,
                     size_t *n_ports, struct sp_error *err)
{
    char path[64];
    _cleanup_closedir_ DIR *d = NULL;
    const struct dirent *e;
    int rc;

    (void)sp_str_format(path, sizeof(path), "proc/%d/fd", (int)pid);
    d = open_dir(h, path);
    if (d == NULL)
        return unseen(pid, errno, err);
    while ((rc = sp_fsat_next(d, path, &e, err)) > 0) {
        const struct sp_procnet_socket *found;
        uint64_t inode;

        rc = read_socket(dirfd(d), e->d_name, &inode);
        if (rc < 0)
            return unseen(pid, errno, err);
        found = rc > 0 ? find(l, inode) : NULL;
        if (found != NULL && sp_fw_ports_add(ports, n_ports, found->port) < 0)
            return sp_fail(err, SP_E_UNSUPPORTED, 0, "sshd listens on more than %d ports", SP_FW_MAX_PORTS);
    }
    return rc < 0 ? unseen(pid, err->os_errno, err) : 0;
}

int sp_procnet_owners(struct sp_host *h, const struct sp_procnet_sockets *l, struct sp_diag_listeners *ret,
                      struct sp_error *err)
{
    _cleanup_closedir_ DIR *d = open_dir(h, "proc");
    const struct dirent *e;
    int rc;

    if (d == NULL)
        return sp_fail(err, SP_E_IO, errno, "/proc cannot be read");
    /* Process 1 of a desktop of units holds many; those that do not fit are nothing to us. */
    if (add_ports(h, 1, l, ret->init, &ret->n_init, err) < 0 && err->code != SP_E_UNSUPPORTED)
        return -1;
    while ((rc = sp_fsat_next(d, "/proc", &e, err)) > 0) {
        uint64_t pid;

        if (sp_str_to_u64(e->d_name, INT32_MAX, &pid) < 0)
            continue;
        rc = is_sshd(h, (pid_t)pid, err);
        if (rc > 0)
            rc = add_ports(h, (pid_t)pid, l, ret->sshd, &ret->n_sshd, err);
        if (rc < 0)
            return -1;
    }
    return rc;
}

pid_t sp_procnet_parent(struct sp_host *h, pid_t pid)
{
    _cleanup_(sp_buf_clear) struct sp_buf stat = {0};
    struct sp_error ignored;
    const char *behind;
    uint64_t parent;

    if (read_file(h, pid, "stat", 4096, &stat, &ignored) <= 0)
        return 0;
    behind = strrchr(sp_buf_str(&stat), ')'); /* the name before it may hold anything */
    if (behind == NULL || strlen(behind) < 4)
        return 0;
    behind += 3; /* blank, state */
    return read_number(&behind, INT32_MAX, &parent) ? (pid_t)parent : 0;
}

static bool parse_address(const char *text, struct sp_cidr *ret)
{
    char plain[INET6_ADDRSTRLEN];
    const char *zone = strchr(text, '%');
    uint8_t bytes[16];
    int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;

    if (sp_str_format(plain, sizeof(plain), "%.*s", zone != NULL ? (int)(zone - text) : (int)strlen(text),
                      text) < 0 ||
        inet_pton(family, plain, bytes) != 1)
        return false;
    sp_procnet_address(family, bytes, ret);
    return true;
}

/* "CLIENT PORT SERVER PORT" */
static bool parse_connection(const char *text, struct sp_diag_peer *ret)
{
    char client[INET6_ADDRSTRLEN + 20];
    uint64_t port, local_port;
    size_t len = strcspn(text, " ");

    if (sp_str_format(client, sizeof(client), "%.*s", (int)len, text) < 0 ||
        !parse_address(client, &ret->address))
        return false;
    text += len;
    if (!read_number(&text, 65535, &port))
        return false;
    text += strspn(text, " ");
    text += strcspn(text, " ");
    if (!read_number(&text, 65535, &local_port))
        return false;
    ret->port = (uint16_t)port;
    ret->local_port = (uint16_t)local_port;
    return true;
}

bool sp_procnet_ssh_connection(struct sp_host *h, pid_t pid, struct sp_diag_peer *ret)
{
    _cleanup_(sp_buf_wipe) struct sp_buf environment = {0}; /* others' secrets may stand in it */
    struct sp_error ignored;
    const char *value;

    if (read_file(h, pid, "environ", ENVIRON_MAX, &environment, &ignored) <= 0)
        return false;
    for (size_t at = 0; at < environment.len; at += strlen(environment.data + at) + 1)
        if (sp_str_prefix(environment.data + at, "SSH_CONNECTION=", &value))
            return parse_connection(value, ret);
    return false;
}
