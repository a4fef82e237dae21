/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The account in a state file, and the file itself, sealed here, since no other comes as far as the reader
 * proper: what is read can be written, and what was written reads the same. */
#include <sha2.h>

#include "engine/store.h"
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

static void write_state(const struct sp_state *s, struct sp_buf *out)
{
    struct sp_error err = {0};

    REQUIRE(sp_store_format(s, out, &err) == 0);
}

static void state(const char *bytes, size_t len)
{
    _cleanup_(sp_state_clear) struct sp_state s = {0}, again = {0};
    _cleanup_(sp_buf_clear) struct sp_buf first = {0}, second = {0};
    struct sp_error err = {0};

    if (sp_store_parse(bytes, len, &s, &err) < 0) {
        fuzz_refused(&err);
        return;
    }
    write_state(&s, &first);
    REQUIRE(sp_store_parse(sp_buf_str(&first), first.len, &again, &err) == 0);
    write_state(&again, &second);
    REQUIRE(sp_streq(first.data, second.data));
}

/* The first line with its sum; and around an account, what a state is made of. */
static void sealed(const uint8_t *data, size_t size, const char *head, const char *tail)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    char sum[SHA256_DIGEST_STRING_LENGTH];

    sp_buf_puts(&text, head);
    sp_buf_add(&text, data, size);
    sp_buf_puts(&text, tail);
    (void)SHA256Data((const uint8_t *)sp_buf_str(&text), text.len, sum);
    sp_buf_printf(&text, "\nsha256 %s\n", sum);
    state(text.data, text.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(sp_account_clear) struct sp_account account = {0}, again = {0};
    _cleanup_(sp_key_list_clear) struct sp_key_list keys = {0};
    _cleanup_(sp_buf_clear) struct sp_buf first = {0}, second = {0};
    _cleanup_json_ cJSON *json = NULL, *written = NULL;
    struct sp_error err = {0};

    state((const char *)data, size);
    sealed(data, size, "", "");
    sealed(data, size,
           "{\"format\":1,\"generation\":1,\"pending\":false,\"original_shell\":\"\",\"desired\":", "}");
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
