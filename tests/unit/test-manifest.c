/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/manifest.h"

static void add(struct sp_manifest *m, enum sp_manifest_kind kind, const char *path, const char *extra,
                const char *digest)
{
    struct sp_manifest_entry e = {.kind = kind,
                                  .mode = 0755,
                                  .size = 12,
                                  .mtime = UINT64_MAX,
                                  .ino = 7,
                                  .path = (char *)path,
                                  .extra = (char *)extra,
                                  .digest = (char *)digest};
    struct sp_error err = {0};

    assert_int_equal(sp_manifest_add(m, &e, NULL, &err), 0);
}

static void what_was_written_reads_back_the_same(void **state)
{
    _cleanup_(sp_manifest_clear) struct sp_manifest m = {.profiles = "p", .nonce = "n", .missing = "a b"};
    _cleanup_(sp_manifest_clear) struct sp_manifest again = {0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0}, second = {0}, read = {0};
    struct sp_error err = {0};

    (void)state;
    add(&m, SP_MANIFEST_FILE, "usr/bin/with blank", NULL, NULL);
    add(&m, SP_MANIFEST_LINK, "usr/bin/sh", "dash", NULL);
    add(&m, SP_MANIFEST_CONTENT, "etc/resolv.conf", "run/x", "00ff");
    sp_manifest_write(&m, &text);
    sp_buf_puts(&read, sp_buf_str(&text));
    assert_int_equal(sp_manifest_parse(&read, &again, &err), 0);
    sp_manifest_write(&again, &second);
    assert_string_equal(sp_buf_str(&text), sp_buf_str(&second));
    assert_true(sp_manifest_same(sp_manifest_find(&again, "usr/bin/with blank"), &m.entries[0]));
}

struct tale {
    size_t n, end_at;
    char last[64];
};

static int hear(void *ctx, const struct sp_manifest_entry *e)
{
    struct tale *t = ctx;

    (void)snprintf(t->last, sizeof(t->last), "%s", e->path);
    return ++t->n == t->end_at ? 7 : 0;
}

static void entries_can_be_read_one_by_one(void **state)
{
    static const char head[] = "sallyport-generation 1\nprofiles p\nnonce n\nmissing a b\n",
                      body[] = "d 755 0 1 2 usr\nf 644 3 4 5 usr/x\nl 0 0 0 0 usr/y\tx\n";

    (void)state;
    for (size_t cut = 0; cut <= strlen(body); cut++) {
        _cleanup_(sp_manifest_clear) struct sp_manifest m = {0};
        _cleanup_(sp_buf_clear) struct sp_buf text = {0};
        struct tale t = {0};
        struct sp_error err = {0};
        bool whole = cut == 0 || body[cut - 1] == '\n';

        sp_buf_puts(&text, head);
        sp_buf_add(&text, body, cut);
        assert_int_equal(sp_manifest_begin(&text, &m, &err), 0);
        assert_string_equal(m.missing, "a b");
        assert_int_equal(sp_manifest_each(m.rest, m.rest_len, SP_MANIFEST_ALL, hear, &t), whole ? 0 : -1);
        assert_string_equal(t.last, t.n == 0 ? "" : t.n == 1 ? "usr" : t.n == 2 ? "usr/x" : "usr/y");
    }
    {
        _cleanup_(sp_manifest_clear) struct sp_manifest m = {0};
        _cleanup_(sp_buf_clear) struct sp_buf text = {0};
        struct tale t = {.end_at = 2};
        struct sp_error err = {0};

        sp_buf_puts(&text, head);
        sp_buf_puts(&text, body);
        assert_int_equal(sp_manifest_begin(&text, &m, &err), 0);
        assert_int_equal(sp_manifest_each(m.rest, m.rest_len, SP_MANIFEST_ALL, hear, &t), 7);
        assert_string_equal(t.last, "usr/x");
    }
}

static void a_manifest_cut_anywhere_but_between_lines_is_refused(void **state)
{
    _cleanup_(sp_manifest_clear) struct sp_manifest m = {0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};

    (void)state;
    add(&m, SP_MANIFEST_LINK, "usr/bin/sh", "dash", NULL);
    sp_manifest_write(&m, &text);
    for (size_t n = 0; n < text.len; n++) {
        _cleanup_(sp_manifest_clear) struct sp_manifest cut = {0};
        struct sp_error err = {0};
        _cleanup_(sp_buf_clear) struct sp_buf part = {0};
        int r = (sp_buf_add(&part, text.data, n), sp_manifest_parse(&part, &cut, &err));

        if (n > 0 && text.data[n - 1] == '\n' && r == 0)
            continue;
        assert_int_equal(r, -1);
        assert_int_equal(err.code, SP_E_STATE);
    }
}

static void a_path_that_leaves_the_root_or_forges_a_line_is_refused(void **state)
{
    static const char *const bad[] = {"",        "/usr", "usr/", "usr//x", "../x", "usr/../../x",
                                      "usr/./x", "a\nb", "a\tb", "\177"};
    struct sp_manifest m = {0};

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++) {
        struct sp_manifest_entry e = {.kind = SP_MANIFEST_FILE, .path = (char *)bad[i]};
        struct sp_error err = {0};

        assert_int_equal(sp_manifest_add(&m, &e, NULL, &err), -1);
        assert_int_equal(err.code, SP_E_INVALID);
    }
    assert_true(sp_manifest_path_ok("usr/..x/...") && sp_manifest_path_ok(".x"));
    sp_manifest_clear(&m);
}

static void thousands_of_paths_are_found_again_and_none_is_there_twice(void **state)
{
    _cleanup_(sp_manifest_clear) struct sp_manifest m = {0};
    char path[32];

    (void)state;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 5000; i++) {
            (void)snprintf(path, sizeof(path), "usr/share/%d", i);
            add(&m, SP_MANIFEST_FILE, path, NULL, NULL);
            assert_ptr_equal(sp_manifest_find(&m, path), &m.entries[i]);
        }
    assert_int_equal(m.n, 5000);
    assert_null(sp_manifest_find(&m, "usr/share"));
}

static void a_host_without_merged_usr_is_mapped(void **state)
{
    char dest[64];

    (void)state;
    assert_int_equal(sp_manifest_dest("bin/bash", dest, sizeof(dest)), 0);
    assert_string_equal(dest, "usr/bin/bash");
    assert_int_equal(sp_manifest_dest("usr/bin/env", dest, sizeof(dest)), 0);
    assert_string_equal(dest, "usr/bin/env");
    assert_int_equal(sp_manifest_dest("opt/x", dest, sizeof(dest)), -1);
    assert_int_equal(sp_manifest_dest("usrx/y", dest, sizeof(dest)), -1);
}

static void what_is_missing_is_named_once(void **state)
{
    struct sp_manifest m = {0};

    (void)state;
    sp_manifest_miss(&m, "git-lfs");
    sp_manifest_miss(&m, "git");
    sp_manifest_miss(&m, "git-lfs");
    sp_manifest_miss(&m, "git");
    assert_string_equal(m.missing, "git-lfs git");
}

static void a_name_is_covered_where_its_directory_is_listed_too(void **state)
{
    _cleanup_(sp_manifest_clear) struct sp_manifest m = {0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};

    (void)state;
    add(&m, SP_MANIFEST_LINK, "usr/tree/link", "x", NULL);
    add(&m, SP_MANIFEST_ABSENT, "usr/tree/none", NULL, NULL);
    add(&m, SP_MANIFEST_LINK, "usr/bin/link", "x", NULL);
    add(&m, SP_MANIFEST_DIR, "usr/tree", NULL, NULL);
    sp_manifest_write(&m, &text);
    assert_int_equal(sp_manifest_find(&m, "usr/tree/link")->mode, SP_MANIFEST_COVERED);
    assert_int_equal(sp_manifest_find(&m, "usr/tree/none")->mode, SP_MANIFEST_COVERED);
    assert_int_equal(sp_manifest_find(&m, "usr/bin/link")->mode, 0);
    assert_true(strstr(sp_buf_str(&text), "usr/tree\n") < strstr(sp_buf_str(&text), "usr/tree/link"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_reads_back_the_same),
        cmocka_unit_test(entries_can_be_read_one_by_one),
        cmocka_unit_test(a_manifest_cut_anywhere_but_between_lines_is_refused),
        cmocka_unit_test(a_path_that_leaves_the_root_or_forges_a_line_is_refused),
        cmocka_unit_test(thousands_of_paths_are_found_again_and_none_is_there_twice),
        cmocka_unit_test(a_host_without_merged_usr_is_mapped),
        cmocka_unit_test(what_is_missing_is_named_once),
        cmocka_unit_test(a_name_is_covered_where_its_directory_is_listed_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
