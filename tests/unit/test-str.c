/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"

static void what_needs_no_quotes_stays_as_it_is(void **state)
{
    static const char *const plain[] = {"/var/www/vhosts/example.com", "a", "x_1@b%c+d=e,f", "/a-b/.ssh"};
    char out[100];

    (void)state;
    for (size_t i = 0; i < SP_COUNT(plain); i++) {
        assert_int_equal(sp_str_quote(out, sizeof(out), plain[i]), 0);
        assert_string_equal(out, plain[i]);
    }
}

/* What bash makes of `printf %s WORD`. */
static void say(const char *quoted, char *out, size_t size)
{
    char script[600];
    int ends[2], status = 0;
    size_t used = 0;
    ssize_t n;
    pid_t pid;

    assert_int_equal(sp_str_format(script, sizeof(script), "printf %%s %s", quoted), 0);
    assert_int_equal(pipe(ends), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)execl("/bin/bash", "bash", "-c", script, (char *)NULL);
        _exit(127);
    }
    (void)close(ends[1]);
    while ((n = read(ends[0], out + used, size - 1 - used)) > 0)
        used += (size_t)n;
    out[used] = '\0';
    (void)close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void a_shell_makes_the_same_bytes_of_what_was_quoted(void **state)
{
    static const char *const odd[] = {
        "",        "a b",  "it's",    "''",       "$(touch x)",   "`touch x`", "a;b",    "~root",
        "a\nb",    "\t",   "\x1b[2J", "\xff\xfe", "\xc2\x9b",     "a\\b",      "a\\\nb", "\"",
        "*",       "[ab]", "{a,b}",   "a#b",      "!x",           "ü",         "-n",     "a&b|c<d>e",
        "\n\n0 '", "$'x'", "\x7f",    "a\"b'c",   "\xe2\x80\xae", "a\0012",
    };
    char quoted[200], back[200];

    (void)state;
    for (size_t i = 0; i < SP_COUNT(odd); i++) {
        assert_int_equal(sp_str_quote(quoted, sizeof(quoted), odd[i]), 0);
        say(quoted, back, sizeof(back));
        assert_string_equal(back, odd[i]);
        sp_str_copy(back, sizeof(back), quoted);
        sp_str_make_printable(back);
        assert_string_equal(back, quoted); /* one line, whatever stands in it */
    }
}

static void what_does_not_fit_is_no_half_command(void **state)
{
    char out[8];

    (void)state;
    assert_int_equal(sp_str_quote(out, sizeof(out), "/1234567"), -1);
    assert_string_equal(out, "");
    assert_int_equal(sp_str_quote(out, sizeof(out), "12 456"), -1);
    assert_string_equal(out, "");
    assert_int_equal(sp_str_quote(out, sizeof(out), "12 45"), 0);
    assert_string_equal(out, "'12 45'");
    assert_int_equal(sp_str_quote(out, sizeof(out), "ab'"), -1);
    assert_string_equal(out, "");
    assert_int_equal(sp_str_quote(out, sizeof(out), "\n\n"), -1);
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_needs_no_quotes_stays_as_it_is),
        cmocka_unit_test(a_shell_makes_the_same_bytes_of_what_was_quoted),
        cmocka_unit_test(what_does_not_fit_is_no_half_command),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
