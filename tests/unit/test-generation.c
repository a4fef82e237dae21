/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Generations of a small host made for each test, below a directory: nothing is proved and nobody is root
 * there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/generation.h"
#include "temp.h"

static int64_t clock_now;

static int64_t fake_now(struct sp_host *h)
{
    (void)h;
    return clock_now;
}

static int open_host(void **state)
{
    struct temp_host *t;

    if (temp_open(state) < 0)
        return -1;
    t = *state;
    clock_now = time(NULL);
    t->ops.now = fake_now;
    assert_int_equal(fchmod(t->h.root_fd, 0755), 0);
    temp_make_dir(t, "usr/bin");
    temp_make_dir(t, "usr/share/tree");
    temp_make_dir(t, "etc");
    temp_put(t, "usr/bin/tool", "#!/nowhere\n", 04755);
    temp_put(t, "usr/share/tree/data", "data", 0644);
    temp_put(t, "usr/share/tree/odd", "odd", 0666);
    temp_put(t, "etc/resolv.conf", "nameserver 192.0.2.53\n", 0644);
    assert_int_equal(linkat(t->h.root_fd, "usr/share/tree/data", t->h.root_fd, "usr/share/tree/twin", 0),
                     0);
    return 0;
}

static struct sp_profile_item items[] = {
    {.kind = SP_PROFILE_PROGRAM, .value = (char *)"tool"},
    {.kind = SP_PROFILE_PROGRAM, .optional = true, .value = (char *)"later"},
    {.kind = SP_PROFILE_TREE, .value = (char *)"/usr/share/tree"},
    {.kind = SP_PROFILE_TREE, .value = (char *)"/etc/resolv.conf"},
};

static struct sp_generation ensure(struct temp_host *t, bool built)
{
    const struct sp_profile p = {.name = "base", .items = items, .n_items = SP_COUNT(items)};
    const struct sp_profile *one = &p;
    struct sp_generation g = {0}, again = {0};
    struct sp_error err = {0};
    bool current = built;

    assert_int_equal(sp_generation_check(&t->h, "base", &one, 1, SP_GENERATION_SOURCES, &current, &g, &err),
                     0);
    assert_int_equal(current, !built);
    assert_int_equal(sp_generation_ensure(&t->h, "base", &one, 1, SP_GENERATION_SOURCES, &g, &err), 0);
    assert_int_equal(g.built, built);
    assert_int_equal(
        sp_generation_check(&t->h, "base", &one, 1, SP_GENERATION_SOURCES, &current, &again, &err), 0);
    assert_true(current);
    assert_string_equal(g.hash, again.hash);
    assert_int_equal(g.n_files, again.n_files);
    assert_string_equal(g.missing, again.missing);
    return g;
}

static struct stat stat_of(struct temp_host *t, const char *hash, const char *file)
{
    char path[256];
    struct stat st;

    (void)snprintf(path, sizeof(path), "var/lib/sallyport/gen/%s/%s", hash, file);
    assert_int_equal(fstatat(t->h.root_fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st;
}

static void files_are_copies_without_setuid_and_names_of_one_inode_stay_that(void **state)
{
    struct temp_host *t = *state;
    struct sp_generation g = ensure(t, true);
    struct stat host, tool = stat_of(t, g.hash, "usr/bin/tool"),
                      data = stat_of(t, g.hash, "usr/share/tree/data");

    assert_string_equal(g.set, "base");
    assert_string_equal(g.missing, "/nowhere later");
    assert_int_equal(tool.st_mode, S_IFREG | 0755);
    assert_int_equal(stat_of(t, g.hash, "usr/share/tree/odd").st_mode, S_IFREG | 0644);
    assert_int_equal(fstatat(t->h.root_fd, "usr/share/tree/data", &host, 0), 0);
    assert_int_not_equal(data.st_ino, host.st_ino);
    assert_int_equal(data.st_mtim.tv_nsec, host.st_mtim.tv_nsec);
    assert_int_equal(data.st_ino, stat_of(t, g.hash, "usr/share/tree/twin").st_ino);
    assert_int_equal(data.st_nlink, 2);
    assert_int_equal(stat_of(t, g.hash, "etc/passwd").st_size, 0);
    assert_int_equal(stat_of(t, g.hash, "manifest").st_mode, S_IFREG | 0600);
    assert_true(S_ISDIR(stat_of(t, g.hash, "usr/lib64").st_mode));
}

static void nothing_changed_means_nothing_is_done(void **state)
{
    struct sp_generation first = ensure(*state, true), second = ensure(*state, false);

    assert_string_equal(first.hash, second.hash);
}

static void a_changed_file_makes_a_generation_that_shares_the_others(void **state)
{
    struct temp_host *t = *state;
    struct sp_generation one = ensure(t, true), two;

    temp_put(t, "usr/share/tree/odd", "other", 0644);
    two = ensure(t, true);
    assert_string_not_equal(one.hash, two.hash);
    assert_int_equal(stat_of(t, one.hash, "usr/bin/tool").st_ino,
                     stat_of(t, two.hash, "usr/bin/tool").st_ino);
    assert_int_not_equal(stat_of(t, one.hash, "usr/share/tree/odd").st_ino,
                         stat_of(t, two.hash, "usr/share/tree/odd").st_ino);
    assert_int_equal(stat_of(t, one.hash, "usr/share/tree/odd").st_size, 3);
}

static void arrivals_departures_and_turned_links_are_noticed(void **state)
{
    struct temp_host *t = *state;
    struct sp_generation g;

    (void)ensure(t, true);
    temp_put(t, "usr/share/tree/new", "new", 0644);
    (void)ensure(t, true);
    assert_int_equal(unlinkat(t->h.root_fd, "usr/share/tree/new", 0), 0);
    (void)ensure(t, true);
    temp_put(t, "usr/bin/later", "#!/nowhere\n", 0755);
    g = ensure(t, true);
    assert_string_equal(g.missing, "/nowhere");
    temp_put(t, "etc/resolv.conf.2", "nameserver 192.0.2.54\n", 0644);
    assert_int_equal(unlinkat(t->h.root_fd, "etc/resolv.conf", 0), 0);
    assert_int_equal(symlinkat("resolv.conf.2", t->h.root_fd, "etc/resolv.conf"), 0);
    (void)ensure(t, true);
    assert_int_equal(unlinkat(t->h.root_fd, "usr/bin/tool", 0), 0);
    temp_put(t, "usr/bin/tool", "#!/nowhere\n", 0755);
    (void)ensure(t, true);
}

static void resolv_conf_written_again_with_the_same_bytes_is_no_change(void **state)
{
    struct temp_host *t = *state;

    (void)ensure(t, true);
    assert_int_equal(unlinkat(t->h.root_fd, "etc/resolv.conf", 0), 0);
    temp_put(t, "etc/resolv.conf", "nameserver 192.0.2.53\n", 0644);
    (void)ensure(t, false);
    temp_put(t, "etc/resolv.conf", "nameserver 192.0.2.99\n", 0644);
    (void)ensure(t, true);
}

static void a_broken_manifest_means_a_new_generation(void **state)
{
    struct temp_host *t = *state;
    struct sp_generation g = ensure(t, true);
    char path[256];

    (void)snprintf(path, sizeof(path), "var/lib/sallyport/gen/%s/manifest", g.hash);
    temp_put(t, path, "sallyport-generation 1\nprofiles", 0600);
    (void)ensure(t, true);
}

static void what_is_retired_goes_after_its_grace_and_crash_leftovers_at_once(void **state)
{
    struct temp_host *t = *state;
    struct sp_generation one = ensure(t, true), two;
    struct sp_error err = {0};
    char path[256];

    temp_make_dir(t, "var/lib/sallyport/gen/.tmp-build/usr");
    temp_put(t, "usr/share/tree/odd", "other", 0644);
    two = ensure(t, true);
    assert_false(sp_fsat_exists(t->h.root_fd, "var/lib/sallyport/gen/.tmp-build"));
    (void)snprintf(path, sizeof(path), "var/lib/sallyport/gen/%s", one.hash);
    assert_true(sp_fsat_exists(t->h.root_fd, path));
    clock_now += 3600;
    assert_int_equal(sp_generation_collect(&t->h, &err), 0);
    assert_false(sp_fsat_exists(t->h.root_fd, path));
    assert_true(S_ISREG(stat_of(t, two.hash, "usr/bin/tool").st_mode));
}

static void a_set_is_named_by_its_profiles_in_order(void **state)
{
    const struct sp_profile a = {.name = "git"}, b = {.name = "base"};
    const struct sp_profile *both[] = {&a, &b};
    char set[256];
    struct sp_error err = {0};

    (void)state;
    assert_int_equal(sp_generation_set_name(both, 2, set, &err), 0);
    assert_string_equal(set, "base+git");
    assert_int_equal(sp_generation_set_name(both, 0, set, &err), -1);
}

static void a_profile_without_what_it_requires_is_refused(void **state)
{
    struct temp_host *t = *state;
    struct sp_profile_item need = {.kind = SP_PROFILE_REQUIRES, .value = (char *)"base"};
    const struct sp_profile p = {.name = "git", .items = &need, .n_items = 1};
    const struct sp_profile *one = &p;
    struct sp_generation g;
    struct sp_error err = {0};

    assert_int_equal(sp_generation_ensure(&t->h, "base", &one, 1, SP_GENERATION_SOURCES, &g, &err), -1);
    assert_int_equal(err.code, SP_E_INVALID);
    assert_false(sp_fsat_exists(t->h.root_fd, "var"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_host, temp_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_are_copies_without_setuid_and_names_of_one_inode_stay_that),
        TEST(nothing_changed_means_nothing_is_done),
        TEST(a_changed_file_makes_a_generation_that_shares_the_others),
        TEST(arrivals_departures_and_turned_links_are_noticed),
        TEST(resolv_conf_written_again_with_the_same_bytes_is_no_change),
        TEST(a_broken_manifest_means_a_new_generation),
        TEST(what_is_retired_goes_after_its_grace_and_crash_leftovers_at_once),
        TEST(a_set_is_named_by_its_profiles_in_order),
        TEST(a_profile_without_what_it_requires_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
