/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/password.h"
#include "temp.h"
#include <cmocka.h>

/* crypt("secret", "$5$saltsalt") */
#define HASH "$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA"

static int etc_open(void **state)
{
    struct temp_host *t;

    if (temp_open(state) != 0)
        return -1;
    t = *state;
    if (mkdirat(t->h.root_fd, "etc", 0755) != 0)
        return -1;
    temp_put(t, "etc/passwd", "root:x:0:0::/root:/bin/sh\nexample:x:1001:1001::/home/example:/bin/sh\n",
             0644);
    temp_put(t, "etc/shadow",
             "root:*:1:0:99999:7:::\nexample:" HASH ":1:0:99999:7:::\nlocked:!" HASH
             ":1::::::\nempty::1::::::\n",
             0600);
    return 0;
}

static bool matches(struct temp_host *t, const char *name, const char *secret)
{
    struct sp_error err;
    bool yes = true;

    assert_int_equal(sp_password_matches(&t->h, name, secret, &yes, &err), 0);
    return yes;
}

static void a_hash_is_compared_and_a_lock_never_matches(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;
    bool locked = false;

    assert_true(matches(t, "example", "secret"));
    assert_false(matches(t, "example", "Secret"));
    assert_false(matches(t, "locked", "secret"));
    assert_false(matches(t, "empty", "secret"));
    assert_false(matches(t, "nobody", "secret"));
    assert_int_equal(sp_password_is_locked(&t->h, "locked", &locked, &err), 0);
    assert_true(locked);
    assert_int_equal(sp_password_is_locked(&t->h, "example", &locked, &err), 0);
    assert_false(locked);
}

static void control_bytes_and_wrong_lengths_are_refused_without_a_quote(void **state)
{
    char long_one[600];
    const char *const bad[] = {"", "abc\ndef", "abc\r", "abc\x7f", "\tabc", long_one};
    struct temp_host *t = *state;
    struct sp_error err;
    bool yes;

    memset(long_one, 'x', sizeof(long_one));
    long_one[511] = '\0';
    assert_int_equal(sp_password_check(long_one, &err), 0);
    long_one[511] = 'x';
    long_one[512] = '\0';
    for (size_t i = 0; i < SP_COUNT(bad); i++) {
        assert_int_equal(sp_password_set(&t->h, "example", bad[i], &err), -1);
        assert_int_equal(err.code, SP_E_INVALID);
        assert_null(strstr(err.text, "abc"));
        assert_int_equal(sp_password_matches(&t->h, "example", bad[i], &yes, &err), -1);
        assert_int_equal(err.code, SP_E_INVALID);
    }
    assert_int_equal(sp_password_set(&t->h, "root", "secret", &err), -1);
    assert_int_equal(err.code, SP_E_FORBIDDEN);
}

#define T(f) cmocka_unit_test_setup_teardown(f, etc_open, temp_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_hash_is_compared_and_a_lock_never_matches),
        T(control_bytes_and_wrong_lengths_are_refused_without_a_quote),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
