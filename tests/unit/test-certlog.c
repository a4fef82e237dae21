/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/certlog.h"

static struct sp_certificate one(uint64_t serial, int64_t valid_to)
{
    return (struct sp_certificate){.serial = serial,
                                   .user = "example",
                                   .uid = 1001,
                                   .fingerprint = "SHA256:x",
                                   .issued_at = 100,
                                   .valid_from = 40,
                                   .valid_to = valid_to,
                                   .caller = 7,
                                   .principal = "sallyport-1001-ff",
                                   .sources = "192.0.2.0/24",
                                   .key_id = "example/k/r",
                                   .reason = "deploy on Friday"};
}

static void put(struct sp_buf *b, const struct sp_certificate *c)
{
    struct sp_error err;

    assert_int_equal(sp_certlog_issue(c, b, &err), 0);
}

static struct sp_certlog parse(const struct sp_buf *b)
{
    struct sp_certlog l;
    struct sp_error err;

    assert_int_equal(sp_certlog_parse(sp_buf_str(b), b->len, &l, &err), 0);
    return l;
}

static void same(const struct sp_certificate *a, const struct sp_certificate *b)
{
    _cleanup_(sp_buf_clear) struct sp_buf x = {0}, y = {0};

    put(&x, a);
    put(&y, b);
    assert_string_equal(sp_buf_str(&x), sp_buf_str(&y));
    assert_int_equal(a->revoked_at, b->revoked_at);
}

static void what_was_written_is_read_again(void **state)
{
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    _cleanup_(sp_certlog_clear) struct sp_certlog l = {0};
    struct sp_certificate c = one(1, 1000), d = one(2, 2000);
    struct sp_error err;

    (void)state;
    d.reason[0] = d.sources[0] = '\0';
    put(&b, &c);
    put(&b, &d);
    assert_int_equal(sp_certlog_revoke(3, 1, 150, 0, "lost laptop", &b, &err), 0);
    l = parse(&b);
    assert_int_equal(l.n, 2);
    assert_int_equal(l.next, 4);
    assert_int_equal(l.strange, 0);
    assert_int_equal(l.whole, b.len);
    c.revoked_at = 150;
    same(&l.v[0], &c);
    same(&l.v[1], &d);
}

static void a_line_that_a_crash_cut_counts_for_nothing(void **state)
{
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    struct sp_certificate c = one(1, 1000), d = one(2, 2000);
    static const char zeros[SP_CERTLOG_TAIL];
    size_t whole = 0, first;

    (void)state;
    put(&b, &c);
    first = b.len;
    put(&b, &d);
    for (size_t n = first; n < b.len; n++) {
        struct sp_certlog l;
        struct sp_error err;
        assert_int_equal(sp_certlog_parse(b.data, n, &l, &err), 0);
        assert_int_equal(l.n, 1);
        assert_int_equal(l.next, 2);
        assert_int_equal(l.whole, first);
        assert_int_equal(sp_certlog_next(b.data, n, &whole), 2);
        assert_int_equal(whole, first);
        sp_certlog_clear(&l);
    }
    assert_int_equal(sp_certlog_next(b.data, b.len, &whole), 3);
    assert_int_equal(sp_certlog_next("", 0, &whole), 1);
    assert_int_equal(sp_certlog_next("1\tiss", 5, &whole), 1); /* the first line, cut off */
    /* what somebody wrote behind it, or a crash: serials do not begin anew */
    assert_int_equal(sp_certlog_next("7\tpruned\n# moved\n", 17, &whole), 0);
    assert_int_equal(sp_certlog_next("7\tpruned\n\n", 10, &whole), 0);
    assert_int_equal(sp_certlog_next("7\n", 2, &whole), 0);
    assert_int_equal(sp_certlog_next(zeros, sizeof(zeros), &whole), 0);
}

static void strange_lines_take_nothing_away(void **state)
{
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    _cleanup_(sp_certlog_clear) struct sp_certlog l = {0};
    struct sp_certificate c = one(5, 1000), d = one(6, 2000), again = one(5, 9000);

    (void)state;
    put(&b, &c);
    sp_buf_puts(&b, "\nrubbish\n6\tissue\tx\n7\trevoke\t5\tnever\t0\t\n0\trevoke\t5\t1\t0\t\n");
    put(&b, &d);
    put(&b, &again); /* a serial is used once */
    l = parse(&b);
    assert_int_equal(l.n, 2);
    assert_int_equal(l.v[0].valid_to, 1000);
    assert_int_equal(l.v[0].revoked_at, 0);
    assert_true(l.strange >= 5);
    assert_int_equal(l.next, 7);
}

static void only_revoked_ones_that_go_on_are_in_the_list(void **state)
{
    _cleanup_(sp_buf_clear) struct sp_buf b = {0}, krl = {0};
    _cleanup_(sp_certlog_clear) struct sp_certlog l = {0};
    struct sp_error err;

    (void)state;
    for (uint64_t n = 1; n <= 4; n++) {
        struct sp_certificate c = one(n, (int64_t)n * 1000);
        put(&b, &c);
    }
    for (uint64_t n = 1; n <= 3; n++)
        assert_int_equal(sp_certlog_revoke(4 + n, n, 150, 0, "", &b, &err), 0);
    l = parse(&b);
    assert_int_equal(sp_certlog_krl(&l, 1500, &krl, &err), 0);
    assert_string_equal(sp_buf_str(&krl), "serial: 2\nserial: 3\n");
}

static void pruning_keeps_the_count_and_what_goes_on(void **state)
{
    _cleanup_(sp_buf_clear) struct sp_buf b = {0}, pruned = {0}, twice = {0};
    _cleanup_(sp_certlog_clear) struct sp_certlog l = {0}, m = {0}, k = {0};
    struct sp_error err;
    size_t whole = 0;

    (void)state;
    for (uint64_t n = 1; n <= 4; n++) {
        struct sp_certificate c = one(n, (int64_t)n * 1000);
        put(&b, &c);
    }
    for (uint64_t n = 2; n <= 4; n++)
        assert_int_equal(sp_certlog_revoke(3 + n, n, 150, 0, "", &b, &err), 0);
    l = parse(&b);
    assert_int_equal(l.next, 8);
    assert_int_equal(sp_certlog_prune(&l, 2500, &pruned, &err), 0);
    m = parse(&pruned);
    assert_int_equal(m.n, 2);
    assert_int_equal(m.strange, 0);
    assert_int_equal(m.v[0].serial, 3);
    assert_int_equal(m.v[0].revoked_at, 150);
    assert_int_equal(m.v[1].revoked_at, 150);
    assert_int_equal(m.next, 8);
    assert_int_equal(sp_certlog_next(pruned.data, pruned.len, &whole), 8);
    assert_int_equal(sp_certlog_prune(&m, 9000, &twice, &err), 0);
    k = parse(&twice);
    assert_int_equal(k.n, 0);
    assert_int_equal(k.next, 8);
}

static void no_field_can_add_a_line_or_a_field(void **state)
{
    static const char *const bad[] = {"a\tb", "a\nb", "a\x1b"};
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    struct sp_error err;

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++) {
        struct sp_certificate c = one(1, 1000);
        (void)strcpy(c.reason, bad[i]);
        assert_int_equal(sp_certlog_issue(&c, &b, &err), -1);
        assert_int_equal(sp_certlog_revoke(1, 1, 1, 0, bad[i], &b, &err), -1);
    }
    assert_int_equal(b.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read_again),
        cmocka_unit_test(a_line_that_a_crash_cut_counts_for_nothing),
        cmocka_unit_test(strange_lines_take_nothing_away),
        cmocka_unit_test(only_revoked_ones_that_go_on_are_in_the_list),
        cmocka_unit_test(pruning_keeps_the_count_and_what_goes_on),
        cmocka_unit_test(no_field_can_add_a_line_or_a_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
