/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "host/replace.h"
#include "temp.h"

static const struct sp_replace plain = {.mode = 0644, .uid = (uid_t)-1, .gid = (gid_t)-1};

static int put(struct temp_host *t, const char *path, const char *text, const struct sp_replace *how)
{
    struct sp_error err = {0};

    return sp_replace_path(&t->h, path, text, strlen(text), how, &err) == 0 ? 0 : (int)err.code;
}

static void a_new_file_gets_its_exact_mode(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    mode_t old = umask(077);

    assert_int_equal(put(t, "/new", "one\n", &plain), 0);
    umask(old);
    assert_string_equal(temp_get(t, "new", &b), "one\n");
    assert_int_equal(temp_mode(t, "new"), 0644);
    assert_false(sp_fsat_exists(t->h.root_fd, "new.sallyport"));
}

static void the_backup_is_another_file_with_the_old_bytes_and_mode(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_buf_clear) struct sp_buf b = {0}, read = {0};
    const struct sp_replace how = {
        .mode = 0600, .uid = (uid_t)-1, .gid = (gid_t)-1, .backup = "f-", .old = &read, .keep_acl = true};
    struct stat st, backup;

    temp_put(t, "f", "old", 0640);
    temp_put(t, "f-", "older", 0644);
    sp_buf_puts(&read, "old");
    assert_int_equal(put(t, "f", "new", &how), 0);
    assert_string_equal(temp_get(t, "f", &b), "new");
    assert_string_equal(temp_get(t, "f-", &b), "old");
    assert_int_equal(temp_mode(t, "f-"), 0640);
    assert_int_equal(fstatat(t->h.root_fd, "f", &st, 0), 0);
    assert_int_equal(fstatat(t->h.root_fd, "f-", &backup, 0), 0);
    assert_int_not_equal(st.st_ino, backup.st_ino);
    assert_int_equal(backup.st_nlink, 1);
    assert_false(sp_fsat_exists(t->h.root_fd, "f-.sallyport"));
}

static void a_hard_link_keeps_what_it_had(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};

    temp_put(t, "f", "old", 0644);
    assert_int_equal(linkat(t->h.root_fd, "f", t->h.root_fd, "link", 0), 0);
    assert_int_equal(put(t, "f", "new", &plain), 0);
    assert_string_equal(temp_get(t, "link", &b), "old");
}

static void what_is_no_regular_file_is_never_replaced(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};

    temp_put(t, "target", "target", 0644);
    assert_int_equal(symlinkat("target", t->h.root_fd, "l"), 0);
    assert_int_equal(mkdirat(t->h.root_fd, "d", 0755), 0);
    assert_int_equal(mkfifoat(t->h.root_fd, "fifo", 0644), 0);
    assert_int_equal(put(t, "l", "x", &plain), SP_E_UNSAFE_PATH);
    assert_int_equal(put(t, "d", "x", &plain), SP_E_UNSAFE_PATH);
    assert_int_equal(put(t, "fifo", "x", &plain), SP_E_UNSAFE_PATH);
    assert_int_equal(put(t, "none/x", "x", &plain), SP_E_NOT_FOUND);
    assert_string_equal(temp_get(t, "target", &b), "target");
}

static void the_leftover_of_a_crash_is_swept_not_followed(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};

    temp_put(t, "target", "target", 0644);
    assert_int_equal(symlinkat("target", t->h.root_fd, "f.sallyport"), 0);
    assert_int_equal(put(t, "f", "new", &plain), 0);
    assert_string_equal(temp_get(t, "target", &b), "target");
    assert_string_equal(temp_get(t, "f", &b), "new");
    assert_false(sp_fsat_exists(t->h.root_fd, "f.sallyport"));
}

static void an_owner_that_differs_is_asked_for(void **state)
{
    struct temp_host *t = *state;
    const struct sp_replace how = {.mode = 0640, .uid = 4711, .gid = 4712};

    assert_int_equal(put(t, "a", "x", &plain), 0);
    assert_int_equal(t->n_chowns, 0);
    assert_int_equal(put(t, "f", "x", &how), 0);
    assert_int_equal(t->uid, 4711);
    assert_int_equal(t->gid, 4712);
}

static int refuse_chown(struct sp_host *h, int fd, uid_t uid, gid_t gid)
{
    (void)h;
    (void)fd;
    (void)uid;
    (void)gid;
    errno = EPERM;
    return -1;
}

static void a_failure_leaves_the_old_file_alone(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    const struct sp_replace how = {.mode = 0640, .uid = 4711, .gid = 4712, .backup = "f-", .old = &b};

    temp_put(t, "f", "old", 0600);
    t->ops.chown = refuse_chown;
    assert_int_equal(put(t, "f", "new", &how), SP_E_IO);
    assert_string_equal(temp_get(t, "f", &b), "old");
    assert_false(sp_fsat_exists(t->h.root_fd, "f-"));
    assert_false(sp_fsat_exists(t->h.root_fd, "f.sallyport"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, temp_open, temp_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_new_file_gets_its_exact_mode),
        T(the_backup_is_another_file_with_the_old_bytes_and_mode),
        T(a_hard_link_keeps_what_it_had),
        T(what_is_no_regular_file_is_never_replaced),
        T(the_leftover_of_a_crash_is_swept_not_followed),
        T(an_owner_that_differs_is_asked_for),
        T(a_failure_leaves_the_old_file_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
