/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Steps 5 to 8: a new jail, by file descriptors alone. The tree that becomes "/" is a directory *below* the
 * root of a private tmpfs, since a process whose root is the root of its mount namespace may still make
 * user namespaces, and one in a directory of it may not (user_namespaces(7), EPERM).
 *
 *     staging (private tmpfs, read-only at the end)
 *       jail/       the document root is mounted here (root layout), or this is the skeleton (path layout)
 *       skel/       var/www/...: the directories on the way to the real paths, for the root layout
 *       scratch/    a tmpfs of tmp_mib: tmp shm run
 *       hide/       nothing: covers what an extra login shall not see
 */
#include "entry.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "mount.h"

#define FIXED (SP_MOUNT_QUIET | MOUNT_ATTR_RDONLY)
#define MAX_PATHS (SP_RECORD_MAX_ROOTS + 1 + SP_SHOWN_MAX + 1)

struct build {
    struct sp_entry *e;
    int store, generation, pts;       /* sources, opened in the new namespace */
    int map;                          /* an extra login's id map, or -1 */
    int staging, scratch, skel, jail; /* what they become part of */
};

static void build_clear(struct build *b)
{
    int *const fds[] = {&b->store,   &b->generation, &b->pts,  &b->map,
                        &b->staging, &b->scratch,    &b->skel, &b->jail};

    for (size_t i = 0; i < SP_COUNT(fds); i++)
        sp_cleanup_close(fds[i]);
}

/* Step 5. Namespaces of the account's own. Nothing mounted in them shows outside, while an umount by the
 * host's administrator still reaches in (slave, not private). The PID namespace begins with the first fork.
 */
static int leave_host(struct sp_error *err)
{
    const struct sp_mount_attr slave = {.propagation = SP_MS_SLAVE};
    _cleanup_close_ int root = -1;

    if (unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID) < 0) {
        sp_fail(err, SP_E_UNSUPPORTED, errno, "this host allows no namespaces");
        return sp_hint(err, "in a container: allow nesting; or give the account another shell");
    }
    root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0 || sp_sys_mount_setattr(root, AT_EMPTY_PATH | AT_RECURSIVE, &slave) < 0) {
        sp_fail(err, SP_E_UNSUPPORTED, errno, "mount_setattr");
        return sp_hint(err, "Linux 5.12 or newer is needed");
    }
    return 0;
}

static bool is_ident(int fd, struct sp_ident want)
{
    struct stat st;

    return fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == want.dev && st.st_ino == want.ino;
}

/* Step 6. The store is opened now, since the staging tmpfs will cover it, and the record a second time: PID
 * 1 needs a lock owner (an open file description) of its own. A record replaced meanwhile is not ours to
 * publish this jail under. */
static int open_sources(struct build *b, struct sp_error *err)
{
    char path[32 + sizeof(b->e->generation)];
    struct stat st;

    b->store = open(SP_STORE, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    b->pts = open("/dev/pts", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (b->store < 0 || b->pts < 0)
        return sp_fail(err, SP_E_IO, errno, "opening " SP_STORE " and /dev/pts");
    (void)sp_str_format(path, sizeof(path), "gen/%s", b->e->generation);
    b->generation = sp_mount_open(b->store, path, err);
    if (b->generation < 0)
        return -1;
    if (!is_ident(b->generation, b->e->gen))
        return sp_fail(err, SP_E_BUSY, 0, "the jail's files were renewed at this moment; log in again");
    if (b->e->record.files_uid != 0) {
        b->map = sp_login_open_map(b->e, err);
        if (b->map < 0)
            return -1;
    }
    if (!b->e->serial)
        return 0;
    (void)sp_str_format(path, sizeof(path), "entry/%u", (unsigned)b->e->record.uid);
    b->e->lock_fd = openat(b->store, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fstat(b->e->record_fd, &st) < 0 ||
        !is_ident(b->e->lock_fd, (struct sp_ident){.dev = st.st_dev, .ino = st.st_ino})) {
        sp_cleanup_close(&b->e->lock_fd);
        b->e->lock_fd = -1;
    }
    return 0;
}

/* Step 7, in parts. First the private tmpfs; it is put upon the store only because pivot_root(2) wants a
 * mount that is in the tree. The second one holds what the account may fill, so that its size is one limit.
 */
static int make_staging(struct build *b, struct sp_error *err)
{
    static const struct {
        const char *name;
        mode_t mode;
    } dirs[] = {{"tmp", 01777}, {"shm", 01777}, {"run", 0755}};
    char size[32], inodes[32];
    _cleanup_close_ int at = -1;

    b->staging = sp_mount_tmpfs("64k", "1024", b->store, err);
    if (b->staging < 0 || sp_mount_make_dir(b->staging, "jail", 0755, err) < 0 ||
        sp_mount_make_dir(b->staging, "skel", 0755, err) < 0 ||
        sp_mount_make_dir(b->staging, "hide", 0555, err) < 0 ||
        sp_mount_make_dir(b->staging, "scratch", 0755, err) < 0)
        return -1;
    b->skel = sp_mount_open(b->staging, "skel", err);
    at = sp_mount_open(b->staging, "scratch", err);
    if (b->skel < 0 || at < 0)
        return -1;
    (void)sp_str_format(size, sizeof(size), "%uM", b->e->record.tmp_mib);
    (void)sp_str_format(inodes, sizeof(inodes), "%lu", (unsigned long)b->e->record.tmp_mib * 1024);
    b->scratch = sp_mount_tmpfs(size, inodes, at, err);
    for (size_t i = 0; b->scratch >= 0 && i < SP_COUNT(dirs); i++)
        if (sp_mount_make_dir(b->scratch, dirs[i].name, dirs[i].mode, err) < 0)
            return -1;
    return b->scratch < 0 ? -1 : 0;
}

static bool is_point(const char *name)
{
    for (size_t i = 0; sp_layout_points[i] != NULL; i++)
        if (sp_streq(name, sp_layout_points[i]))
            return true;
    return false;
}

/* The first component of a real path. /usr/... or /tmp/... would have to be made inside what is already
 * somebody's: refused. */
static int first_component(const char *path, char ret[256], struct sp_error *err)
{
    size_t n = strcspn(path + 1, "/");

    memcpy(ret, path + 1, n); /* the record allows at most 255 */
    ret[n] = '\0';
    return is_point(ret) ? sp_fail(err, SP_E_UNSUPPORTED, 0, "%s lies in the jail's own /%s", path, ret)
                         : 0;
}

/* The paths that a mount point is needed for: of the places, and of what is shown of the host. */
static size_t all_paths(const struct build *b, const char *ret[MAX_PATHS])
{
    size_t n = b->e->n_places;

    for (size_t i = 0; i < n; i++)
        ret[i] = b->e->places[i].path;
    return n + sp_shown_paths(&b->e->shown, ret + n);
}

/* The directories on the way to the real paths, below `under`; what programs expect of /var goes with them.
 */
static int make_ways(const struct build *b, int under, struct sp_error *err)
{
    static const struct {
        const char *name, *target;
    } links[] = {{"var/tmp", "../tmp"}, {"var/run", "../run"}};
    const char *paths[MAX_PATHS];
    size_t n = all_paths(b, paths);
    char name[256];

    for (size_t i = 0; i < n; i++)
        if (first_component(paths[i], name, err) < 0 || sp_mount_make_dir(under, name, 0755, err) < 0 ||
            (i < b->e->n_places && sp_mount_make_way(under, paths[i], err) < 0))
            return -1;
    sp_show_ways(b->e, under, b->scratch);
    for (size_t i = 0; i < SP_COUNT(links); i++)
        if (symlinkat(links[i].target, under, links[i].name) < 0 && errno != ENOENT && errno != EEXIST)
            return sp_fail(err, SP_E_IO, errno, "the skeleton's %s", links[i].name);
    return 0;
}

/* usr/bin and its like may be missing: aarch64 has no lib64. What cannot be looked at is there: mounting it
 * then fails, and no jail stands without it. */
static bool has(const struct build *b, const char *name)
{
    return faccessat(b->generation, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

static const struct merged {
    const char *name, *target;
} merged[] = {{"bin", "usr/bin"}, {"lib", "usr/lib"}, {"lib64", "usr/lib64"}, {"sbin", "usr/sbin"}};

/* Path layout: "/" is ours alone, so the merged directories are links, as on the host. */
static int make_skeleton(struct build *b, struct sp_error *err)
{
    static const char *const dirs[] = {"usr", "etc", "dev", "proc", "tmp", "run", "var"};

    b->jail = sp_mount_open(b->staging, "jail", err);
    for (size_t i = 0; b->jail >= 0 && i < SP_COUNT(dirs); i++)
        if (sp_mount_make_dir(b->jail, dirs[i], 0755, err) < 0)
            return -1;
    for (size_t i = 0; b->jail >= 0 && i < SP_COUNT(merged); i++)
        if (has(b, merged[i].target) && symlinkat(merged[i].target, b->jail, merged[i].name) < 0)
            return sp_fail(err, SP_E_IO, errno, "the skeleton's %s", merged[i].name);
    return b->jail < 0 ? -1 : make_ways(b, b->jail, err);
}

/* `from` below from_fd upon `to` below the jail. */
static int bind(const struct build *b, int from_fd, const char *from, const char *to,
                const struct sp_mount_attr *attr, struct sp_error *err)
{
    _cleanup_close_ int source = -1, target = -1, mount = -1;

    source = sp_mount_open_source(from_fd, from, err);
    target = source < 0 ? -1 : sp_mount_open(b->jail, to, err);
    mount = target < 0 ? -1 : sp_mount_attach(source, target, 0, attr, err);
    return mount < 0 ? -1 : 0;
}

static const struct sp_mount_attr fixed = {.set = FIXED};

/* A document root or a home as a mount of its own, with whatever the host has mounted in it (a media share)
 * where that takes the login's id map, too. */
static int clone_site(const struct build *b, int from, struct sp_error *err)
{
    const uint64_t readonly = b->e->record.read_only != 0 ? MOUNT_ATTR_RDONLY : 0;
    struct sp_mount_attr attr = {.set = SP_MOUNT_QUIET | readonly};
    int tree;

    if (b->map < 0)
        return sp_mount_clone(from, AT_RECURSIVE, &attr, err);
    attr.set |= MOUNT_ATTR_IDMAP;
    attr.userns_fd = (uint64_t)b->map;
    tree = sp_mount_clone(from, AT_RECURSIVE, &attr, err);
    return tree >= 0 ? tree : sp_mount_clone(from, 0, &attr, err);
}

/* Root layout: the document root is "/"; upon its empty directories come the merged ones and, read-only,
 * the first components of the real paths. */
static int mount_root(struct build *b, int tree, struct sp_error *err)
{
    _cleanup_close_ int at = sp_mount_open(b->staging, "jail", err);
    const char *paths[MAX_PATHS];
    char name[256], done[MAX_PATHS][256];
    size_t n = 0, n_paths = all_paths(b, paths);

    if (at < 0 || sp_mount_move(tree, at, err) < 0)
        return -1;
    b->jail = fcntl(tree, F_DUPFD_CLOEXEC, 0);
    if (b->jail < 0)
        return sp_fail(err, SP_E_IO, errno, "fcntl");
    if (make_ways(b, b->skel, err) < 0)
        return -1;
    for (size_t i = 0; i < SP_COUNT(merged); i++)
        if (has(b, merged[i].target) &&
            bind(b, b->generation, merged[i].target, merged[i].name, &fixed, err) < 0)
            return -1;
    for (size_t i = 0, k; i < n_paths; i++) {
        if (first_component(paths[i], name, err) < 0)
            return -1;
        for (k = 0; k < n && !sp_streq(done[k], name); k++)
            ;
        if (k == n && bind(b, b->skel, name, name, &fixed, err) < 0)
            return -1;
        if (k == n)
            memcpy(done[n++], name, sizeof(name));
    }
    return 0;
}

/* Which layout is the site's doing: see sp_layout_probe(). It looks through the mount that will be there:
 * an extra login may not look into the directory itself. */
static int mount_slash(struct build *b, struct sp_error *err)
{
    const char *paths[MAX_PATHS];
    _cleanup_close_ int root = sp_login_open_root(b->e, err);
    _cleanup_close_ int tree = root < 0 ? -1 : clone_site(b, root, err);
    char why[300];

    if (tree < 0)
        return -1;
    b->e->layout = sp_layout_probe(tree, paths, all_paths(b, paths), why);
    return b->e->layout == SP_LAYOUT_ROOT ? mount_root(b, tree, err) : make_skeleton(b, err);
}

/* What is the same in every jail. The order is that of the tree: dev before dev/pts. Device nodes work in
 * dev alone. pts is the host's own devpts: then `tty`, tmux and resize work, and modes keep others'
 * terminals shut; ptmx finds it because it is its sibling (devpts, path_pts()). */
static int mount_common(const struct build *b, struct sp_error *err)
{
    const struct sp_mount_attr dev = {.set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
                                      .clear = MOUNT_ATTR_NODEV};
    const struct sp_mount_attr pts = {.set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC};
    const struct sp_mount_attr own = {.set = SP_MOUNT_QUIET};
    char passwd[64], group[64];
    const struct {
        int from_fd;
        const char *from, *to;
        const struct sp_mount_attr *attr;
    } table[] = {
        {b->generation, "usr", "usr", &fixed},    {b->generation, "etc", "etc", &fixed},
        {b->store, passwd, "etc/passwd", &fixed}, /* this account's names only */
        {b->store, group, "etc/group", &fixed},   {b->store, "dev", "dev", &dev},
        {b->pts, ".", "dev/pts", &pts},           {b->scratch, "shm", "dev/shm", &own},
        {b->scratch, "tmp", "tmp", &own},         {b->scratch, "run", "run", &own},
    };

    (void)sp_str_format(passwd, sizeof(passwd), "names/%u/passwd", (unsigned)b->e->record.uid);
    (void)sp_str_format(group, sizeof(group), "names/%u/group", (unsigned)b->e->record.uid);
    for (size_t i = 0; i < SP_COUNT(table); i++)
        if (bind(b, table[i].from_fd, table[i].from, table[i].to, table[i].attr, err) < 0)
            return -1;
    return 0;
}

/* The document roots and the home at their real absolute paths: what a tool records inside is right for the
 * web server, too. */
static int mount_places(const struct build *b, struct sp_error *err)
{
    for (size_t i = 0; i < b->e->n_places; i++) {
        _cleanup_close_ int source = sp_login_open_place(b->e, i, err);
        _cleanup_close_ int target = source < 0 ? -1 : sp_mount_open(b->jail, b->e->places[i].path, err);
        _cleanup_close_ int tree = target < 0 ? -1 : clone_site(b, source, err);

        if (tree < 0 || sp_mount_move(tree, target, err) < 0)
            return -1;
    }
    return 0;
}

static int hide(const struct build *b, struct sp_error *err)
{
    _cleanup_close_ int empty = -1;

    if (b->e->record.n_hidden == 0)
        return 0;
    empty = sp_mount_open(b->staging, "hide", err);
    return empty < 0 ? -1 : sp_hide(b->e, b->jail, empty, err);
}

/* Step 8. The skeleton belongs to the user (we have no right to make it anybody else's), so it turns
 * read-only. pivot_root(".", ".") puts the old root on top of the new one, where umount2 takes it away
 * (pivot_root(2), NOTES). */
static int enter(const struct build *b, struct sp_error *err)
{
    const struct sp_mount_attr readonly = {.set = FIXED | MOUNT_ATTR_NOEXEC};

    if (sp_sys_mount_setattr(b->staging, AT_EMPTY_PATH, &readonly) < 0)
        return sp_fail(err, SP_E_IO, errno, "making the skeleton read-only");
    if (fchdir(b->staging) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
        syscall(SYS_umount2, ".", SP_MNT_DETACH) < 0)
        return sp_fail(err, SP_E_UNSUPPORTED, errno, "pivot_root");
    if (fchdir(b->jail) < 0 || chroot(".") < 0)
        return sp_fail(err, SP_E_IO, errno, "chroot");
    return 0;
}

int sp_build(struct sp_entry *e, struct sp_error *err)
{
    _cleanup_(build_clear) struct build b = {.e = e,
                                             .store = -1,
                                             .generation = -1,
                                             .pts = -1,
                                             .map = -1,
                                             .staging = -1,
                                             .scratch = -1,
                                             .skel = -1,
                                             .jail = -1};

    if (leave_host(err) < 0 || open_sources(&b, err) < 0 || make_staging(&b, err) < 0 ||
        mount_slash(&b, err) < 0 || mount_common(&b, err) < 0)
        return -1;
    sp_show_mount(b.e, b.jail);
    return mount_places(&b, err) < 0 || hide(&b, err) < 0 || enter(&b, err) < 0 ? -1 : 0;
}

/* proc(5) shows the PID namespace of the process that mounts it, so the first child does. No hidepid: all
 * processes in this one are the account's own, and since every login is a Landlock domain of its own (which
 * ptrace does not cross, and hidepid asks ptrace), it would hide the first login's tmux from the second. */
int sp_build_proc(struct sp_error *err)
{
    _cleanup_close_ int fs = sp_sys_fsopen("proc"), mount = -1;
    _cleanup_close_ int at = open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fs < 0 || at < 0 || sp_sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL) < 0)
        return sp_fail(err, SP_E_UNSUPPORTED, errno, "a /proc of its own");
    mount = sp_sys_fsmount(fs, SP_MOUNT_QUIET | MOUNT_ATTR_NOEXEC);
    if (mount < 0 || sp_sys_move_mount(mount, at) < 0)
        return sp_fail(err, SP_E_UNSUPPORTED, errno, "mounting /proc");
    return 0;
}
