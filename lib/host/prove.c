/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/prove.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "host/errand.h"
#include "host/fsat.h"
#include "host/layout.h"

enum { MAX_ARGS = 64, MAX_OUTPUT = 65536, NOBODY = 65534 };

/* What a child could not do; it is sent to the parent, as it may not print. */
struct trouble {
    int os_errno;
    char doing[60];
};

struct proof {
    const char *name;
    const struct sp_shown *shown;
    char *argv[MAX_ARGS + 1];
    const char *program; /* not NULL: there is nothing to prove where the jail has not got it */
    int out;             /* the command's stdout and stderr */
    int trouble;         /* closed by a successful exec */
};

__attribute__((noreturn)) static void give_up(const struct proof *p, const char *doing)
{
    struct trouble t = {.os_errno = errno};

    (void)sp_str_copy(t.doing, sizeof(t.doing), doing);
    (void)sp_write_all(p->trouble, &t, sizeof(t));
    _exit(127);
}

static void check(const struct proof *p, int r, const char *doing)
{
    if (r < 0)
        give_up(p, doing);
}

/* Bind what fd stands for on the relative path `on`, read-only if asked for by flags. */
static void bind_fd(const struct proof *p, int fd, const char *on, unsigned long flags)
{
    char from[64];

    check(p, fd, on);
    (void)sp_str_format(from, sizeof(from), "/proc/self/fd/%d", fd);
    if (mkdirat(AT_FDCWD, on, 0755) < 0 && errno != EEXIST)
        give_up(p, on);
    check(p, mount(from, on, NULL, MS_BIND, NULL), on);
    check(p, mount(NULL, on, NULL, MS_REMOUNT | MS_BIND | flags, NULL), on);
}

static int open_part(const struct proof *p, int root, const char *part)
{
    char path[256];
    struct sp_error err;

    if (sp_str_format(path, sizeof(path), SP_STORE "/%s", part) < 0)
        give_up(p, part);
    return sp_fsat_open_dir(root, path, SP_FSAT_NONE, &err);
}

/* The placeholders of the generation get names, as they do in a jail: ssh will not start without one. */
static void give_names(const struct proof *p)
{
    static const struct {
        const char *on, *text;
    } names[] = {
        {"etc/passwd", "root:x:0:0::/:/bin/false\nnobody:x:65534:65534::/tmp:/bin/sh\n"},
        {"etc/group", "root:x:0:\nnogroup:x:65534:\n"},
    };

    for (size_t i = 0; i < SP_COUNT(names); i++) {
        int fd = open("names", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

        check(p, fd, "making names");
        check(p, sp_write_all(fd, names[i].text, strlen(names[i].text)), "making names");
        check(p, fchmod(fd, 0644), "making names");
        check(p, close(fd), "making names");
        check(p, mount("names", names[i].on, NULL, MS_BIND, NULL), "binding names");
        check(p, unlink("names"), "making names");
    }
}

/* What the profiles show of the host, where it is there. Servers may be down: sockets prove nothing. */
static void bind_tree(const struct proof *p, int root, const char *path)
{
    char way[SP_RECORD_PATH];
    struct sp_error ignored;
    struct stat st;
    int from = sp_fsat_open(root, path, O_PATH, 0, SP_FSAT_NONE, &ignored);

    if (from < 0 || fstat(from, &st) < 0 || sp_str_copy(way, sizeof(way), path + 1) < 0)
        return;
    if (!S_ISDIR(st.st_mode))
        *strrchr(way, '/') = '\0';
    if (sp_fsat_make_dirs(AT_FDCWD, way, 0755, &ignored) < 0 ||
        (!S_ISDIR(st.st_mode) && mknod(path + 1, S_IFREG | 0444, 0) < 0 && errno != EEXIST))
        return;
    bind_fd(p, from, path + 1, MS_RDONLY | MS_NOSUID | MS_NODEV);
}

static void bind_trees(const struct proof *p, int root)
{
    for (size_t i = 0; i < p->shown->n; i++)
        if (p->shown->v[i].kind == SP_SHOWN_TREE)
            bind_tree(p, root, p->shown->v[i].path);
}

/* A private root on a tmpfs that hides the generation's own directory, in this namespace only. All is
 * opened here: a descriptor from before unshare(2) is of the old namespace's mounts, where nothing can be
 * mounted. */
static void enter_root(const struct proof *p)
{
    const unsigned long ro = MS_RDONLY | MS_NOSUID | MS_NODEV;
    int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char part[128];
    int gens, usr, etc, dev;

    check(p, mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "making the mounts private");
    gens = open_part(p, root, "gen");
    dev = open_part(p, root, "dev");
    (void)sp_str_format(part, sizeof(part), "gen/%s/usr", p->name);
    usr = open_part(p, root, part);
    (void)sp_str_format(part, sizeof(part), "gen/%s/etc", p->name);
    etc = open_part(p, root, part);
    check(p, gens, "opening the store");
    check(p, fchdir(gens), "entering the store");
    check(p, mount("tmpfs", p->name, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=64m"),
          "mounting a tmpfs");
    check(p, chdir(p->name), "entering the tmpfs");
    bind_fd(p, usr, "usr", ro);
    bind_fd(p, etc, "etc", ro);
    give_names(p);
    bind_fd(p, dev, "dev", MS_NOSUID | MS_NOEXEC);
    bind_trees(p, root);
    check(p, mkdir("proc", 0755), "making proc");
    check(p, mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "mounting proc");
    check(p, mkdir("tmp", 01777), "making tmp");
    check(p, chmod("tmp", 01777), "making tmp");
    check(p, chroot("."), "chroot");
    check(p, chdir("/"), "chdir");
}

static void link_points(const struct proof *p)
{
    static const char *const points[] = {"bin", "lib", "lib64", "sbin"};
    char target[16];

    for (size_t i = 0; i < SP_COUNT(points); i++) {
        (void)sp_str_format(target, sizeof(target), "usr/%s", points[i]);
        check(p, symlink(target, points[i]), "linking to usr");
    }
}

static void become_nobody(const struct proof *p)
{
    const struct rlimit no_core = {0};
    sigset_t none;

    (void)setrlimit(RLIMIT_CORE, &no_core);
    check(p, setgroups(0, NULL), "setgroups");
    check(p, setresgid(NOBODY, NOBODY, NOBODY), "setresgid");
    check(p, setresuid(NOBODY, NOBODY, NOBODY), "setresuid");
    check(p, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
    /* A change of uid clears it; it must die with the one that waits for it. */
    check(p, prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "pdeathsig");
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGXFSZ, SIG_DFL);
}

/* Only the jail's own directories are searched, whatever the environment says. */
static const char *const dirs[] = {"/usr/local/bin", "/usr/bin", "/usr/sbin"};

/* What nobody can look at is tried: a proof that is passed over counts as one that was had. */
static bool may_be_there(const char *path)
{
    return faccessat(AT_FDCWD, path, F_OK, 0) == 0 || errno == ENOMEM || errno == EIO;
}

static bool has_program(const char *name)
{
    char path[PATH_MAX];

    if (name[0] == '/')
        return may_be_there(name);
    for (size_t i = 0; i < SP_COUNT(dirs); i++)
        if (sp_str_format(path, sizeof(path), "%s/%s", dirs[i], name) == 0 && may_be_there(path))
            return true;
    return false;
}

static void exec_by_name(const struct proof *p, char *const *env)
{
    char path[PATH_MAX];

    if (strchr(p->argv[0], '/') != NULL) {
        (void)execve(p->argv[0], p->argv, env);
        return;
    }
    for (size_t i = 0; i < SP_COUNT(dirs); i++)
        if (sp_str_format(path, sizeof(path), "%s/%s", dirs[i], p->argv[0]) == 0) {
            (void)execve(path, p->argv, env);
            if (errno != ENOENT)
                return;
        }
}

/* The first process of the new PID namespace: becomes the command. */
__attribute__((noreturn)) static void run_inside(const struct proof *p)
{
    char *const env[] = {(char *)"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin", (char *)"HOME=/tmp",
                         (char *)"LANG=C.UTF-8", (char *)"TERM=dumb", NULL};
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    check(p, null, "opening /dev/null");
    enter_root(p);
    link_points(p);
    become_nobody(p);
    if (p->program != NULL && !has_program(p->program))
        _exit(0);
    check(p, dup2(null, 0), "stdin");
    check(p, dup2(p->out, 1), "stdout");
    check(p, dup2(p->out, 2), "stderr");
    (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    exec_by_name(p, env);
    give_up(p, "starting it");
}

/* Waits for the inner process, so that the whole namespace ends when this one is killed. */
__attribute__((noreturn)) static void run_outside(const struct proof *p)
{
    int status = 0;
    pid_t pid;

    check(p, prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "pdeathsig");
    check(p, unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS), "unshare");
    pid = fork();
    check(p, (int)pid, "fork");
    if (pid == 0)
        run_inside(p);
    (void)close(p->out);
    (void)close(p->trouble);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* Exit status of pid, which is killed when it outlives the deadline. -1 then. */
static int wait_for(pid_t pid)
{
    _cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    int status = 0, late;

    late = fd >= 0 && poll(&pfd, 1, SP_PROVE_DEADLINE_MS) == 0;
    if (late)
        (void)kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return late || !WIFEXITED(status) ? -1 : WEXITSTATUS(status);
}

static int unsupported(const struct trouble *t, const char *command, struct sp_error *err)
{
    /* The one step that belongs to the command itself. */
    if (sp_streq(t->doing, "starting it"))
        return sp_fail(err, SP_E_NOT_IN_FORCE, t->os_errno, "\"%s\" does not start in the jail", command);
    sp_fail(err, SP_E_UNSUPPORTED, t->os_errno, "a generation cannot be proved on this host, %s", t->doing);
    return sp_hint(err, "mount and PID namespaces are needed; some containers forbid them");
}

static int judge(const char *command, int status, const struct sp_buf *out, struct sp_error *err)
{
    size_t len = out->len;

    while (len > 0 && out->data[len - 1] == '\n')
        len--;
    if (status < 0)
        return sp_fail(err, SP_E_NOT_IN_FORCE, 0, "\"%s\" did not end within %d s in the jail", command,
                       SP_PROVE_DEADLINE_MS / 1000);
    if (status != 0)
        return sp_fail(err, SP_E_NOT_IN_FORCE, 0, "\"%s\" ended with %d in the jail: %.*s", command, status,
                       (int)(len < 250 ? len : 250), sp_buf_str(out));
    return 0;
}

/* Collect what the command says until it ends. */
static int attend(pid_t pid, int out, int trouble, const char *command, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf said = {0};
    struct trouble t = {0};
    struct sp_error late;
    int r = sp_buf_read_fd(&said, out, MAX_OUTPUT, SP_PROVE_DEADLINE_MS, &late);
    int status;

    if (r < 0)
        (void)kill(pid, SIGKILL);
    status = wait_for(pid);
    if (r < 0 && late.code != SP_E_BUSY)
        return sp_fail(err, SP_E_NOT_IN_FORCE, 0, "\"%s\" printed %s", command, late.text);
    if (r == 0 && read(trouble, &t, sizeof(t)) == (ssize_t)sizeof(t))
        return unsupported(&t, command, err);
    return judge(command, status, &said, err);
}

static int prove_one(struct proof *p, const char *command, struct sp_error *err)
{
    _cleanup_close_ int out_r = -1, out_w = -1, trouble_r = -1, trouble_w = -1;
    int out[2], trouble[2];
    pid_t pid;

    if (pipe2(out, O_CLOEXEC) < 0)
        return sp_fail(err, SP_E_IO, errno, "pipe");
    out_r = out[0];
    out_w = out[1];
    if (pipe2(trouble, O_CLOEXEC) < 0)
        return sp_fail(err, SP_E_IO, errno, "pipe");
    trouble_r = trouble[0];
    trouble_w = trouble[1];
    p->out = out_w;
    p->trouble = trouble_w;
    pid = fork();
    if (pid < 0)
        return sp_fail(err, SP_E_IO, errno, "fork");
    if (pid == 0)
        run_outside(p);
    (void)close(sp_steal_fd(&out_w));
    (void)close(sp_steal_fd(&trouble_w));
    return attend(pid, out_r, trouble_r, command, err);
}

/* Cuts words, which p then points into. */
static int split(struct proof *p, const struct sp_profile_item *item, char *words)
{
    char *save = NULL;
    size_t n = 0;

    *p = (struct proof){.name = p->name, .shown = p->shown};
    for (char *w = strtok_r(words, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
        if (n == MAX_ARGS && item->kind == SP_PROFILE_PROVE)
            return -1;
        if (n < MAX_ARGS)
            p->argv[n++] = w;
    }
    p->program = item->optional ? p->argv[0] : NULL;
    if (item->kind == SP_PROFILE_PROVE_SH) {
        p->argv[0] = (char *)"/bin/sh";
        p->argv[1] = (char *)"-c";
        p->argv[2] = item->value;
        n = 3;
    }
    p->argv[n] = NULL;
    return n > 0 ? 0 : -1;
}

static int prove_item(const char *name, const struct sp_profile_item *item, const struct sp_shown *shown,
                      struct sp_error *err)
{
    _cleanup_free_ char *words = strdup(item->value);
    struct proof p = {.name = name, .shown = shown};

    if (words == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (split(&p, item, words) < 0)
        return sp_fail(err, SP_E_INVALID, 0, "\"%s\" is empty or too long", item->value);
    return prove_one(&p, item->value, err);
}

/* What is promised, in front of what went wrong. */
static int broken(const struct sp_profile *p, const char *promise, struct sp_error *err)
{
    size_t install = sp_profile_next(p, 0, SP_PROFILE_INSTALL);
    struct sp_error why = *err;

    sp_fail(err, why.code, 0, "the profile %s%s%s%s: %s", p->name,
            promise != NULL ? ", which promises \"" : "", promise != NULL ? promise : "",
            promise != NULL ? "\"" : "", why.text);
    if (why.code != SP_E_NOT_IN_FORCE)
        sp_hint(err, "%s", why.hint);
    else if (install < p->n_items)
        sp_hint(err, "the profile wants %s; what stood before stays in force", p->items[install].value);
    else
        sp_hint(err, "the profile is broken on this host; what stood before stays in force");
    return sp_field(err, "profiles.%s", p->name);
}

int sp_prove_run(const char *name, const struct sp_profile *const *profiles, size_t n,
                 const struct sp_shown *shown, struct sp_error *err)
{
    if (!sp_errand_is_ours(SP_ERRAND_PROVE))
        return sp_errand_prove(name, profiles, n, err);
    for (size_t i = 0; i < n; i++) {
        const char *promise = NULL;

        for (size_t k = 0; k < profiles[i]->n_items; k++) {
            const struct sp_profile_item *item = &profiles[i]->items[k];

            if (item->kind == SP_PROFILE_PROMISE)
                promise = item->value;
            if ((item->kind == SP_PROFILE_PROVE || item->kind == SP_PROFILE_PROVE_SH) &&
                prove_item(name, item, shown, err) < 0)
                return broken(profiles[i], promise, err);
        }
    }
    return 0;
}
