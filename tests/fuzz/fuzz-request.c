/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A request: the strict scan, cJSON, the envelope and the parameters of every method. */
#include "fuzz.h"
#include "model/json.h"
#include "model/request.h"

/* What was accepted can be said again, and is accepted again. */
static void say_again(const cJSON *json)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    struct sp_error err = {0};

    REQUIRE(sp_json_print(json, &text, &err) == 0);
    REQUIRE(text.len > SP_JSON_MAX_BYTES || sp_json_scan(sp_buf_str(&text), text.len, &err) == 0);
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
    return 0;
}
