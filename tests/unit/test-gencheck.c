/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A manifest is read in parts by several threads: no line may fall between two of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "host/gencheck.h"
#include "temp.h"

enum { LINES = 700, AT_LEAST = 70000 };

/* Lines of all lengths, some as long as two paths make them. Line `there` claims that a file is not there
 * which is; every third is a file that stands. */
static void write_lines(struct temp_host *t, size_t there, struct sp_buf *out)
{
    struct stat st;
    unsigned seed = 1;

    assert_int_equal(fstatat(t->h.root_fd, "usr/bin/tool", &st, 0), 0);
    for (size_t i = 0; i < LINES; i++) {
        size_t long_one = i % 100 == 50 ? 15 : 0;

        if (i == there) {
            sp_buf_puts(out, "a 0 0 0 0 usr/bin/tool\n");
        } else if (i % 3 == 0) {
            sp_buf_printf(out, "f %o %llu %llu %llu usr/bin/tool\n", (unsigned)st.st_mode & 07777,
                          (unsigned long long)st.st_size,
                          (unsigned long long)st.st_mtim.tv_sec * 1000000000U +
                              (unsigned long long)st.st_mtim.tv_nsec,
                          (unsigned long long)st.st_ino);
        } else {
            seed = seed * 1103515245U + 12345U;
            sp_buf_printf(out, "a 0 0 0 0 gone%0*u", (int)(1 + (seed >> 16) % 200), 7U);
            while (long_one-- > 0)
                sp_buf_printf(out, "/%0250u", 7U);
            sp_buf_puts(out, "\n");
        }
    }
    assert_true(sp_buf_ok(out) && out->len > AT_LEAST);
}

static bool is_current(struct temp_host *t, const struct sp_buf *lines, size_t len, size_t *ret_files)
{
    static const char head[] = "four lines\n";
    _cleanup_close_ int fd = openat(t->h.root_fd, "manifest", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const struct sp_genstore_text text = {.fd = fd, .begin = strlen(head), .end = strlen(head) + len};

    assert_int_equal(sp_write_all(fd, head, strlen(head)), 0);
    assert_int_equal(sp_write_all(fd, lines->data, len), 0);
    return sp_gencheck_current(&t->h, &text, ret_files);
}

static int open_host(void **state)
{
    if (temp_open(state) < 0)
        return -1;
    temp_make_dir(*state, "usr/bin");
    temp_put(*state, "usr/bin/tool", "#!/nowhere\n", 0755);
    return 0;
}

static void each_line_is_looked_at_once_and_the_wrong_one_is_found_wherever_it_stands(void **state)
{
    size_t files = 0;

    for (size_t there = 0; there <= LINES; there++) {
        _cleanup_(sp_buf_clear) struct sp_buf lines = {0};
        bool current;

        write_lines(*state, there, &lines);
        current = is_current(*state, &lines, lines.len, &files);
        assert_int_equal(current, there == LINES);
    }
    assert_int_equal(files, (LINES + 2) / 3);
}

static void a_text_that_is_cut_or_has_a_line_longer_than_any_is_not_current(void **state)
{
    _cleanup_(sp_buf_clear) struct sp_buf lines = {0};
    size_t files = 0;

    write_lines(*state, LINES, &lines);
    assert_true(is_current(*state, &lines, lines.len, &files));
    assert_false(is_current(*state, &lines, lines.len - 1, &files));
    sp_buf_puts(&lines, "a 0 0 0 0 gone");
    for (size_t i = 0; i < 9000; i++)
        sp_buf_puts(&lines, "e");
    sp_buf_puts(&lines, "\n");
    assert_false(is_current(*state, &lines, lines.len, &files));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_host, temp_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_line_is_looked_at_once_and_the_wrong_one_is_found_wherever_it_stands),
        TEST(a_text_that_is_cut_or_has_a_line_longer_than_any_is_not_current),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
