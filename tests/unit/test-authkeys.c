/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "keys.h"
#include "model/authkeys.h"

static void make(struct sp_key *k, const char *line, const char *label, const char *from, int64_t expires)
{
    struct sp_error err;
    struct sp_cidr c;

    assert_int_equal(sp_sshkey_parse(line, strlen(line), &k->key, NULL, &err), 0);
    assert_int_equal(sp_str_copy(k->label, sizeof(k->label), label), 0);
    k->expires_at = expires;
    if (from != NULL) {
        assert_int_equal(sp_cidr_parse(from, &c, &err), 0);
        assert_int_equal(sp_cidr_list_add(&k->from, &c, &err), 0);
    }
}

static void add(struct sp_key_list *l, const char *line, const char *label, const char *from)
{
    _cleanup_(sp_key_clear) struct sp_key k = {0};
    struct sp_error err;

    make(&k, line, label, from, 0);
    assert_int_equal(sp_key_list_add(l, &k, &err), 0);
}

static void is_line(const struct sp_key *k, const char *expected)
{
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    struct sp_error err;

    assert_int_equal(sp_authkeys_line(k, &out, &err), 0);
    assert_string_equal(out.data, expected);
}

static void a_line_carries_its_options(void **state)
{
    _cleanup_(sp_key_clear) struct sp_key bare = {0}, from = {0}, until = {0}, both = {0};
    struct sp_cidr six;
    struct sp_error err;

    (void)state;
    make(&bare, KEY_ED25519, "", NULL, 0);
    is_line(&bare, KEY_ED25519 "\n");
    make(&from, KEY_RSA2048, "my laptop", "203.0.113.0/24", 0);
    assert_int_equal(sp_cidr_parse("2001:db8::/32", &six, &err), 0);
    assert_int_equal(sp_cidr_list_add(&from.from, &six, &err), 0);
    is_line(&from, "from=\"203.0.113.0/24,2001:db8::/32\" " KEY_RSA2048 " my laptop\n");
    make(&until, KEY_ED25519, "x", NULL, 1798761600);
    is_line(&until, "expiry-time=\"20270101000000Z\" " KEY_ED25519 " x\n");
    make(&both, KEY_ED25519, "x", "203.0.113.7", 1798761600);
    is_line(&both, "from=\"203.0.113.7\",expiry-time=\"20270101000000Z\" " KEY_ED25519 " x\n");
}

static void refuses(const struct sp_key *k, const char *field)
{
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    struct sp_error err;

    assert_int_equal(sp_authkeys_line(k, &out, &err), -1);
    assert_string_equal(err.field, field);
    assert_int_equal(out.len, 0);
}

static void no_value_adds_a_line_or_an_option(void **state)
{
    static const char *const labels[] = {"a\nssh-rsa x", "a\r", "\x7f", "\x1b[m", "\xff"};
    _cleanup_(sp_key_clear) struct sp_key k = {0};

    (void)state;
    make(&k, KEY_ED25519, "", "203.0.113.0/24", 0);
    for (size_t i = 0; i < SP_COUNT(labels); i++) {
        assert_int_equal(sp_str_copy(k.label, sizeof(k.label), labels[i]), 0);
        refuses(&k, "label");
    }
    k.label[0] = '\0';
    k.expires_at = -1;
    refuses(&k, "expires_at");
    k.expires_at = INT64_MAX;
    refuses(&k, "expires_at");
    k.expires_at = 0;
    k.from.v[0].prefix = 0;
    refuses(&k, "from[0]");
    k.from.v[0].prefix = 24;
    k.from.v[0].family = 9;
    refuses(&k, "from[0]");
    k.from.v[0].family = 4;
    assert_int_equal(sp_str_copy(k.key.type, sizeof(k.key.type), "command=\"x\" ssh-ed25519"), 0);
    refuses(&k, "key");
}

struct seen {
    char text[2048];
};

static int note(const struct sp_authkeys_entry *e, void *data)
{
    struct seen *s = data;
    size_t used = strlen(s->text);

    return sp_str_format(s->text + used, sizeof(s->text) - used, "%zu:%s:%s\n", e->line_number, e->type,
                         e->fingerprint);
}

/* As tried with sshd 9.2: what it takes for a key line, and what not. */
static void lines_are_read_as_sshd_reads_them(void **state)
{
    static const char *const keys[] = {
        KEY_ED25519,
        KEY_ED25519 " me",
        KEY_ED25519 "\r",
        KEY_ED25519 "\v",
        "  \t" KEY_ED25519,
        "from=\"127.0.0.1\"\t" KEY_ED25519,
        "restrict,pty " KEY_ED25519,
        "command=\"echo # a\" " KEY_ED25519 " x",
        "environment=\"A=b c\\\" d\" " KEY_ED25519,
        "nonsense " KEY_ED25519,
        "command=\"ssh-rsa AAAA\" " KEY_ED25519,
        "cert-authority " KEY_ED25519,
        "ssh-ed25519  \t AAAAC3NzaC1lZDI1NTE5AAAAINLVSCfXhxmiiYobnblG00kQ+zAiaadx2wiDoKTJBBkZ",
    };
    static const char *const none[] = {
        "",
        "   ",
        "#",
        "# " KEY_ED25519,
        " #" KEY_ED25519,
        "\"" KEY_ED25519,
        "command=\"x " KEY_ED25519,
        "a b " KEY_ED25519,
        "\xef\xbb\xbf# x",
        "\v" KEY_ED25519,
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        "ssh-ed25519 AAAAC3 " KEY_ED25519,
    };

    (void)state;
    for (size_t i = 0; i < SP_COUNT(keys); i++) {
        struct seen s = {""};
        assert_int_equal(sp_authkeys_each(keys[i], strlen(keys[i]), note, &s), 0);
        if (!sp_streq(s.text, "1:ssh-ed25519:" FP_ED25519 "\n"))
            fail_msg("%s: %s", keys[i], s.text);
    }
    for (size_t i = 0; i < SP_COUNT(none); i++) {
        struct seen s = {""};
        assert_int_equal(sp_authkeys_each(none[i], strlen(none[i]), note, &s), 0);
        if (!sp_streq(s.text, none[i][0] == '\0' ? "" : "1::\n"))
            fail_msg("%s: %s", none[i], s.text);
    }
}

static void a_nul_ends_a_line_for_sshd(void **state)
{
    static const char file[] = KEY_ED25519 "\0 junk\n\0" KEY_RSA2048 "\n\n" KEY_DSA;
    struct seen s = {""};

    (void)state;
    assert_int_equal(sp_authkeys_each(file, sizeof(file) - 1, note, &s), 0);
    assert_string_equal(s.text, "1:ssh-ed25519:" FP_ED25519 "\n2::\n3::\n4:ssh-dss:" FP_DSA "\n");
}

static int stop(const struct sp_authkeys_entry *e, void *data)
{
    *(size_t *)data = e->line_number;
    return e->line_number == 2 ? 42 : 0;
}

static void a_visitor_can_stop(void **state)
{
    size_t last = 0;

    (void)state;
    assert_int_equal(sp_authkeys_each("a\nb\nc\n", 6, stop, &last), 42);
    assert_int_equal(last, 2);
}

static void edits(const char *old, const struct sp_key_list *want, const char *drop, const char *expected)
{
    _cleanup_(sp_buf_clear) struct sp_buf out = {0}, again = {0};
    struct sp_error err;

    assert_int_equal(sp_authkeys_edit(old, strlen(old), want, &drop, drop != NULL, &out, &err), 0);
    assert_string_equal(sp_buf_str(&out), expected);
    /* And the second time nothing differs. */
    assert_int_equal(sp_authkeys_edit(sp_buf_str(&out), out.len, want, &drop, drop != NULL, &again, &err),
                     0);
    assert_string_equal(sp_buf_str(&again), expected);
}

static void foreign_lines_are_kept_byte_for_byte(void **state)
{
    _cleanup_(sp_key_list_clear) struct sp_key_list want = {0};

    (void)state;
    add(&want, KEY_ED25519, "ours", NULL);
#define FOREIGN "# a comment\r\n\n  junk \xff\x01\ncommand=\"x\" " KEY_RSA4096 " theirs\n\"open\n"
    edits(FOREIGN, &want, NULL, FOREIGN KEY_ED25519 " ours\n");
    edits(FOREIGN KEY_ED25519 "\n" KEY_DSA " old\n", &want, NULL,
          FOREIGN KEY_ED25519 " ours\n" KEY_DSA " old\n");
}

static void a_missing_final_newline_is_completed(void **state)
{
    _cleanup_(sp_key_list_clear) struct sp_key_list want = {0};

    (void)state;
    add(&want, KEY_ED25519, "ours", NULL);
    edits(KEY_RSA2048 " theirs", &want, NULL, KEY_RSA2048 " theirs\n" KEY_ED25519 " ours\n");
    edits("", &want, NULL, KEY_ED25519 " ours\n");
    edits("x\n" KEY_ED25519, &want, NULL, "x\n" KEY_ED25519 " ours\n");
}

static void nothing_to_do_changes_no_byte(void **state)
{
    _cleanup_(sp_key_list_clear) struct sp_key_list want = {0}, none = {0};

    (void)state;
    add(&want, KEY_ED25519, "ours", "203.0.113.0/24");
    edits("#\nfrom=\"203.0.113.0/24\" " KEY_ED25519 " ours", &want, NULL,
          "#\nfrom=\"203.0.113.0/24\" " KEY_ED25519 " ours");
    edits("", &none, NULL, "");
    edits("\n\nx", &none, FP_RSA2048, "\n\nx");
}

static void the_users_own_line_with_our_key_is_folded_in(void **state)
{
    _cleanup_(sp_key_list_clear) struct sp_key_list want = {0};

    (void)state;
    add(&want, KEY_ED25519, "ours", "203.0.113.0/24");
    edits("# a\n" KEY_ED25519 " mine\r\n# b\npty " KEY_ED25519 "\n# c", &want, NULL,
          "# a\nfrom=\"203.0.113.0/24\" " KEY_ED25519 " ours\n# b\n# c");
}

static void dropped_keys_go_wherever_they_stand(void **state)
{
    _cleanup_(sp_key_list_clear) struct sp_key_list want = {0}, none = {0};

    (void)state;
    add(&want, KEY_RSA2048, "", NULL);
    edits(KEY_ED25519 "\n#\nrestrict " KEY_ED25519 " x\n" KEY_DSA, &none, FP_ED25519, "#\n" KEY_DSA);
    edits("#\n" KEY_ED25519, &want, FP_ED25519, "#\n" KEY_RSA2048 "\n");
    edits(KEY_DSA, &want, FP_DSA, KEY_RSA2048 "\n");
    edits(KEY_RSA2048, &want, FP_RSA2048, KEY_RSA2048);
}

static void a_key_that_may_not_be_written_is_named(void **state)
{
    _cleanup_(sp_key_list_clear) struct sp_key_list want = {0};
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    struct sp_error err;

    (void)state;
    add(&want, KEY_ED25519, "", NULL);
    add(&want, KEY_RSA2048, "", NULL);
    assert_int_equal(sp_str_copy(want.v[1].label, SP_LABEL_SIZE, "a\nb"), 0);
    assert_int_equal(sp_authkeys_edit(KEY_RSA2048, strlen(KEY_RSA2048), &want, NULL, 0, &out, &err), -1);
    assert_string_equal(err.field, "[1].label");
}

static void a_list_has_each_key_once(void **state)
{
    _cleanup_(sp_key_list_clear) struct sp_key_list l = {0};

    (void)state;
    add(&l, KEY_ED25519, "a", NULL);
    add(&l, KEY_RSA2048, "b", NULL);
    add(&l, KEY_ED25519, "c", "203.0.113.0/24");
    assert_int_equal(l.n, 2);
    assert_string_equal(l.v[0].label, "c");
    assert_int_equal(l.v[0].from.n, 1);
    assert_string_equal(sp_key_list_find(&l, FP_RSA2048)->label, "b");
    assert_null(sp_key_list_find(&l, FP_DSA));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_carries_its_options),
        cmocka_unit_test(no_value_adds_a_line_or_an_option),
        cmocka_unit_test(lines_are_read_as_sshd_reads_them),
        cmocka_unit_test(a_nul_ends_a_line_for_sshd),
        cmocka_unit_test(a_visitor_can_stop),
        cmocka_unit_test(foreign_lines_are_kept_byte_for_byte),
        cmocka_unit_test(a_missing_final_newline_is_completed),
        cmocka_unit_test(nothing_to_do_changes_no_byte),
        cmocka_unit_test(the_users_own_line_with_our_key_is_folded_in),
        cmocka_unit_test(dropped_keys_go_wherever_they_stand),
        cmocka_unit_test(a_key_that_may_not_be_written_is_named),
        cmocka_unit_test(a_list_has_each_key_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
