/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/fwrequest.h"
#include "model/json.h"

#define NOW 1700000000

static int decode(const char *text, struct sp_fw_request *r, struct sp_error *err)
{
    _cleanup_json_ cJSON *j = NULL;

    *err = (struct sp_error){0};
    if (sp_json_parse(text, strlen(text), &j, err) < 0)
        fail_msg("%s: %s", text, err->text);
    return sp_fwrequest_decode(j, r, err);
}

/* Decode and apply to *p. */
static int apply(const char *text, struct sp_fw_policy *p, struct sp_error *err)
{
    _cleanup_(sp_fwrequest_clear) struct sp_fw_request r = {0};

    return decode(text, &r, err) < 0 ? -1 : sp_fwrequest_apply(&r, NOW, p, err);
}

static void nothing_asked_is_nothing_changed(void **state)
{
    _cleanup_(sp_fwrequest_clear) struct sp_fw_request r = {0};
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {0};
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_fwrequest_decode(NULL, &r, &err), 0);
    assert_int_equal(sp_fwrequest_apply(&r, NOW, &p, &err), 0);
    assert_int_equal(p.mode, SP_FW_UNMANAGED);
    assert_int_equal(p.n, 0);
}

static void every_field_is_read(void **state)
{
    _cleanup_(sp_fwrequest_clear) struct sp_fw_request r = {0};
    struct sp_error err;

    (void)state;
    assert_int_equal(
        decode("{\"mode\":\"closed\",\"sources\":[{\"source\":\"203.0.113.0/24\",\"comment\":\"office\","
               "\"expires_at\":\"2027-01-01T00:00:00Z\"},{\"source\":\"2001:db8::/32\"}],\"force\":true,"
               "\"acknowledge_closed\":true,\"dry_run\":true}",
               &r, &err),
        0);
    assert_true(r.has_mode && r.has_sources && r.force && r.acknowledge_closed && r.dry_run);
    assert_int_equal(r.mode, SP_FW_CLOSED);
    assert_int_equal(r.sources.n, 2);
    assert_string_equal(r.sources.v[0].comment, "office");
    assert_int_equal(r.sources.v[0].expires_at, 1798761600);
    assert_int_equal(r.sources.v[1].source.family, 6);
    assert_string_equal(r.sources.v[1].owner, "");
}

static void bad_requests_name_their_field(void **state)
{
    static const struct {
        const char *text, *field;
        enum sp_code code;
    } cases[] = {
        {"{\"mode\":\"Restricted\"}", "mode", SP_E_INVALID},
        {"{\"mode\":null}", "mode", SP_E_INVALID},
        {"{\"modes\":\"open\"}", "modes", SP_E_INVALID},
        {"{\"force\":1}", "force", SP_E_INVALID},
        {"{\"sources\":{}}", "sources", SP_E_INVALID},
        {"{\"sources\":[\"192.0.2.1\"]}", "sources[0]", SP_E_INVALID},
        {"{\"add\":[{\"source\":\"192.0.2.1\"},{}]}", "add[1].source", SP_E_INVALID},
        {"{\"add\":[{\"source\":\"192.0.2.1\",\"owner\":\"example.com\"}]}", "add[0].owner", SP_E_INVALID},
        {"{\"add\":[{\"source\":\"192.0.2.1\",\"expires_at\":\"tomorrow\"}]}", "add[0].expires_at",
         SP_E_INVALID},
        {"{\"add\":[{\"source\":\"192.0.2.1\",\"expires_at\":\"1970-01-01T00:00:00Z\"}]}",
         "add[0].expires_at", SP_E_INVALID},
        {"{\"add\":[{\"source\":\"192.0.2.1\",\"expires_at\":\"2020-01-01T00:00:00Z\"}]}",
         "add[0].expires_at", SP_E_INVALID},
        {"{\"add\":[{\"source\":\"192.0.2.1\",\"comment\":\"a\\u0007b\"}]}", "add[0].comment",
         SP_E_INVALID},
        {"{\"remove\":[\"192.0.2.1\",7]}", "remove[1]", SP_E_INVALID},
        {"{\"sources\":[],\"add\":[{\"source\":\"192.0.2.1\"}]}", "sources", SP_E_INVALID},
        {"{\"mode\":\"restricted\"}", "sources", SP_E_LOCKOUT},
        {"{\"mode\":\"restricted\",\"sources\":[{\"source\":\"192.0.2.1\",\"expires_at\":\"2100-01-01T00:"
         "00:00Z\"}]}",
         "sources", SP_E_LOCKOUT},
        {"{\"mode\":\"closed\"}", "mode", SP_E_LOCKOUT},
        /* test 17, and its family */
        {"{\"add\":[{\"source\":\"010.1.2.3\"}]}", "add[0].source", SP_E_INVALID},
        {"{\"add\":[{\"source\":\"localhost\"}]}", "add[0].source", SP_E_INVALID},
        {"{\"add\":[{\"source\":\"10.0.0.5/24\"}]}", "add[0].source", SP_E_INVALID},
        {"{\"add\":[{\"source\":\"::ffff:1.2.3.4\"}]}", "add[0].source", SP_E_INVALID},
        {"{\"add\":[{\"source\":\"0.0.0.0/0\"}]}", "add[0].source", SP_E_INVALID},
        {"{\"remove\":[\"10.0.0.5/24\"]}", "remove[0]", SP_E_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < SP_COUNT(cases); i++) {
        _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {0};
        struct sp_error err;

        if (apply(cases[i].text, &p, &err) == 0)
            fail_msg("%s was taken", cases[i].text);
        assert_string_equal(err.field, cases[i].field);
        assert_int_equal(err.code, cases[i].code);
        assert_string_not_equal(err.text, "");
    }
}

static void sources_replace_what_was_given_before(void **state)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {0};
    struct sp_fw_entry domain = {.owner = (char *)"example.com", .comment = (char *)""};
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_cidr_parse("192.0.2.9", &domain.source, &err), 0);
    assert_int_equal(sp_fw_policy_put(&p, &domain, 1, NOW, &err), 0);
    assert_int_equal(apply("{\"mode\":\"restricted\",\"sources\":[{\"source\":\"192.0.2.1\"}]}", &p, &err),
                     0);
    assert_int_equal(apply("{\"sources\":[{\"source\":\"192.0.2.2\"}]}", &p, &err), 0);
    assert_int_equal(p.n, 2);
    assert_int_equal(p.mode, SP_FW_RESTRICTED);
    assert_int_equal(p.v[0].source.addr[3], 2);
    assert_string_equal(p.v[1].owner, "example.com");
    assert_int_equal(
        apply("{\"add\":[{\"source\":\"192.0.2.3\"}],\"remove\":[\"192.0.2.2\",\"192.0.2.77\"]}", &p, &err),
        0);
    assert_int_equal(p.n, 2);
    assert_int_equal(p.v[0].source.addr[3], 3);
}

static void what_a_domain_brought_is_not_taken_here(void **state)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {0};
    struct sp_fw_entry domain = {.owner = (char *)"example.com", .comment = (char *)""};
    struct sp_error err;

    (void)state;
    assert_int_equal(sp_cidr_parse("192.0.2.9", &domain.source, &err), 0);
    assert_int_equal(sp_fw_policy_put(&p, &domain, 1, NOW, &err), 0);
    assert_int_equal(apply("{\"remove\":[\"192.0.2.9\"]}", &p, &err), -1);
    assert_int_equal(err.code, SP_E_CONFLICT);
    assert_string_equal(err.field, "remove[0]");
    assert_non_null(strstr(err.text, "example.com"));
}

static void closed_stays_closed_without_another_word(void **state)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {0};
    struct sp_error err;

    (void)state;
    assert_int_equal(apply("{\"mode\":\"closed\",\"acknowledge_closed\":true}", &p, &err), 0);
    assert_int_equal(apply("{\"mode\":\"closed\"}", &p, &err), 0);
    assert_int_equal(apply("{\"mode\":\"open\"}", &p, &err), 0);
    assert_int_equal(apply("{\"mode\":\"closed\"}", &p, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_asked_is_nothing_changed),
        cmocka_unit_test(every_field_is_read),
        cmocka_unit_test(bad_requests_name_their_field),
        cmocka_unit_test(sources_replace_what_was_given_before),
        cmocka_unit_test(what_a_domain_brought_is_not_taken_here),
        cmocka_unit_test(closed_stays_closed_without_another_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
