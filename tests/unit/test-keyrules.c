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
#include "model/account.h"
#include "model/authopts.h"
#include "model/json.h"

static void make(struct sp_key *k)
{
    struct sp_error err;

    assert_int_equal(sp_sshkey_parse(KEY_ED25519, strlen(KEY_ED25519), &k->key, NULL, &err), 0);
}

static void is_line(const struct sp_key *k, const char *expected)
{
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    struct sp_error err;

    assert_int_equal(sp_authkeys_line(k, &out, &err), 0);
    assert_string_equal(out.data, expected);
}

static void rules_stand_in_front_of_the_key_as_options(void **state)
{
    _cleanup_(sp_key_clear) struct sp_key k = {0};

    (void)state;
    make(&k);
    k.rules.forwarding = SP_FORWARDING_ALL; /* what the account has, and no more */
    is_line(&k, KEY_ED25519 "\n");
    k.rules.forwarding = SP_FORWARDING_LOCAL;
    is_line(&k, "permitlisten=\"localhost:1\",no-agent-forwarding,no-X11-forwarding " KEY_ED25519 "\n");
    k.rules = (struct sp_keyrules){.no_pty = true};
    is_line(&k, "no-pty " KEY_ED25519 "\n");
    k.rules = (struct sp_keyrules){
        .command = "say \"a, b\" 'c\\d'", .forwarding = SP_FORWARDING_NONE, .no_pty = true};
    k.expires_at = 1798761600;
    is_line(&k,
            "expiry-time=\"20270101000000Z\",command=\"say \\\"a, b\\\" 'c\\d'\","
            "no-port-forwarding,no-agent-forwarding,no-X11-forwarding,no-pty " KEY_ED25519 "\n");
}

/* opt_dequote() of OpenSSH's auth-options.c: what it makes of the text behind command=. */
static void dequote(const char *text, char out[64], const char **ret_end)
{
    size_t n = 0;

    assert_int_equal(*text++, '"');
    for (; *text != '\0' && *text != '"'; text++) {
        text += text[0] == '\\' && text[1] == '"';
        out[n++] = *text;
    }
    out[n] = '\0';
    assert_int_equal(*text, '"');
    *ret_end = text + 1;
}

static int note(const struct sp_authkeys_entry *e, void *data)
{
    struct sp_authkeys_entry *last = data;

    assert_null(last->line);
    *last = *e;
    return 0;
}

/* Refused, or read back by sshd's own rules as that command and nothing else. */
static bool stays_one_command(struct sp_key *k)
{
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    struct sp_authkeys_entry entry = {0};
    struct sp_authopts o;
    struct sp_error err;
    char read[64];
    const char *end;

    if (sp_authkeys_line(k, &out, &err) < 0) {
        assert_string_equal(err.field, "command");
        assert_int_equal(out.len, 0);
        return false;
    }
    assert_true(sp_str_prefix(out.data, "command=", &end));
    dequote(end, read, &end);
    assert_string_equal(read, k->rules.command);
    assert_string_equal(end, " " KEY_ED25519 "\n");
    assert_int_equal(sp_authkeys_each(out.data, out.len, note, &entry), 0);
    assert_string_equal(entry.fingerprint, k->key.fingerprint);
    sp_authopts_parse(entry.line, entry.line_len, &o);
    assert_true(o.has_command && o.bad[0] == '\0' && !o.has_from && !o.no_pty);
    return true;
}

static void every_short_command_of_what_quoting_needs_is_read_back_or_refused(void **state)
{
    static const char letters[] = "a\"\\, =#";
    const size_t n = sizeof(letters) - 1;
    _cleanup_(sp_key_clear) struct sp_key k = {0};
    size_t accepted = 0;

    (void)state;
    make(&k);
    for (size_t number = 1; number < n * n * n * n; number++) {
        size_t len = 0;
        for (size_t rest = number; rest > 0; rest /= n)
            k.rules.command[len++] = letters[rest % n];
        k.rules.command[len] = '\0';
        assert_int_equal(stays_one_command(&k), k.rules.command[len - 1] != '\\');
        accepted += k.rules.command[len - 1] != '\\';
    }
    assert_true(accepted > 1000);
}

static void hostile_commands_are_refused_by_the_writer(void **state)
{
    static const char *const commands[] = {
        "a\nssh-ed25519 AAAA", "a\rb", "\x1b[m", "\xff", "\xc3", "a\tb", "a\x7f", "a\\", "\\\\"};
    _cleanup_(sp_key_clear) struct sp_key k = {0};

    (void)state;
    make(&k);
    for (size_t i = 0; i < SP_COUNT(commands); i++) {
        assert_int_equal(sp_str_copy(k.rules.command, sizeof(k.rules.command), commands[i]), 0);
        assert_false(stays_one_command(&k));
    }
    memset(k.rules.command, 'a', sizeof(k.rules.command)); /* without its end */
    assert_false(stays_one_command(&k));
}

static void of_two_domains_the_wider_rule_counts_and_two_commands_do_not_mix(void **state)
{
    struct sp_keyrules a = {.command = "x", .forwarding = SP_FORWARDING_NONE, .no_pty = true}, b = a, c = a;

    (void)state;
    b.forwarding = SP_FORWARDING_LOCAL;
    b.no_pty = false;
    assert_null(sp_keyrules_widen(&a, &b));
    assert_memory_equal(&a, &b, sizeof(a));
    assert_null(sp_keyrules_widen(&a, &c)); /* nor is it narrowed */
    assert_memory_equal(&a, &b, sizeof(a));
    c.command[0] = 'y';
    c.forwarding = SP_FORWARDING_ALL;
    assert_non_null(sp_keyrules_widen(&a, &c));
    assert_memory_equal(&a, &b, sizeof(a));
    assert_null(sp_keyrules_widen(&a, &(struct sp_keyrules){0}));
    assert_true(sp_keyrules_is_plain(&a));
}

static int decode(const char *rules, enum sp_key_origin origin, struct sp_key *ret, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    _cleanup_json_ cJSON *json = NULL;

    sp_buf_printf(&text, "{\"key\":\"" KEY_ED25519 "\"%s}", rules);
    assert_int_equal(sp_json_parse(text.data, text.len, &json, err), 0);
    return sp_key_from_json(json, origin, ret, err);
}

static void what_is_written_is_read_back(void **state)
{
    static const char rules[] = ",\"command\":\"a \\\"b\\\" \\\\c\",\"forwarding\":\"local\",\"pty\":false";
    _cleanup_(sp_key_clear) struct sp_key k = {0}, plain = {0}, again = {0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    _cleanup_json_ cJSON *json = NULL, *bare = NULL;
    struct sp_error err;

    (void)state;
    assert_int_equal(decode(rules, SP_KEY_PASTED, &k, &err), 0);
    assert_string_equal(k.rules.command, "a \"b\" \\c");
    assert_int_equal(sp_key_to_json(&k, &json, &err), 0);
    assert_int_equal(sp_json_print(json, &text, &err), 0);
    assert_non_null(strstr(text.data, rules + 1));
    assert_int_equal(sp_key_from_json(json, SP_KEY_STORED, &again, &err), 0);
    assert_memory_equal(&again.rules, &k.rules, sizeof(k.rules));
    assert_int_equal(decode(",\"command\":null,\"pty\":true", SP_KEY_STORED, &plain, &err), 0);
    assert_true(sp_keyrules_is_plain(&plain.rules));
    assert_int_equal(sp_key_to_json(&plain, &bare, &err), 0);
    assert_null(cJSON_GetObjectItemCaseSensitive(bare, "command"));
    assert_null(cJSON_GetObjectItemCaseSensitive(bare, "pty"));
}

static void what_cannot_be_written_is_refused_where_it_is_read(void **state)
{
    static const char *const bad[][2] = {{",\"command\":\"\"", "command"},
                                         {",\"command\":\"a\\nb\"", "command"},
                                         {",\"command\":\"a\\\\\"", "command"},
                                         {",\"command\":7", "command"},
                                         {",\"forwarding\":\"remote\"", "forwarding"},
                                         {",\"forwarding\":\"unset\"", "forwarding"},
                                         {",\"pty\":\"no\"", "pty"}};
    _cleanup_(sp_key_clear) struct sp_key k = {0};
    struct sp_error err;
    char large[20000] = ",\"command\":\"";

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++)
        for (enum sp_key_origin o = SP_KEY_PASTED; o <= SP_KEY_STORED; o++) {
            assert_int_equal(decode(bad[i][0], o, &k, &err), -1);
            assert_string_equal(err.field, bad[i][1]);
        }
    memset(large + strlen(large), 'a', sizeof(large) - strlen(large));
    large[sizeof(large) - 2] = '"';
    large[sizeof(large) - 1] = '\0';
    assert_int_equal(decode(large, SP_KEY_PASTED, &k, &err), -1);
    assert_string_equal(err.field, "command");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_stand_in_front_of_the_key_as_options),
        cmocka_unit_test(every_short_command_of_what_quoting_needs_is_read_back_or_refused),
        cmocka_unit_test(hostile_commands_are_refused_by_the_writer),
        cmocka_unit_test(of_two_domains_the_wider_rule_counts_and_two_commands_do_not_mix),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(what_cannot_be_written_is_refused_where_it_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
