/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every text of tests/unit/keycorpus against its verdict, and what no file can show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "keys.h"
#include "model/keyintake.h"
#include "model/keytext.h"

#define MAX_BYTES 65536

static const struct {
    const char *name;
    unsigned note;
} note_names[] = {
    {"encoding", SP_KEYNOTE_ENCODING}, {"blanks", SP_KEYNOTE_BLANKS},   {"invisible", SP_KEYNOTE_INVISIBLE},
    {"quotes", SP_KEYNOTE_QUOTES},     {"joined", SP_KEYNOTE_JOINED},   {"type", SP_KEYNOTE_TYPE},
    {"padding", SP_KEYNOTE_PADDING},   {"options", SP_KEYNOTE_OPTIONS}, {"converted", SP_KEYNOTE_CONVERTED},
    {"around", SP_KEYNOTE_AROUND},     {"twice", SP_KEYNOTE_TWICE},
};

struct verdict {
    char *name, *word, *what, *text, *notes;
};

static char *field(char **rest)
{
    char *f = strsep(rest, "\t");

    return f != NULL ? f : (char *)"";
}

static size_t read_corpus_file(const char *name, char bytes[MAX_BYTES])
{
    char path[1024];
    FILE *f;
    size_t n;

    assert_int_equal(sp_str_format(path, sizeof(path), "%s/%s", getenv("SALLYPORT_KEYCORPUS"), name), 0);
    f = fopen(path, "re");
    if (f == NULL)
        fail_msg("%s: no such file", path);
    n = fread(bytes, 1, MAX_BYTES, f);
    (void)fclose(f);
    assert_in_range(n, 0, MAX_BYTES - 1);
    return n;
}

static unsigned notes_of(const char *list)
{
    unsigned notes = 0;

    if (sp_streq(list, "-"))
        return 0;
    while (*list != '\0') {
        size_t n = strcspn(list, ","), i = 0;
        while (i < SP_COUNT(note_names) &&
               (strlen(note_names[i].name) != n || strncmp(list, note_names[i].name, n) != 0))
            i++;
        if (i == SP_COUNT(note_names))
            fail_msg("no note %s", list);
        notes |= note_names[i].note;
        list += n + (list[n] == ',');
    }
    return notes;
}

/* The canonical line is what sshkey.c itself takes, whatever was pasted. */
static void check_written_anew(const struct sp_sshkey *k)
{
    _cleanup_(sp_sshkey_clear) struct sp_sshkey again = {0};
    _cleanup_(sp_buf_clear) struct sp_buf line = {0};
    struct sp_error err;

    sp_sshkey_format(k, &line);
    assert_int_equal(sp_sshkey_parse(sp_buf_str(&line), line.len, &again, NULL, &err), 0);
    assert_string_equal(again.fingerprint, k->fingerprint);
}

/* How many differ. All of them are told. */
static int judge(const struct verdict *v)
{
    _cleanup_(sp_keyintake_clear) struct sp_keyintake k = {0};
    static char bytes[MAX_BYTES];
    size_t n = read_corpus_file(v->name, bytes);
    struct sp_error err;
    int r = sp_keyintake_read(bytes, n, &k, &err);

    if (sp_streq(v->word, "no")) {
        if (r == 0)
            (void)printf("%s: accepted, not \"%s\"\n", v->name, v->text);
        else if (strstr(err.text, v->text) == NULL || err.hint[0] == '\0' ||
                 !sp_streq(sp_code_name(err.code), v->what))
            (void)printf("%s: %s \"%s\" (%s), not \"%s\"\n", v->name, sp_code_name(err.code), err.text,
                         err.hint, v->text);
        else
            return 0;
        return 1;
    }
    if (r < 0)
        (void)printf("%s: refused: %s\n", v->name, err.text);
    else if (!sp_streq(k.key.fingerprint, v->what) ||
             !sp_streq(k.label, sp_streq(v->text, "-") ? "" : v->text) ||
             k.notes.bits != notes_of(v->notes))
        (void)printf("%s: %s \"%s\" %x, not %s \"%s\" %s\n", v->name, k.key.fingerprint, k.label,
                     k.notes.bits, v->what, v->text, v->notes);
    else {
        check_written_anew(&k.key);
        return 0;
    }
    return 1;
}

static void every_text_of_the_corpus_gets_its_verdict(void **state)
{
    static char table[MAX_BYTES * 2];
    char *rest = table, *line;
    int texts = 0, wrong = 0;
    char path[1024];
    FILE *f;

    (void)state;
    assert_int_equal(sp_str_format(path, sizeof(path), "%s/verdicts", getenv("SALLYPORT_KEYCORPUS")), 0);
    f = fopen(path, "re");
    assert_non_null(f);
    table[fread(table, 1, sizeof(table) - 1, f)] = '\0';
    (void)fclose(f);
    while ((line = strsep(&rest, "\n")) != NULL) {
        struct verdict v;
        if (line[0] == '#' || line[0] == '\0')
            continue;
        v = (struct verdict){.name = field(&line), .word = field(&line)};
        v.what = field(&line);
        v.text = field(&line);
        v.notes = field(&line);
        texts++;
        wrong += judge(&v);
    }
    (void)printf("%d texts, %d wrong\n", texts, wrong);
    assert_in_range(texts, 150, 10000);
    assert_int_equal(wrong, 0);
}

/* Twelve characters of it in a row, and no word of ours. */
static void shows_nothing(const char *name, const struct sp_error *err, const char *secret, size_t n)
{
    char piece[13] = "";

    for (size_t at = 0; at + 12 <= n; at += 3) {
        memcpy(piece, secret + at, 12);
        if (strchr(piece, ' ') == NULL &&
            (strstr(err->text, piece) != NULL || strstr(err->hint, piece) != NULL))
            fail_msg("%s: %s", name, err->text);
    }
}

static void a_private_key_cut_anywhere_is_refused_and_shows_nothing(void **state)
{
    static const char *const names[] = {"private-openssh-ed25519", "private-ppk3-ed25519",
                                        "private-pem-nistp256"};
    static char bytes[MAX_BYTES];

    (void)state;
    for (size_t i = 0; i < SP_COUNT(names); i++) {
        size_t n = read_corpus_file(names[i], bytes);
        for (size_t len = 0; len <= n; len += 7) {
            _cleanup_(sp_keyintake_clear) struct sp_keyintake k = {0};
            struct sp_error err;
            assert_int_equal(sp_keyintake_read(bytes, len, &k, &err), -1);
            shows_nothing(names[i], &err, bytes, n);
        }
    }
}

static void any_byte_changed_is_read_without_harm(void **state)
{
    static const char *const names[] = {"rfc4716-nistp256",    "pkcs8-nistp256", "options-several",
                                        "utf16le-bom-ed25519", "wrapped-64",     "two-forms"};
    static char bytes[MAX_BYTES];
    static const char changes[] = {'A', '=', '\n', '-', '"', '\xe2', '\0'};

    (void)state;
    for (size_t i = 0; i < SP_COUNT(names); i++) {
        size_t n = read_corpus_file(names[i], bytes);
        for (size_t at = 0; at<n; at += n> 300 ? 5 : 1)
            for (size_t c = 0; c < SP_COUNT(changes); c++) {
                _cleanup_(sp_keyintake_clear) struct sp_keyintake k = {0};
                _cleanup_free_ char *copy = malloc(n); /* of its very length, for the sanitizers */
                struct sp_error err;
                memcpy(copy, bytes, n);
                copy[at] = changes[c];
                if (sp_keyintake_read(copy, n, &k, &err) == 0)
                    check_written_anew(&k.key);
                sp_keyintake_clear(&k);
                (void)sp_keyintake_read(copy, at, &k, &err);
            }
    }
}

static void dropped_options_are_named_and_nothing_of_their_values(void **state)
{
    static const char pasted[] = "from=\"198.51.100.7\",command=\"/bin/secret\" " KEY_ED25519;
    _cleanup_(sp_keyintake_clear) struct sp_keyintake k = {0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_keyintake_read(pasted, strlen(pasted), &k, &err), 0);
    assert_true(sp_keynotes_sentence(&k.notes, 0, &text));
    assert_string_equal(sp_buf_str(&text),
                        "the options in front of the key were dropped (command, from): sources, expiry "
                        "and a forced command have fields of their own, from, expires_at and command");
    assert_false(sp_keynotes_sentence(&k.notes, 1, &text));
}

static void each_note_has_its_own_sentence(void **state)
{
    const struct sp_keynotes all = {(1U << SP_COUNT(note_names)) - 1, 1};
    size_t i = 0;

    (void)state;
    for (;; i++) {
        _cleanup_(sp_buf_clear) struct sp_buf text = {0};
        if (!sp_keynotes_sentence(&all, i, &text))
            break;
        assert_true(text.len > 20);
    }
    assert_int_equal(i, SP_COUNT(note_names));
}

static void the_md5_is_ssh_keygens(void **state)
{
    _cleanup_(sp_keyintake_clear) struct sp_keyintake k = {0};
    char md5[SP_MD5_SIZE];
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_keyintake_read(KEY_ED25519, strlen(KEY_ED25519), &k, &err), 0);
    sp_sshkey_md5(k.key.blob, k.key.blob_len, md5);
    assert_string_equal(md5, MD5_ED25519);
}

static void utf16_becomes_text_that_json_carries(void **state)
{
    _cleanup_(sp_buf_wipe) struct sp_buf out = {0}, same = {0};
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_keytext_utf8("s\0s\0h\0", 6, &out, &err), 0);
    assert_string_equal(sp_buf_str(&out), "\xef\xbb\xbfssh");
    assert_int_equal(sp_keytext_utf8("ssh \xff", 5, &same, &err), 0);
    assert_string_equal(sp_buf_str(&same), "ssh \xff");
    assert_int_equal(sp_keytext_utf8("ssh\0", 4, &same, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_text_of_the_corpus_gets_its_verdict),
        cmocka_unit_test(a_private_key_cut_anywhere_is_refused_and_shows_nothing),
        cmocka_unit_test(any_byte_changed_is_read_without_harm),
        cmocka_unit_test(dropped_options_are_named_and_nothing_of_their_values),
        cmocka_unit_test(each_note_has_its_own_sentence),
        cmocka_unit_test(the_md5_is_ssh_keygens),
        cmocka_unit_test(utf16_becomes_text_that_json_carries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
