/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "model/authopts.h"

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJJYT+ssYYmKoEv/ksDA4uupkwk2oBc70MuLLsXo1iZB anna@laptop"

static struct sp_authopts parse(const char *line)
{
    struct sp_authopts o;

    sp_authopts_parse(line, strlen(line), &o);
    return o;
}

static void a_key_alone_has_no_options(void **state)
{
    struct sp_authopts o = parse("  " KEY);

    (void)state;
    assert_string_equal(o.bad, "");
    assert_false(o.has_from || o.has_command || o.no_pty || o.cert_authority);
}

static void options_are_read_as_sshd_reads_them(void **state)
{
    struct sp_authopts o = parse(
        "Restrict,PTY,command=\"echo \\\"a, "
        "b\\\"\",from=\"192.0.2.0/24,!192.0.2.7\",expiry-time=\"20300101\" " KEY);

    (void)state;
    assert_string_equal(o.bad, "");
    assert_true(o.has_command && o.has_from && !o.no_pty);
    assert_string_equal(o.from, "192.0.2.0/24,!192.0.2.7");
    assert_string_equal(o.expiry, "20300101");
}

static void the_earliest_expiry_counts(void **state)
{
    (void)state;
    assert_string_equal(parse("expiry-time=\"20300101\",expiry-time=\"202912312359Z\" " KEY).expiry,
                        "202912312359Z");
}

static void what_sshd_refuses_is_named(void **state)
{
    static const char *const bad[][2] = {
        {"no-such " KEY, "no-such"},
        {"command " KEY, "command"},
        {"no-pty=\"x\" " KEY, "no-pty"},
        {"from=\"a\",from=\"b\" " KEY, "from"},
        {"expiry-time=\"soon\" " KEY, "expiry-time"},
        {"command=\"open " KEY, "command"},
        {"command=x " KEY, "command"},
    };

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++)
        assert_string_equal(parse(bad[i][0]).bad, bad[i][1]);
}

static void a_block_holds_its_addresses(void **state)
{
    bool malformed;

    (void)state;
    assert_true(sp_authopts_in_block("192.0.2.0/24", "192.0.2.255", &malformed));
    assert_false(sp_authopts_in_block("192.0.2.0/25", "192.0.2.128", &malformed));
    assert_false(malformed);
    assert_true(sp_authopts_in_block("2001:db8::/33", "2001:db8:7fff::1", &malformed));
    assert_false(sp_authopts_in_block("2001:db8::/33", "2001:db8:8000::1", &malformed));
    assert_true(sp_authopts_in_block("0.0.0.0/0", "8.8.8.8", &malformed));
    assert_false(sp_authopts_in_block("0.0.0.0/0", "::1", &malformed));
    assert_false(sp_authopts_in_block("192.0.2.1/24", "192.0.2.1", &malformed));
    assert_true(malformed);
    assert_false(sp_authopts_in_block("192.0.2.0/33", "192.0.2.1", &malformed));
    assert_true(malformed);
}

static void a_list_matches_as_sshds_does(void **state)
{
    (void)state;
    assert_true(sp_authopts_from_matches("203.0.113.9,192.0.2.*", "192.0.2.4"));
    assert_true(sp_authopts_from_matches("*", "::1"));
    assert_false(sp_authopts_from_matches("*,!192.0.2.4", "192.0.2.4"));
    assert_false(sp_authopts_from_matches("!192.0.2.4", "192.0.2.5"));
    assert_false(sp_authopts_from_matches("*,192.0.2.9/24", "192.0.2.5")); /* sshd: "Invalid from list" */
    assert_false(sp_authopts_from_matches("", "192.0.2.5"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_alone_has_no_options),
        cmocka_unit_test(options_are_read_as_sshd_reads_them),
        cmocka_unit_test(the_earliest_expiry_counts),
        cmocka_unit_test(what_sshd_refuses_is_named),
        cmocka_unit_test(a_block_holds_its_addresses),
        cmocka_unit_test(a_list_matches_as_sshds_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
