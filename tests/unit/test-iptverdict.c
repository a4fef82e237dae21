/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The rules of real firewalls are in tests/root/test_firewall_beside.py; here are the ways a rule can be
 * written, and the third value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/iptverdict.h"

#define SAVED(policy, rules)                                                                               \
    "# Generated\n*nat\n:INPUT DROP [0:0]\nCOMMIT\n*filter\n:INPUT " policy                                \
    " [0:0]\n:sub - [0:0]\n:f2b-sshd - [0:0]\n" rules "COMMIT\n"

static enum sp_nftverdict judge(const char *saved, const char *from, char where[SP_NFTVERDICT_WHERE])
{
    struct sp_nftverdict_packet p = {.port = 22};
    struct sp_cidr address;
    struct sp_error err;

    if (from != NULL && sp_streq(from, "any"))
        p.any = 4;
    else if (from != NULL) {
        assert_int_equal(sp_cidr_parse(from, &address, &err), 0);
        p.from = &address;
    }
    return sp_iptverdict_judge(saved, strlen(saved), "filter", "INPUT", &p, where);
}

static void what_is_asked_of_a_packet_is_answered(void **state)
{
    static const struct {
        const char *rule;
        enum sp_nftverdict verdict; /* with the policy ACCEPT, from 203.0.113.7 */
    } cases[] = {
        {"-A INPUT -p tcp -m tcp --dport 22 -j DROP\n", SP_NFT_DROPPED},
        {"-A INPUT -p tcp -m tcp ! --dport 22 -j DROP\n", SP_NFT_PASSES},
        {"-A INPUT -p tcp -m tcp --dport 20:25 -j REJECT --reject-with tcp-reset\n", SP_NFT_DROPPED},
        {"-A INPUT -p udp -m udp --dport 22 -j DROP\n", SP_NFT_PASSES},
        {"-A INPUT -p tcp -m multiport --dports 80,20:30 -j DROP\n", SP_NFT_DROPPED},
        {"-A INPUT -p tcp -m multiport --dports 80,443 -j DROP\n", SP_NFT_PASSES},
        {"-A INPUT -s 203.0.113.0/24 -j DROP\n", SP_NFT_DROPPED},
        {"-A INPUT ! -s 203.0.113.0/24 -j DROP\n", SP_NFT_PASSES},
        {"-A INPUT -i lo -j DROP\n", SP_NFT_PASSES},
        {"-A INPUT ! -i lo -j DROP\n", SP_NFT_DROPPED},
        {"-A INPUT -i eth0 -j DROP\n", SP_NFT_CANNOT_TELL},
        {"-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j DROP\n", SP_NFT_PASSES},
        {"-A INPUT -m state --state INVALID,NEW -j DROP\n", SP_NFT_DROPPED},
        {"-A INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j DROP\n", SP_NFT_DROPPED},
        {"-A INPUT -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j DROP\n", SP_NFT_PASSES},
        {"-A INPUT -p tcp -m tcp --tcp-flags FIN,SYN FIN,SYN -j DROP\n", SP_NFT_PASSES},
        {"-A INPUT -p tcp -m tcp --tcp-flags FIN,RST NONE -j DROP\n", SP_NFT_DROPPED},
        {"-A INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE -j DROP\n", SP_NFT_PASSES},
        {"-A INPUT ! -i lo -s 127.0.0.0/8 -j REJECT\n", SP_NFT_PASSES},
        {"-A INPUT -s 0.0.0.0/8 -j DROP\n-A INPUT -s 192.0.0.0/2 -j DROP\n", SP_NFT_DROPPED},
        {"-A INPUT -m comment --comment \"a \\\"word\\\" -j ACCEPT\" -j DROP\n", SP_NFT_DROPPED},
        {"-A INPUT -m mark --mark 0x7 -j DROP\n", SP_NFT_CANNOT_TELL},
        {"-A INPUT -m set --match-set bad src -j DROP\n", SP_NFT_CANNOT_TELL},
        {"-A INPUT -m addrtype --dst-type MULTICAST -j DROP\n", SP_NFT_PASSES},
        {"-A INPUT -p tcp -j NFQUEUE --queue-num 1\n", SP_NFT_CANNOT_TELL},
        {"-A INPUT -j LOG --log-prefix \"x \"\n", SP_NFT_PASSES},
        {"-A INPUT -j sub\n-A sub -j RETURN\n-A sub -j DROP\n", SP_NFT_PASSES},
        {"-A INPUT -g sub\n-A INPUT -j DROP\n", SP_NFT_PASSES},
        {"-A INPUT -j sub\n-A INPUT -j DROP\n-A sub -m mark --mark 1 -j ACCEPT\n", SP_NFT_CANNOT_TELL},
        {"-A INPUT -j sub\n-A sub -j sub\n", SP_NFT_CANNOT_TELL}, /* a circle, which no kernel takes */
        {"-A INPUT\n-A\n-A INPUT !\n-A INPUT -j\n", SP_NFT_PASSES},
    };
    char where[SP_NFTVERDICT_WHERE], saved[2048];

    (void)state;
    for (size_t i = 0; i < SP_COUNT(cases); i++) {
        assert_int_equal(sp_str_format(saved, sizeof(saved),
                                       "*filter\n:INPUT ACCEPT [0:0]\n:sub - [0:0]\n%sCOMMIT\n",
                                       cases[i].rule),
                         0);
        if (judge(saved, "203.0.113.7", where) != cases[i].verdict)
            fail_msg("%s: %d, not %d", cases[i].rule, (int)judge(saved, "203.0.113.7", where),
                     (int)cases[i].verdict);
    }
}

static void the_policy_and_the_rule_are_named(void **state)
{
    char where[SP_NFTVERDICT_WHERE];

    (void)state;
    assert_int_equal(judge(SAVED("DROP", "-A INPUT -i lo -j ACCEPT\n"), "any", where), SP_NFT_DROPPED);
    assert_string_equal(where, "the policy of chain INPUT");
    assert_int_equal(judge(SAVED("ACCEPT",
                                 "-A INPUT -p tcp -j f2b-sshd\n-A f2b-sshd -j RETURN\n"
                                 "-A f2b-sshd -j DROP\n"),
                           "any", where),
                     SP_NFT_PASSES);
    assert_string_equal(where, "");
    assert_int_equal(
        judge(SAVED("ACCEPT", "-A INPUT -p tcp -j f2b-sshd\n-A f2b-sshd -s 203.0.113.7/32 -j REJECT\n"),
              "203.0.113.7", where),
        SP_NFT_DROPPED);
    assert_string_equal(where, "chain f2b-sshd, rule 1");
}

static void anybody_is_nobody_who_is_named(void **state)
{
    const char *some = SAVED("DROP", "-A INPUT -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j ACCEPT\n");
    char where[SP_NFTVERDICT_WHERE];

    (void)state;
    assert_int_equal(judge(some, "any", where), SP_NFT_DROPPED);
    assert_int_equal(judge(some, NULL, where), SP_NFT_CANNOT_TELL);
    assert_int_equal(judge(some, "10.1.2.3", where), SP_NFT_PASSES);
}

static void a_text_that_is_cut_anywhere_is_walked_all_the_same(void **state)
{
    const char *saved =
        SAVED("DROP", "-A INPUT ! -s 10.0.0.0/8 -p tcp -m comment --comment \"x y\" -j sub\n");
    const struct sp_nftverdict_packet p = {.port = 22, .any = 4};
    char where[SP_NFTVERDICT_WHERE];

    (void)state;
    for (size_t n = 0; n <= strlen(saved); n++) {
        (void)sp_iptverdict_judge(saved, n, "filter", "INPUT", &p, where);
        (void)sp_iptverdict_in_use(saved, n, "filter", "INPUT");
    }
    assert_true(sp_iptverdict_in_use(saved, strlen(saved), "filter", "INPUT"));
    assert_true(sp_iptverdict_has(saved, strlen(saved), "filter", "f2b-sshd"));
    assert_false(sp_iptverdict_has(saved, strlen(saved), "filter", "f2b"));
    assert_false(sp_iptverdict_in_use(saved, strlen(saved), "mangle", "INPUT"));
}

/* The kernel takes no loop, but ways that meet again and again: 3 to the power of 16 of them. */
static void jumps_that_meet_again_have_an_end(void **state)
{
    const char *three = SAVED("ACCEPT", "-A INPUT -j INPUT\n-A INPUT -j INPUT\n-A INPUT -j INPUT\n");
    char where[SP_NFTVERDICT_WHERE];

    (void)state;
    assert_int_equal(judge(three, "203.0.113.7", where), SP_NFT_CANNOT_TELL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_asked_of_a_packet_is_answered),
        cmocka_unit_test(the_policy_and_the_rule_are_named),
        cmocka_unit_test(anybody_is_nobody_who_is_named),
        cmocka_unit_test(a_text_that_is_cut_anywhere_is_walked_all_the_same),
        cmocka_unit_test(jumps_that_meet_again_have_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
