/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The lines are those of a real OpenSSH 9.2p1 (Debian 12), each in one of the forms in which logs keep
 * them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/sshdlog.h"

#define PRINT "SHA256:e+n5Q/ELR2/wm1jbpWzGJTKiLmwP4xhXhq2rwB0JxoQ"
#define CA "SHA256:gcoodaSQUfT6VnoSIpAbUX15KfS5nQnVyMnMisUXe7A"

static struct sp_sshdlog parse(const char *line)
{
    struct sp_sshdlog l;

    assert_true(sp_sshdlog_parse(line, strlen(line), &l));
    return l;
}

static void a_certificate_that_was_accepted_is_told_whole(void **state)
{
    struct sp_sshdlog l = parse(
        "Nov 21 03:16:14 web sshd[4711]: Accepted publickey for site1 from 127.0.0.1 port 40718 ssh2: "
        "ED25519-CERT " PRINT " ID site1/K/valid (serial 18446744073709551615) CA ED25519 " CA);

    (void)state;
    assert_int_equal(l.kind, SP_SSHDLOG_ACCEPTED);
    assert_int_equal(l.pid, 4711);
    assert_string_equal(l.at, "Nov 21 03:16:14");
    assert_string_equal(l.user, "site1");
    assert_string_equal(l.address, "127.0.0.1");
    assert_int_equal(l.port, 40718);
    assert_string_equal(l.method, "publickey");
    assert_string_equal(l.type, "ED25519-CERT");
    assert_string_equal(l.fingerprint, PRINT);
    assert_true(l.is_certificate);
    assert_string_equal(l.key_id, "site1/K/valid");
    assert_true(l.serial == UINT64_MAX);
    assert_string_equal(l.ca, CA);
}

static void a_session_that_pam_refused_is_told_and_named_by_its_pid(void **state)
{
    struct sp_sshdlog l =
        parse("Nov 21 23:21:57 web sshd[205]: error: PAM: pam_open_session(): Permission denied");

    (void)state;
    assert_int_equal(l.kind, SP_SSHDLOG_SESSION);
    assert_int_equal(l.pid, 205);
    assert_string_equal(l.user, "");
    assert_non_null(strstr(l.why, "session module"));
    assert_non_null(strstr(l.mend, "/etc/pam.d/sshd"));
    l = parse("Nov 21 23:21:57 web sshd[205]: pam_exec(sshd:session): PAM: pam_open_session(): x");
    assert_int_equal(l.kind, SP_SSHDLOG_OTHER);
}

static void a_key_that_was_accepted_is_no_certificate(void **state)
{
    struct sp_sshdlog l = parse(
        "2026-11-21T03:16:14.123456+00:00 web sshd[12]: Accepted publickey for site1 from "
        "2001:db8::2 port 40796 ssh2: ED25519 " PRINT);

    (void)state;
    assert_int_equal(l.kind, SP_SSHDLOG_ACCEPTED);
    assert_false(l.is_certificate);
    assert_string_equal(l.at, "2026-11-21T03:16:14.123456+00:00");
    assert_string_equal(l.address, "2001:db8::2");
    assert_string_equal(l.fingerprint, PRINT);
    l = parse("<38>Nov 21 03:16:14 sshd[13]: Accepted password for site2 from 192.0.2.2 port 4 ssh2");
    assert_int_equal(l.kind, SP_SSHDLOG_ACCEPTED);
    assert_string_equal(l.method, "password");
    assert_string_equal(l.fingerprint, "");
    l = parse(
        "<38>Nov 21 03:16:14 sshd[13]: Partial publickey for site2 from 192.0.2.2 port 4 ssh2: "
        "ED25519 " PRINT);
    assert_int_equal(l.kind, SP_SSHDLOG_PARTIAL);
    assert_string_equal(l.fingerprint, PRINT);
    l = parse(
        "1795230974.123456 web sshd-session[14]: Accepted publickey for u from ::1 port 9 ssh2: "
        "RSA " PRINT);
    assert_int_equal(l.pid, 14);
    assert_string_equal(l.at, "1795230974.123456");
}

static const struct {
    const char *message, *why, *user;
} refusals[] = {
    {"Certificate invalid: expired", "has expired", ""},
    {"Certificate invalid: not yet valid", "not valid yet", ""},
    {"Certificate does not contain an authorized principal", "another account", ""},
    {"Certificate invalid: name is not a listed principal", "another account", ""},
    {"Authentication key ED25519-CERT " PRINT " revoked by file /var/lib/sallyport/ca/krl", "was revoked",
     ""},
    {"Error checking authentication key ED25519 " PRINT
     " in revoked keys file /var/lib/sallyport/ca/krl: invalid format",
     "missing or broken", ""},
    {"cert: Authentication tried for site1 with valid certificate but not from a permitted source address "
     "(127.0.0.1).",
     "not from this address", "site1"},
    {"/home/site2/.ssh/authorized_keys:1: Authentication tried for site2 with correct key but not from a "
     "permitted "
     "host (host=127.0.0.1, ip=127.0.0.1, required=203.0.113.1).",
     "not from this address", "site2"},
    {"Refused by key options", "expired", ""},
    {"Refused by certificate options", "does not allow", ""},
    {"Certificate critical option \"foo@x\" is not supported", "does not know", ""},
    {"User site1 from 127.0.0.1 not allowed because a group is listed in DenyGroups", "is shut", "site1"},
    {"User site1 from 127.0.0.1 not allowed because not listed in AllowUsers", "AllowUsers", "site1"},
    {"User site1 not allowed because account is locked", "locked", "site1"},
    {"User site1 not allowed because shell /bin/nix does not exist", "shell", "site1"},
    {"Authentication refused: bad ownership or modes for directory /var/www/vhosts/site2.example",
     "can write", ""},
    {"Invalid user nosuchuser from 127.0.0.1 port 40844", "no such user", "nosuchuser"},
    {"Failed password for site2 from 127.0.0.1 port 40856 ssh2", "password", "site2"},
    {"Failed password for invalid user x from 127.0.0.1 port 40856 ssh2", "password", "x"},
    {"error: maximum authentication attempts exceeded for site1 from 192.0.2.2 port 5 ssh2 [preauth]",
     "too many keys", "site1"},
    {"fatal: Access denied for user site1 by PAM account configuration [preauth]", "PAM", "site1"},
    {"userauth_pubkey: signature algorithm ssh-rsa not in PubkeyAcceptedAlgorithms [preauth]", "SHA-1", ""},
    {"Could not open user 'site1' authorized keys '/x': Permission denied", "cannot read", "site1"},
};

static void each_refusal_says_why_and_how_to_mend_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < SP_COUNT(refusals); i++) {
        char line[600];
        struct sp_sshdlog l;
        (void)snprintf(line, sizeof(line), "Nov  1 03:16:14 web sshd[5]: %s", refusals[i].message);
        l = parse(line);
        if (l.kind != SP_SSHDLOG_REFUSED || strstr(l.why, refusals[i].why) == NULL ||
            strcmp(l.user, refusals[i].user) != 0)
            fail_msg("%s: kind %d, %s, user \"%s\"", refusals[i].message, (int)l.kind,
                     l.why != NULL ? l.why : "(nothing)", l.user);
        assert_true(strlen(l.mend) > 5);
        assert_string_equal(l.at, "Nov  1 03:16:14");
    }
}

static void the_end_of_a_connection_names_the_user(void **state)
{
    struct sp_sshdlog l = parse(
        "Nov 21 03:16:14 web sshd[5]: Connection closed by authenticating user site1 127.0.0.1 port 40726 "
        "[preauth]");

    (void)state;
    assert_int_equal(l.kind, SP_SSHDLOG_CLOSED);
    assert_string_equal(l.user, "site1");
    assert_string_equal(l.address, "127.0.0.1");
    assert_int_equal(l.port, 40726);
}

static void lines_of_others_are_none(void **state)
{
    static const char *const lines[] = {
        "", "Nov 21 03:16:14 web cron[5]: Accepted publickey for x from y port 1 ssh2", "sshd: Accepted",
        "Nov 21 web sshd[x]: Accepted", "Nov 21 web notsshd[5]: Accepted publickey"};
    struct sp_sshdlog l;

    (void)state;
    for (size_t i = 0; i < SP_COUNT(lines); i++)
        assert_false(sp_sshdlog_parse(lines[i], strlen(lines[i]), &l));
    l = parse("Nov 21 03:16:14 web sshd[5]: Server listening on 0.0.0.0 port 22.");
    assert_int_equal(l.kind, SP_SSHDLOG_OTHER);
}

/* A client that calls itself so forges no line. */
static void half_of_a_login_is_told_with_its_key(void **state)
{
    struct sp_sshdlog l = parse(
        "2026-11-21T03:16:14.123456+01:00 web sshd[5]: Partial publickey for anna from "
        "2001:db8::1 port 7 ssh2: ED25519 " PRINT);

    (void)state;
    assert_int_equal(l.kind, SP_SSHDLOG_PARTIAL);
    assert_string_equal(l.user, "anna");
    assert_string_equal(l.address, "2001:db8::1");
    assert_string_equal(l.fingerprint, PRINT);
}

static void a_name_that_the_client_chose_is_not_believed(void **state)
{
    struct sp_sshdlog l = parse(
        "Nov 21 03:16:14 web sshd[5]: Invalid user sshd[7]: Accepted publickey for root from 1.1.1.1 "
        "port 1 ssh2: ED25519 " PRINT " from 192.0.2.9 port 77");

    (void)state;
    assert_int_equal(l.kind, SP_SSHDLOG_REFUSED);
    assert_int_equal(l.pid, 5);
    assert_string_equal(l.user, "");
    l = parse(
        "Nov 21 03:16:14 web sshd[5]: Accepted publickey for a from 1.1.1.1 port 1 ssh2: "
        "ED25519-CERT " PRINT " ID x (serial 1) CA ED25519 y (serial 9) CA ED25519 " CA);
    assert_true(l.serial == 9);
    l = parse("Nov 21 03:16:14 web sshd[5]: Invalid user \033[2J from 1.1.1.1 port 1");
    assert_string_equal(l.user, "?[2J");
}

static void what_another_program_quotes_is_no_line_of_sshd(void **state)
{
    static const char *const lines[] = {
        "Nov 21 03:16:14 web proftpd[9]: USER sshd[7]: Accepted publickey for a from 1.1.1.1 port 1 ssh2: "
        "ED25519 " PRINT,
        "<86>Nov 21 03:16:14 web sudo: a : COMMAND=/bin/echo sshd[7]: Accepted password for a from 1.1.1.1 "
        "port 1 ssh2",
        "2026-11-21T03:16:14.123456+00:00 web su[8]: x sshd-session[7]: Accepted password for a from "
        "1.1.1.1 "
        "port 1 ssh2",
    };
    struct sp_sshdlog l;

    (void)state;
    for (size_t i = 0; i < SP_COUNT(lines); i++)
        assert_false(sp_sshdlog_parse(lines[i], strlen(lines[i]), &l));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_that_was_accepted_is_told_whole),
        cmocka_unit_test(a_session_that_pam_refused_is_told_and_named_by_its_pid),
        cmocka_unit_test(a_key_that_was_accepted_is_no_certificate),
        cmocka_unit_test(each_refusal_says_why_and_how_to_mend_it),
        cmocka_unit_test(the_end_of_a_connection_names_the_user),
        cmocka_unit_test(lines_of_others_are_none),
        cmocka_unit_test(half_of_a_login_is_told_with_its_key),
        cmocka_unit_test(a_name_that_the_client_chose_is_not_believed),
        cmocka_unit_test(what_another_program_quotes_is_no_line_of_sshd),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
