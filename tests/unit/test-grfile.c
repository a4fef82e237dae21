/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/pwfile.h"

static const char group[] =
    "root:x:0:\nodd\n\n+nis:::\nweb:x:990:alice,bob,carol\nempty:x:991:\nlast:x:1:a,,b,";

static int set(const char *old, const char *name, const char *user, enum sp_grfile_membership want,
               struct sp_buf *out, struct sp_error *err)
{
    return sp_grfile_set_member(old, strlen(old), SP_GRFILE_GROUP, name, user, want, out, err);
}

static void becomes(const char *old, const char *user, enum sp_grfile_membership want, const char *expected)
{
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    struct sp_error err;

    assert_int_equal(set(old, "g", user, want, &out, &err), 0);
    assert_string_equal(sp_buf_str(&out), expected);
}

static void a_member_comes_and_goes(void **state)
{
    (void)state;
    becomes("g:x:1:\nh:x:2:b\n", "a", SP_GRFILE_MEMBER, "g:x:1:a\nh:x:2:b\n");
    becomes("g:x:1:a\nh:x:2:b\n", "a", SP_GRFILE_ABSENT, "g:x:1:\nh:x:2:b\n");
    becomes("g:x:1:a,b,c", "b", SP_GRFILE_ABSENT, "g:x:1:a,c");
    becomes("g:x:1:a,b,c", "a", SP_GRFILE_ABSENT, "g:x:1:b,c");
    becomes("g:x:1:a,b,c", "c", SP_GRFILE_ABSENT, "g:x:1:a,b");
    becomes("g:x:1:a,b", "c", SP_GRFILE_MEMBER, "g:x:1:a,b,c");
}

static void what_is_so_already_changes_no_byte(void **state)
{
    (void)state;
    becomes("g:x:1:a,,b,", "a", SP_GRFILE_MEMBER, "g:x:1:a,,b,");
    becomes("g:x:1:ab,,c,", "a", SP_GRFILE_ABSENT, "g:x:1:ab,,c,");
}

static void odd_lists_are_read_as_glibc_reads_them(void **state)
{
    (void)state;
    becomes("g:x:1:a,", "b", SP_GRFILE_MEMBER, "g:x:1:a,b");
    becomes("g:x:1: a,b", "a", SP_GRFILE_ABSENT, "g:x:1:b");
    becomes("g:x:1:a,b,a", "a", SP_GRFILE_ABSENT, "g:x:1:b");
    becomes("g:x:1:alice", "ali", SP_GRFILE_MEMBER, "g:x:1:alice,ali");
}

static void the_neighbours_are_kept(void **state)
{
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    struct sp_error err;

    (void)state;
    assert_int_equal(set(group, "web", "bob", SP_GRFILE_ABSENT, &out, &err), 0);
    assert_string_equal(out.data,
                        "root:x:0:\nodd\n\n+nis:::\nweb:x:990:alice,carol\nempty:x:991:\n"
                        "last:x:1:a,,b,");
}

static void gshadow_is_edited_alike(void **state)
{
    static const char old[] = "root:*::\nweb:!:admin:alice\n";
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_grfile_set_member(old, strlen(old), SP_GRFILE_GSHADOW, "web", "admin",
                                          SP_GRFILE_MEMBER, &out, &err),
                     0);
    assert_string_equal(out.data, "root:*::\nweb:!:admin:alice,admin\n");
}

static void refuses(const char *old, const char *name, const char *user, enum sp_code code)
{
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    struct sp_error err;

    assert_int_equal(set(old, name, user, SP_GRFILE_MEMBER, &out, &err), -1);
    assert_int_equal(err.code, code);
}

static void a_member_that_would_make_two_is_refused(void **state)
{
    static const char *const bad[] = {"a,root", "a:b", "a\nb", "a b", "", "-a", "100", "a\r", "a\x7f"};

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++) {
        refuses(group, "web", bad[i], SP_E_INVALID);
        refuses(group, bad[i], "alice", SP_E_INVALID);
    }
}

static void a_group_that_is_missing_double_or_malformed_is_refused(void **state)
{
    (void)state;
    refuses(group, "none", "a", SP_E_NOT_FOUND);
    refuses("g:x:1:\ng:x:2:\n", "g", "a", SP_E_STATE);
    refuses("g:x:1:\n g:x:2:\n", "g", "a", SP_E_STATE);
    refuses("g:x:1\n", "g", "a", SP_E_STATE);
    refuses("g:x:1::\n", "g", "a", SP_E_STATE);
    refuses("g:x:one:\n", "g", "a", SP_E_STATE);
    refuses("g:x:1:a\r\n", "g", "b", SP_E_STATE);
}

static void a_group_is_appended_to_a_file_without_final_newline(void **state)
{
    _cleanup_(sp_buf_clear) struct sp_buf out = {0}, shadow = {0}, empty = {0};
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_grfile_append("a:x:1:", 6, SP_GRFILE_GROUP, "sallyport-none", 995, &out, &err), 0);
    assert_string_equal(out.data, "a:x:1:\nsallyport-none:x:995:\n");
    assert_int_equal(
        sp_grfile_append("a:*::\n", 6, SP_GRFILE_GSHADOW, "sallyport-none", 995, &shadow, &err), 0);
    assert_string_equal(shadow.data, "a:*::\nsallyport-none:!::\n");
    assert_int_equal(sp_grfile_append("", 0, SP_GRFILE_GROUP, "g", 5, &empty, &err), 0);
    assert_string_equal(empty.data, "g:x:5:\n");
}

static void a_taken_name_or_gid_is_a_conflict(void **state)
{
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_grfile_append(group, strlen(group), SP_GRFILE_GROUP, "web", 5, &out, &err), -1);
    assert_int_equal(err.code, SP_E_CONFLICT);
    assert_int_equal(sp_grfile_append(group, strlen(group), SP_GRFILE_GROUP, "new", 990, &out, &err), -1);
    assert_int_equal(err.code, SP_E_CONFLICT);
    assert_int_equal(sp_grfile_append(group, strlen(group), SP_GRFILE_GROUP, "a:b", 5, &out, &err), -1);
    assert_int_equal(err.code, SP_E_INVALID);
    assert_int_equal(sp_grfile_append(group, strlen(group), SP_GRFILE_GROUP, "new", 0, &out, &err), -1);
    assert_int_not_equal(err.code, SP_OK);
}

static void a_free_gid_is_the_highest_that_nobody_has(void **state)
{
    uint32_t gid = 0;
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_grfile_free_gid(group, strlen(group), 100, 991, &gid, &err), 0);
    assert_int_equal(gid, 989);
    assert_int_equal(sp_grfile_free_gid(group, strlen(group), 990, 991, &gid, &err), -1);
    assert_int_equal(err.code, SP_E_NOT_FOUND);
    assert_int_equal(sp_grfile_free_gid(group, strlen(group), 991, 990, &gid, &err), -1);
    assert_int_equal(err.code, SP_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_comes_and_goes),
        cmocka_unit_test(what_is_so_already_changes_no_byte),
        cmocka_unit_test(odd_lists_are_read_as_glibc_reads_them),
        cmocka_unit_test(the_neighbours_are_kept),
        cmocka_unit_test(gshadow_is_edited_alike),
        cmocka_unit_test(a_member_that_would_make_two_is_refused),
        cmocka_unit_test(a_group_that_is_missing_double_or_malformed_is_refused),
        cmocka_unit_test(a_group_is_appended_to_a_file_without_final_newline),
        cmocka_unit_test(a_taken_name_or_gid_is_a_conflict),
        cmocka_unit_test(a_free_gid_is_the_highest_that_nobody_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
