/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/shown.h"

#define GOOD                                                                                               \
    "sallyport-shown 1\ntree /opt/plesk/php/8.3\nsocket? /run/mysqld/mysqld.sock\n"                        \
    "socket /var/lib/mysql/mysql.sock\ndenied /srv/tools\n"

static int parse(const char *text, struct sp_shown *ret)
{
    struct sp_error err = {0};

    return sp_shown_parse(text, strlen(text), ret, &err);
}

static void a_list_reads_back_as_it_was_written(void **state)
{
    _cleanup_(sp_shown_clear) struct sp_shown s = {0};
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    struct sp_error err = {0};

    (void)state;
    assert_int_equal(parse(GOOD, &s), 0);
    assert_int_equal(s.n, 4);
    assert_int_equal(s.v[1].kind, SP_SHOWN_SOCKET);
    assert_true(s.v[1].optional);
    assert_int_equal(sp_shown_format(&s, &out, &err), 0);
    assert_string_equal(sp_buf_str(&out), GOOD);
}

static void the_directory_of_a_socket_is_what_is_mounted(void **state)
{
    _cleanup_(sp_shown_clear) struct sp_shown s = {0};
    char dir[SP_RECORD_PATH];

    (void)state;
    assert_int_equal(parse(GOOD, &s), 0);
    sp_shown_dir(&s.v[0], dir);
    assert_string_equal(dir, "/opt/plesk/php/8.3");
    sp_shown_dir(&s.v[1], dir);
    assert_string_equal(dir, "/run/mysqld");
}

static void what_has_no_mount_point_yet_is_told_and_var_for_the_link_to_run(void **state)
{
    _cleanup_(sp_shown_clear) struct sp_shown s = {0};
    const char *paths[SP_SHOWN_MAX + 1];

    (void)state;
    assert_int_equal(parse(GOOD, &s), 0);
    assert_int_equal(sp_shown_paths(&s, paths), 3);
    assert_string_equal(paths[0], "/opt/plesk/php/8.3");
    assert_string_equal(paths[1], "/var/lib/mysql/mysql.sock");
    assert_string_equal(paths[2], "/var");
}

static void what_cannot_be_mounted_or_read_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "sallyport-shown 2\n",
        "sallyport-shown 1\ntree /opt/x",
        "sallyport-shown 1\ntree /opt\n",
        "sallyport-shown 1\ntree /usr/x\n",
        "sallyport-shown 1\ntree /run/x\n",
        "sallyport-shown 1\ntree /opt/../etc\n",
        "sallyport-shown 1\ntree opt/x\n",
        "sallyport-shown 1\nsocket /run/docker.sock\n",
        "sallyport-shown 1\nsocket /tmp/x/y\n",
        "sallyport-shown 1\nbind /opt/x\n",
        "sallyport-shown 1\ntree?/opt/x\n",
    };

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++) {
        _cleanup_(sp_shown_clear) struct sp_shown s = {0};

        if (parse(bad[i], &s) == 0)
            fail_msg("accepted: %s", bad[i]);
    }
}

static void a_path_counts_once_and_there_is_a_limit(void **state)
{
    _cleanup_(sp_shown_clear) struct sp_shown s = {0};
    struct sp_shown_item item = {.kind = SP_SHOWN_TREE};
    struct sp_error err = {0};

    (void)state;
    for (int i = 0; i < SP_SHOWN_MAX; i++) {
        (void)sp_str_format(item.path, sizeof(item.path), "/opt/%d", i);
        assert_int_equal(sp_shown_add(&s, &item, &err), 0);
        assert_int_equal(sp_shown_add(&s, &item, &err), 0);
    }
    assert_int_equal(s.n, SP_SHOWN_MAX);
    (void)sp_str_copy(item.path, sizeof(item.path), "/opt/more");
    assert_int_equal(sp_shown_add(&s, &item, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_reads_back_as_it_was_written),
        cmocka_unit_test(the_directory_of_a_socket_is_what_is_mounted),
        cmocka_unit_test(what_has_no_mount_point_yet_is_told_and_var_for_the_link_to_run),
        cmocka_unit_test(what_cannot_be_mounted_or_read_is_refused),
        cmocka_unit_test(a_path_counts_once_and_there_is_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
