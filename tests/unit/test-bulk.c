/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "base/mem.h"
#include "host/bulk.h"
#include "host/fsat.h"
#include "temp.h"

static void a_file_that_could_not_be_written_is_not_committed_with_the_others(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_bulk_clear) struct sp_bulk b = {.dirfd = -1};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    struct rlimit old, little;
    struct sp_error err;
    int rc;

    assert_int_equal(sp_bulk_open(&t->h, "/.", &b, &err), 0);
    assert_int_equal(sp_bulk_add(&b, "one.json", "1", 1, &err), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    little = (struct rlimit){.rlim_cur = 4, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    rc = sp_bulk_add(&b, "two.json", "12345678", 8, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(rc, -1);
    assert_int_equal(err.code, SP_E_IO);
    assert_int_equal(sp_bulk_add(&b, "three.json", "3", 1, &err), 0);
    assert_int_equal(sp_bulk_commit(&b, &err), 0);
    assert_string_equal(temp_get(t, "one.json", &text), "1");
    assert_true(sp_fsat_exists(t->h.root_fd, "three.json"));
    assert_false(sp_fsat_exists(t->h.root_fd, "two.json"));
    assert_false(sp_fsat_exists(t->h.root_fd, "two.json.sallyport"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_that_could_not_be_written_is_not_committed_with_the_others,
                                        temp_open, temp_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
