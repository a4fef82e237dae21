/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keys were made for this test by ssh-keygen of OpenSSH 9.2. That OpenSSH takes the certificates is
 * shown by tests/root/test_certificates.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/sshcert.h"

static const char plain[] =
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n"
    "QyNTUxOQAAACAnybZaOOPl+cvTXMzjs+l7PZfGtYyKZ1zTmusMCruWjgAAAIiffdSGn33U\n"
    "hgAAAAtzc2gtZWQyNTUxOQAAACAnybZaOOPl+cvTXMzjs+l7PZfGtYyKZ1zTmusMCruWjg\n"
    "AAAEBDxr20jktPz9W8A/bWL0hc1J4n/ywE9oVHkbQYbMaJEifJtlo44+X5y9NczOOz6Xs9\n"
    "l8a1jIpnXNOa6wwKu5aOAAAABHRlc3QB\n"
    "-----END OPENSSH PRIVATE KEY-----\n";
static const char locked[] =
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABCtdSdr0f\n"
    "Iv5CLFa9wVIVlZAAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAILDdnOjC6ex++sU1\n"
    "h9kV2NLL+D9nNhHVgHEzMMNFM9RBAAAAkNSPdgZ1JMtYsxUp3wHQXA3XbU4JjH1T6pINM6\n"
    "euAxL07FO3Mf37BPd/kRLjPejco/ELiOq4UpVk5LDIwxDYRmNEm96L4ynkZP9WM8r/qrtj\n"
    "GGHVutafaS5qjWh7mkU2C+Nef0R42wEV24B/Eby/nhnYl8TvK6f4evuBy6kBqrovY+7tBd\n"
    "Bsb3Jox5K/ehh3dw==\n"
    "-----END OPENSSH PRIVATE KEY-----\n";
static const char ecdsa[] =
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAaAAAABNlY2RzYS\n"
    "1zaGEyLW5pc3RwMjU2AAAACG5pc3RwMjU2AAAAQQQbxZs+23UgxfjiTLAuVXxiMwzy2EQ3\n"
    "yz/deADWD9O8o08+yYEfa6tRCbX0L/VmbOqIG9PUhiY293g9+1ZLYzBAAAAAoIwzrR2MM6\n"
    "0dAAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBBvFmz7bdSDF+OJM\n"
    "sC5VfGIzDPLYRDfLP914ANYP07yjTz7JgR9rq1EJtfQv9WZs6ogb09SGJjb3eD37VktjME\n"
    "AAAAAhAOn3jqHRx+drikGZeXubR/eC3cI7B3BzCQBLlkbNWK2DAAAABHRlc3QBAgM=\n"
    "-----END OPENSSH PRIVATE KEY-----\n";
static const char public_text[] =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICfJtlo44+X5y9NczOOz6Xs9l8a1jIpnXNOa6wwKu5aO test";

static void the_secret_of_a_plain_ed25519_key_is_read(void **state)
{
    static const uint8_t seed[] = {0x43, 0xc6, 0xbd, 0xb4};
    uint8_t secret[SP_ED25519_SECRET];
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_sshcert_secret(plain, strlen(plain), secret, &err), 0);
    assert_memory_equal(secret, seed, sizeof(seed));
    for (size_t n = 0; n < strlen(plain) - 40; n++) /* cut off anywhere */
        assert_int_equal(sp_sshcert_secret(plain, n, secret, &err), -1);
}

static void other_keys_are_left_to_ssh_keygen(void **state)
{
    static const char *const others[] = {locked, ecdsa, public_text, "",
                                         "-----BEGIN OPENSSH PRIVATE KEY-----\n"};
    uint8_t secret[SP_ED25519_SECRET];
    struct sp_error err;

    (void)state;
    for (size_t i = 0; i < SP_COUNT(others); i++) {
        assert_int_equal(sp_sshcert_secret(others[i], strlen(others[i]), secret, &err), -1);
        assert_int_equal(err.code, SP_E_UNSUPPORTED);
    }
}

static struct sp_sshcert sample(struct sp_sshkey *key, const struct sp_cidr_list *from)
{
    struct sp_error err;

    assert_int_equal(sp_sshkey_parse(public_text, strlen(public_text), key, NULL, &err), 0);
    return (struct sp_sshcert){.key = key,
                               .serial = 5,
                               .key_id = "id",
                               .principal = "p",
                               .valid_from = 1,
                               .valid_to = 2,
                               .from = from};
}

static void what_would_open_too_much_is_not_encoded(void **state)
{
    _cleanup_(sp_sshkey_clear) struct sp_sshkey key = {0};
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    const struct sp_cidr_list from = {0};
    const struct sp_sshcert good = sample(&key, &from);
    struct sp_sshcert bad[6] = {good, good, good, good, good, good};
    struct sp_error err;

    (void)state;
    bad[0].principal[0] = '\0';
    bad[1].key_id[0] = '\0';
    bad[2].serial = 0;
    bad[3].valid_to = 0;
    bad[4].valid_to = INT64_MAX;
    (void)strcpy(bad[5].command, "a\nb");
    for (size_t i = 0; i < SP_COUNT(bad); i++)
        assert_int_equal(sp_sshcert_body(&bad[i], &key, &out, &err), -1);
    assert_int_equal(sp_sshcert_body(&good, &key, &out, &err), 0);
}

/* One string of RFC 4251 at `at`, which moves behind it. */
static bool string_is(const struct sp_buf *b, size_t *at, const char *text, size_t len)
{
    const uint8_t *p = (const uint8_t *)b->data + *at;
    size_t n = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];

    *at += 4 + n;
    return n == len && memcmp(p + 4, text, n) == 0;
}

static void the_fields_stand_in_the_order_of_the_protocol(void **state)
{
    static const uint8_t numbers[] = {0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1},
                         times[] = {0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2};
    static const char forced[] = "\0\0\0\015force-command\0\0\0\010\0\0\0\004true",
                      pty[] = "\0\0\0\npermit-pty\0\0\0\0";
    _cleanup_(sp_sshkey_clear) struct sp_sshkey key = {0};
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    const struct sp_cidr_list from = {0};
    struct sp_sshcert c = sample(&key, &from);
    struct sp_error err;
    size_t at = 0;

    (void)state;
    (void)strcpy(c.command, "true");
    assert_int_equal(sp_sshcert_body(&c, &key, &out, &err), 0);
    assert_true(string_is(&out, &at, "ssh-ed25519-cert-v01@openssh.com", 32));
    assert_true(string_is(&out, &at, (const char *)c.nonce, 32));
    assert_true(string_is(&out, &at, (const char *)key.blob + key.blob_len - 32, 32));
    assert_memory_equal(out.data + at, numbers, sizeof(numbers));
    at += sizeof(numbers);
    assert_true(string_is(&out, &at, "id", 2));
    assert_true(string_is(&out, &at, "\0\0\0\1p", 5));
    assert_memory_equal(out.data + at, times, sizeof(times));
    at += sizeof(times);
    assert_true(string_is(&out, &at, forced, sizeof(forced) - 1));
    assert_true(string_is(&out, &at, pty, sizeof(pty) - 1));
    assert_true(string_is(&out, &at, "", 0));
    assert_true(string_is(&out, &at, (const char *)key.blob, key.blob_len));
    assert_int_equal(at, out.len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_secret_of_a_plain_ed25519_key_is_read),
        cmocka_unit_test(other_keys_are_left_to_ssh_keygen),
        cmocka_unit_test(what_would_open_too_much_is_not_encoded),
        cmocka_unit_test(the_fields_stand_in_the_order_of_the_protocol),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
