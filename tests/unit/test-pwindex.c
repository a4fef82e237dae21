/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/pwindex.h"

/* Odd lines among good ones: the table must say of each name what the walk through the bytes says. */
static const char group[] =
    "root:x:0:\n# comment:x:1:a\nodd\n\n+nis:::\nweb:x:990:alice,bob,carol\n "
    "web2:x:989:alice\nempty:x:991:\n"
    "twice:x:1:a\ntwice:x:2:b\nbad:x:nine:alice\nshort:x:7\nlong:x:8:a:b\nlast:x:990:a,,bob,alicex\n"
    "control:x:992:al\001ice\nnone:x:993:\nfinal:x:994:bob";
static const char passwd[] =
    "root:x:0:0:root:/root:/bin/bash\nalice:x:1001:990:A:/home/alice:/bin/sh\n# bob:x:1:1:::\n"
    " carol:x:1003:1003::/home/carol:\ntwin:x:1004:1::/t:\ntwin:x:1005:1::/t:\nbad:x:1006\n"
    "bob:x:1002:994::/home/bob:/bin/false";
static const char *const names[] = {"root", "web",  "web2", "empty",  "twice", "bad", "short", "long",
                                    "last", "none", "odd",  "final",  "alice", "bob", "carol", "twin",
                                    "a",    "b",    "fin",  "finals", "x",     "nis", "al",    "control"};
static const uint32_t gids[] = {0, 1, 2, 7, 8, 989, 990, 991, 993, 994, 995, 4000000000};

static bool lists(struct sp_slice members, const char *user)
{
    for (const char *p = members.p, *end = p + members.len; p < end;) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        size_t n = (size_t)((comma != NULL ? comma : end) - p);
        if (n == strlen(user) && memcmp(p, user, n) == 0)
            return true;
        p += n + 1;
    }
    return false;
}

/* What a walk over all lines finds. */
static bool slow_next(const char *user, uint32_t gid, size_t from, struct sp_pwline *ret)
{
    struct sp_slice f[SP_PWLINE_FIELDS];
    uint32_t found;

    for (size_t at = 0; sp_pwline_next(group, sizeof(group) - 1, at, ret); at = ret->next)
        if (at >= from && sp_pwline_name(ret->text).len > 0 && sp_pwline_split(ret->text, 4, f) &&
            sp_slice_to_id(f[2], &found) && (found == gid || (user != NULL && lists(f[3], user))))
            return true;
    return false;
}

static void groups_are_found_as_by_going_through_the_file(void **state)
{
    _cleanup_(sp_pwindex_clear) struct sp_pwindex x = {0};
    size_t sure = 0;

    (void)state;
    assert_int_equal(sp_pwindex_build(group, sizeof(group) - 1, SP_PWINDEX_GROUP, &x), 0);
    for (size_t i = 0; i < SP_COUNT(names); i++) {
        struct sp_grfile_line fast, slow;
        struct sp_error err;
        enum sp_pwindex_answer answer = sp_pwindex_group(&x, names[i], &fast);
        int rc = sp_grfile_find(group, sizeof(group) - 1, SP_GRFILE_GROUP, names[i], &slow, &err);

        assert_true(answer != SP_PWINDEX_YES || rc == 0);
        assert_true(answer != SP_PWINDEX_NO || (rc < 0 && err.code == SP_E_NOT_FOUND));
        if (answer != SP_PWINDEX_YES)
            continue;
        sure++;
        assert_int_equal(fast.offset, slow.offset);
        assert_int_equal(fast.len, slow.len);
        assert_int_equal(fast.gid, slow.gid);
        assert_int_equal(fast.members_offset, slow.members_offset);
        assert_int_equal(fast.members_len, slow.members_len);
        for (size_t k = 0; k < SP_COUNT(names); k++)
            assert_int_equal(sp_pwindex_is_member(&x, &fast, names[k]),
                             sp_grfile_is_member(group, &slow, names[k]) == SP_GRFILE_MEMBER);
    }
    assert_int_equal(sure, 6);
}

static void the_groups_of_a_user_come_in_the_files_order(void **state)
{
    _cleanup_(sp_pwindex_clear) struct sp_pwindex x = {0};

    (void)state;
    assert_int_equal(sp_pwindex_build(group, sizeof(group) - 1, SP_PWINDEX_GROUP, &x), 0);
    for (size_t i = 0; i <= SP_COUNT(names); i++)
        for (size_t g = 0; g < SP_COUNT(gids); g++) {
            const char *user = i < SP_COUNT(names) ? names[i] : NULL;
            struct sp_pwline fast, slow;
            size_t at = 0;

            while (slow_next(user, gids[g], at, &slow)) {
                assert_true(sp_pwindex_next(&x, user, gids[g], at, &fast));
                assert_ptr_equal(fast.text.p, slow.text.p);
                assert_int_equal(fast.next, slow.next);
                at = slow.next;
            }
            assert_false(sp_pwindex_next(&x, user, gids[g], at, &fast));
        }
}

static void users_are_found_as_by_going_through_the_file(void **state)
{
    _cleanup_(sp_pwindex_clear) struct sp_pwindex x = {0};

    (void)state;
    assert_int_equal(sp_pwindex_build(passwd, sizeof(passwd) - 1, SP_PWINDEX_PASSWD, &x), 0);
    for (size_t i = 0; i < SP_COUNT(names); i++) {
        struct sp_pwline fast, slow;
        struct sp_error err;
        enum sp_pwindex_answer answer = sp_pwindex_find(&x, names[i], &fast);
        int rc = sp_pwline_find(passwd, sizeof(passwd) - 1, "passwd", names[i], &slow, &err);

        assert_int_equal(answer, rc == 0                  ? SP_PWINDEX_YES
                                 : err.code == SP_E_STATE ? SP_PWINDEX_UNSURE
                                                          : SP_PWINDEX_NO);
        if (rc == 0)
            assert_memory_equal(&fast, &slow, sizeof(fast));
    }
}

/* glibc skips them, some of our readers do not: then the bytes are asked. */
static void blanks_before_a_member_make_no_table(void **state)
{
    static const char odd[] = "g:x:1:a, b\n";
    struct sp_pwindex x;

    (void)state;
    assert_int_equal(sp_pwindex_build(odd, sizeof(odd) - 1, SP_PWINDEX_GROUP, &x), -1);
    assert_null(x.lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_are_found_as_by_going_through_the_file),
        cmocka_unit_test(the_groups_of_a_user_come_in_the_files_order),
        cmocka_unit_test(users_are_found_as_by_going_through_the_file),
        cmocka_unit_test(blanks_before_a_member_make_no_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
