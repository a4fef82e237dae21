/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The attacker of the races, until it is killed:
 *
 *     swap --link TARGET A B    exchanges A with B, a symbolic link to TARGET
 *     swap --hard TARGET A B    with B, a hard link to it
 *     swap --tree DIR A B       with B, a directory as it is
 *     swap --away A B           renames A to B, and back
 *     swap --mount DIR A        mounts DIR on A, and takes it away
 *
 * What is renamed over a name takes away what he had laid there, so he lays it anew each time it is gone;
 * what is made where he has taken something away is his to remove. Standard input is a file of 16 bytes, in
 * which he counts how often the trap was laid at A and taken away again, and how often he had to make it
 * anew.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    const char *how, *target, *a, *b;
    struct stat trap; /* what he laid */
    volatile uint64_t *turns, *anew;
} me;

static bool is(const char *how)
{
    return strcmp(me.how, how) == 0;
}

static bool is_trap(const char *name)
{
    struct stat st;

    return lstat(name, &st) == 0 && st.st_dev == me.trap.st_dev && st.st_ino == me.trap.st_ino &&
           (st.st_mode & S_IFMT) == (me.trap.st_mode & S_IFMT);
}

static int move(const char *from, const char *to, unsigned flags)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, flags);
}

static int discard_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    (void)remove(path);
    return 0;
}

/* Not FTW_MOUNT: on an overlay a file has another st_dev than its directory, and would stay. */
static void discard(const char *path)
{
    (void)nftw(path, discard_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Somebody has renamed a file of his own over the trap. */
static void lay_anew(void)
{
    if (is("--tree"))
        return; /* no file goes over a directory */
    (void)unlink(me.b);
    if ((is("--link") ? symlink(me.target, me.b) : link(me.target, me.b)) == 0 &&
        lstat(me.b, &me.trap) == 0)
        ++*me.anew;
}

/* Where there is nothing to exchange it with, the trap alone is put there for a moment. */
static bool exchange(void)
{
    if (!is_trap(me.a) && !is_trap(me.b))
        lay_anew();
    if (is_trap(me.a) && move(me.a, me.b, RENAME_NOREPLACE) == 0)
        return false;
    if (move(me.a, me.b, RENAME_EXCHANGE) < 0 &&
        (errno != ENOENT || move(me.b, me.a, RENAME_NOREPLACE) < 0))
        return false;
    return is_trap(me.a);
}

/* A removal that is under way may make the same name again. */
static bool take_away(void)
{
    if (move(me.b, me.a, RENAME_NOREPLACE) < 0 && errno == EEXIST) {
        discard(me.b);
        ++*me.anew;
    }
    (void)usleep(30);
    return move(me.a, me.b, RENAME_NOREPLACE) == 0;
}

static bool mount_upon(void)
{
    bool mounted = mount(me.target, me.a, NULL, MS_BIND, NULL) == 0;

    (void)usleep(500); /* a mount that goes away takes the kernel longer than that */
    (void)umount2(me.a, MNT_DETACH);
    return mounted;
}

int main(int argc, char **argv)
{
    bool pair = argc == 5, away = argc == 4 && strcmp(argv[1], "--away") == 0;

    if (!pair && argc != 4)
        return 2;
    me.how = argv[1];
    me.target = argv[2];
    me.a = argv[away ? 2 : 3];
    me.b = pair ? argv[4] : argv[3];
    me.turns = mmap(NULL, 2 * sizeof(*me.turns), PROT_READ | PROT_WRITE, MAP_SHARED, STDIN_FILENO, 0);
    if (me.turns == MAP_FAILED || (pair && lstat(me.b, &me.trap) < 0))
        return 1;
    me.anew = me.turns + 1;
    for (unsigned i = 0;; i++) {
        *me.turns += pair ? exchange() : away ? take_away() : mount_upon();
        (void)usleep(30); /* without a pause nobody else gets a lookup done: they all begin again */
        if (i == 100) {   /* it runs: both names have been seen both ways */
            (void)printf("ready\n");
            (void)fflush(stdout);
        }
    }
}
