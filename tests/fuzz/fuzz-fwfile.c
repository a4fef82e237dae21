/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The files that the SSH port's policy is kept in: sealed here, since no other file comes as far as the
 * reader proper; and as they are. */
#include "fuzz.h"
#include "model/fwfile.h"
#include "model/fwmark.h"
#include "model/fwpending.h"

static void policy(const char *bytes, size_t len)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {0}, again = {0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    struct sp_error err = {0};
    uint64_t sum = 0, written = 1;

    if (sp_fwfile_parse(bytes, len, &p, &sum, &err) < 0) {
        fuzz_refused(&err);
        REQUIRE(err.code == SP_E_STATE && p.v == NULL);
        return;
    }
    for (size_t i = 0; i < p.n; i++) {
        REQUIRE(sp_fw_entry_check(&p.v[i], 0, &err) == 0 && sp_cidr_check(&p.v[i].source, &err) == 0);
        REQUIRE(i == 0 || sp_fw_entry_compare(&p.v[i - 1], &p.v[i]) < 0);
    }
    REQUIRE(sp_fwfile_format(&p, &text, &written, &err) == 0);
    REQUIRE(sp_fwfile_parse(text.data, text.len, &again, &sum, &err) == 0);
    REQUIRE(sp_fw_policy_equal(&p, &again) && sum == written);
}

static void mark(const char *bytes, size_t len)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    struct sp_fwmark m = {0};
    struct sp_error err = {0};

    if (sp_fwmark_parse(bytes, len, &m, &err) < 0) {
        fuzz_refused(&err);
        return;
    }
    REQUIRE(sp_fwmark_format(&m, &text, &err) == 0);
    REQUIRE(sp_fwmark_parse(text.data, text.len, &m, &err) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(sp_fw_pending_clear) struct sp_fw_pending pending = {0};
    _cleanup_(sp_buf_clear) struct sp_buf sealed = {0};
    struct sp_error err = {0};

    sp_buf_add(&sealed, data, size);
    REQUIRE(sp_fwfile_seal(&sealed, 0, NULL, &err) == 0);
    policy(sealed.data, sealed.len);
    policy((const char *)data, size);
    mark((const char *)data, size);
    if (sp_fwpending_parse((const char *)data, size, &pending, &err) < 0)
        fuzz_refused(&err);
    return 0;
}
