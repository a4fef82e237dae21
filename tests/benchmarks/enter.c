/* SPDX-License-Identifier: GPL-3.0-or-later */
/* enter ROOT COMMAND: what a jail of chroot-bash's kind costs at least. A mount and a pid namespace, as
 * many mounts at the mount points of a document root, pivot_root(2), bash: nothing is checked, and every
 * error is the end. */
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const from[] = {"/usr", "/usr", "/usr", "/usr", "/usr", "/usr", "/usr",   "/usr",
                                   "/usr", "/usr", "/usr", "/bin", "/lib", "/etc", "/lib64", "/sbin"};
static const char *const to[] = {"usr", "usr", "usr", "usr", "usr", "usr", "usr",   "usr",
                                 "usr", "usr", "usr", "bin", "lib", "etc", "lib64", "sbin"};

static int build(const char *root)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount(root, root, NULL, MS_BIND, NULL) < 0 || chdir(root) < 0)
        return -1;
    for (size_t i = 0; i < sizeof(from) / sizeof(from[0]); i++)
        if (mount(from[i], to[i], NULL, MS_BIND, NULL) < 0 ||
            mount(NULL, to[i], NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID, NULL) < 0)
            return -1;
    if (mount("tmpfs", "tmp", "tmpfs", MS_NOSUID, NULL) < 0 ||
        mount("proc", "proc", "proc", MS_NOSUID, NULL) < 0)
        return -1;
    return syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
    int status = 0;
    pid_t child;

    if (argc != 3 || unshare(CLONE_NEWNS | CLONE_NEWPID) < 0 || (child = fork()) < 0)
        return 2;
    if (child == 0) {
        if (build(argv[1]) == 0)
            (void)execl("/bin/bash", "bash", "-c", argv[2], (char *)NULL);
        _exit(3);
    }
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 4;
}
