/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/cidr.h"

static struct sp_cidr block(const char *text)
{
    struct sp_cidr c = {0};
    struct sp_error err;

    if (sp_cidr_parse(text, &c, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    return c;
}

static void blocks_are_read_and_written_canonically(void **state)
{
    static const char *const pairs[][2] = {
        {"203.0.113.7", "203.0.113.7"},
        {"203.0.113.7/32", "203.0.113.7"},
        {"203.0.113.0/24", "203.0.113.0/24"},
        {"10.0.0.0/8", "10.0.0.0/8"},
        {"192.168.255.254", "192.168.255.254"},
        {"128.0.0.0/1", "128.0.0.0/1"},
        {"2001:db8::/32", "2001:db8::/32"},
        {"2001:0DB8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
        {"2001:db8::1/128", "2001:db8::1"},
        {"2001:db8:0:0:1::/80", "2001:db8:0:0:1::/80"},
        {"64:ff9b::203.0.113.7", "64:ff9b::cb00:7107"},
        {"fd00::/8", "fd00::/8"},
        {"2000::/3", "2000::/3"},
    };

    (void)state;
    for (size_t i = 0; i < SP_COUNT(pairs); i++) {
        char text[SP_CIDR_SIZE];
        struct sp_cidr c = block(pairs[i][0]), back;

        sp_cidr_format(&c, text);
        assert_string_equal(text, pairs[i][1]);
        back = block(text);
        assert_true(sp_cidr_equal(&c, &back));
    }
}

/* text, a part of the reason, a part of the mend */
static const char *const refused[][3] = {
    {"", "empty", "address"},
    {"0.0.0.0/0", "/0", "open"},
    {"::/0", "/0", "open"},
    {"10.0.0.5/24", "bits set", "write 10.0.0.0/24"},
    {"2001:db8::1/32", "bits set", "write 2001:db8::/32"},
    {"010.1.2.3", "four numbers", "leading zeros"},
    {"10.01.2.3", "four numbers", "leading zeros"},
    {"10.1.2.00", "four numbers", "leading zeros"},
    {"0x0a.1.2.3", "hexadecimal", "decimal"},
    {"10.0x1.2.3", "hexadecimal", "decimal"},
    {"0x0a010203", "hexadecimal", "decimal"},
    {"167837955", "one number", "dots"},
    {"10", "one number", "dots"},
    {"10/8", "one number", "dots"},
    {"10.1", "four numbers", "all four"},
    {"10.1/16", "four numbers", "all four"},
    {"10.1.2.3.4", "four numbers", "all four"},
    {"10.1.2.", "four numbers", "all four"},
    {"10..2.3", "four numbers", "all four"},
    {"256.1.2.3", "four numbers", "all four"},
    {"localhost", "not an address", "names"},
    {"example.com", "not an address", "names"},
    {"my-host.example.com", "not an address", "names"},
    {"10.0.0.1-10.0.0.9", "range", "blocks"},
    {"2001:db8::1-2001:db8::9", "range", "blocks"},
    {"10.0.0.*", "wildcard", "block"},
    {"10.0.0.?", "wildcard", "block"},
    {"!10.0.0.1", "wildcard", "block"},
    {"fe80::1%eth0", "zone id", "%"},
    {"::ffff:1.2.3.4", "mapped", "write 1.2.3.4"},
    {"::ffff:102:304", "mapped", "write 1.2.3.4"},
    {"::ffff:10.0.0.0/104", "mapped", "write 10.0.0.0/8"},
    {"::1.2.3.4", "compatible", "write 1.2.3.4"},
    {"224.0.0.1", "multicast", "host"},
    {"239.0.0.0/8", "multicast", "host"},
    {"ff02::1", "multicast", "host"},
    {"ff00::/8", "multicast", "host"},
    {"240.0.0.1", "reserved", "connect"},
    {"255.255.255.255", "reserved", "connect"},
    {"240.0.0.0/4", "reserved", "connect"},
    {"0.0.0.0", "unspecified", "connect"},
    {"0.1.2.3", "unspecified", "connect"},
    {"::", "unspecified", "connect"},
    {"127.0.0.1", "loopback", "leave it out"},
    {"127.0.0.0/8", "loopback", "leave it out"},
    {"::1", "loopback", "leave it out"},
    {"fe80::/10", "link-local", "global"},
    {"fe80::1", "link-local", "global"},
    {"10.0.0.0/33", "prefix", "24"},
    {"10.0.0.0/", "prefix", "24"},
    {"10.0.0.0/08", "prefix", "24"},
    {"10.0.0.0/+8", "prefix", "24"},
    {"10.0.0.0/8/8", "prefix", "24"},
    {"10.0.0.0/255.0.0.0", "prefix", "netmask"},
    {"2001:db8::/129", "prefix", "24"},
    {"2001:db8::/-1", "prefix", "24"},
    {"2001:db8:::1", "IPv6", "groups"},
    {"2001:db8::1::", "IPv6", "groups"},
    {"1:2:3:4:5:6:7:8:9", "IPv6", "groups"},
    {"64:ff9b::010.1.2.3", "IPv6", "groups"},
    {"[2001:db8::1]", "not an address", ""},
    {" 10.0.0.1", "not an address", ""},
    {"10.0.0.1 ", "not an address", ""},
    {"10.0.0.1,10.0.0.2", "not an address", ""},
    {"10.0.0.1\n", "control", ""},
    {"10.0.0.1\x7f", "control", ""},
    {"10.0.0.1\xff", "control", ""},
    {"/24", "one number", ""},
};

static void what_is_no_source_is_refused_with_reason_and_mend(void **state)
{
    (void)state;
    for (size_t i = 0; i < SP_COUNT(refused); i++) {
        struct sp_cidr c = {.family = 77};
        struct sp_error err;

        if (sp_cidr_parse(refused[i][0], &c, &err) == 0)
            fail_msg("\"%s\" was accepted", refused[i][0]);
        if (strstr(err.text, refused[i][1]) == NULL || strstr(err.hint, refused[i][2]) == NULL)
            fail_msg("\"%s\": %s; %s", refused[i][0], err.text, err.hint);
        assert_int_equal(err.code, SP_E_INVALID);
        assert_string_not_equal(err.hint, "");
        assert_int_equal(c.family, 77);
    }
}

static void a_value_is_judged_like_a_text(void **state)
{
    static const struct sp_cidr bad[] = {
        {5, 8, {10}},    {4, 33, {10}}, {6, 129, {0x20}},          {4, 0, {0}},
        {4, 8, {10, 1}}, {4, 8, {127}}, {4, 32, {10, 0, 0, 1, 1}}, {0, 0, {0}},
    };
    static const struct sp_cidr good = {4, 24, {203, 0, 113}};
    struct sp_error err;

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++)
        assert_int_equal(sp_cidr_check(&bad[i], &err), -1);
    assert_int_equal(sp_cidr_check(&good, &err), 0);
}

static void a_block_contains_what_lies_in_it(void **state)
{
    struct sp_cidr ten = block("10.0.0.0/8"), odd = block("10.128.0.0/9"), host = block("10.128.0.1");
    struct sp_cidr other = block("11.0.0.0/8"), six = block("2001:db8::/33"),
                   in = block("2001:db8:7fff::1");
    struct sp_cidr out = block("2001:db8:8000::1");

    (void)state;
    assert_true(sp_cidr_contains(&ten, &ten));
    assert_true(sp_cidr_contains(&ten, &odd));
    assert_true(sp_cidr_contains(&odd, &host));
    assert_false(sp_cidr_contains(&odd, &ten));
    assert_false(sp_cidr_contains(&other, &host));
    assert_false(sp_cidr_contains(&six, &host));
    assert_true(sp_cidr_contains(&six, &in));
    assert_false(sp_cidr_contains(&six, &out));
}

static void fill(struct sp_cidr_list *l, const char *const *texts)
{
    struct sp_error err;

    for (; *texts != NULL; texts++) {
        struct sp_cidr c = block(*texts);
        assert_int_equal(sp_cidr_list_add(l, &c, &err), 0);
    }
}

static void is_list(const struct sp_cidr_list *l, const char *const *texts)
{
    size_t i = 0;

    for (; texts[i] != NULL; i++) {
        struct sp_cidr c = block(texts[i]);
        assert_true(i < l->n && sp_cidr_equal(&l->v[i], &c));
    }
    assert_int_equal(l->n, i);
}

static void an_exact_duplicate_is_no_second_entry(void **state)
{
    _cleanup_(sp_cidr_list_clear) struct sp_cidr_list l = {0}, copy = {0};
    struct sp_error err;

    (void)state;
    fill(&l, (const char *const[]){"10.0.0.0/8", "10.1.0.0/16", "10.0.0.0/8", "192.0.2.1", "192.0.2.1/32",
                                   NULL});
    is_list(&l, (const char *const[]){"10.0.0.0/8", "10.1.0.0/16", "192.0.2.1", NULL});
    assert_int_equal(sp_cidr_list_copy(&copy, &l, &err), 0);
    fill(&copy, (const char *const[]){"192.0.2.2", "192.0.2.3", "192.0.2.4", NULL});
    assert_int_equal(copy.n, 6);
    assert_int_equal(l.n, 3);
}

static void the_intersection_is_the_smaller_blocks(void **state)
{
    _cleanup_(sp_cidr_list_clear) struct sp_cidr_list a = {0}, b = {0}, none = {0}, r = {0}, all = {0},
                                                      no = {0};
    _cleanup_(sp_cidr_list_clear) struct sp_cidr_list far = {0};
    struct sp_error err;

    (void)state;
    fill(&a, (const char *const[]){"10.0.0.0/8", "192.0.2.1", "2001:db8::/32", NULL});
    fill(&b, (const char *const[]){"10.1.0.0/16", "192.0.2.0/24", "2001:db8::5", "198.51.100.0/24", NULL});
    fill(&far, (const char *const[]){"203.0.113.0/24", NULL});
    assert_int_equal(sp_cidr_list_intersect(&a, &b, &r, &err), 0);
    is_list(&r, (const char *const[]){"10.1.0.0/16", "192.0.2.1", "2001:db8::5", NULL});
    assert_int_equal(sp_cidr_list_intersect(&a, &none, &all, &err), 0);
    is_list(&all, (const char *const[]){"10.0.0.0/8", "192.0.2.1", "2001:db8::/32", NULL});
    assert_int_equal(sp_cidr_list_intersect(&a, &far, &no, &err), 0);
    assert_int_equal(no.n, 0);
}

static void what_rules_of_others_name_is_read_whatever_it_is(void **state)
{
    static const struct {
        const char *text, *as;
    } good[] = {
        {"240.0.0.0/4", "240.0.0.0/4"}, {"127.0.0.1", "127.0.0.1"}, {"192.0.2.7/24", "192.0.2.0/24"},
        {"0.0.0.0/0", "0.0.0.0/0"},     {"::/0", "::/0"},           {"fe80::1/10", "fe80::/10"}};
    static const char *const bad[] = {
        "",         "/8",     "1.2.3", "1.2.3.4/33",
        "1.2.3.4/", "::/129", "x",     "1.2.3.4.5.6.7.8.9.1.2.3.4.5.6.7.8.9.1.2.3.4.5.6.7.8.9.1.2.3.4.5.6"};
    char text[SP_CIDR_SIZE];
    struct sp_cidr c;

    (void)state;
    for (size_t i = 0; i < SP_COUNT(good); i++) {
        assert_int_equal(sp_cidr_read(good[i].text, &c), 0);
        sp_cidr_format(&c, text);
        assert_string_equal(text, good[i].as);
    }
    for (size_t i = 0; i < SP_COUNT(bad); i++)
        assert_int_equal(sp_cidr_read(bad[i], &c), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_read_and_written_canonically),
        cmocka_unit_test(what_is_no_source_is_refused_with_reason_and_mend),
        cmocka_unit_test(a_value_is_judged_like_a_text),
        cmocka_unit_test(a_block_contains_what_lies_in_it),
        cmocka_unit_test(an_exact_duplicate_is_no_second_entry),
        cmocka_unit_test(the_intersection_is_the_smaller_blocks),
        cmocka_unit_test(what_rules_of_others_name_is_read_whatever_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
