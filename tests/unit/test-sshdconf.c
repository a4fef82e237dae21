/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/sshdconf.h"

/* From sshd 9.2, shortened. */
static const char printed[] =
    "port 22\n"
    "port 2222\n"
    "addressfamily any\n"
    "listenaddress [::]:22\n"
    "listenaddress 0.0.0.0:22\n"
    "usepam yes\n"
    "permitrootlogin without-password\n"
    "allowtcpforwarding local\n"
    "banner none\n"
    "forcecommand none\n"
    "authorizedkeysfile .ssh/authorized_keys .ssh/authorized_keys2\n"
    "hostkey /etc/ssh/ssh_host_rsa_key\n"
    "hostkey /etc/ssh/ssh_host_ed25519_key\n"
    "denygroups sallyport-none\n"
    "denygroups others\n"
    "acceptenv LANG\n"
    "acceptenv LC_*\n"
    "subsystem sftp-x /bin/false\n"
    "subsystem sftp /usr/lib/openssh/sftp-server -l INFO\n"
    "permittty\n";

static void parse(struct sp_sshdconf *c)
{
    struct sp_error err;

    assert_int_equal(sp_sshdconf_parse(printed, sizeof(printed) - 1, c, &err), 0);
}

static void settings_are_looked_up(void **state)
{
    _cleanup_(sp_sshdconf_clear) struct sp_sshdconf c = {0};

    (void)state;
    parse(&c);
    assert_string_equal(sp_sshdconf_get(&c, "usepam"), "yes");
    assert_string_equal(sp_sshdconf_get(&c, "UsePAM"), "yes");
    assert_string_equal(sp_sshdconf_get(&c, "allowtcpforwarding"), "local");
    assert_string_equal(sp_sshdconf_get(&c, "authorizedkeysfile"),
                        ".ssh/authorized_keys .ssh/authorized_keys2");
    assert_string_equal(sp_sshdconf_get(&c, "permittty"), "");
    assert_null(sp_sshdconf_get(&c, "allowgroups"));
    assert_null(sp_sshdconf_get(&c, "use"));
}

static void repeated_settings_are_walked(void **state)
{
    _cleanup_(sp_sshdconf_clear) struct sp_sshdconf c = {0};

    (void)state;
    parse(&c);
    assert_string_equal(sp_sshdconf_nth(&c, "port", 0), "22");
    assert_string_equal(sp_sshdconf_nth(&c, "port", 1), "2222");
    assert_null(sp_sshdconf_nth(&c, "port", 2));
    assert_string_equal(sp_sshdconf_nth(&c, "hostkey", 1), "/etc/ssh/ssh_host_ed25519_key");
}

static void words_of_lists_are_found_whole(void **state)
{
    _cleanup_(sp_sshdconf_clear) struct sp_sshdconf c = {0};

    (void)state;
    parse(&c);
    assert_true(sp_sshdconf_has(&c, "denygroups", "sallyport-none"));
    assert_true(sp_sshdconf_has(&c, "denygroups", "others"));
    assert_false(sp_sshdconf_has(&c, "denygroups", "sallyport"));
    assert_false(sp_sshdconf_has(&c, "denygroups", "other"));
    assert_false(sp_sshdconf_has(&c, "denygroups", ""));
    assert_true(sp_sshdconf_has(&c, "authorizedkeysfile", ".ssh/authorized_keys2"));
    assert_false(sp_sshdconf_has(&c, "allowgroups", "others"));
}

static void a_subsystem_is_found_by_its_whole_name(void **state)
{
    _cleanup_(sp_sshdconf_clear) struct sp_sshdconf c = {0};

    (void)state;
    parse(&c);
    assert_string_equal(sp_sshdconf_subsystem(&c, "sftp"), "/usr/lib/openssh/sftp-server -l INFO");
    assert_null(sp_sshdconf_subsystem(&c, "sft"));
}

static void what_sshd_does_not_print_is_refused(void **state)
{
    static const char nul[] = "port 22\0\nusepam yes\n";
    static const char *const bad[] = {"",
                                      "\n\n",
                                      "port\t22\n",
                                      " port 22\n",
                                      "/etc/ssh/x line 3: bad\n",
                                      "port 22\nport 22\r\n",
                                      "banner \x1b[m\n",
                                      "banner \xff\n",
                                      "use-pam yes\n"};
    _cleanup_(sp_sshdconf_clear) struct sp_sshdconf c = {0};
    struct sp_error err;

    (void)state;
    for (size_t i = 0; i < SP_COUNT(bad); i++) {
        if (sp_sshdconf_parse(bad[i], strlen(bad[i]), &c, &err) == 0)
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(err.code, SP_E_INVALID);
        assert_string_not_equal(err.hint, "");
    }
    assert_int_equal(sp_sshdconf_parse(nul, sizeof(nul) - 1, &c, &err), -1);
    assert_null(c.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_looked_up),
        cmocka_unit_test(repeated_settings_are_walked),
        cmocka_unit_test(words_of_lists_are_found_whole),
        cmocka_unit_test(a_subsystem_is_found_by_its_whole_name),
        cmocka_unit_test(what_sshd_does_not_print_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
