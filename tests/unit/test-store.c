/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <cjson/cJSON.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/store.h"

static size_t left; /* so many allocations of cJSON's succeed */

static void *scarce(size_t size)
{
    return left > 0 && left-- > 0 ? malloc(size) : NULL;
}

/* A record without what was asked for would be a broken one, and the answer would be success. */
static void a_record_is_written_whole_or_not_at_all(void **state)
{
    struct sp_state s = {.exists = true, .generation = 3, .pending = true};
    cJSON_Hooks hooks = {scarce, free};
    struct sp_error err;
    size_t n = 0;
    int rc = -1;

    (void)state;
    (void)sp_str_copy(s.desired.user, sizeof(s.desired.user), "site");
    (void)sp_str_copy(s.applied.user, sizeof(s.applied.user), "site");
    cJSON_InitHooks(&hooks);
    for (; rc < 0 && n < 1000; n++) {
        _cleanup_(sp_buf_clear) struct sp_buf out = {0};
        left = n;
        rc = sp_store_format(&s, &out, &err);
        if (rc < 0)
            assert_int_equal(err.code, SP_E_NO_MEMORY);
        else
            assert_true(strstr(sp_buf_str(&out), "\"desired\"") != NULL &&
                        strstr(sp_buf_str(&out), "\"applied\"") != NULL);
    }
    cJSON_InitHooks(NULL);
    assert_int_equal(rc, 0);
    assert_true(n > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_written_whole_or_not_at_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
