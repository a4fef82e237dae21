/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/proctable.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"

void sp_proctable_clear(struct sp_proctable *t)
{
    free(t->procs);
    *t = (struct sp_proctable){0};
}

bool sp_proctable_is_blind(int os_errno)
{
    return os_errno == ENOMEM || os_errno == EMFILE || os_errno == ENFILE || os_errno == EIO;
}

/* A process that is looked at, and what stood in the way of it that is no word on the process. */
struct look {
    int dir, blind;
};

static void note(struct look *l)
{
    if (sp_proctable_is_blind(errno))
        l->blind = errno;
}

static ssize_t read_link(struct look *l, const char *name, char *buf, size_t size)
{
    ssize_t n = readlinkat(l->dir, name, buf, size);

    if (n < 0)
        note(l);
    return n;
}

/* A small file of one process; "" if it cannot be read. NULs become blanks: a title is one string. */
static bool slurp(struct look *l, const char *name, char *buf, size_t size)
{
    _cleanup_close_ int fd = openat(l->dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    size_t n = 0;
    ssize_t r = 0;

    while (fd >= 0 && n < size - 1 && (r = read(fd, buf + n, size - 1 - n)) > 0)
        n += (size_t)r;
    if (fd < 0 || r < 0)
        note(l);
    buf[n] = '\0';
    for (size_t i = 0; i < n; i++)
        if (buf[i] == '\0')
            buf[i] = ' ';
    return fd >= 0 && r >= 0;
}

/* The value of "KEY:\tvalue" in status; NULL if there is no such line. */
static const char *status_value(const char *status, const char *key)
{
    size_t n = strlen(key);

    for (const char *p = status; p != NULL; p = strchr(p, '\n')) {
        p += *p == '\n';
        if (strncmp(p, key, n) == 0 && p[n] == ':')
            return p + n + 1;
    }
    return NULL;
}

static bool read_status(struct look *l, struct sp_proc *p, bool *ret_inner_init)
{
    char status[8192];
    const char *state, *ppid, *uids, *ns, *name;
    char *end;

    if (!slurp(l, "status", status, sizeof(status)))
        return false;
    state = status_value(status, "State");
    ppid = status_value(status, "PPid");
    uids = status_value(status, "Uid");
    ns = status_value(status, "NSpid");
    name = status_value(status, "Name");
    if (state == NULL || ppid == NULL || uids == NULL || strchr("ZX", state[strspn(state, " \t")]) != NULL)
        return false;
    if (name != NULL && name[0] == '\t')
        (void)sp_str_format(p->name, sizeof(p->name), "%.*s", (int)strcspn(name + 1, "\n"), name + 1);
    p->ppid = (pid_t)strtol(ppid, NULL, 10);
    p->uid = (uid_t)strtoul(uids, &end, 10);
    p->euid = (uid_t)strtoul(end, NULL, 10);
    /* NSpid: the pid in our namespace, then in each one below it; the last is what it is to itself. */
    *ret_inner_init = false;
    if (ns != NULL) {
        long outer = strtol(ns, &end, 10), inner = outer;
        p->is_inner = *end == '\t' || *end == ' ';
        while (*end == '\t' || *end == ' ')
            inner = strtol(end, &end, 10);
        *ret_inner_init = inner == 1 && outer != 1;
    }
    return true;
}

/* proc_pid_stat(5): the 22nd field; the second one, in parentheses, may hold anything. */
static uint64_t read_start(struct look *l)
{
    char stat[2048], *p;

    if (!slurp(l, "stat", stat, sizeof(stat)) || (p = strrchr(stat, ')')) == NULL)
        return 0;
    for (int field = 2; field < 22 && p != NULL; field++)
        p = strchr(p + 1, ' ');
    return p != NULL ? strtoull(p + 1, NULL, 10) : 0;
}

uint64_t sp_proctable_start(struct sp_host *h, pid_t pid)
{
    struct sp_error none;
    struct look l = {0};
    char path[32];
    _cleanup_close_ int dir = -1;

    (void)sp_str_format(path, sizeof(path), "proc/%ld", (long)pid);
    dir = sp_fsat_open_dir(h->root_fd, path, SP_FSAT_NONE, &none);
    l.dir = dir;
    return dir < 0 ? 0 : read_start(&l);
}

static uint32_t read_id(struct look *l, const char *name)
{
    char text[32];
    uint64_t id;

    if (!slurp(l, name, text, sizeof(text)))
        return SP_PROC_UNSET;
    text[strcspn(text, "\n")] = '\0';
    return sp_str_to_u64(text, UINT32_MAX, &id) == 0 ? (uint32_t)id : SP_PROC_UNSET;
}

/* The last part of the program's path. An upgrade leaves " (deleted)" behind it. */
static void read_program(struct look *l, char name[PATH_MAX])
{
    char exe[PATH_MAX], *slash, *deleted;
    ssize_t n = read_link(l, "exe", exe, sizeof(exe) - 1);

    exe[n > 0 ? n : 0] = '\0';
    slash = strrchr(exe, '/');
    (void)sp_str_copy(name, PATH_MAX, slash != NULL ? slash + 1 : exe);
    deleted = strstr(name, " (deleted)");
    if (deleted != NULL)
        *deleted = '\0';
}

/* cgroups(7), the lines of version 1 as of 2: a process below ".../NAME.service" that is not sshd's was
 * started by that service. A user cannot move into one that is not his. user@UID.service is his, and he can
 * move what he likes anywhere in it, and name what is below as he likes: being there excuses nobody but the
 * manager's own program, in its init.scope. */
static void read_cgroup(struct look *l, struct sp_proc *p, bool is_systemd)
{
    char text[4096];

    if (!slurp(l, "cgroup", text, sizeof(text)))
        return;
    for (char *save = NULL, *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        const char *in = strstr(line, "/system.slice/"), *his = strstr(line, "/user@");
        if (strstr(line, ".service/init.scope") != NULL && his != NULL)
            p->is_manager = is_systemd;
        if (in == NULL || (his != NULL && his < in) || strstr(in, ".service") == NULL)
            continue;
        in += strlen("/system.slice/");
        if (!sp_str_prefix(in, "ssh", NULL) && !sp_str_prefix(in, "system-ssh", NULL))
            p->is_served = true;
    }
}

/* namespaces(7). The shell with our capabilities makes a jail's first process in the host's user namespace;
 * a user can make one of that name in a user namespace of his own only. */
static bool is_in_our_userns(struct look *l)
{
    char his[64], ours[64];
    ssize_t n = read_link(l, "ns/user", his, sizeof(his));

    return n > 0 && n == read_link(l, "../self/ns/user", ours, sizeof(ours)) &&
           memcmp(his, ours, (size_t)n) == 0;
}

static bool read_proc(struct look *l, uid_t uid, struct sp_proc *p)
{
    static const char *const servers[] = {"sshd", "sshd-session", "sshd-auth"};
    char program[PATH_MAX];
    bool inner_init;

    p->loginuid = p->session = SP_PROC_UNSET;
    if (!read_status(l, p, &inner_init))
        return false;
    if (p->uid != 0 && p->uid != uid && p->euid != uid && uid != SP_PROC_EVERYBODY)
        return true;
    read_program(l, program);
    for (size_t i = 0; i < SP_COUNT(servers); i++)
        p->is_sshd = p->is_sshd || sp_streq(program, servers[i]);
    if (p->is_sshd)
        (void)slurp(l, "cmdline", p->title, sizeof(p->title));
    p->is_entry = sp_streq(program, "chroot-bash");
    p->is_jail_init = inner_init && p->is_entry && is_in_our_userns(l);
    p->loginuid = read_id(l, "loginuid");
    p->session = read_id(l, "sessionid");
    if ((p->uid == uid || (uid == SP_PROC_EVERYBODY && p->uid != 0)) && p->session != SP_PROC_UNSET)
        read_cgroup(l, p, sp_streq(program, "systemd"));
    p->start = read_start(l);
    return true;
}

static int add(struct sp_proctable *t, const struct sp_proc *p)
{
    if (t->n == t->size) {
        size_t size = t->size != 0 ? 2 * t->size : 256;
        struct sp_proc *more = reallocarray(t->procs, size, sizeof(*more));
        if (more == NULL)
            return -1;
        t->procs = more;
        t->size = size;
    }
    t->procs[t->n++] = *p;
    return 0;
}

int sp_proctable_read(struct sp_host *h, uid_t uid, struct sp_proctable *ret, struct sp_error *err)
{
    int proc = sp_fsat_open_dir(h->root_fd, "proc", SP_FSAT_NONE, err);
    _cleanup_closedir_ DIR *d = proc >= 0 ? fdopendir(proc) : NULL;
    struct dirent *e;

    if (d == NULL) {
        sp_cleanup_close(&proc);
        return proc < 0 ? -1 : sp_fail(err, SP_E_NO_MEMORY, 0, "cannot list the processes");
    }
    while (errno = 0, (e = readdir(d)) != NULL) {
        struct sp_proc p = {0};
        uint64_t pid;
        if (sp_str_to_u64(e->d_name, INT32_MAX, &pid) != 0)
            continue;
        _cleanup_close_ int dir =
            openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct look l = {.dir = dir};
        p.pid = (pid_t)pid;
        if (dir < 0)
            note(&l);
        bool is_there = dir >= 0 && read_proc(&l, uid, &p);
        if (l.blind != 0)
            return sp_fail(err, SP_E_IO, l.blind, "cannot look at the process %ld", (long)p.pid);
        if (is_there && add(ret, &p) != 0)
            return sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for the list of processes");
    }
    return errno == 0 ? 0 : sp_fail(err, SP_E_IO, errno, "cannot list the processes");
}
