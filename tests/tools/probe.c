/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * probe WHERE WHAT...: what becomes of system calls once a process has let go of its rights. WHERE is
 * "sealed", the parser's process, "helper", the helper itself, or "plain", as it was started. One line
 * each: WHAT and the name of the errno, or "done", or "killed".
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/caps.h"
#include "host/sealed.h"
#include "host/seccomp.h"

/* A call that goes wrong by its arguments alone where it is let through: then the errno tells. */
static const struct {
    const char *name;
    long number, args[5];
} calls[] = {
    {"init_module", SYS_init_module, {0, 0, 0}},
    {"finit_module", SYS_finit_module, {-1, 0, 0}},
    {"delete_module", SYS_delete_module, {0, 0}},
    {"kexec_load", SYS_kexec_load, {0, 99, 0, 0}},
    {"reboot", SYS_reboot, {0, 0, 0, 0}},
    {"swapon", SYS_swapon, {0, 0}},
    {"acct", SYS_acct, {1}},
    {"syslog", SYS_syslog, {99, 0, 0}},
    {"clock_settime", SYS_clock_settime, {99, 0}},
    {"settimeofday", SYS_settimeofday, {1, 1}},
    {"bpf", SYS_bpf, {99, 0, 0}},
    {"perf_event_open", SYS_perf_event_open, {0, 0, -1, -1, 0}},
    {"userfaultfd", SYS_userfaultfd, {-1}},
    {"io_uring_setup", SYS_io_uring_setup, {0, 0}},
    {"keyctl", SYS_keyctl, {99}},
    {"add_key", SYS_add_key, {0, 0, 0, 0, 0}},
    {"open_by_handle_at", SYS_open_by_handle_at, {-1, 0, 0}},
    {"ptrace", SYS_ptrace, {99, 0, 0, 0}},
    {"process_vm_writev", SYS_process_vm_writev, {1, 0, 0, 0, 0}},
    {"TIOCSTI", SYS_ioctl, {-1, TIOCSTI, 0}},
    {"packet-socket", SYS_socket, {AF_PACKET, SOCK_RAW, 0}},
    {"raw-socket", SYS_socket, {AF_INET, SOCK_RAW, 255}},
    {"alg-socket", SYS_socket, {AF_ALG, SOCK_SEQPACKET, 0}},
    {"vsock-socket", SYS_socket, {AF_VSOCK, SOCK_STREAM, 0}},
    {"inet-socket", SYS_socket, {AF_INET, SOCK_STREAM, 0}},
    {"shadow", SYS_openat, {AT_FDCWD, (long)"/etc/shadow", O_RDONLY, 0}},
    {"open", SYS_openat, {AT_FDCWD, (long)"/", O_RDONLY, 0}},
    {"socket", SYS_socket, {AF_UNIX, SOCK_STREAM, 0}},
    {"execve", SYS_execve, {(long)"/nonexistent", 0, 0}},
    {"fork", SYS_clone, {SIGCHLD, 0, 0, 0, 0}},
    {"kill", SYS_kill, {0, 0}},
    {"setuid", SYS_setuid, {0}},
    {"unshare", SYS_unshare, {CLONE_NEWUSER}},
    {"mount", SYS_mount, {0, 0, 0, 0, 0}},
    {"open_tree", SYS_open_tree, {-1, 0, 0}},
    {"setns", SYS_setns, {-1, CLONE_NEWNS}},
    {"sched_setscheduler", SYS_sched_setscheduler, {0, 99, 0}},
    {"prctl", SYS_prctl, {0, 0, 0, 0, 0}},
    {"exec-memory", SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1}},
    {"both-memory", SYS_mmap, {0, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1}},
    {"mprotect", SYS_mprotect, {0, 0, PROT_EXEC}},
    {"getpid", SYS_getpid, {0}},
    {"memory", SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1}},
    {"much-memory", SYS_mmap, {0, 1L << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1}},
};

static int enter(const char *where)
{
    if (strcmp(where, "sealed") == 0)
        return sp_sealed_enter();
    if (strcmp(where, "helper") == 0)
        return sp_process_sanitise() == 0 ? sp_seccomp_helper() : -1;
    return 0;
}

static int probe(const char *where, const char *what)
{
    if (enter(where) != 0)
        return 255;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        if (strcmp(calls[i].name, what) == 0) {
            const long *a = calls[i].args;
            return syscall(calls[i].number, a[0], a[1], a[2], a[3], a[4]) < 0 ? errno : 0;
        }
    return 254;
}

int main(int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        pid_t pid = fork();
        int status = 0;

        if (pid == 0)
            _exit(probe(argv[1], argv[i]));
        if (pid < 0 || waitpid(pid, &status, 0) != pid)
            return 1;
        if (WIFSIGNALED(status))
            (void)printf("%s %s\n", argv[i], WTERMSIG(status) == SIGSYS ? "killed" : "died");
        else
            (void)printf("%s %s\n", argv[i],
                         WEXITSTATUS(status) == 0 ? "done" : strerrorname_np(WEXITSTATUS(status)));
    }
    return 0;
}
