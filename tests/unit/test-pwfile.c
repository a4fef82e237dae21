/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/pwfile.h"
#include "model/pwline.h"

#define FIRST "root:x:0:0:root:/root:/bin/bash\n"
#define ALICE "alice:x:1001:1001:A. B,,,:/home/alice:/bin/false\n"
/* Neighbours that no tool would write: kept byte for byte. */
#define ODD                                                                                                \
    "broken\n\n# alice:x:1:1:::\n+nis::::::\nshort:x:1\n:x:5:5::/:\nbin\x01:x:2:2:b\xe4n:/bin:/x\r\n"
#define BOB "bob:x:1002:1002::/home/bob:"

static const char passwd[] = FIRST ODD ALICE BOB;

static int set(const char *old, const char *name, uint32_t uid, const char *shell, struct sp_buf *out,
               struct sp_error *err)
{
    return sp_pwfile_set_shell(old, strlen(old), name, uid, shell, out, err);
}

static void the_shell_field_alone_changes(void **state)
{
    _cleanup_(sp_buf_clear) struct sp_buf out = {0}, back = {0};
    struct sp_error err;

    (void)state;
    assert_int_equal(set(passwd, "alice", 1001, "/bin/bash", &out, &err), 0);
    assert_string_equal(out.data, FIRST ODD "alice:x:1001:1001:A. B,,,:/home/alice:/bin/bash\n" BOB);
    assert_int_equal(set(out.data, "alice", 1001, "/bin/false", &back, &err), 0);
    assert_string_equal(back.data, passwd);
}

static void a_last_line_without_newline_stays_without(void **state)
{
    _cleanup_(sp_buf_clear) struct sp_buf out = {0}, back = {0};
    struct sp_error err;

    (void)state;
    assert_int_equal(set(passwd, "bob", 1002, "/bin/sh", &out, &err), 0);
    assert_string_equal(out.data, FIRST ODD ALICE BOB "/bin/sh");
    assert_int_equal(set(out.data, "bob", 1002, "", &back, &err), 0);
    assert_string_equal(back.data, passwd);
}

static void the_same_shell_changes_no_byte(void **state)
{
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    struct sp_error err;

    (void)state;
    assert_int_equal(set(passwd, "alice", 1001, "/bin/false", &out, &err), 0);
    assert_int_equal(out.len, sizeof(passwd) - 1);
    assert_memory_equal(out.data, passwd, out.len);
}

static void a_line_is_found_with_its_fields(void **state)
{
    struct sp_pwfile_line line;
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_pwfile_find(passwd, sizeof(passwd) - 1, "alice", &line, &err), 0);
    assert_string_equal(line.name, "alice");
    assert_int_equal(line.uid, 1001);
    assert_int_equal(line.gid, 1001);
    assert_string_equal(line.home, "/home/alice");
    assert_string_equal(line.shell, "/bin/false");
    assert_int_equal(line.offset, strlen(FIRST ODD));
    assert_int_equal(line.len, strlen(ALICE) - 1);
    assert_int_equal(sp_pwfile_find(passwd, sizeof(passwd) - 1, "bob", &line, &err), 0);
    assert_string_equal(line.shell, "");
}

/* Alone, and among several: the two ways to the line differ. */
static void refuses(const char *old, const char *name, uint32_t uid, const char *shell, enum sp_code code)
{
    const struct sp_pwfile_shell two[] = {{name, uid, shell}, {"zed", 9999, "/bin/sh"}};
    _cleanup_(sp_buf_clear) struct sp_buf out = {0}, longer = {0}, none = {0};
    struct sp_error err;

    assert_int_equal(set(old, name, uid, shell, &out, &err), -1);
    assert_int_equal(err.code, code);
    assert_string_not_equal(err.text, "");
    sp_buf_printf(&longer, "%s\nzed:x:9999:9999::/:/bin/false\n", old);
    assert_int_equal(sp_pwfile_set_shells(longer.data, longer.len, two, 2, &none, &err), -1);
    assert_int_equal(err.code, code);
    assert_string_equal(err.field, "[0]");
}

static void a_shell_that_would_make_a_field_or_a_line_is_refused(void **state)
{
    static const char *const bad[] = {"/bin/sh\nroot2:x:0:0::/:/bin/sh",
                                      "/bin/sh\r",
                                      "/bin:/sh",
                                      "bash",
                                      " /bin/sh",
                                      "/bin/\x01sh",
                                      "/bin/sh\x7f",
                                      "/bin/\xff",
                                      "/bin/\xc0\xaf"};
    char big[SP_PATH_SIZE + 1];

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++)
        refuses(passwd, "alice", 1001, bad[i], SP_E_INVALID);
    memset(big, '/', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    refuses(passwd, "alice", 1001, big, SP_E_INVALID);
}

static void a_name_that_is_none_is_refused(void **state)
{
    static const char *const bad[] = {"",     "a:b",    "a\nb", "a\rb", "a,b",     "a\x7f",
                                      "1001", "-alice", "+nis", "#",    "broken\n"};

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++)
        refuses(passwd, bad[i], 1001, "/bin/sh", SP_E_INVALID);
    refuses(passwd, "carol", 1001, "/bin/sh", SP_E_NOT_FOUND);
    refuses(passwd, "broken", 1001, "/bin/sh", SP_E_NOT_FOUND);
    refuses("", "alice", 1001, "/bin/sh", SP_E_NOT_FOUND);
}

static void a_duplicate_line_is_refused(void **state)
{
    (void)state;
    refuses(ALICE FIRST ALICE, "alice", 1001, "/bin/sh", SP_E_STATE);
    refuses(ALICE "alice:x:0:0::/:/bin/sh", "alice", 1001, "/bin/sh", SP_E_STATE);
    refuses(ALICE "alice:x", "alice", 1001, "/bin/sh", SP_E_STATE);
    refuses("alice:x\n" ALICE, "alice", 1001, "/bin/sh", SP_E_STATE);
    /* glibc skips the blanks and takes the first of the two. */
    refuses(" alice:x:0:0::/:/bin/sh\n" ALICE, "alice", 1001, "/bin/sh", SP_E_STATE);
}

static void a_malformed_line_of_the_name_is_refused(void **state)
{
    static const char *const bad[] = {
        "alice:x:1001:1001::/home/alice",
        "alice:x:1001:1001::/home/alice:/bin/sh:more",
        "alice:x::1001::/home/alice:/bin/sh",
        "alice:x:01001:1001::/home/alice:/bin/sh",
        "alice:x:4294967295:1001::/home/alice:/bin/sh",
        "alice:x:99999999999999999999:1001::/home/alice:/bin/sh",
        "alice:x:1001:-1::/home/alice:/bin/sh",
        "\talice:x:1001:1001::/home/alice:/bin/sh",
        "alice:x:1001:1001::/home/alice:/bin/sh\r",
    };

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++)
        refuses(bad[i], "alice", 1001, "/bin/bash", SP_E_STATE);
}

static void a_nul_in_the_line_is_refused(void **state)
{
    static const char file[] = "alice:x:1001:1001::/home\0:/bin/sh\n";
    struct sp_pwfile_line line;
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_pwfile_find(file, sizeof(file) - 1, "alice", &line, &err), -1);
    assert_int_equal(err.code, SP_E_STATE);
}

static void a_control_byte_anywhere_in_the_line_is_refused_and_a_tab_or_latin_1_is_not(void **state)
{
    static const char others[] = "root:x:0:0:root:/root:/bin/bash\n";

    (void)state;
    for (size_t len = 0; len < 24; len++)
        for (size_t at = 0; at < len; at++)
            for (unsigned c = 1; c < 256; c++) {
                _cleanup_(sp_buf_clear) struct sp_buf text = {0}, out = {0};
                struct sp_error err;
                bool fine = c == '\t' || (c >= 0x20 && c != 0x7f);

                if (c == '\n' || c == ':')
                    continue;
                sp_buf_printf(&text, "%sa:x:1001:1:%.*s:/h:/s\n", others, (int)len,
                              "nnnnnnnnnnnnnnnnnnnnnnnn");
                text.data[strlen(others) + strlen("a:x:1001:1:") + at] = (char)c;
                assert_int_equal(set(text.data, "a", 1001, "/t", &out, &err), fine ? 0 : -1);
            }
}

static void an_id_has_digits_alone_no_leading_zero_and_is_less_than_2_to_the_32_minus_1(void **state)
{
    static const struct {
        const char *text;
        uint32_t id;
    } good[] = {{"0", 0}, {"10", 10}, {"4294967294", 4294967294U}};
    static const char *const bad[] = {"",   "00",         "01",         "+1",          "-1", " 1", "1 ",
                                      "1a", "4294967295", "9999999999", "42949672940", "1/", "1:"};
    uint32_t id = 7;

    (void)state;
    for (size_t i = 0; i < SP_COUNT(good); i++) {
        assert_true(sp_slice_to_id((struct sp_slice){good[i].text, strlen(good[i].text)}, &id));
        assert_int_equal(id, good[i].id);
    }
    for (size_t i = 0; i < SP_COUNT(bad); i++)
        assert_false(sp_slice_to_id((struct sp_slice){bad[i], strlen(bad[i])}, &id));
}

static void another_uid_is_refused(void **state)
{
    (void)state;
    refuses(passwd, "alice", 1002, "/bin/bash", SP_E_STATE);
}

static void many_shells_change_in_one_pass(void **state)
{
    static const struct sp_pwfile_shell two[] = {{"bob", 1002, "/bin/a"}, {"alice", 1001, "/bin/b"}};
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_pwfile_set_shells(passwd, sizeof(passwd) - 1, two, 2, &out, &err), 0);
    assert_string_equal(out.data, FIRST ODD "alice:x:1001:1001:A. B,,,:/home/alice:/bin/b\n" BOB "/bin/a");
}

static void one_fault_among_many_refuses_all_and_says_which(void **state)
{
    static const struct sp_pwfile_shell missing[] = {{"bob", 1002, "/bin/a"}, {"carol", 1001, "/bin/b"}};
    static const struct sp_pwfile_shell again[] = {{"bob", 1002, "/bin/a"}, {"bob", 1002, "/bin/b"}};
    static const struct sp_pwfile_shell bad[] = {{"bob", 1002, "/a"}, {"alice", 1001, "/b\n"}};
    const struct sp_pwfile_shell *const all[] = {missing, again, bad};
    struct sp_error err;

    (void)state;
    for (size_t i = 0; i < SP_COUNT(all); i++) {
        _cleanup_(sp_buf_clear) struct sp_buf out = {0};
        assert_int_equal(sp_pwfile_set_shells(passwd, sizeof(passwd) - 1, all[i], 2, &out, &err), -1);
        assert_string_equal(err.field, "[1]");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shell_field_alone_changes),
        cmocka_unit_test(a_last_line_without_newline_stays_without),
        cmocka_unit_test(the_same_shell_changes_no_byte),
        cmocka_unit_test(a_line_is_found_with_its_fields),
        cmocka_unit_test(a_shell_that_would_make_a_field_or_a_line_is_refused),
        cmocka_unit_test(a_name_that_is_none_is_refused),
        cmocka_unit_test(a_duplicate_line_is_refused),
        cmocka_unit_test(a_malformed_line_of_the_name_is_refused),
        cmocka_unit_test(a_nul_in_the_line_is_refused),
        cmocka_unit_test(a_control_byte_anywhere_in_the_line_is_refused_and_a_tab_or_latin_1_is_not),
        cmocka_unit_test(an_id_has_digits_alone_no_leading_zero_and_is_less_than_2_to_the_32_minus_1),
        cmocka_unit_test(another_uid_is_refused),
        cmocka_unit_test(many_shells_change_in_one_pass),
        cmocka_unit_test(one_fault_among_many_refuses_all_and_says_which),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
