/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "model/profile.h"

static void is_item(const struct sp_profile *p, size_t i, enum sp_profile_kind kind, bool optional,
                    const char *value)
{
    assert_true(i < p->n_items);
    assert_int_equal(p->items[i].kind, kind);
    assert_int_equal(p->items[i].optional, optional);
    assert_string_equal(p->items[i].value, value);
}

static void a_profile_is_read_line_by_line(void **state)
{
    static const char text[] =
        "# git in the jail\n"
        "\n"
        "describe Git, with ssh and perl\n"
        "requires base\n"
        "\tprogram  git \n"
        "program /usr/lib/git-core/git-daemon\n"
        "program? rsync\n"
        "library libnss_files.so.2\n"
        "library? libnss_myhostname.so.2\n"
        "tree /usr/share/git-core\n"
        "tree? /etc/gitconfig\n"
        "tree? /opt/plesk/php/8.3\n"
        "socket /run/mysqld/mysqld.sock\n"
        "program git\n"
        "  # and it works\n"
        "prove git   --version\n"
        "prove true";
    _cleanup_(sp_profile_clear) struct sp_profile p = {0};
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_profile_parse("git", text, sizeof(text) - 1, &p, &err), 0);
    assert_string_equal(p.name, "git");
    assert_string_equal(p.describe, "Git, with ssh and perl");
    is_item(&p, 0, SP_PROFILE_REQUIRES, false, "base");
    is_item(&p, 1, SP_PROFILE_PROGRAM, false, "git");
    is_item(&p, 2, SP_PROFILE_PROGRAM, false, "/usr/lib/git-core/git-daemon");
    is_item(&p, 3, SP_PROFILE_PROGRAM, true, "rsync");
    is_item(&p, 4, SP_PROFILE_LIBRARY, false, "libnss_files.so.2");
    is_item(&p, 5, SP_PROFILE_LIBRARY, true, "libnss_myhostname.so.2");
    is_item(&p, 6, SP_PROFILE_TREE, false, "/usr/share/git-core");
    is_item(&p, 7, SP_PROFILE_TREE, true, "/etc/gitconfig");
    is_item(&p, 8, SP_PROFILE_MOUNT, true, "/opt/plesk/php/8.3");
    is_item(&p, 9, SP_PROFILE_SOCKET, false, "/run/mysqld/mysqld.sock");
    is_item(&p, 10, SP_PROFILE_PROVE, false, "git --version");
    is_item(&p, 11, SP_PROFILE_PROVE, false, "true");
    assert_int_equal(p.n_items, 12);
}

static void of_many_lines_each_is_kept_once(void **state)
{
    enum { MANY = 2000 };
    _cleanup_(sp_profile_clear) struct sp_profile p = {0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    struct sp_error err;

    (void)state;
    for (unsigned i = 0; i < 2 * MANY; i++)
        sp_buf_printf(&text, "program n%u\n", i % MANY);
    assert_int_equal(sp_profile_parse("own", text.data, text.len, &p, &err), 0);
    assert_int_equal(p.n_items, MANY);
    is_item(&p, MANY - 1, SP_PROFILE_PROGRAM, false, "n1999");
}

static void an_empty_profile_promises_nothing(void **state)
{
    _cleanup_(sp_profile_clear) struct sp_profile p = {0};
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_profile_parse("base", "", 0, &p, &err), 0);
    assert_string_equal(p.describe, "");
    assert_int_equal(p.n_items, 0);
}

static void a_line_that_is_no_directive_is_refused_and_named(void **state)
{
    static const char *const bad[] = {
        "programme git",
        "Program git",
        "program",
        "program ",
        "program git rsync",
        "program ../git",
        "program bin/git",
        "program -x",
        "program .hidden",
        "program git;id",
        "program /usr/bin/../git",
        "program /usr/bin/git\r",
        "requires? base",
        "requires Base",
        "requires a b",
        "prove sh -c 'true'",
        "prove",
        "describe? x",
        "library /lib/x.so",
        "library",
        "tree usr/share",
        "tree /usr",
        "tree /usr/",
        "tree /etc",
        "tree /",
        "tree /root/.ssh",
        "tree /usr/../root",
        "tree /usr2",
        "tree /opt",
        "tree /home/other/x",
        "tree /run/systemd",
        "tree /var/lib/sallyport/state",
        "socket",
        "socket mysqld.sock",
        "socket /run/docker.sock",
        "socket /run/dbus/system_bus_socket",
        "socket /run/php/php8.2-fpm.sock",
        "socket /var/run/mysqld/mysqld.sock",
        "socket /tmp/mysql/mysql.sock",
        "tree /etc/shadow",
        "tree /etc/ssl/private/key.pem",
        "tree /etc/sudoers.d",
        "tree /usr/a:b",
        "?",
        "program? ",
        "tree /usr/\x01",
        "describe \xff",
        "describe a\ndescribe b",
        "link /usr/bin/php",
        "link /usr/bin/php php8.2 php8.3",
        "link /opt/php php8.2",
        "link php php8.2",
        "link /usr/bin/../php php8.2",
        "link /usr/bin/php ../../x/../php",
        "link /etc/shadow /usr/bin/php",
        "link? /usr/bin/php php8.2",
        "promise? x",
        "promise",
        "prove-sh",
        "install",
        "program php%i",
        "promise it works",
        "promise it works\npromise it works\nprove true",
    };
    struct sp_error err;

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++) {
        _cleanup_(sp_profile_clear) struct sp_profile p = {0};
        char text[200] = "# one\n";
        /* A promise is wrong where it stands, however far the file goes on. */
        bool second = strchr(bad[i], '\n') != NULL && strncmp(bad[i], "promise", 7) != 0;

        strncat(text, bad[i], sizeof(text) - strlen(text) - 1);
        if (sp_profile_parse("own", text, strlen(text), &p, &err) == 0)
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(err.code, SP_E_INVALID);
        assert_string_equal(err.field, second ? "own.profile:3" : "own.profile:2");
        assert_string_not_equal(err.hint, "");
        assert_null(p.items);
    }
}

static void a_nul_or_too_many_bytes_are_refused(void **state)
{
    _cleanup_(sp_profile_clear) struct sp_profile p = {0};
    _cleanup_free_ char *big = calloc(1, SP_PROFILE_MAX_BYTES + 1);
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_profile_parse("own", "program a\0b\n", 12, &p, &err), -1);
    memset(big, '\n', SP_PROFILE_MAX_BYTES + 1);
    assert_int_equal(sp_profile_parse("own", big, SP_PROFILE_MAX_BYTES + 1, &p, &err), -1);
    assert_int_equal(sp_profile_parse("own", big, SP_PROFILE_MAX_BYTES, &p, &err), 0);
}

static void names_are_short_and_plain(void **state)
{
    static const char *const good[] = {
        "a", "base", "php-8", "abcdefghijklmnopqrstuvwxyzabcde", "php@8.2", "node@20_lts-x"};
    static const char *const bad[] = {"",        "Base",      "1a",      "-a",
                                      "a.b",     "../a",      "a/b",     "a b",
                                      "a\n",     "b\xc3\xa4", "a_b",     "abcdefghijklmnopqrstuvwxyzabcdef",
                                      "php@",    "php@.2",    "php@-1",  "@8",
                                      "php@8/2", "php@8@2",   "php@8 2", "php@A"};
    _cleanup_(sp_profile_clear) struct sp_profile p = {0};
    struct sp_error err;

    (void)state;
    for (size_t i = 0; i < SP_COUNT(good); i++)
        assert_int_equal(sp_profile_check_name(good[i], &err), 0);
    for (size_t i = 0; i < SP_COUNT(bad); i++) {
        assert_int_equal(sp_profile_check_name(bad[i], &err), -1);
        assert_int_equal(sp_profile_parse(bad[i], "", 0, &p, &err), -1);
    }
}

static void what_is_promised_is_told_by_lines_of_their_own(void **state)
{
    static const char text[] =
        "install php-cli (Debian)\n"
        "promise PHP runs\n"
        "prove php -v\n"
        "prove? composer --version\n"
        "prove-sh php -r  'exit(0);' | grep \"x\"\n"
        "prove-sh? wp cli\n"
        "link /usr/bin/php php8.2\n"
        "link /usr/local/bin/php /opt/php/8.3/bin/php\n";
    _cleanup_(sp_profile_clear) struct sp_profile p = {0};
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_profile_parse("own", text, sizeof(text) - 1, &p, &err), 0);
    is_item(&p, 0, SP_PROFILE_INSTALL, false, "php-cli (Debian)");
    is_item(&p, 1, SP_PROFILE_PROMISE, false, "PHP runs");
    is_item(&p, 2, SP_PROFILE_PROVE, false, "php -v");
    is_item(&p, 3, SP_PROFILE_PROVE, true, "composer --version");
    is_item(&p, 4, SP_PROFILE_PROVE_SH, false, "php -r 'exit(0);' | grep \"x\"");
    is_item(&p, 5, SP_PROFILE_PROVE_SH, true, "wp cli");
    is_item(&p, 6, SP_PROFILE_LINK, false, "/usr/bin/php php8.2");
    is_item(&p, 7, SP_PROFILE_LINK, false, "/usr/local/bin/php /opt/php/8.3/bin/php");
    assert_int_equal(sp_profile_next(&p, 0, SP_PROFILE_LINK), 6);
    assert_int_equal(sp_profile_next(&p, 7, SP_PROFILE_LINK), 7);
    assert_int_equal(sp_profile_next(&p, 0, SP_PROFILE_TREE), p.n_items);
}

static void a_choice_behind_the_name_stands_where_the_lines_say(void **state)
{
    static const char text[] =
        "describe PHP %i\nprogram php%i\nlink /usr/bin/php php%i\n"
        "prove-sh test %i-%i = x || date +%Y\n";
    _cleanup_(sp_profile_clear) struct sp_profile p = {0};
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_profile_parse("php@8.2", text, sizeof(text) - 1, &p, &err), 0);
    assert_string_equal(p.name, "php@8.2");
    assert_string_equal(p.describe, "PHP 8.2");
    is_item(&p, 0, SP_PROFILE_PROGRAM, false, "php8.2");
    is_item(&p, 1, SP_PROFILE_LINK, false, "/usr/bin/php php8.2");
    is_item(&p, 2, SP_PROFILE_PROVE_SH, false, "test 8.2-8.2 = x || date +%Y");
    assert_string_equal(sp_profile_choice("php@8.2"), "8.2");
    assert_null(sp_profile_choice("php"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_profile_is_read_line_by_line),
        cmocka_unit_test(of_many_lines_each_is_kept_once),
        cmocka_unit_test(an_empty_profile_promises_nothing),
        cmocka_unit_test(a_line_that_is_no_directive_is_refused_and_named),
        cmocka_unit_test(a_nul_or_too_many_bytes_are_refused),
        cmocka_unit_test(names_are_short_and_plain),
        cmocka_unit_test(what_is_promised_is_told_by_lines_of_their_own),
        cmocka_unit_test(a_choice_behind_the_name_stands_where_the_lines_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
