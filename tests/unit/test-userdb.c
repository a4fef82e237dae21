/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/lock.h"
#include "host/userdb.h"
#include "temp.h"
#include <cmocka.h>

#define PASSWD                                                                                             \
    "root:x:0:0:root:/root:/bin/bash\n"                                                                    \
    "# a comment\n"                                                                                        \
    "broken line\n"                                                                                        \
    "example:x:1001:1001:A, B:/home/example:/bin/false\n"                                                  \
    "twice:x:1002:1002::/home/twice:/bin/sh\n"                                                             \
    "twice:x:1003:1003::/home/twice:/bin/sh\n"                                                             \
    "last:x:1004:1004::/home/last:"

static int etc_open(void **state)
{
    struct temp_host *t;

    if (temp_open(state) != 0)
        return -1;
    t = *state;
    if (mkdirat(t->h.root_fd, "etc", 0755) != 0)
        return -1;
    temp_put(t, "etc/passwd", PASSWD, 0644);
    temp_put(t, "etc/group", "root:x:0:\nexample:x:1001:\nweb:x:50:other,example\nmine:x:998:\n", 0644);
    temp_put(t, "etc/gshadow", "root:*::\nexample:!::\nweb:!::other,example\n", 0640);
    return 0;
}

static void an_account_is_read_by_its_exact_name(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;
    struct sp_user u;

    assert_int_equal(sp_userdb_get(&t->h, "example", &u, &err), 0);
    assert_string_equal(u.home, "/home/example");
    assert_string_equal(u.shell, "/bin/false");
    assert_int_equal(u.uid, 1001);
    assert_int_equal(sp_userdb_get(&t->h, "last", &u, &err), 0);
    assert_string_equal(u.shell, "");
    assert_int_equal(sp_userdb_get(&t->h, "exampl", &u, &err), -1);
    assert_int_equal(err.code, SP_E_NOT_FOUND);
    assert_int_equal(sp_userdb_get(&t->h, "twice", &u, &err), -1);
    assert_int_equal(err.code, SP_E_STATE);
}

static void the_name_of_a_uid_is_that_of_the_first_line_whose_third_field_it_is(void **state)
{
    struct temp_host *t = *state;
    char name[64];

    temp_put(t, "etc/passwd",
             "gid:x:7:1001:1001:/home/gid:/bin/sh\n1001:1001:8:8::/:/bin/sh\n\n:1001\nx:1001:\n"
             "one:x:1001:5::/:/bin/sh\ntwo:x:1001:5::/:/bin/sh\nlast:x:1004:1::/:",
             0644);
    for (int kept = 0; kept < 2; kept++) {
        assert_true(sp_userdb_name_of(&t->h, 1001, name));
        assert_string_equal(name, "one");
        assert_true(sp_userdb_name_of(&t->h, 1004, name));
        assert_string_equal(name, "last");
        assert_false(sp_userdb_name_of(&t->h, 100, name));
        assert_false(sp_userdb_name_of(&t->h, 5, name));
        sp_userdb_keep(&t->h);
    }
    temp_put(t, "etc/passwd", "new:x:1001:5::/:/bin/sh\n", 0644);
    assert_true(sp_userdb_name_of(&t->h, 1001, name));
    assert_string_equal(name, "new");
    sp_userdb_forget(&t->h);
}

/* Kept for a transaction: asked again, and after somebody else's change. */
static void what_is_kept_of_the_names_says_what_the_files_say(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;
    struct sp_user u;
    gid_t gid = 0;
    bool is = false;

    sp_userdb_keep(&t->h);
    temp_put(t, "etc/group", "sallyport:x:990:a,example\nweb:x:50:b\nsallyport-chroot:x:991:", 0644);
    for (int i = 0; i < 2; i++) {
        an_account_is_read_by_its_exact_name(state);
        assert_int_equal(sp_userdb_in_group(&t->h, "sallyport", "example", &is, &err), 0);
        assert_true(is);
        assert_int_equal(sp_userdb_in_group(&t->h, "sallyport-chroot", "example", &is, &err), 0);
        assert_false(is);
        assert_int_equal(sp_userdb_group_gid(&t->h, "web", &gid, &err), 0);
        assert_int_equal(gid, 50);
        assert_int_equal(sp_userdb_group_gid(&t->h, "sallyport-none", &gid, &err), -1);
        assert_int_equal(err.code, SP_E_NOT_FOUND);
    }
    temp_put(t, "etc/group", "sallyport:x:990:a\nweb:x:50:b\nsallyport-chroot:x:991:example,b\n", 0644);
    temp_put(t, "etc/passwd", "example:x:1001:1001:A, B:/elsewhere:/bin/sh\n", 0644);
    assert_int_equal(sp_userdb_in_group(&t->h, "sallyport", "example", &is, &err), 0);
    assert_false(is);
    assert_int_equal(sp_userdb_in_group(&t->h, "sallyport-chroot", "example", &is, &err), 0);
    assert_true(is);
    assert_int_equal(sp_userdb_get(&t->h, "example", &u, &err), 0);
    assert_string_equal(u.home, "/elsewhere");
    temp_put(t, "etc/group", "sallyport:x:990:a\nsallyport:x:989:\n", 0644);
    assert_int_equal(sp_userdb_group_gid(&t->h, "sallyport", &gid, &err), -1);
    assert_int_equal(err.code, SP_E_STATE);
    sp_userdb_forget(&t->h);
}

/* As a request does it. */
static int kept_get(struct temp_host *t, const char *name, struct sp_user *ret, struct sp_error *err)
{
    int rc;

    sp_userdb_keep(&t->h);
    rc = sp_userdb_get(&t->h, name, ret, err);
    sp_userdb_forget(&t->h);
    return rc;
}

static void a_large_passwd_is_looked_through_in_pieces(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    size_t ends[4000] = {0};
    struct sp_error err;
    struct sp_user u;
    char name[64];

    sp_buf_puts(&b, "root:x:0:0:root:/root:/bin/bash\ntwice:x:1:1::/:/bin/sh\n");
    for (unsigned i = 0; i < SP_COUNT(ends); i++) {
        sp_buf_printf(&b, "user%u:x:%u:%u::/home/user%u:/bin/sh%u\n", i, 2000 + i, 2000 + i, i, i);
        ends[i] = b.len;
    }
    sp_buf_puts(&b, "twice:x:2:2::/:/bin/sh\nlast:x:3:3::/:/bin/false");
    temp_put(t, "etc/passwd", sp_buf_str(&b), 0644);
    /* Whose lines lie where one piece ends and the next begins, and some others. */
    for (unsigned i = 1; i < SP_COUNT(ends); i++) {
        char shell[32];

        if (ends[i - 1] / 4096 == ends[i] / 4096 && i % 500 != 0)
            continue;
        (void)sp_str_format(name, sizeof(name), "user%u", i);
        (void)sp_str_format(shell, sizeof(shell), "/bin/sh%u", i);
        assert_int_equal(kept_get(t, name, &u, &err), 0);
        assert_int_equal(u.uid, 2000 + i);
        assert_string_equal(u.shell, shell);
    }
    assert_int_equal(kept_get(t, "last", &u, &err), 0);
    assert_int_equal(kept_get(t, "twice", &u, &err), -1);
    assert_int_equal(err.code, SP_E_STATE);
    assert_int_equal(kept_get(t, "nobody-here", &u, &err), -1);
    assert_int_equal(err.code, SP_E_NOT_FOUND);
    /* So many different ones that all of it is read; then another file of the same name. */
    sp_userdb_keep(&t->h);
    for (unsigned i = 0; i < 9; i++) {
        (void)sp_str_format(name, sizeof(name), "user%u", i * 400);
        assert_int_equal(sp_userdb_get(&t->h, name, &u, &err), 0);
        assert_int_equal(u.uid, 2000 + i * 400);
        assert_true(sp_userdb_name_of(&t->h, 0, name));
        assert_string_equal(name, "root");
    }
    temp_put(t, "etc/passwd", PASSWD, 0644);
    assert_int_equal(sp_userdb_get(&t->h, "user3200", &u, &err), -1);
    assert_int_equal(sp_userdb_get(&t->h, "example", &u, &err), 0);
    sp_userdb_forget(&t->h);
}

static void a_shell_is_written_and_every_other_byte_kept(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    struct sp_error err;

    assert_int_equal(sp_userdb_set_shell(&t->h, "example", 1001, "/bin/bash", &err), 0);
    assert_string_equal(temp_get(t, "etc/passwd", &b),
                        "root:x:0:0:root:/root:/bin/bash\n"
                        "# a comment\n"
                        "broken line\n"
                        "example:x:1001:1001:A, B:/home/example:/bin/bash\n"
                        "twice:x:1002:1002::/home/twice:/bin/sh\n"
                        "twice:x:1003:1003::/home/twice:/bin/sh\n"
                        "last:x:1004:1004::/home/last:");
    assert_string_equal(temp_get(t, "etc/passwd-", &b), PASSWD);
    assert_int_equal(temp_mode(t, "etc/passwd"), 0644);
}

static void the_same_shell_again_touches_nothing(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;
    struct stat before, after;

    assert_int_equal(fstatat(t->h.root_fd, "etc/passwd", &before, 0), 0);
    assert_int_equal(sp_userdb_set_shell(&t->h, "example", 1001, "/bin/false", &err), 0);
    assert_int_equal(fstatat(t->h.root_fd, "etc/passwd", &after, 0), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_false(sp_fsat_exists(t->h.root_fd, "etc/passwd-"));
}

static void what_may_not_be_written_changes_nothing(void **state)
{
    static const struct {
        const char *name;
        uid_t uid;
        const char *shell;
        enum sp_code code;
    } bad[] = {
        {"example", 1001, "/bin/sh\nroot2::0:0::/:/bin/sh", SP_E_INVALID},
        {"example", 1001, "/bin/sh:x", SP_E_INVALID},
        {"example", 1001, "/bin/sh\r", SP_E_INVALID},
        {"example", 1001, "/bin/\x7fsh", SP_E_INVALID},
        {"example\n", 1001, "/bin/sh", SP_E_INVALID},
        {"example", 1002, "/bin/sh", SP_E_STATE},
        {"twice", 1002, "/bin/bash", SP_E_STATE},
        {"root", 0, "/bin/sh", SP_E_FORBIDDEN},
        {"nobody", 65534, "/bin/sh", SP_E_NOT_FOUND},
    };
    struct temp_host *t = *state;
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    struct sp_error err;

    for (size_t i = 0; i < SP_COUNT(bad); i++) {
        assert_int_equal(sp_userdb_set_shell(&t->h, bad[i].name, bad[i].uid, bad[i].shell, &err), -1);
        assert_int_equal(err.code, bad[i].code);
        assert_string_equal(temp_get(t, "etc/passwd", &b), PASSWD);
    }
}

static void many_shells_are_one_rewrite_or_none(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    const char *const names[] = {"last", "example"}, *const shells[] = {"/bin/a", "/bin/b"};
    const uid_t uids[] = {1004, 1001}, wrong[] = {1004, 1002};
    struct sp_error err;

    assert_int_equal(sp_userdb_set_shells(&t->h, names, wrong, shells, 2, &err), -1);
    assert_string_equal(err.field, "[1]");
    assert_string_equal(temp_get(t, "etc/passwd", &b), PASSWD);
    assert_int_equal(sp_userdb_set_shells(&t->h, names, uids, shells, 2, &err), 0);
    assert_non_null(strstr(temp_get(t, "etc/passwd", &b), ":/home/last:/bin/a"));
    assert_non_null(strstr(sp_buf_str(&b), ":/home/example:/bin/b\n"));
}

static void a_lock_that_stays_held_is_busy(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    struct sp_error err;
    _cleanup_close_ int lock = sp_lock_passwd(&t->h, 0, &err);

    assert_true(lock >= 0);
    assert_int_equal(sp_userdb_set_shell(&t->h, "example", 1001, "/bin/bash", &err), -1);
    assert_int_equal(err.code, SP_E_BUSY);
    assert_string_equal(temp_get(t, "etc/passwd", &b), PASSWD);
}

static void membership_is_kept_in_both_files(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    struct sp_error err;
    bool in = false;

    assert_int_equal(sp_userdb_in_group(&t->h, "web", "example", &in, &err), 0);
    assert_true(in);
    assert_int_equal(sp_userdb_set_member(&t->h, "web", "example", SP_MEMBER_REMOVE, &err), 0);
    assert_non_null(strstr(temp_get(t, "etc/group", &b), "web:x:50:other\n"));
    assert_non_null(strstr(temp_get(t, "etc/gshadow", &b), "web:!::other\n"));
    assert_int_equal(temp_mode(t, "etc/gshadow"), 0640);
    assert_int_equal(sp_userdb_set_member(&t->h, "mine", "example", SP_MEMBER_ADD, &err), 0);
    assert_non_null(strstr(temp_get(t, "etc/group", &b), "mine:x:998:example\n"));
    assert_int_equal(sp_userdb_set_member(&t->h, "none", "example", SP_MEMBER_ADD, &err), -1);
    assert_int_equal(err.code, SP_E_NOT_FOUND);
}

static void a_half_done_membership_is_completed(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    struct sp_error err;

    temp_put(t, "etc/gshadow", "web:!::other\n", 0640);
    assert_int_equal(sp_userdb_set_member(&t->h, "web", "example", SP_MEMBER_ADD, &err), 0);
    assert_string_equal(temp_get(t, "etc/gshadow", &b), "web:!::other,example\n");
}

static void the_groups_of_an_account_are_found(void **state)
{
    struct temp_host *t = *state;
    const struct sp_user u = {.name = "example", .uid = 1001, .gid = 1001};
    _cleanup_(sp_userdb_free_names) char **names = NULL;
    _cleanup_free_ gid_t *gids = NULL;
    struct sp_error err;
    size_t n = 0;

    assert_int_equal(sp_userdb_groups_of(&t->h, &u, &names, &err), 0);
    assert_string_equal(names[0], "example");
    assert_string_equal(names[1], "web");
    assert_null(names[2]);
    assert_int_equal(sp_userdb_gids_of(&t->h, &u, &gids, &n, &err), 0);
    assert_int_equal(n, 2);
    assert_int_equal(gids[0], 1001);
    assert_int_equal(gids[1], 50);
}

static int yes(struct sp_host *h, struct sp_error *err)
{
    (void)h;
    (void)err;
    return 1;
}

static int no(struct sp_host *h, struct sp_error *err)
{
    (void)h;
    (void)err;
    return 0;
}

static void a_group_is_filled_from_others_and_emptied(void **state)
{
    static const char *const but[] = {"two", "missing", NULL}, *const nothing[] = {NULL};
    struct temp_host *t = *state;
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    struct sp_error err;

    temp_put(t, "etc/group", "one:x:1:d,a,ab,b\ntwo:x:2:b\n+odd\nto:x:3:x,a\n", 0644);
    temp_put(t, "etc/gshadow", "to:!::x\n", 0640);
    assert_int_equal(sp_userdb_fill_group(&t->h, "to", "one", but, no, &err), 0);
    assert_string_equal(temp_get(t, "etc/gshadow", &b), "to:!::x\n");
    assert_int_equal(sp_userdb_fill_group(&t->h, "to", "one", but, yes, &err), 0);
    assert_string_equal(temp_get(t, "etc/group", &b),
                        "one:x:1:d,a,ab,b\ntwo:x:2:b\n+odd\nto:x:3:ab,d,a,x\n");
    assert_string_equal(temp_get(t, "etc/gshadow", &b), "to:!::ab,d,a,x\n");
    assert_int_equal(sp_userdb_fill_group(&t->h, "to", "missing", nothing, yes, &err), 0);
    assert_int_equal(sp_userdb_empty_group(&t->h, "one", &err), 0);
    assert_int_equal(sp_userdb_empty_group(&t->h, "missing", &err), 0);
    assert_string_equal(temp_get(t, "etc/group", &b), "one:x:1:\ntwo:x:2:b\n+odd\nto:x:3:a,ab,d,x\n");
}

static void a_missing_group_is_made_once(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    struct sp_error err;

    temp_put(t, "etc/login.defs", "# SYS_GID_MAX 5\nSYS_GID_MIN 900\n SYS_GID_MAX\t\t998 # x\n", 0644);
    assert_int_equal(sp_userdb_ensure_group(&t->h, "sallyport-none", &err), 0);
    assert_non_null(strstr(temp_get(t, "etc/group", &b), "mine:x:998:\nsallyport-none:x:997:\n"));
    assert_non_null(strstr(temp_get(t, "etc/gshadow", &b), "\nsallyport-none:!::\n"));
    assert_int_equal(sp_userdb_ensure_group(&t->h, "sallyport-none", &err), 0);
    assert_null(strstr(strstr(temp_get(t, "etc/group", &b), "sallyport") + 1, "sallyport"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, etc_open, temp_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_name_of_a_uid_is_that_of_the_first_line_whose_third_field_it_is),
        T(what_is_kept_of_the_names_says_what_the_files_say),
        T(a_large_passwd_is_looked_through_in_pieces),
        T(an_account_is_read_by_its_exact_name),
        T(a_shell_is_written_and_every_other_byte_kept),
        T(the_same_shell_again_touches_nothing),
        T(what_may_not_be_written_changes_nothing),
        T(many_shells_are_one_rewrite_or_none),
        T(a_lock_that_stays_held_is_busy),
        T(membership_is_kept_in_both_files),
        T(a_half_done_membership_is_completed),
        T(the_groups_of_an_account_are_found),
        T(a_group_is_filled_from_others_and_emptied),
        T(a_missing_group_is_made_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
