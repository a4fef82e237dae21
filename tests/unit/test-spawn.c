/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <time.h>

#include "base/mem.h"
#include "host/spawn.h"
#include "temp.h"

static int run(struct temp_host *t, const char *script, struct sp_spawn *s, struct sp_error *err)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};

    s->argv = argv;
    if (s->max_output == 0)
        s->max_output = 1 << 20;
    if (s->deadline_ms == 0)
        s->deadline_ms = 10000;
    return sp_spawn_run(&t->h, s, err);
}

static void output_and_status_come_back(void **state)
{
    _cleanup_(sp_spawn_clear) struct sp_spawn s = {0};
    struct sp_error err;

    setenv("SECRET", "x", 1);
    assert_int_equal(run(*state, "echo out; echo err >&2; echo $SECRET; pwd; exit 7", &s, &err), 0);
    assert_string_equal(sp_buf_str(&s.out), "out\n\n/\n");
    assert_string_equal(sp_buf_str(&s.err_out), "err\n");
    assert_int_equal(s.status, 7);
}

static void a_signal_is_told_as_128_and_more(void **state)
{
    _cleanup_(sp_spawn_clear) struct sp_spawn s = {0};
    struct sp_error err;

    assert_int_equal(run(*state, "kill -TERM $$", &s, &err), 0);
    assert_int_equal(s.status, 128 + 15);
}

static void input_is_a_file_that_may_be_opened_again(void **state)
{
    _cleanup_(sp_spawn_clear) struct sp_spawn s = {.input = "a\nb\n", .input_len = 4};
    struct sp_error err;

    assert_int_equal(run(*state, "cat /dev/stdin", &s, &err), 0);
    assert_string_equal(sp_buf_str(&s.out), "a\nb\n");
}

static void no_descriptor_above_2_is_handed_on(void **state)
{
    _cleanup_(sp_spawn_clear) struct sp_spawn s = {0};
    struct sp_error err;
    int fd = open("/dev/null", O_RDONLY);

    assert_int_equal(run(*state, "cd /proc/self/fd && echo *", &s, &err), 0);
    (void)close(fd);
    /* The shell itself holds the directory open while it lists it. */
    assert_string_equal(sp_buf_str(&s.out), "0 1 2 3\n");
}

static void more_output_than_wanted_is_cut_off(void **state)
{
    _cleanup_(sp_spawn_clear) struct sp_spawn s = {.max_output = 100};
    struct sp_error err;

    assert_int_equal(run(*state, "head -c 300000 /dev/zero", &s, &err), 0);
    assert_int_equal(s.out.len, 100);
    assert_int_equal(s.status, 0);
}

static void the_deadline_ends_the_whole_group(void **state)
{
    _cleanup_(sp_spawn_clear) struct sp_spawn s = {.deadline_ms = 200};
    struct sp_error err;
    time_t start = time(NULL);

    assert_int_equal(run(*state, "sleep 20 & trap '' TERM; sleep 20; sleep 20", &s, &err), -1);
    assert_int_equal(err.code, SP_E_BUSY);
    assert_true(time(NULL) - start < 15);
}

static void a_grandchild_that_keeps_the_pipe_is_not_waited_for(void **state)
{
    _cleanup_(sp_spawn_clear) struct sp_spawn s = {.deadline_ms = 5000};
    struct sp_error err;
    time_t start = time(NULL);

    assert_int_equal(run(*state, "sleep 20 & echo done", &s, &err), 0);
    assert_string_equal(sp_buf_str(&s.out), "done\n");
    assert_true(time(NULL) - start < 15);
}

static void a_missing_program_is_an_error(void **state)
{
    struct temp_host *t = *state;
    const char *const argv[] = {"/no/such/program", NULL}, *const bare[] = {"sh", NULL};
    struct sp_spawn s = {.argv = argv, .deadline_ms = 10000, .max_output = 100};
    struct sp_error err;

    assert_int_equal(sp_spawn_run(&t->h, &s, &err), -1);
    assert_int_equal(err.code, SP_E_IO);
    assert_int_equal(err.os_errno, ENOENT);
    s.argv = bare;
    assert_int_equal(sp_spawn_run(&t->h, &s, &err), -1);
    sp_spawn_clear(&s);
}

#define T(f) cmocka_unit_test_setup_teardown(f, temp_open, temp_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(output_and_status_come_back),
        T(a_signal_is_told_as_128_and_more),
        T(input_is_a_file_that_may_be_opened_again),
        T(no_descriptor_above_2_is_handed_on),
        T(more_output_than_wanted_is_cut_off),
        T(the_deadline_ends_the_whole_group),
        T(a_grandchild_that_keeps_the_pipe_is_not_waited_for),
        T(a_missing_program_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
