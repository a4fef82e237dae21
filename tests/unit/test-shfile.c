/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/shfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define BEFORE                                                                                             \
    "root:$6$r:19000:0:99999:7:::\nweb:*:19000::::::\nsite:$6$o:19000:0:99999:7::20000:\nlast:!:19000::::" \
    "::\n"
#define PASSWD "root:x:0:0::/:/bin/sh\nweb:x:33:33::/:\nsite:x:1000:1000::/:\nlast:x:1001:1001::/:\n"

static struct sp_slice slice(const char *text)
{
    return (struct sp_slice){text, strlen(text)};
}

static void expect(const char *before, const char *now, const char *passwd, const char *want, size_t lines)
{
    const struct sp_shfile f = {slice(before), slice(now), slice(passwd), "site"};
    struct sp_buf out = {0};
    struct sp_error err;
    size_t lost = 99;

    assert_int_equal(sp_shfile_keep(&f, &out, &lost, &err), 0);
    assert_string_equal(sp_buf_str(&out), want);
    assert_int_equal(lost, lines);
    sp_buf_clear(&out);
}

static void a_file_that_lost_nothing_is_as_it_is_now(void **state)
{
    static const char now[] =
        "root:$6$r:19000:0:99999:7:::\nweb:*:19000::::::\nsite:$6$n:20000:0:99999:7::20000:\n"
        "last:$6$b:20000::::::\nnew:*:20000::::::\n";

    (void)state;
    expect(BEFORE, now, PASSWD, now, 0);
    expect(BEFORE, BEFORE, PASSWD, BEFORE, 0);
    expect("", BEFORE, PASSWD, BEFORE, 0);
}

static void lines_that_were_lost_stand_in_their_places_again_and_the_user_keeps_his_dates(void **state)
{
    static const char want[] =
        "root:$6$r:19000:0:99999:7:::\nweb:*:19000::::::\n"
        "site:$6$n:20000:0:99999:7::20000:\nlast:!:19000::::::\n";

    (void)state;
    expect(BEFORE, "site:$6$n:20000::::::\n", PASSWD, want, 4);
    expect(BEFORE, "root:$6$r:19000:0:99999:7:::\nsite:$6$n:20000::::::", PASSWD, want, 3);
    expect(BEFORE, "", PASSWD, BEFORE, 4);
}

/* His line alone, the last one: he who has expired stays so. */
static void a_line_that_lost_its_dates_alone_has_them_again(void **state)
{
    static const char before[] = "web:*:19000::::::\nsite:$6$o:19000:0:99999:7::20000:\n";

    (void)state;
    expect(before, "web:*:19000::::::\nsite:$6$n:20000::::::\n", PASSWD,
           "web:*:19000::::::\nsite:$6$n:20000:0:99999:7::20000:\n", 1);
    expect("site:$6$o:19000::::::\n", "site:$6$n:20000::::::\n", PASSWD, "site:$6$n:20000::::::\n", 0);
    expect("site:$6$o:19000:0:99999:7::20000:\n", "site:$6$n:20000:0:90:7::21000:\n", PASSWD,
           "site:$6$n:20000:0:90:7::21000:\n", 0); /* somebody's chage(1) */
}

static void what_others_did_meanwhile_is_kept(void **state)
{
    (void)state;
    /* web was removed, last came to stand in front, and a newcomer with him. */
    expect(BEFORE,
           "last:$6$b:20000::::::\nnew:*:20000::::::\nroot:$6$r:19000:0:99999:7:::\nsite:$6$n:20000:0:"
           "99999:7::20000:\n",
           "root:x:0:0::/:/bin/sh\nsite:x:1000:1000::/:\nlast:x:1001:1001::/:\nnew:x:1002:1002::/:\n",
           "last:$6$b:20000::::::\nnew:*:20000::::::\nroot:$6$r:19000:0:99999:7:::\nsite:$6$n:20000:0:"
           "99999:7::20000:\n",
           0);
}

static void a_line_that_pam_cannot_read_stays(void **state)
{
    (void)state;
    expect("web:*\nsite:$6$o:19000::::::\n", "site:$6$n:20000::::::\n", PASSWD,
           "web:*\nsite:$6$n:20000::::::\n", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_lost_nothing_is_as_it_is_now),
        cmocka_unit_test(lines_that_were_lost_stand_in_their_places_again_and_the_user_keeps_his_dates),
        cmocka_unit_test(a_line_that_lost_its_dates_alone_has_them_again),
        cmocka_unit_test(what_others_did_meanwhile_is_kept),
        cmocka_unit_test(a_line_that_pam_cannot_read_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
