/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/acl.h"
#include "host/home.h"
#include "temp.h"

#define KEYS ".ssh/authorized_keys"

static struct sp_user user;

static int home_open(void **state)
{
    struct temp_host *t;

    if (temp_open(state) != 0)
        return -1;
    t = *state;
    user = (struct sp_user){.name = "example", .uid = getuid(), .gid = getgid(), .home = "/home"};
    return mkdirat(t->h.root_fd, "home", 0755);
}

static int write_keys(struct temp_host *t, const char *text, struct sp_error *err)
{
    return sp_home_write(&t->h, &user, KEYS, text, strlen(text), err);
}

static enum sp_code read_code(struct temp_host *t)
{
    _cleanup_(sp_home_keys_clear) struct sp_home_keys k = {0};
    struct sp_error err = {0};

    return sp_home_read(&t->h, &user, KEYS, &k, &err) == 0 ? SP_OK : err.code;
}

static void a_missing_file_is_empty_and_a_missing_home_is_not_found(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_home_keys_clear) struct sp_home_keys k = {0};
    struct sp_error err;

    assert_int_equal(sp_home_read(&t->h, &user, KEYS, &k, &err), 0);
    assert_false(k.exists);
    assert_int_equal(k.bytes.len, 0);
    assert_false(k.wide);
    (void)sp_str_copy(user.home, sizeof(user.home), "/none");
    assert_int_equal(read_code(t), SP_E_NOT_FOUND);
    assert_int_equal(write_keys(t, "x\n", &err), -1);
    assert_int_equal(err.code, SP_E_NOT_FOUND);
}

static void what_is_written_is_read_back_and_private(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_home_keys_clear) struct sp_home_keys k = {0};
    struct sp_error err;

    assert_int_equal(write_keys(t, "one\ntwo", &err), 0);
    assert_int_equal(temp_mode(t, "home/.ssh"), 0700);
    assert_int_equal(temp_mode(t, "home/" KEYS), 0600);
    assert_int_equal(sp_home_read(&t->h, &user, KEYS, &k, &err), 0);
    assert_true(k.exists);
    assert_false(k.wide);
    assert_int_equal(k.mode, 0600);
    assert_string_equal(sp_buf_str(&k.bytes), "one\ntwo");
    assert_int_equal(write_keys(t, "", &err), 0);
    sp_home_keys_clear(&k);
    assert_int_equal(sp_home_read(&t->h, &user, KEYS, &k, &err), 0);
    assert_true(k.exists);
    assert_int_equal(k.bytes.len, 0);
}

static void others_write_permission_is_seen_and_taken_away(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_home_keys_clear) struct sp_home_keys k = {0};
    struct sp_error err;

    assert_int_equal(mkdirat(t->h.root_fd, "home/.ssh", 0700), 0);
    assert_int_equal(fchmodat(t->h.root_fd, "home", 0775, 0), 0);
    assert_int_equal(fchmodat(t->h.root_fd, "home/.ssh", 0757, 0), 0);
    temp_put(t, "home/" KEYS, "old", 0666);
    assert_int_equal(sp_home_read(&t->h, &user, KEYS, &k, &err), 0);
    assert_true(k.wide);
    assert_int_equal(write_keys(t, "new", &err), 0);
    assert_int_equal(temp_mode(t, "home"), 0755);
    assert_int_equal(temp_mode(t, "home/.ssh"), 0755);
    assert_int_equal(temp_mode(t, "home/" KEYS), 0600);
}

static void a_default_acl_leaves_nothing_open(void **state)
{
    /* user::rwx, user:33:rwx, group::r-x, mask::rwx, other::r-x */
    static const char acl[] =
        "\x02\0\0\0\x01\0\x07\0\xff\xff\xff\xff\x02\0\x07\0\x21\0\0\0"
        "\x04\0\x05\0\xff\xff\xff\xff\x10\0\x07\0\xff\xff\xff\xff\x20\0\x05\0\xff\xff\xff\xff";
    struct temp_host *t = *state;
    struct sp_error err;
    bool yes = true;

    _cleanup_close_ int home = openat(t->h.root_fd, "home", O_RDONLY | O_DIRECTORY);
    if (fsetxattr(home, "system.posix_acl_default", acl, sizeof(acl) - 1, 0) != 0)
        skip();
    assert_int_equal(write_keys(t, "new", &err), 0);
    _cleanup_close_ int ssh = openat(home, ".ssh", O_RDONLY | O_DIRECTORY);
    _cleanup_close_ int keys = openat(home, KEYS, O_RDONLY);
    assert_int_equal(sp_acl_opens(ssh, 7, &yes, &err), 0);
    assert_false(yes);
    assert_int_equal(sp_acl_opens(keys, 7, &yes, &err), 0);
    assert_false(yes);
    assert_int_equal(sp_acl_has(keys, &yes, &err), 0);
    assert_false(yes);
}

static void links_are_never_followed(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    struct sp_error err;

    temp_put(t, "secret", "secret", 0600);
    assert_int_equal(mkdirat(t->h.root_fd, "home/.ssh", 0700), 0);
    assert_int_equal(symlinkat("../../secret", t->h.root_fd, "home/" KEYS), 0);
    assert_int_equal(read_code(t), SP_E_UNSAFE_PATH);
    assert_int_equal(write_keys(t, "x", &err), -1);
    assert_int_equal(err.code, SP_E_UNSAFE_PATH);
    assert_int_equal(unlinkat(t->h.root_fd, "home/" KEYS, 0), 0);
    assert_int_equal(unlinkat(t->h.root_fd, "home/.ssh", AT_REMOVEDIR), 0);
    assert_int_equal(mkdirat(t->h.root_fd, "elsewhere", 0700), 0);
    assert_int_equal(symlinkat("../elsewhere", t->h.root_fd, "home/.ssh"), 0);
    assert_int_equal(read_code(t), SP_E_UNSAFE_PATH);
    assert_int_equal(write_keys(t, "x", &err), -1);
    assert_int_equal(err.code, SP_E_UNSAFE_PATH);
    assert_false(sp_fsat_exists(t->h.root_fd, "elsewhere/authorized_keys"));
    assert_string_equal(temp_get(t, "secret", &b), "secret");
}

static void what_is_no_file_is_refused_at_once(void **state)
{
    struct temp_host *t = *state;
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    struct sp_error err;

    assert_int_equal(mkdirat(t->h.root_fd, "home/.ssh", 0700), 0);
    assert_int_equal(mkdirat(t->h.root_fd, "home/" KEYS, 0700), 0);
    assert_int_equal(read_code(t), SP_E_UNSAFE_PATH);
    assert_int_equal(write_keys(t, "x", &err), -1);
    assert_int_equal(err.code, SP_E_UNSAFE_PATH);
    assert_int_equal(unlinkat(t->h.root_fd, "home/" KEYS, AT_REMOVEDIR), 0);
    assert_int_equal(mkfifoat(t->h.root_fd, "home/" KEYS, 0600), 0);
    assert_int_equal(read_code(t), SP_E_UNSAFE_PATH);
    assert_int_equal(write_keys(t, "x", &err), -1);
    assert_int_equal(unlinkat(t->h.root_fd, "home/" KEYS, 0), 0);
    (void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/home/%s", t->dir, KEYS);
    _cleanup_close_ int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s, (struct sockaddr *)&sun, sizeof(sun)), 0);
    assert_int_equal(read_code(t), SP_E_UNSAFE_PATH);
}

static void a_huge_file_is_refused(void **state)
{
    struct temp_host *t = *state;

    assert_int_equal(mkdirat(t->h.root_fd, "home/.ssh", 0700), 0);
    temp_put(t, "home/" KEYS, "", 0600);
    _cleanup_close_ int fd = openat(t->h.root_fd, "home/" KEYS, O_WRONLY);
    assert_int_equal(ftruncate(fd, (off_t)10 << 30), 0);
    assert_int_equal(read_code(t), SP_E_INVALID);
}

static void the_owner_of_home_and_file_must_be_the_user_or_root(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;

    assert_int_equal(write_keys(t, "x", &err), 0);
    user.uid = 4711;
    assert_int_equal(read_code(t), getuid() == 0 ? SP_OK : SP_E_UNSAFE_PATH);
    if (getuid() != 0)
        return;
    assert_int_equal(fchownat(t->h.root_fd, "home/" KEYS, 4712, 4712, 0), 0);
    assert_int_equal(read_code(t), SP_E_UNSAFE_PATH);
}

static void what_others_only_read_is_narrowed_as_it_is(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_home_keys_clear) struct sp_home_keys k = {0};
    struct sp_error err;
    bool done = true;

    assert_int_equal(write_keys(t, "one\n", &err), 0);
    assert_int_equal(fchmodat(t->h.root_fd, "home/" KEYS, 0644, 0), 0);
    assert_int_equal(sp_home_narrow(&t->h, &user, KEYS, &done, &err), 0);
    assert_false(done); /* nobody would settle it */
    sp_home_keep(&t->h);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fchmodat(t->h.root_fd, "home/" KEYS, 0644, 0), 0);
        assert_int_equal(sp_home_narrow(&t->h, &user, KEYS, &done, &err), 0);
        assert_true(done);
        assert_int_equal(temp_mode(t, "home/" KEYS), 0600);
        sp_home_keys_clear(&k);
        assert_int_equal(sp_home_read(&t->h, &user, KEYS, &k, &err), 0);
        assert_string_equal(sp_buf_str(&k.bytes), "one\n");
    }
    assert_int_equal(sp_home_settle(&t->h, &err), 0);
    sp_home_forget(&t->h);
}

/* Who could write may hold it open: the next key would be written for him to change. */
static void what_others_could_write_wants_another_file(void **state)
{
    static const mode_t modes[] = {0666, 0620, 0602};
    struct temp_host *t = *state;
    struct sp_error err;
    bool done = true;

    assert_int_equal(write_keys(t, "one\n", &err), 0);
    sp_home_keep(&t->h);
    for (size_t i = 0; i < SP_COUNT(modes); i++) {
        assert_int_equal(fchmodat(t->h.root_fd, "home/" KEYS, modes[i], 0), 0);
        assert_int_equal(sp_home_narrow(&t->h, &user, KEYS, &done, &err), 0);
        assert_false(done);
        assert_int_equal(temp_mode(t, "home/" KEYS), modes[i]);
    }
    assert_int_equal(fchmodat(t->h.root_fd, "home/" KEYS, 0644, 0), 0);
    assert_int_equal(linkat(t->h.root_fd, "home/" KEYS, t->h.root_fd, "home/second", 0), 0);
    assert_int_equal(sp_home_narrow(&t->h, &user, KEYS, &done, &err), 0);
    assert_false(done);
    assert_int_equal(unlinkat(t->h.root_fd, "home/second", 0), 0);
    assert_int_equal(fchmodat(t->h.root_fd, "home/.ssh", 0770, 0), 0);
    assert_int_equal(sp_home_narrow(&t->h, &user, KEYS, &done, &err), 0);
    assert_false(done);
    sp_home_forget(&t->h);
}

static int processors(cpu_set_t *ret)
{
    CPU_ZERO(ret);
    assert_int_equal(sched_getaffinity(0, sizeof(*ret), ret), 0);
    return CPU_COUNT(ret);
}

static void many_homes_are_looked_at_on_one_processor(void **state)
{
    struct temp_host *t = *state;
    cpu_set_t before, with, after;
    int all = processors(&before);

    sp_home_keep(&t->h);
    assert_int_equal(processors(&with), all); /* nobody has been looked at */
    assert_int_equal(read_code(t), SP_OK);
    assert_int_equal(processors(&with), 1);
    assert_int_equal(read_code(t), SP_OK);
    assert_int_equal(processors(&with), 1);
    sp_home_forget(&t->h);
    assert_int_equal(processors(&after), all);
    assert_true(CPU_EQUAL(&before, &after));
}

#define T(f) cmocka_unit_test_setup_teardown(f, home_open, temp_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_missing_file_is_empty_and_a_missing_home_is_not_found),
        T(what_is_written_is_read_back_and_private),
        T(others_write_permission_is_seen_and_taken_away),
        T(a_default_acl_leaves_nothing_open),
        T(links_are_never_followed),
        T(what_is_no_file_is_refused_at_once),
        T(a_huge_file_is_refused),
        T(the_owner_of_home_and_file_must_be_the_user_or_root),
        T(what_others_only_read_is_narrowed_as_it_is),
        T(what_others_could_write_wants_another_file),
        T(many_homes_are_looked_at_on_one_processor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
