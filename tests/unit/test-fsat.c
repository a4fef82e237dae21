/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "temp.h"

static int open_ro(struct temp_host *t, const char *path, struct sp_error *err)
{
    return sp_fsat_open(t->h.root_fd, path, O_RDONLY | O_NONBLOCK, 0, SP_FSAT_NONE, err);
}

static void links_and_dotdot_are_refused_anywhere_in_a_path(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;

    assert_int_equal(mkdirat(t->h.root_fd, "d", 0755), 0);
    temp_put(t, "d/f", "x", 0644);
    assert_int_equal(symlinkat("d", t->h.root_fd, "l"), 0);
    assert_int_equal(symlinkat("/etc/passwd", t->h.root_fd, "d/p"), 0);
    static const char *const bad[] = {"l/f", "/l/f", "d/p", "d/../d/f", "..", "d/f/g", "../x"};
    for (size_t i = 0; i < SP_COUNT(bad); i++) {
        assert_int_equal(open_ro(t, bad[i], &err), -1);
        assert_int_equal(err.code, SP_E_UNSAFE_PATH);
    }
    assert_int_equal(open_ro(t, "d/none", &err), -1);
    assert_int_equal(err.code, SP_E_NOT_FOUND);
    _cleanup_close_ int fd = open_ro(t, "//d/./f", &err);
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_false(sp_fsat_exists(t->h.root_fd, "l"));
    assert_true(sp_fsat_exists(t->h.root_fd, "/d/f"));
}

static void followed_links_stay_beneath_the_root(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;

    /* Below, without_openat2_..., nothing is followed; so it is under valgrind, which does not know the
     * call. */
    if (syscall(SYS_openat2, -1, "", NULL, 0) < 0 && errno == ENOSYS)
        skip();
    temp_put(t, "real", "mine", 0644);
    assert_int_equal(symlinkat("/real", t->h.root_fd, "l"), 0);
    assert_int_equal(symlinkat("../../../../../etc/passwd", t->h.root_fd, "out"), 0);
    _cleanup_close_ int fd = sp_fsat_open(t->h.root_fd, "l", O_RDONLY, 0, SP_FSAT_FOLLOW, &err);
    assert_true(fd >= 0);
    assert_int_equal(sp_fsat_open(t->h.root_fd, "out", O_RDONLY, 0, SP_FSAT_FOLLOW, &err), -1);
    assert_int_equal(err.code, SP_E_NOT_FOUND);
}

static void directories_get_their_exact_mode(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;
    mode_t old = umask(077);
    _cleanup_close_ int fd = sp_fsat_make_dirs(t->h.root_fd, "/a/b/c", 0755, &err);
    _cleanup_close_ int again = sp_fsat_make_dirs(t->h.root_fd, "a/b/c", 0700, &err);

    umask(old);
    assert_true(fd >= 0 && again >= 0);
    assert_int_equal(temp_mode(t, "a"), 0755);
    assert_int_equal(temp_mode(t, "a/b/c"), 0755);
    /* One that a crash left without its mode is finished; one that somebody closed, and uses, is not. */
    assert_int_equal(mkdirat(t->h.root_fd, "half", 0700), 0);
    assert_int_equal(mkdirat(t->h.root_fd, "closed", 0700), 0);
    temp_put(t, "closed/file", "", 0644);
    _cleanup_close_ int half = sp_fsat_make_dirs(t->h.root_fd, "half", 0755, &err);
    _cleanup_close_ int closed = sp_fsat_make_dirs(t->h.root_fd, "closed", 0755, &err);
    assert_true(half >= 0 && closed >= 0);
    assert_int_equal(temp_mode(t, "half"), 0755);
    assert_int_equal(temp_mode(t, "closed"), 0700);
    temp_put(t, "a/file", "", 0644);
    assert_int_equal(sp_fsat_make_dirs(t->h.root_fd, "a/file/d", 0755, &err), -1);
    assert_int_equal(err.code, SP_E_UNSAFE_PATH);
}

static void only_regular_files_of_bounded_size_are_read(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    struct sp_error err;

    assert_int_equal(mkfifoat(t->h.root_fd, "fifo", 0644), 0);
    assert_int_equal(mkdirat(t->h.root_fd, "dir", 0755), 0);
    temp_put(t, "sparse", "", 0644);
    _cleanup_close_ int fd = openat(t->h.root_fd, "sparse", O_WRONLY | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, (off_t)10 << 30), 0);
    assert_int_equal(sp_fsat_read(t->h.root_fd, "fifo", 10, &b, NULL, &err), -1);
    assert_int_equal(err.code, SP_E_UNSAFE_PATH);
    assert_int_equal(sp_fsat_read(t->h.root_fd, "dir", 10, &b, NULL, &err), -1);
    assert_int_equal(err.code, SP_E_UNSAFE_PATH);
    assert_int_equal(sp_fsat_read(t->h.root_fd, "sparse", 1 << 20, &b, NULL, &err), -1);
    assert_int_equal(err.code, SP_E_INVALID);
    temp_put(t, "ten", "0123456789", 0640);
    assert_int_equal(sp_fsat_read(t->h.root_fd, "ten", 9, &b, NULL, &err), -1);
    struct stat st;
    assert_int_equal(sp_fsat_read(t->h.root_fd, "ten", 10, &b, &st, &err), 0);
    assert_string_equal(sp_buf_str(&b), "0123456789");
    assert_int_equal(st.st_size, 10);
}

/* A file that says of itself that it is empty, and is not: proc(5). */
static void a_file_is_bounded_by_what_it_gives_not_by_what_it_says(void **state)
{
    _cleanup_close_ int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    struct sp_error err;
    struct stat st;

    (void)state;
    assert_true(fd >= 0 && fstat(fd, &st) == 0 && st.st_size == 0);
    assert_int_equal(sp_fsat_read_fd(fd, "maps", 100, &b, NULL, &err), -1);
    assert_int_equal(err.code, SP_E_INVALID);
}

static void a_tree_goes_but_not_what_its_links_name(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;

    temp_put(t, "kept", "kept", 0644);
    assert_int_equal(mkdirat(t->h.root_fd, "keptdir", 0755), 0);
    temp_put(t, "keptdir/f", "", 0644);
    _cleanup_close_ int fd = sp_fsat_make_dirs(t->h.root_fd, "tree/a/b", 0755, &err);
    temp_put(t, "tree/a/f", "", 0644);
    assert_int_equal(symlinkat("../../keptdir", fd, "l"), 0);
    assert_int_equal(sp_fsat_remove_tree(t->h.root_fd, "tree", &err), 0);
    assert_false(sp_fsat_exists(t->h.root_fd, "tree"));
    assert_true(sp_fsat_exists(t->h.root_fd, "keptdir/f"));
    assert_int_equal(sp_fsat_remove_tree(t->h.root_fd, "tree", &err), 0);
    assert_int_equal(sp_fsat_remove_empty(t->h.root_fd, "keptdir", &err), 0);
    assert_int_equal(sp_fsat_remove_tree(t->h.root_fd, "keptdir/f", &err), 0);
    assert_true(sp_fsat_exists(t->h.root_fd, "keptdir"));
    assert_int_equal(sp_fsat_remove_tree(t->h.root_fd, "no/such", &err), 0);
    assert_int_equal(sp_fsat_remove_empty(t->h.root_fd, "no/such", &err), 0);
    assert_int_equal(sp_fsat_remove_empty(t->h.root_fd, "kept", &err), -1);
    assert_int_equal(sp_fsat_remove_empty(t->h.root_fd, "keptdir", &err), 0);
    assert_false(sp_fsat_exists(t->h.root_fd, "keptdir"));
    assert_int_equal(sp_fsat_remove_tree(t->h.root_fd, "/", &err), -1);
}

static void a_tree_4000_deep_is_removed(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;
    int at = dup(t->h.root_fd);

    for (int i = 0; i < 4000; i++) {
        assert_int_equal(mkdirat(at, "a-long-name-of-a-directory", 0755), 0);
        int next = openat(at, "a-long-name-of-a-directory", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        (void)close(at);
        at = next;
    }
    (void)close(at);
    assert_int_equal(sp_fsat_remove_tree(t->h.root_fd, "a-long-name-of-a-directory", &err), 0);
    assert_false(sp_fsat_exists(t->h.root_fd, "a-long-name-of-a-directory"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, temp_open, temp_close)

/* A container's filter that is older than openat2(2), as a kernel before 5.6. */
static bool forget_openat2(void)
{
    struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
                                 BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
                                 BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
                                 BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const struct sock_fprog filter = {SP_COUNT(code), code};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

static int code_of(const struct temp_host *t, const char *path, int flags, enum sp_fsat_flags how)
{
    struct sp_error err;
    int fd = sp_fsat_open(t->h.root_fd, path, flags, 0600, how, &err);

    if (fd < 0)
        return (int)err.code;
    if ((fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0)
        return -2;
    (void)close(fd);
    return SP_OK;
}

/* What must be so in the child: 0, or the number of the line that was not. */
static int walk_without_openat2(const struct temp_host *t)
{
    static const struct {
        const char *path;
        int flags;
        enum sp_fsat_flags how;
        enum sp_code code;
    } cases[] = {
        {"d/f", O_RDONLY, SP_FSAT_NONE, SP_OK},
        {"//d/./f", O_RDONLY, SP_FSAT_NO_XDEV, SP_OK},
        {".", O_RDONLY | O_DIRECTORY, SP_FSAT_NONE, SP_OK},
        {"/", O_RDONLY | O_DIRECTORY, SP_FSAT_NONE, SP_OK},
        {"d/new", O_WRONLY | O_CREAT | O_EXCL, SP_FSAT_NONE, SP_OK},
        {"d/f", O_WRONLY | O_CREAT | O_EXCL, SP_FSAT_NONE, SP_E_IO},
        {"d/none", O_RDONLY, SP_FSAT_NONE, SP_E_NOT_FOUND},
        {"none/f", O_RDONLY, SP_FSAT_NONE, SP_E_NOT_FOUND},
        {"d/f/g", O_RDONLY, SP_FSAT_NONE, SP_E_UNSAFE_PATH},
        {"l/f", O_RDONLY, SP_FSAT_NONE, SP_E_UNSAFE_PATH},
        {"d/p", O_RDONLY, SP_FSAT_NONE, SP_E_UNSAFE_PATH},
        {"d/p", O_RDONLY, SP_FSAT_FOLLOW, SP_E_UNSAFE_PATH},
        {"d/p", O_PATH, SP_FSAT_NONE,
         SP_E_UNSAFE_PATH}, /* open(2): O_PATH with O_NOFOLLOW opens the link itself */
        {"l", O_PATH, SP_FSAT_FOLLOW, SP_E_UNSAFE_PATH},
        {"d/p", O_PATH | O_NOFOLLOW, SP_FSAT_NONE, SP_OK},
        {"d/../d/f", O_RDONLY, SP_FSAT_NONE, SP_E_UNSAFE_PATH},
    };
    char longest[600];

    for (size_t i = 0; i < SP_COUNT(cases); i++)
        if (code_of(t, cases[i].path, cases[i].flags, cases[i].how) != (int)cases[i].code)
            return (int)i + 1;
    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    return code_of(t, longest, O_RDONLY, SP_FSAT_NONE) == SP_E_IO ? 0 : 100;
}

static void without_openat2_a_path_is_walked_as_safely(void **state)
{
    struct temp_host *t = *state;
    int status = -1;
    pid_t pid;

    assert_int_equal(mkdirat(t->h.root_fd, "d", 0755), 0);
    temp_put(t, "d/f", "x", 0644);
    assert_int_equal(symlinkat("d", t->h.root_fd, "l"), 0);
    assert_int_equal(symlinkat("/etc/passwd", t->h.root_fd, "d/p"), 0);
    pid = fork();
    if (pid == 0)
        _exit(forget_openat2() ? walk_without_openat2(t) : 101);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* /dev/pts is a mount of its own wherever /dev is there. */
static void without_openat2_a_mount_is_crossed_only_where_it_may_be(void **state)
{
    struct stat dev, pts;
    int status = -1;
    pid_t pid;

    (void)state;
    if (stat("/dev", &dev) != 0 || stat("/dev/pts", &pts) != 0 || dev.st_dev == pts.st_dev)
        skip();
    pid = fork();
    if (pid == 0) {
        struct temp_host at = {.h.root_fd = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        if (!forget_openat2() || code_of(&at, "pts", O_PATH, SP_FSAT_NONE) != SP_OK)
            _exit(1);
        _exit(code_of(&at, "pts", O_PATH, SP_FSAT_NO_XDEV) == SP_E_UNSAFE_PATH &&
                      code_of(&at, "pts/ptmx", O_PATH, SP_FSAT_NO_XDEV) == SP_E_UNSAFE_PATH
                  ? 0
                  : 2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void a_directory_of_an_impossible_name_is_not_made(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;
    char longest[400];

    assert_int_equal(sp_fsat_make_dirs(t->h.root_fd, "a/../b", 0755, &err), -1);
    assert_int_equal(err.code, SP_E_UNSAFE_PATH);
    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(sp_fsat_make_dirs(t->h.root_fd, longest, 0755, &err), -1);
    assert_int_equal(err.code, SP_E_INVALID);
    temp_put(t, "file", "x", 0644);
    assert_int_equal(sp_fsat_make_dirs(t->h.root_fd, "file/d", 0755, &err), -1);
    assert_int_equal(err.code, SP_E_UNSAFE_PATH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(links_and_dotdot_are_refused_anywhere_in_a_path),
        T(followed_links_stay_beneath_the_root),
        T(directories_get_their_exact_mode),
        T(only_regular_files_of_bounded_size_are_read),
        T(a_file_is_bounded_by_what_it_gives_not_by_what_it_says),
        T(a_tree_goes_but_not_what_its_links_name),
        T(a_tree_4000_deep_is_removed),
        T(without_openat2_a_path_is_walked_as_safely),
        T(without_openat2_a_mount_is_crossed_only_where_it_may_be),
        T(a_directory_of_an_impossible_name_is_not_made),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
