/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The account in a state file: what is read can be written, and what was written reads the same. */
#include "fuzz.h"
#include "model/account.h"
#include "model/json.h"

static void write_account(const struct sp_account *a, struct sp_buf *out)
{
    _cleanup_json_ cJSON *json = NULL;
    struct sp_error err = {0};

    REQUIRE(sp_account_to_json(a, &json, &err) == 0);
    REQUIRE(sp_json_print(json, out, &err) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(sp_account_clear) struct sp_account account = {0}, again = {0};
    _cleanup_(sp_key_list_clear) struct sp_key_list keys = {0};
    _cleanup_(sp_buf_clear) struct sp_buf first = {0}, second = {0};
    _cleanup_json_ cJSON *json = NULL, *written = NULL;
    struct sp_error err = {0};

    if (sp_json_parse((const char *)data, size, &json, &err) < 0 ||
        sp_account_from_json(json, &account, &err) < 0) {
        fuzz_refused(&err);
        return 0;
    }
    write_account(&account, &first);
    REQUIRE(sp_json_parse_large(first.data, first.len, 1U << 24, &written, &err) == 0);
    REQUIRE(sp_account_from_json(written, &again, &err) == 0);
    write_account(&again, &second);
    REQUIRE(sp_streq(first.data, second.data));
    if (sp_account_effective_keys(&account, 1789000000, &keys, NULL, NULL, &err) < 0)
        fuzz_refused(&err);
    return 0;
}
