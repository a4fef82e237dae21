/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"

/* Open file description locks (fcntl(2)) conflict with the POSIX record lock of lckpwdf(3), but belong to
 * the descriptor: another part of this process that opens and closes the file does not drop ours. */
#define LOCK_BYTES                                                                                         \
    {                                                                                                      \
        .l_type = F_WRLCK, .l_whence = SEEK_SET                                                            \
    }

static long long now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Polling, since F_OFD_SETLKW can be bounded only by a signal, and signals are the caller's; it would also
 * hand the lock to the one that waits longest, who on a busy machine is not running yet. The steps grow,
 * since most locks are held for a millisecond or two. Who has waited long asks more often again: where many
 * wait, newcomers would come before him for ever. */
static long long step_of(long long waited)
{
    static const struct {
        long long waited, step;
    } steps[] = {{800, 5}, {400, 10}, {31, 20}, {15, 16}, {7, 8}, {3, 4}, {1, 2}};

    for (size_t i = 0; i < SP_COUNT(steps); i++)
        if (waited >= steps[i].waited)
            return steps[i].step;
    return 1;
}

static bool wait_turn(long long since, long long until)
{
    long long now = now_ms(), step = step_of(now - since);
    struct timespec ts = {0};

    if (now >= until)
        return false;
    ts.tv_nsec = (until - now < step ? until - now : step) * 1000000;
    (void)nanosleep(&ts, NULL);
    return true;
}

/* The holder's pid; 0 where the kernel does not tell (it is itself an open file description lock). */
static pid_t holder(int fd)
{
    struct flock l = LOCK_BYTES;

    if (fcntl(fd, F_OFD_GETLK, &l) != 0 || l.l_type == F_UNLCK || l.l_pid < 0)
        return 0;
    return l.l_pid;
}

static int busy(int fd, const char *path, unsigned deadline_ms, struct sp_error *err)
{
    pid_t pid = holder(fd);

    if (pid > 0)
        (void)sp_fail(err, SP_E_BUSY, 0, "process %ld still holds %s after %u ms", (long)pid, path,
                      deadline_ms);
    else
        (void)sp_fail(err, SP_E_BUSY, 0, "another process still holds %s after %u ms", path, deadline_ms);
    return sp_hint(err, "try again when it is done");
}

static int take(struct sp_host *h, const char *path, unsigned deadline_ms, long long since,
                struct sp_error *err)
{
    _cleanup_close_ int fd =
        sp_fsat_open(h->root_fd, path, O_RDWR | O_CREAT | O_NONBLOCK | O_NOCTTY, 0600, SP_FSAT_NONE, err);
    struct stat st;

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) != 0)
        return sp_fail(err, SP_E_IO, errno, "fstat of %s failed", path);
    if (!S_ISREG(st.st_mode))
        return sp_fail(err, SP_E_UNSAFE_PATH, 0, "%s is no regular file", path);
    for (;;) {
        struct flock l = LOCK_BYTES;
        if (fcntl(fd, F_OFD_SETLK, &l) == 0)
            return sp_steal_fd(&fd);
        if (errno != EAGAIN && errno != EACCES && errno != EINTR)
            return sp_fail(err, SP_E_IO, errno, "cannot lock %s", path);
        if (!wait_turn(since, since + deadline_ms))
            return busy(fd, path, deadline_ms, err);
    }
}

int sp_lock_take(struct sp_host *h, const char *path, unsigned deadline_ms, struct sp_error *err)
{
    return take(h, path, deadline_ms, now_ms(), err);
}

/* Shadow's own lock files hold a pid in decimal and a NUL (its lib/commonio.c, do_lock_file). Its tools
 * take lckpwdf(3) first; these files matter for a program that knows them alone. A file that names no
 * living process is a leftover, and is not ours to remove. */
static pid_t living_holder(struct sp_host *h, const char *path)
{
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    struct sp_error none;
    uint64_t pid;

    if (sp_fsat_read(h->root_fd, path, 64, &b, NULL, &none) != 0 ||
        sp_str_to_u64(sp_buf_str(&b), INT32_MAX, &pid) != 0 || pid == 0)
        return 0;
    return kill((pid_t)pid, 0) == 0 || errno == EPERM ? (pid_t)pid : 0;
}

int sp_lock_passwd(struct sp_host *h, unsigned deadline_ms, struct sp_error *err)
{
    static const char *const files[] = {"/etc/passwd.lock", "/etc/group.lock", "/etc/gshadow.lock"};
    long long since = now_ms();
    _cleanup_close_ int fd = take(h, "/etc/.pwd.lock", deadline_ms, since, err);
    pid_t pid;

    if (fd < 0)
        return -1;
    for (size_t i = 0; i < SP_COUNT(files); i++)
        while ((pid = living_holder(h, files[i])) != 0)
            if (!wait_turn(since, since + deadline_ms)) {
                (void)sp_fail(err, SP_E_BUSY, 0, "process %ld holds %s", (long)pid, files[i]);
                return sp_hint(err, "try again when it is done");
            }
    return sp_steal_fd(&fd);
}
