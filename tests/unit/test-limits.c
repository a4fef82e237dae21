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
#include "model/json.h"
#include "model/limits.h"

static void a_drop_in_says_what_was_asked_for_and_whose_it_is(void **state)
{
    static const struct {
        struct sp_limits limits;
        const char *text, *shown;
    } cases[] = {
        {{512, 0}, "[Slice]\nTasksMax=512\n", "512 processes"},
        {{0, 64}, "[Slice]\nMemoryMax=64M\nMemorySwapMax=0\n", "64 MiB"},
        {{100, 1024},
         "[Slice]\nTasksMax=100\nMemoryMax=1024M\nMemorySwapMax=0\n",
         "100 processes, 1024 MiB"},
        {{0, 0}, "[Slice]\n", ""},
    };

    (void)state;
    for (size_t i = 0; i < SP_COUNT(cases); i++) {
        _cleanup_(sp_buf_clear) struct sp_buf out = {0};
        struct sp_error err = {0};
        char shown[SP_LIMITS_TEXT];

        assert_int_equal(sp_limits_slice("web1", &cases[i].limits, &out, &err), 0);
        assert_string_equal(strchr(sp_buf_str(&out), '\n') + 1, cases[i].text);
        sp_limits_text(&cases[i].limits, shown);
        assert_string_equal(shown, cases[i].shown);
        assert_true(sp_limits_slice_is_of(sp_buf_str(&out), "web1"));
        assert_false(sp_limits_slice_is_of(sp_buf_str(&out), "web"));
        assert_false(sp_limits_slice_is_of(sp_buf_str(&out), "web11"));
    }
    assert_false(sp_limits_slice_is_of("[Slice]\nTasksMax=5\n", "web1"));
}

static void a_name_that_would_break_the_line_is_refused_by_the_writer(void **state)
{
    const struct sp_limits limits = {512, 0};
    static const char *const bad[] = {"a\n[Slice]", "a b", "", "../x"};

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++) {
        _cleanup_(sp_buf_clear) struct sp_buf out = {0};
        struct sp_error err = {0};

        assert_int_equal(sp_limits_slice(bad[i], &limits, &out, &err), -1);
        assert_int_equal(out.len, 0);
    }
}

static void what_one_field_leaves_out_stays(void **state)
{
    _cleanup_json_ cJSON *o = cJSON_Parse("{\"memory_mib\":0}");
    struct sp_limits l = {100, 256};
    struct sp_error err = {0};

    (void)state;
    assert_int_equal(sp_limits_from_json(o, &l, &err), 0);
    assert_int_equal(l.processes, 100);
    assert_int_equal(l.memory_mib, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_drop_in_says_what_was_asked_for_and_whose_it_is),
        cmocka_unit_test(a_name_that_would_break_the_line_is_refused_by_the_writer),
        cmocka_unit_test(what_one_field_leaves_out_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
