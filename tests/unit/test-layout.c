/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "blind.h"
#include "host/fsat.h"
#include "host/layout.h"

static const char *const paths[] = {"/var/www/example.com", "/home/example", "/var/www/other"};

struct tree {
    char name[32];
    int fd;
};

static int make_tree(void **state)
{
    struct tree *t = calloc(1, sizeof(*t));

    assert_non_null(t);
    strncpy(t->name, "/tmp/test-layout-XXXXXX", sizeof(t->name) - 1);
    assert_non_null(mkdtemp(t->name));
    t->fd = open(t->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(t->fd >= 0);
    for (size_t i = 0; sp_layout_points[i] != NULL; i++)
        assert_int_equal(mkdirat(t->fd, sp_layout_points[i], 0755), 0);
    assert_int_equal(mkdirat(t->fd, "var", 0755), 0);
    assert_int_equal(mkdirat(t->fd, "home", 0755), 0);
    *state = t;
    return 0;
}

static int drop_tree(void **state)
{
    struct tree *t = *state;
    _cleanup_close_ int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct sp_error err = {0};

    (void)close(t->fd);
    assert_int_equal(sp_fsat_remove_tree(tmp, t->name + strlen("/tmp/"), &err), 0);
    free(t);
    return 0;
}

static void names_come_without_repeats(void **state)
{
    char names[64][256];
    size_t n = sp_layout_names(paths, SP_COUNT(paths), names, SP_COUNT(names));

    (void)state;
    assert_int_equal(n, 12);
    assert_string_equal(names[10], "var");
    assert_string_equal(names[11], "home");
    assert_int_equal(sp_layout_names(paths, SP_COUNT(paths), names, 3), 3);
}

static void empty_directories_allow_the_root_layout(void **state)
{
    struct tree *t = *state;
    char why[300];

    assert_int_equal(sp_layout_probe(t->fd, paths, SP_COUNT(paths), why), SP_LAYOUT_ROOT);
    assert_string_equal(why, "");
}

static void assert_path_layout(struct tree *t, const char *want)
{
    char why[300];

    assert_int_equal(sp_layout_probe(t->fd, paths, SP_COUNT(paths), why), SP_LAYOUT_PATH);
    assert_string_equal(why, want);
}

static void content_makes_it_the_path_layout(void **state)
{
    struct tree *t = *state;

    assert_int_equal(mkdirat(t->fd, "bin/console", 0755), 0);
    assert_path_layout(t, "bin has content of its own");
}

static void a_missing_point_makes_it_the_path_layout(void **state)
{
    struct tree *t = *state;

    assert_int_equal(unlinkat(t->fd, "var", AT_REMOVEDIR), 0);
    assert_path_layout(t, "var is missing");
}

static void what_stands_there_is_the_reason_before_what_is_missing(void **state)
{
    struct tree *t = *state;

    assert_int_equal(unlinkat(t->fd, "bin", AT_REMOVEDIR), 0);
    assert_int_equal(mkdirat(t->fd, "var/cache", 0755), 0);
    assert_int_equal(unlinkat(t->fd, "home", AT_REMOVEDIR), 0);
    assert_path_layout(t, "var has content of its own");
}

static void a_link_makes_it_the_path_layout(void **state)
{
    struct tree *t = *state;

    assert_int_equal(unlinkat(t->fd, "etc", AT_REMOVEDIR), 0);
    assert_int_equal(symlinkat("/etc", t->fd, "etc"), 0);
    assert_path_layout(t, "etc is not a directory");
}

static void a_fifo_neither_blocks_nor_passes(void **state)
{
    struct tree *t = *state;

    assert_int_equal(unlinkat(t->fd, "tmp", AT_REMOVEDIR), 0);
    assert_int_equal(mkfifoat(t->fd, "tmp", 0644), 0);
    assert_path_layout(t, "tmp is not a directory");
}

/* The number of what is not so, or 0. */
static int judge_places(const struct tree *t)
{
    _cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    const char *mounted = sp_layout_unfit(root, "proc");
    struct stat st;

    if (mounted == NULL || strcmp(mounted, "is a mount point of the host") != 0)
        return 1;
    if (sp_layout_stat(root, "proc", &st) == 0 || errno != EXDEV)
        return 2;
    if (sp_layout_unfit(t->fd, "etc") != NULL || sp_layout_unfit(t->fd, "none") == NULL)
        return 3;
    if (sp_layout_stat(t->fd, "etc", &st) != 0 || !S_ISDIR(st.st_mode))
        return 4;
    return symlinkat("/etc", t->fd, "link") == 0 && sp_layout_stat(t->fd, "link", &st) == 0 &&
                   S_ISLNK(st.st_mode)
               ? 0
               : 5;
}

static void a_mount_is_told_from_a_directory_without_openat2_too(void **state)
{
    const struct tree *t = *state;
    pid_t pid;
    int status;

    assert_int_equal(judge_places(t), 0);
    assert_int_equal(unlinkat(t->fd, "link", 0), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(blind(SYS_openat2, ENOSYS) ? judge_places(t) : UNBLINDED);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_come_without_repeats),
        cmocka_unit_test_setup_teardown(empty_directories_allow_the_root_layout, make_tree, drop_tree),
        cmocka_unit_test_setup_teardown(content_makes_it_the_path_layout, make_tree, drop_tree),
        cmocka_unit_test_setup_teardown(a_missing_point_makes_it_the_path_layout, make_tree, drop_tree),
        cmocka_unit_test_setup_teardown(what_stands_there_is_the_reason_before_what_is_missing, make_tree,
                                        drop_tree),
        cmocka_unit_test_setup_teardown(a_link_makes_it_the_path_layout, make_tree, drop_tree),
        cmocka_unit_test_setup_teardown(a_mount_is_told_from_a_directory_without_openat2_too, make_tree,
                                        drop_tree),
        cmocka_unit_test_setup_teardown(a_fifo_neither_blocks_nor_passes, make_tree, drop_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
