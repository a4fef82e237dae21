/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "resource/fwopen.h"

static void a_rule_of_ufws_for_the_port_is_found(void **state)
{
    static const struct {
        const char *rules, *action;
    } cases[] = {
        {"", ""},
        {"### tuple ### deny tcp 22 0.0.0.0/0 any 0.0.0.0/0 in\n", "deny"},
        {"### tuple ### deny_log tcp 22 0.0.0.0/0 any 0.0.0.0/0 in\n", "deny"},
        {"### tuple ### limit any 20:25 0.0.0.0/0 any 0.0.0.0/0 in comment=61\n", "limit"},
        {"### tuple ### reject tcp 80,22 0.0.0.0/0 any 10.0.0.0/8 in\n", "reject"},
        {"### tuple ### deny udp 22 0.0.0.0/0 any 0.0.0.0/0 in\n", ""},
        {"### tuple ### deny tcp 220 0.0.0.0/0 any 0.0.0.0/0 in\n", ""},
        {"### tuple ### deny tcp any 0.0.0.0/0 any 10.0.0.0/8 in\n", ""},
        {"### tuple ### route:deny tcp 22 0.0.0.0/0 any 0.0.0.0/0 in\n", ""},
        {"### tuple ### allow tcp 22 0.0.0.0/0 any 10.0.0.0/8 in\n", ""},
        {"### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in\n", "allow"},
        {"### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in\n"
         "### tuple ### deny tcp 22 0.0.0.0/0 any 10.0.0.0/8 in\n",
         "deny"},
        {"### tuple ### deny", ""},
        {"### tuple ### deny tcp", ""},
        {"### tuple ### deny tcp 22", "deny"},
    };

    (void)state;
    for (size_t i = 0; i < SP_COUNT(cases); i++) {
        char action[16];
        sp_fwopen_ufw_rule(cases[i].rules, 22, action);
        assert_string_equal(action, cases[i].action);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_rule_of_ufws_for_the_port_is_found)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
