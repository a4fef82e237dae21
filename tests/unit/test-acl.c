/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <sys/xattr.h>

#include "base/mem.h"
#include "host/acl.h"
#include "temp.h"

/* user::rw-, user:33:rw-, group::r--, mask::PERM, other::--- in the kernel's form. */
#define WITH_MASK(perm)                                                                                    \
    "\x02\0\0\0"                                                                                           \
    "\x01\0\x06\0\xff\xff\xff\xff"                                                                         \
    "\x02\0\x06\0\x21\0\0\0"                                                                               \
    "\x04\0\x04\0\xff\xff\xff\xff"                                                                         \
    "\x10\0" perm                                                                                          \
    "\0\xff\xff\xff\xff"                                                                                   \
    "\x20\0\0\0\xff\xff\xff\xff"

static void an_entry_counts_as_far_as_the_mask_lets_it(void **state)
{
    bool opens = false;

    (void)state;
    assert_int_equal(sp_acl_bytes_open(WITH_MASK("\x06"), 44, SP_ACL_WRITE, &opens), 0);
    assert_true(opens);
    assert_int_equal(sp_acl_bytes_open(WITH_MASK("\x04"), 44, SP_ACL_WRITE, &opens), 0);
    assert_false(opens);
    assert_int_equal(sp_acl_bytes_open(WITH_MASK("\x04"), 44, SP_ACL_READ, &opens), 0);
    assert_true(opens);
}

static void malformed_bytes_are_refused(void **state)
{
    bool opens;

    (void)state;
    assert_int_equal(sp_acl_bytes_open("\x02\0\0", 3, SP_ACL_WRITE, &opens), -1);
    assert_int_equal(sp_acl_bytes_open("\x03\0\0\0", 4, SP_ACL_WRITE, &opens), -1);
    assert_int_equal(sp_acl_bytes_open("\x02\0\0\0\x01\0\x06", 7, SP_ACL_WRITE, &opens), -1);
}

static void an_acl_is_seen_copied_and_taken_off(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;
    bool yes = false;

    temp_put(t, "a", "", 0600);
    temp_put(t, "b", "", 0600);
    _cleanup_close_ int a = openat(t->h.root_fd, "a", O_RDONLY | O_CLOEXEC);
    _cleanup_close_ int b = openat(t->h.root_fd, "b", O_RDONLY | O_CLOEXEC);
    assert_int_equal(sp_acl_strip(a, &err), 0);
    if (fsetxattr(a, "system.posix_acl_access", WITH_MASK("\x06"), 44, 0) != 0)
        skip();
    assert_int_equal(sp_acl_opens(a, SP_ACL_WRITE, &yes, &err), 0);
    assert_true(yes);
    assert_int_equal(sp_acl_copy(a, b, &err), 0);
    assert_int_equal(sp_acl_has(b, &yes, &err), 0);
    assert_true(yes);
    assert_int_equal(sp_acl_strip(b, &err), 0);
    assert_int_equal(fchmod(b, 0600), 0);
    assert_int_equal(sp_acl_opens(b, 7, &yes, &err), 0);
    assert_false(yes);
}

#define T(f) cmocka_unit_test_setup_teardown(f, temp_open, temp_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_entry_counts_as_far_as_the_mask_lets_it),
        T(malformed_bytes_are_refused),
        T(an_acl_is_seen_copied_and_taken_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
