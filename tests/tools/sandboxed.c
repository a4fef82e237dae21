/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * sandboxed DIR PROGRAM ARG...: PROGRAM in the sandbox of a unit as tests/lib/sp_sandbox.py wrote it into
 * DIR: mounts (lines of "ro PATH", "tmp PATH", "none PATH", "dev /dev", "proc /proc" and "net /"), caps (a
 * mask) and seccomp (a filter, as the kernel has it). What systemd does for a service, without being
 * systemd.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static FILE *part(const char *dir, const char *name)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return fopen(path, "re");
}

static int hide(const char *on)
{
    struct stat st;

    if (lstat(on, &st) != 0)
        return 0;
    if (S_ISDIR(st.st_mode))
        return mount("none", on, "tmpfs", MS_RDONLY, "mode=000");
    return mount("/dev/null", on, NULL, MS_BIND, NULL);
}

/* What stays in a /dev of its own; log is where the tests' syslog listens. */
static const struct {
    const char *name;
    mode_t kind;
} devices[] = {
    {"null", S_IFREG}, {"zero", S_IFREG}, {"full", S_IFREG}, {"random", S_IFREG}, {"urandom", S_IFREG},
    {"tty", S_IFREG},  {"log", S_IFREG},  {"pts", S_IFDIR},  {"shm", S_IFDIR},
};
enum { DEVICES = sizeof(devices) / sizeof(devices[0]) };

static int private_devices(const char *on)
{
    int fds[DEVICES];
    char path[224], from[64];

    for (int i = 0; i < DEVICES; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", on, devices[i].name);
        fds[i] = open(path, O_PATH | O_CLOEXEC);
    }
    if (mount("dev", on, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755") != 0)
        return -1;
    for (int i = 0; i < DEVICES; i++) {
        if (fds[i] < 0)
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", on, devices[i].name);
        (void)snprintf(from, sizeof(from), "/proc/self/fd/%d", fds[i]);
        if ((devices[i].kind == S_IFDIR ? mkdir(path, 0755) : mknod(path, S_IFREG | 0644, 0)) != 0 ||
            mount(from, path, NULL, MS_BIND | MS_REC, NULL) != 0)
            return -1;
        (void)close(fds[i]);
    }
    return symlink("pts/ptmx", "/dev/ptmx");
}

static int shut(const char *how, const char *on)
{
    if (strcmp(how, "tmp") == 0)
        return mount("tmp", on, "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
    if (strcmp(how, "none") == 0)
        return hide(on);
    if (strcmp(how, "dev") == 0)
        return private_devices(on);
    if (strcmp(how, "proc") == 0)
        return mount("proc", on, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "hidepid=invisible");
    if (strcmp(how, "net") == 0)
        return unshare(CLONE_NEWNET);
    if (access(on, F_OK) != 0)
        return 0;
    if (mount(on, on, NULL, MS_BIND | MS_REC, NULL) != 0)
        return -1;
    return mount(NULL, on, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL);
}

static int mounts(const char *dir)
{
    char how[8], on[200];
    FILE *f = part(dir, "mounts");
    int r = 0;

    if (f == NULL || unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0)
        return -1;
    while (r == 0 && fscanf(f, "%7s %199s", how, on) == 2)
        r = shut(how, on);
    (void)fclose(f);
    return r;
}

static int capabilities(const char *dir)
{
    unsigned long long mask;
    char line[32] = "";
    FILE *f = part(dir, "caps");

    if (f == NULL || fgets(line, sizeof(line), f) == NULL)
        return -1;
    (void)fclose(f);
    mask = strtoull(line, NULL, 16);
    for (int cap = 0; cap < 64 && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if ((mask >> cap & 1) == 0 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0)
            return -1;
    return 0;
}

static int filter(const char *dir)
{
    static struct sock_filter program[4096];
    struct sock_fprog prog = {.filter = program};
    FILE *f = part(dir, "seccomp");

    if (f == NULL)
        return -1;
    prog.len = (unsigned short)fread(program, sizeof(program[0]), 4096, f);
    (void)fclose(f);
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 125;
    umask(077);
    if (mounts(argv[1]) != 0 || capabilities(argv[1]) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        filter(argv[1]) != 0) {
        perror("sandboxed");
        return 125;
    }
    (void)execv(argv[2], argv + 2);
    return 125;
}
