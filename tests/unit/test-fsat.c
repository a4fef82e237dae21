/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
