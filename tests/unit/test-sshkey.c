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
#include "keys.h"
#include "model/sshkey.h"

static const struct {
    const char *line, *fingerprint, *type;
    unsigned bits;
} good[] = {
    {KEY_ED25519, FP_ED25519, "ssh-ed25519", 256},
    {KEY_RSA2048, FP_RSA2048, "ssh-rsa", 2048},
    {KEY_RSA4096, FP_RSA4096, "ssh-rsa", 4096},
    {KEY_NISTP256, FP_NISTP256, "ecdsa-sha2-nistp256", 256},
    {KEY_NISTP384, FP_NISTP384, "ecdsa-sha2-nistp384", 384},
    {KEY_NISTP521, FP_NISTP521, "ecdsa-sha2-nistp521", 521},
    {KEY_SK_ED25519, FP_SK_ED25519, "sk-ssh-ed25519@openssh.com", 256},
    {KEY_SK_NISTP256, FP_SK_NISTP256, "sk-ecdsa-sha2-nistp256@openssh.com", 256},
};

static void keys_are_read_as_ssh_keygen_reads_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < SP_COUNT(good); i++) {
        _cleanup_(sp_sshkey_clear) struct sp_sshkey k = {0}, copy = {0};
        _cleanup_(sp_buf_clear) struct sp_buf out = {0};
        struct sp_error err;

        if (sp_sshkey_parse(good[i].line, strlen(good[i].line), &k, NULL, &err) < 0)
            fail_msg("%s: %s", good[i].type, err.text);
        assert_string_equal(k.type, good[i].type);
        assert_int_equal(k.bits, good[i].bits);
        assert_string_equal(k.fingerprint, good[i].fingerprint);
        assert_int_equal(sp_fingerprint_check(k.fingerprint, &err), 0);
        assert_int_equal(sp_sshkey_copy(&copy, &k, &err), 0);
        assert_int_equal(sp_sshkey_check(&copy, &err), 0);
        sp_sshkey_format(&copy, &out);
        assert_string_equal(out.data, good[i].line);
    }
}

static int parse(const char *text, char *comment, struct sp_error *err)
{
    _cleanup_(sp_sshkey_clear) struct sp_sshkey k = {0};

    return sp_sshkey_parse(text, strlen(text), &k, comment, err);
}

static void blanks_and_comments_around_are_no_harm(void **state)
{
    static const char *const texts[][2] = {
        {"  " KEY_ED25519 "  ", ""},
        {KEY_ED25519 "\n", ""},
        {KEY_ED25519 " me@host\r\n", "me@host"},
        {"\t" KEY_ED25519 "\t my  laptop\t#2 ", "my  laptop #2"},
        {KEY_ED25519 " a\xff\xc3\xa9\xc2\x9b\xe2\x80\xae"
                     "b",
         "a\xc3\xa9"
         "b"},
        {KEY_ED25519 " ssh-rsa is better", "ssh-rsa is better"},
    };
    char comment[SP_LABEL_SIZE];
    struct sp_error err;

    (void)state;
    for (size_t i = 0; i < SP_COUNT(texts); i++) {
        if (parse(texts[i][0], comment, &err) < 0)
            fail_msg("%s: %s", texts[i][0], err.text);
        assert_string_equal(comment, texts[i][1]);
    }
}

static void a_long_comment_is_cut_at_a_character(void **state)
{
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    char comment[SP_LABEL_SIZE];
    struct sp_error err;

    (void)state;
    sp_buf_puts(&b, KEY_ED25519 " x");
    for (int i = 0; i < 100; i++)
        sp_buf_puts(&b, "\xc3\xa9");
    assert_int_equal(parse(b.data, comment, &err), 0);
    assert_int_equal(strlen(comment), 127);
    assert_true(sp_str_is_clean(comment, 127));
}

static void weak_and_damaged_keys_are_refused_with_the_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad_keys); i++) {
        struct sp_error err;

        if (parse(bad_keys[i][0], NULL, &err) == 0)
            fail_msg("accepted: %s", bad_keys[i][1]);
        if (strstr(err.text, bad_keys[i][1]) == NULL)
            fail_msg("\"%s\", not \"%s\"", err.text, bad_keys[i][1]);
        assert_int_equal(err.code, SP_E_INVALID);
        assert_string_not_equal(err.hint, "");
    }
}

static void texts_that_are_no_single_key_are_refused_with_the_reason(void **state)
{
    static const char *const bad[][2] = {
        {"", "empty"},
        {" \r\n\t", "empty"},
        {"hello", "not an SSH public key"},
        {"ssh-ed25519", "cut off after its type"},
        {"ssh-ed25519 ", "cut off after its type"},
        {"ssh-ed25519 AAAA", "cut off"},
        {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI", "cut off"},
        {"ssh-ed25519 !!!!", "not base64"},
        {"SSH-ED25519 AAAAC3NzaC1lZDI1NTE5AAAAI", "not an SSH"},
        {"AAAAC3NzaC1lZDI1NTE5AAAAI", "type before the key is missing"},
        {"restrict " KEY_ED25519, "stands before"},
        {"from=\"10.0.0.0/8\",command=\"a b\" " KEY_ED25519, "stands before"},
        {"cert-authority " KEY_ED25519, "stands before"},
        {"$ cat id.pub " KEY_ED25519, "stands before"},
        {KEY_ED25519 "\n" KEY_RSA2048, "line break"},
        {KEY_ED25519 "\rroot", "line break"},
        {"ssh-ed25519\nAAAA", "line break"},
        {KEY_ED25519 " a\nssh-rsa b", "line break"},
        {KEY_ED25519 " " KEY_RSA2048, "two keys"},
        {KEY_ED25519 " me " KEY_ED25519, "two keys"},
        {KEY_ED25519 " \x1b[31m", "control"},
        {KEY_ED25519 " \x7f", "control"},
        {"\x01" KEY_ED25519, "control"},
        {"---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n", "OpenSSH's form"},
        {"-----BEGIN PUBLIC KEY-----\nMIIB\n", "OpenSSH's form"},
    };

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++) {
        struct sp_error err;

        if (parse(bad[i][0], NULL, &err) == 0)
            fail_msg("accepted: %s", bad[i][0]);
        if (strstr(err.text, bad[i][1]) == NULL)
            fail_msg("%s: \"%s\"", bad[i][0], err.text);
        assert_int_equal(err.code, SP_E_INVALID);
        assert_string_not_equal(err.hint, "");
    }
}

static void a_nul_is_refused(void **state)
{
    static const char inside[] = KEY_ED25519 " a\0b", behind[] = KEY_ED25519 "\0";
    _cleanup_(sp_sshkey_clear) struct sp_sshkey k = {0};
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_sshkey_parse(inside, sizeof(inside) - 1, &k, NULL, &err), -1);
    assert_int_equal(sp_sshkey_parse(behind, sizeof(behind) - 1, &k, NULL, &err), -1);
    assert_null(k.blob);
}

static void a_line_of_20_kb_is_refused(void **state)
{
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    struct sp_error err;

    (void)state;
    sp_buf_puts(&b, KEY_ED25519 " ");
    while (b.len < 20000)
        sp_buf_puts(&b, "x");
    assert_int_equal(parse(b.data, NULL, &err), -1);
    assert_int_equal(err.code, SP_E_INVALID);
    assert_string_not_equal(err.hint, "");
}

static void a_private_key_never_reaches_the_error(void **state)
{
    static const char *const bad[] = {
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU\n",
        "-----BEGIN RSA PRIVATE KEY-----\r\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU",
        " junk -----BEGIN ENCRYPTED PRIVATE KEY----- b3BlbnNzaC1rZXktdjEAAAAABG5vbmU",
        "PuTTY-User-Key-File-3: ssh-ed25519\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU",
    };

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++) {
        struct sp_error err;

        assert_int_equal(parse(bad[i], NULL, &err), -1);
        assert_non_null(strstr(err.text, "PRIVATE key; it was not kept"));
        assert_null(strstr(err.text, "b3Bl"));
        assert_null(strstr(err.hint, "b3Bl"));
    }
}

static void a_value_that_was_tampered_with_is_refused(void **state)
{
    _cleanup_(sp_sshkey_clear) struct sp_sshkey k = {0};
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_sshkey_parse(KEY_ED25519, strlen(KEY_ED25519), &k, NULL, &err), 0);
    k.blob[40] ^= 1;
    assert_int_equal(sp_sshkey_check(&k, &err), -1);
    k.blob[40] ^= 1;
    assert_int_equal(sp_str_copy(k.type, sizeof(k.type), "ssh-rsa\nx"), 0);
    assert_int_equal(sp_sshkey_check(&k, &err), -1);
}

static void no_damage_of_one_byte_reads_beyond_the_blob(void **state)
{
    (void)state;
    for (size_t i = 0; i < SP_COUNT(good); i++) {
        _cleanup_free_ char *text = strdup(good[i].line);
        size_t len = strlen(text);

        for (size_t at = strlen(good[i].type) + 1; at < len; at += at < 100 ? 1 : 37) {
            char was = text[at];
            struct sp_error err;

            text[at] = was == 'A' ? '/' : 'A';
            (void)parse(text, NULL, &err);
            text[at] = was;
        }
    }
}

static void a_peek_finds_weak_keys_too(void **state)
{
    char type[SP_SSHKEY_TYPE_SIZE], fp[SP_FINGERPRINT_SIZE];
    static const char *const none[] = {"", "ssh-rsa", "ssh-rsa !", "x AAAA", "ssh-rsa AAAA", "AAAA"};

    (void)state;
    assert_int_equal(sp_sshkey_peek(KEY_DSA " me", strlen(KEY_DSA " me"), type, fp), 0);
    assert_string_equal(type, "ssh-dss");
    assert_string_equal(fp, FP_DSA);
    assert_int_equal(sp_sshkey_peek(KEY_ED25519 "\r", strlen(KEY_ED25519) + 1, type, fp), 0);
    assert_string_equal(fp, FP_ED25519);
    for (size_t i = 0; i < SP_COUNT(none); i++)
        assert_int_equal(sp_sshkey_peek(none[i], strlen(none[i]), type, fp), -1);
}

static void a_fingerprint_has_one_form(void **state)
{
    static const char *const bad[] = {"",
                                      "SHA256:",
                                      "MD5:aa:bb",
                                      "s9HupL8krwSGbbqccyj9yskBhuASeggEzIQBX60gPKE",
                                      "SHA256:s9HupL8krwSGbbqccyj9yskBhuASeggEzIQBX60gPKE=",
                                      "SHA256:s9HupL8krwSGbbqccyj9yskBhuASeggEzIQBX60gPK",
                                      "SHA256:s9HupL8krwSGbbqccyj9yskBhuASeggEzIQBX60gPKF",
                                      "SHA256:s9HupL8krwSGbbqccyj9yskBhuASeggEzIQBX60gPK\n",
                                      "sha256:s9HupL8krwSGbbqccyj9yskBhuASeggEzIQBX60gPKE"};
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_fingerprint_check("SHA256:s9HupL8krwSGbbqccyj9yskBhuASeggEzIQBX60gPKE", &err), 0);
    for (size_t i = 0; i < SP_COUNT(bad); i++)
        if (sp_fingerprint_check(bad[i], &err) == 0)
            fail_msg("accepted: %s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_read_as_ssh_keygen_reads_them),
        cmocka_unit_test(blanks_and_comments_around_are_no_harm),
        cmocka_unit_test(a_long_comment_is_cut_at_a_character),
        cmocka_unit_test(weak_and_damaged_keys_are_refused_with_the_reason),
        cmocka_unit_test(texts_that_are_no_single_key_are_refused_with_the_reason),
        cmocka_unit_test(a_nul_is_refused),
        cmocka_unit_test(a_line_of_20_kb_is_refused),
        cmocka_unit_test(a_private_key_never_reaches_the_error),
        cmocka_unit_test(a_value_that_was_tampered_with_is_refused),
        cmocka_unit_test(no_damage_of_one_byte_reads_beyond_the_blob),
        cmocka_unit_test(a_peek_finds_weak_keys_too),
        cmocka_unit_test(a_fingerprint_has_one_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
