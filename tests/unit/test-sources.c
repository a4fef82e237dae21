/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/sources.h"
#include "temp.h"

#define T(f) cmocka_unit_test_setup_teardown(f, temp_open, temp_close)

static struct sp_cidr block(const char *text)
{
    struct sp_error err;
    struct sp_cidr c;

    assert_int_equal(sp_cidr_parse(text, &c, &err), 0);
    return c;
}

static void brings(struct sp_account *a, const char *domain, const char *source)
{
    struct sp_domain *d = sp_account_find(a, domain);
    const struct sp_cidr c = block(source);
    struct sp_error err;

    if (d == NULL)
        assert_int_equal(sp_account_attach(a, domain, "/var/www", &d, &err), 0);
    assert_int_equal(sp_cidr_list_add(&d->sources, &c, &err), 0);
}

static void put(struct sp_fw_policy *p, const char *source, const char *owner)
{
    const struct sp_fw_entry e = {.source = block(source), .comment = "", .owner = owner};
    struct sp_error err;

    assert_int_equal(sp_fw_policy_put(p, &e, 1, 0, &err), 0);
}

static void drop(struct sp_fw_policy *p, const char *source, const char *owner)
{
    const struct sp_cidr c = block(source);

    assert_true(sp_fw_policy_drop(p, &c, owner));
}

/* With the list stored, and looked at as a reconcile does. */
static bool stands(struct temp_host *t, const struct sp_fw_policy *p, const struct sp_account *a)
{
    _cleanup_(sp_sources_look_clear) struct sp_sources_look l = {0};
    struct sp_engine e = {.host = &t->h};
    struct sp_error err;
    uint64_t sum;

    assert_int_equal(sp_fwstore_save(&t->h, p, NULL, &sum, &err), 0);
    sp_sources_look(&e, &l);
    assert_false(l.unreadable);
    return sp_sources_stand(&l, a);
}

/* The list lies in the order of its sources: what the domains have is spread over it. */
static void fill(struct sp_fw_policy *p, struct sp_account *a)
{
    static const char *const all[][2] = {
        {"192.0.2.1", "b.test"}, {"192.0.2.2", "a.test"}, {"192.0.2.2", "c.test"},
        {"192.0.2.3", "b.test"}, {"192.0.2.4", "a.test"}, {"2001:db8::/32", "b.test"},
    };

    for (size_t i = 0; i < SP_COUNT(all); i++) {
        put(p, all[i][0], all[i][1]);
        brings(a, all[i][1], all[i][0]);
    }
    put(p, "192.0.2.2", "");           /* firewall.set's */
    put(p, "192.0.2.5", "other.test"); /* another account's */
}

static void the_list_stands_when_it_is_what_the_domains_have(void **state)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {0};
    _cleanup_(sp_account_clear) struct sp_account a = {0};

    assert_true(stands(*state, &p, &a));
    fill(&p, &a);
    assert_true(stands(*state, &p, &a));
    drop(&p, "192.0.2.2", "");
    assert_true(stands(*state, &p, &a));
}

static void one_source_too_few_or_too_many_is_seen_of_each_domain(void **state)
{
    static const char *const last[][2] = {
        {"192.0.2.4", "a.test"}, {"2001:db8::/32", "b.test"}, {"192.0.2.2", "c.test"}};
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {0};
    _cleanup_(sp_account_clear) struct sp_account a = {0};

    fill(&p, &a);
    for (size_t i = 0; i < SP_COUNT(last); i++) {
        drop(&p, last[i][0], last[i][1]);
        assert_false(stands(*state, &p, &a));
        put(&p, "192.0.2.9", last[i][1]); /* as many, and not the same */
        assert_false(stands(*state, &p, &a));
        put(&p, last[i][0], last[i][1]);
        assert_false(stands(*state, &p, &a));
        drop(&p, "192.0.2.9", last[i][1]);
        assert_true(stands(*state, &p, &a));
    }
}

static void a_domain_too_few_or_too_many_is_seen(void **state)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {0};
    _cleanup_(sp_account_clear) struct sp_account a = {0};
    struct sp_error err;

    fill(&p, &a);
    assert_int_equal(sp_fw_policy_drop_owner(&p, "c.test", &err), 0);
    assert_false(stands(*state, &p, &a));
    put(&p, "192.0.2.2", "c.test");
    put(&p, "192.0.2.2", "d.test"); /* of no account: sp_sources_forget_gone()'s */
    assert_true(stands(*state, &p, &a));
    p.n = 0;
    assert_false(stands(*state, &p, &a));
}

static void with_the_shell_none_the_list_has_nothing_of_them(void **state)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {0};
    _cleanup_(sp_account_clear) struct sp_account a = {0};
    struct sp_error err;

    fill(&p, &a);
    a.shell = SP_SHELL_NONE;
    assert_false(stands(*state, &p, &a));
    assert_int_equal(sp_fw_policy_drop_owner(&p, "a.test", &err), 0);
    assert_int_equal(sp_fw_policy_drop_owner(&p, "b.test", &err), 0);
    assert_false(stands(*state, &p, &a));
    assert_int_equal(sp_fw_policy_drop_owner(&p, "c.test", &err), 0);
    assert_true(stands(*state, &p, &a));
    a.shell = SP_SHELL_BASH;
    assert_false(stands(*state, &p, &a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_list_stands_when_it_is_what_the_domains_have),
        T(one_source_too_few_or_too_many_is_seen_of_each_domain),
        T(a_domain_too_few_or_too_many_is_seen),
        T(with_the_shell_none_the_list_has_nothing_of_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
