/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/panel.h"

static struct sp_panel panel;
static struct sp_error err;

static int parse(const char *text)
{
    sp_panel_clear(&panel);
    return sp_panel_parse(text, strlen(text), &panel, &err);
}

static int clear_panel(void **state)
{
    (void)state;
    sp_panel_clear(&panel);
    return 0;
}

#define HEAD "title = T\nfiles = /x/*\nformat = "
#define TAIL "\ndomain = {d}\nuser = {u}\ndocument_root = {r} /h/{u}/web\n"

static void a_preset_is_read_and_its_mistakes_are_told_by_line(void **state)
{
    (void)state;
    assert_int_equal(parse("# c\n\n" HEAD "variables" TAIL "unless = {a}\nuid_min = 5000\ngroups = g, h\n"),
                     0);
    assert_string_equal(panel.title, "T");
    assert_int_equal(panel.n_sources, 1);
    assert_int_equal(panel.sources[0].format, SP_PANEL_VARIABLES);
    assert_int_equal(panel.uid_min, 5000);
    assert_int_equal(panel.groups.n, 2);
    static const char *const bad[] = {
        "",
        "title = T\n",
        "format = fields\n",
        "title = T\nfiles = relative/*\n",
        "title = T\nfiles = /a/../b\n",
        "title = T\nfiles = /a//b\n",
        HEAD "sql" TAIL,
        HEAD "fields" TAIL,
        HEAD "settings" TAIL "nonsense = 1\n",
        HEAD "settings" TAIL "uid_min = -1\n",
        HEAD "settings\ndomain = {d}\n",
        "title\n",
    };
    for (size_t i = 0; i < SP_COUNT(bad); i++)
        assert_int_equal(parse(bad[i]), -1);
    assert_int_equal(parse("title = T\nnonsense = 1\n"), -1);
    assert_non_null(strstr(err.text, "line 2"));
    assert_non_null(strstr(err.text, "nonsense"));
}

struct seen {
    struct sp_panel_site v[8];
    int rc[8];
    size_t n;
};

static int collect(const struct sp_panel_record *r, void *data, struct sp_error *e)
{
    struct seen *s = data;
    int rc = sp_panel_site(&panel.sources[0], r, &s->v[s->n], e);

    assert_true(s->n < SP_COUNT(s->v));
    if (rc != SP_PANEL_NO_SITE)
        s->rc[s->n++] = rc;
    return 0;
}

static struct seen read_sites(const char *preset, const char *text)
{
    struct seen s = {.n = 0};
    struct sp_panel_record given = {0};

    assert_int_equal(parse(preset), 0);
    assert_int_equal(sp_panel_record_set(&given, "1", "cap", 3, &err), 0);
    assert_int_equal(sp_panel_read(&panel.sources[0], text, strlen(text), &given, collect, &s, &err), 0);
    sp_panel_record_clear(&given);
    return s;
}

static void assert_site(const struct seen *s, size_t i, const char *domain, const char *user,
                        const char *root)
{
    assert_true(i < s->n);
    assert_int_equal(s->rc[i], SP_PANEL_SITE);
    assert_string_equal(s->v[i].domain, domain);
    assert_string_equal(s->v[i].user, user);
    assert_string_equal(s->v[i].document_root, root);
}

static void each_format_gives_its_sites(void **state)
{
    struct seen s = read_sites(HEAD "variables" TAIL "unless = {a}\n",
                               "d='one.example' x='' u=\"one\" r='/srv//one/'\r\n# d='no.example'\n"
                               "d='two.example' u='two'\nd='three.example' u='t' a='1'\nd='cut u='x'\n");
    (void)state;
    assert_int_equal(s.n, 2);
    assert_site(&s, 0, "one.example", "one", "/srv/one");
    assert_site(&s, 1, "two.example", "two", "/h/two/web"); /* the second template */

    s = read_sites(
        HEAD "settings" TAIL,
        "<VirtualHost *>\n  d \"One.Example:443\"\n\tu \"one\" \"grp\"\n  r /srv/one\n  r /srv/two\n");
    assert_int_equal(s.n, 1);
    assert_site(&s, 0, "one.example", "one", "/srv/one"); /* the first counts */
    s = read_sites(HEAD "settings" TAIL, "d=one.example\nu = one\nr: /srv/with blank\n");
    assert_site(&s, 0, "one.example", "one", "/srv/with blank");

    s = read_sites(HEAD "fields\nseparators = : ==\nfields = d u x r" TAIL,
                   "one.example: one==root==/srv/one==192.0.2.1:80\ntwo.example: two\n\nthree.example:\n");
    assert_int_equal(s.n, 2); /* where nobody's, there is no document root */
    assert_site(&s, 0, "one.example", "one", "/srv/one");
    assert_site(&s, 1, "two.example", "two", "/h/two/web");
}

static void names_that_a_customer_chose_go_through_the_allow_lists(void **state)
{
    static const char *const lines[] = {
        "d='a;b.example' u='one'",
        "d='one' u='one'",
        "d='one.example' u='root:x'",
        "d='one.example' u='../etc'",
        "d='one.example' u='one' r='/srv/../etc'",
        "d='one.example' u='one' r='relative'",
        "d='one.example' u='one' r='/srv/a:b'",
        "d='one.example' u='one' r='/srv/\x01'",
        "d='\xc3\xa4.example' u='one'",
        "d='-x.example' u='one'",
    };

    (void)state;
    for (size_t i = 0; i < SP_COUNT(lines); i++) {
        struct seen s = read_sites(HEAD "variables" TAIL, lines[i]);
        assert_int_equal(s.n, 1);
        assert_int_equal(s.rc[0], -1);
    }
    /* A template is put together once: a value that looks like one is a value. */
    struct seen s = read_sites(HEAD "variables" TAIL, "d='{u}.example' u='one'");
    assert_int_equal(s.rc[0], -1);
}

static void a_site_may_have_to_lie_below_a_directory(void **state)
{
    struct seen s = read_sites(HEAD "variables" TAIL "under = /srv/a\n",
                               "d='a.example' u='a' r='/srv/a/web'\nd='b.example' u='b' r='/srv/ab'\n");
    (void)state;
    assert_int_equal(s.n, 1);
    assert_site(&s, 0, "a.example", "a", "/srv/a/web");
}

static void patterns_match_components_and_keep_what_stars_stand_for(void **state)
{
    static const struct {
        const char *pattern, *name, *first, *second; /* first NULL: no match */
    } rows[] = {
        {"*", "a.example", "a.example", NULL},
        {"*", ".hidden", NULL, NULL},
        {"*", "", NULL, NULL},
        {"web*", "web12", "12", NULL},
        {"web*", "web", NULL, NULL},
        {"*.conf", "a.b.conf", "a.b", NULL},
        {"*-*.conf", "a-b-c.conf", "a-b", "c"},
        {"plain", "plain", "", NULL},
        {"plain", "plainer", NULL, NULL},
        {"*.conf", ".conf", NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < SP_COUNT(rows); i++) {
        struct sp_panel_captures c = {0};
        bool is = sp_panel_match(rows[i].pattern, rows[i].name, &c);
        assert_int_equal(is, rows[i].first != NULL);
        if (is && strchr(rows[i].pattern, '*') != NULL)
            assert_string_equal(c.v[0], rows[i].first);
        if (is && rows[i].second != NULL)
            assert_string_equal(c.v[1], rows[i].second);
        assert_true(is || c.n == 0);
    }
}

static void the_configuration_keeps_the_users_that_it_denied(void **state)
{
    struct sp_config c = {0};
    struct sp_buf out = {0};

    (void)state;
    assert_int_equal(sp_config_defaults(&c, &err), 0);
    assert_int_equal(parse(HEAD "settings" TAIL "groups = psacln\nexcluded_users = root,panel\n"
                                "document_roots = /var/www/vhosts\nuid_min = 10000\n"),
                     0);
    assert_int_equal(sp_panel_suggest(&panel, "t", &c, &out, &err), 0);
    assert_non_null(strstr(sp_buf_str(&out), "document_roots = /var/www/vhosts\nuid_min = 10000\n"));
    assert_non_null(
        strstr(sp_buf_str(&out), "denied_users = root,nobody,www-data,apache,nginx,psaadm,psaftp,panel\n"));
    sp_buf_clear(&out);
    sp_config_clear(&c);
}

static void jails_of_other_tools_are_known_by_their_shell(void **state)
{
    (void)state;
    assert_string_equal(sp_panel_jail("/usr/sbin/jk_chrootsh")->tool, "jailkit");
    assert_string_equal(sp_panel_jail("/opt/psa/bin/chrootsh")->tool, "Plesk chrootsh");
    assert_null(sp_panel_jail("/bin/bash"));
    assert_null(sp_panel_jail(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_preset_is_read_and_its_mistakes_are_told_by_line, clear_panel),
        cmocka_unit_test_teardown(each_format_gives_its_sites, clear_panel),
        cmocka_unit_test_teardown(names_that_a_customer_chose_go_through_the_allow_lists, clear_panel),
        cmocka_unit_test_teardown(a_site_may_have_to_lie_below_a_directory, clear_panel),
        cmocka_unit_test(patterns_match_components_and_keep_what_stars_stand_for),
        cmocka_unit_test_teardown(the_configuration_keeps_the_users_that_it_denied, clear_panel),
        cmocka_unit_test(jails_of_other_tools_are_known_by_their_shell),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
