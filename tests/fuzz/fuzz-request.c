/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A request: the strict scan, cJSON, the envelope and the parameters of every method. */
#include <arpa/inet.h>

#include "fuzz.h"
#include "model/adoptrequest.h"
#include "model/certrequest.h"
#include "model/doctorrequest.h"
#include "model/fwrequest.h"
#include "model/globalrequest.h"
#include "model/json.h"
#include "model/panel.h"
#include "model/request.h"

/* What was accepted can be said again, and is accepted again. */
static void say_again(const cJSON *json)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    struct sp_error err = {0};

    REQUIRE(sp_json_print(json, &text, &err) == 0);
    REQUIRE(text.len > SP_JSON_MAX_BYTES || sp_json_scan(sp_buf_str(&text), text.len, &err) == 0);
}

/* Of the firewall's: what a policy becomes by it is one that may be stored. */
static void firewall(const cJSON *params)
{
    _cleanup_(sp_fwrequest_clear) struct sp_fw_request r = {0};
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy policy = {0};
    char token[SP_FW_TOKEN_SIZE] = "";
    struct sp_error err = {0};

    if (sp_fwrequest_decode_confirm(params, token, &err) < 0)
        fuzz_refused(&err);
    REQUIRE(memchr(token, '\0', sizeof(token)) != NULL);
    if (sp_fwrequest_decode(params, &r, &err) < 0 ||
        sp_fwrequest_apply(&r, 1789000000, &policy, &err) < 0) {
        fuzz_refused(&err);
        return;
    }
    REQUIRE(r.confirm_within >= 0 && r.confirm_within <= SP_FW_TRIAL_MAX);
    for (size_t i = 0; i < policy.n; i++)
        REQUIRE(sp_fw_entry_check(&policy.v[i], 1789000000, &err) == 0 &&
                sp_cidr_check(&policy.v[i].source, &err) == 0);
}

/* Of certificates: no control byte, and nothing but blocks, gets into what is signed. */
static void certificates(const cJSON *params)
{
    for (int which = SP_CERT_ISSUE; which <= SP_CERT_EXPLAIN; which++) {
        _cleanup_(sp_cert_request_clear) struct sp_cert_request r = {0};
        struct sp_error err = {0};

        if (sp_cert_request_decode((enum sp_cert_method)which, params, &r, &err) < 0) {
            fuzz_refused(&err);
            continue;
        }
        REQUIRE(sp_str_is_clean(r.command, strlen(r.command)) &&
                sp_str_is_clean(r.key_id, strlen(r.key_id)) &&
                sp_str_is_clean(r.reason, strlen(r.reason)) && sp_str_is_clean(r.host, strlen(r.host)));
        for (size_t i = 0; i < r.from.n; i++)
            REQUIRE(sp_cidr_check(&r.from.v[i], &err) == 0);
    }
}

/* A name is a domain or a user, and a pattern an absolute path. */
static void adoption(const cJSON *params)
{
    struct sp_adopt_request r = {0};
    struct sp_error err = {0}, ignored;
    const cJSON *one = NULL;
    int n = 0;

    if (sp_adopt_request_decode(params, &r, &err) < 0) {
        fuzz_refused(&err);
        return;
    }
    REQUIRE(r.panel == NULL || sp_panel_check_name(r.panel, &err) == 0);
    REQUIRE(r.document_root == NULL || r.document_root[0] == '/');
    cJSON_ArrayForEach(one, r.names)
    {
        n++;
        REQUIRE(sp_name_check_domain(one->valuestring, &ignored) == 0 ||
                sp_name_check_user(one->valuestring, &ignored) == 0);
    }
    REQUIRE(n <= SP_ADOPT_NAMES_MAX);
}

/* An address is handed to sshd -T as it is. */
static void diagnosis(const cJSON *params)
{
    _cleanup_(sp_doctor_request_clear) struct sp_doctor_request r = {0};
    unsigned char bytes[16];
    struct sp_error err = {0};

    if (sp_doctor_request_decode(params, &r, &err) < 0) {
        fuzz_refused(&err);
        return;
    }
    REQUIRE(r.domain[0] == '\0' || sp_name_check_domain(r.domain, &err) == 0);
    REQUIRE(r.user[0] == '\0' || sp_name_check_user(r.user, &err) == 0);
    REQUIRE(r.from[0] == '\0' || inet_pton(AF_INET, r.from, bytes) == 1 ||
            inet_pton(AF_INET6, r.from, bytes) == 1);
    REQUIRE(r.port >= 0 && r.port <= 65535);
    REQUIRE(!r.has_key || sp_fingerprint_check(r.key.key.fingerprint, &err) == 0);
}

static void global_key(const cJSON *params)
{
    _cleanup_(sp_global_request_clear) struct sp_global_request r = {0};
    struct sp_error err = {0};

    if (sp_global_request_decode(params, &r, &err) < 0) {
        fuzz_refused(&err);
        return;
    }
    REQUIRE(r.group[0] == '\0' || sp_name_check_user(r.group, &err) == 0);
    REQUIRE(r.key.rules.command[0] == '\0');
    REQUIRE(sp_fingerprint_check(r.key.key.fingerprint, &err) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_json_ cJSON *json = NULL;
    struct sp_call call = {0};
    struct sp_error err = {0};

    if (sp_json_parse((const char *)data, size, &json, &err) < 0) {
        fuzz_refused(&err);
        return 0;
    }
    say_again(json);
    if (sp_call_decode(json, &call, &err) < 0) {
        fuzz_refused(&err);
        return 0;
    }
    for (int which = SP_PARAMS_APPLY; which <= SP_PARAMS_RAW; which++) {
        _cleanup_(sp_params_clear) struct sp_params params = {0};

        if (sp_params_decode((enum sp_method_params)which, call.params, &params, &err) < 0)
            fuzz_refused(&err);
    }
    firewall(call.params);
    certificates(call.params);
    adoption(call.params);
    diagnosis(call.params);
    global_key(call.params);
    return 0;
}
